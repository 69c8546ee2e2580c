"""PKOC SE V2 through pcscd, nfcpy's UDP device and the simulated reader, on one ladder with everything weaker."""

import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from readers.credentials.claim import Claim, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from readers.credentials.pkoc2 import is_proved
from readers.reader import CardPresented
from readers.tlv import build
from readers.virtual.card import VirtualCard
from readers.virtual.pkoc_card import Fault, PkocCard, Profile
from readers.virtual.pkoc_issuer import REFERENCE, PkocIssuer
from readers.virtual.pkoc_phone import PkocPhone
from tests.readers.cards import FIXED_UID, ManualClock
from tests.readers.credentials.pkoc_site import KEY, POINT, PkocSite
from tests.readers.credentials.test_ladder_through_readers import SEEN_WITHIN, place

Identify = Callable[[VirtualCard], Claim | Refusal]


@pytest.fixture
def site(tmp_path: Path) -> PkocSite:
    return PkocSite(tmp_path)


@pytest.fixture(params=["pcscd", "nfcpy", "simulated"])
def identify(request: pytest.FixtureRequest, site: PkocSite) -> Iterator[Identify]:
    """Taps one card and returns what the ladder makes of it."""
    still = ManualClock()  # how long a card may take is tested elsewhere
    ladder = Ladder([PkocScheme(RandomNonceSource(), still, issuers=site.issuers), UidScheme()], still)
    with place(request.param, request) as (reader, insert):
        reader.open()

        def tap(card: VirtualCard) -> Claim | Refusal:
            insert(card)
            end = time.monotonic() + SEEN_WITHIN
            while time.monotonic() < end:
                for event in reader.wait(1.0):
                    if isinstance(event, CardPresented):
                        with reader.connect(event) as connected:
                            return ladder.identify(connected)
            pytest.fail("the card was not seen")

        yield tap
        reader.close()


@pytest.mark.parametrize("profile", Profile)
def test_a_card_with_its_certificate_is_authenticated(identify: Identify, site: PkocSite, profile: Profile) -> None:
    claim = identify(site.card(profile))
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.subject) == ("pkoc-v2", POINT)
    assert claim.proof is not None
    assert is_proved(claim.proof)


def test_a_certificate_that_fits_no_answer_is_fetched_in_parts(identify: Identify, site: PkocSite) -> None:
    named = build(0x73, build(0x06, bytes.fromhex("2B0601040183D2250807")) + build(0x53, bytes(500)))
    certificate = site.issuer.issue(POINT, extensions=build(0x65, named))
    assert isinstance(identify(PkocCard(KEY, certificate)), Claim)


def test_a_phone_of_the_first_version_is_authenticated_too(identify: Identify) -> None:
    claim = identify(PkocPhone.generate())
    assert isinstance(claim, Claim)
    assert claim.kind == "pkoc"


@pytest.mark.parametrize(
    "reason",
    [
        RefusalReason.EXPIRED,
        RefusalReason.NOT_YET_VALID,
        RefusalReason.UNKNOWN_ISSUER,
        RefusalReason.FORGED_CERTIFICATE,
        RefusalReason.MISBEHAVED,
    ],
)
def test_a_bad_certificate_is_refused_whatever_else_the_card_can_do(
    identify: Identify, site: PkocSite, reason: RefusalReason
) -> None:
    certificate = {
        RefusalReason.EXPIRED: site.issuer.issue(POINT, expires=date(2026, 5, 31)),
        RefusalReason.NOT_YET_VALID: site.issuer.issue(POINT, effective=date(2026, 6, 2)),
        RefusalReason.UNKNOWN_ISSUER: PkocIssuer("01000SOMEBODY001").issue(POINT),
        RefusalReason.FORGED_CERTIFICATE: PkocIssuer(REFERENCE).issue(POINT),
        RefusalReason.MISBEHAVED: site.issuer.issue(POINT)[:-1],
    }[reason]
    refusal = identify(PkocCard(KEY, certificate, Profile.BOTH, uid=FIXED_UID))
    assert isinstance(refusal, Refusal)
    assert (refusal.scheme, refusal.reason) == ("pkoc-v2", reason)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.WRONG_KEY, RefusalReason.PROOF_FAILED),
        (Fault.STALE_NONCE, RefusalReason.PROOF_FAILED),
        (Fault.NO_CERTIFICATE, RefusalReason.PROOF_FAILED),
        (Fault.DROPPED, RefusalReason.CARD_GONE),
        (Fault.ENDLESS_61XX, RefusalReason.MISBEHAVED),
    ],
)
def test_a_card_with_a_fault_is_refused(
    identify: Identify, site: PkocSite, fault: Fault, reason: RefusalReason
) -> None:
    refusal = identify(site.card(Profile.BOTH, fault))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
