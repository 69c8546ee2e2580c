"""PKOC SE V2: the certificate, the proof, and that nothing falls back from there."""

import hashlib
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.card_keys import is_signed
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.limits import LimitedCard, Limits, TimeSpent
from readers.credentials.pkoc import SELECT, PkocScheme
from readers.credentials.pkoc2 import expanded, fingerprint, internal_authenticate, is_proved
from readers.tlv import build
from readers.virtual.card import VirtualCard
from readers.virtual.pkoc_card import Fault, PkocCard, Profile
from readers.virtual.pkoc_issuer import REFERENCE, PkocIssuer
from readers.virtual.pkoc_phone import PkocPhone
from tests.readers.cards import FIXED_UID, ManualClock, RecordedNonces, ScriptedCard, presented
from tests.readers.credentials.pkoc_site import KEY, POINT, PkocSite

SELECTED = Response(bytes.fromhex("5C020200"), 0x9000)
INFORMATION = Response(bytes.fromhex("7F63045C020200"), 0x9000)


@pytest.fixture
def site(tmp_path: Path) -> PkocSite:
    return PkocSite(tmp_path)


def identify(scheme: PkocScheme, card: VirtualCard) -> Claim | Refusal | None:
    """Through what the ladder puts around a card: 61xx is followed, and limits hold."""
    clock = ManualClock()
    with presented(card) as connected:
        return scheme.identify(LimitedCard(connected, Limits(), clock))


def refused(outcome: Claim | Refusal | None) -> RefusalReason:
    assert isinstance(outcome, Refusal)
    assert outcome.sentence
    return outcome.reason


def test_the_commands_are_those_of_the_profile_byte_for_byte(site: PkocSite) -> None:
    certificate = site.issuer.issue(POINT)
    card = ScriptedCard([SELECTED, INFORMATION, Response(certificate, 0x9000), Response(b"", 0x6985)])
    assert refused(site.scheme().identify(card)) is RefusalReason.PROOF_FAILED
    nonce = (1).to_bytes(16, "big") + hashlib.sha256(certificate).digest()
    assert [bytes(command).hex().upper() for command in card.sent] == [
        "00A4040008A00000089800000100",
        "00CA7F6300",
        "00CA7F2100",
        f"0088000020{hashlib.sha256(nonce).hexdigest().upper()}00",
    ]


@pytest.mark.parametrize("profile", Profile)
def test_a_card_with_its_certificate_is_authenticated(site: PkocSite, profile: Profile) -> None:
    claim = identify(site.scheme(), site.card(profile))
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.subject, claim.assurance) == ("pkoc-v2", POINT, Assurance.AUTHENTICATED)
    assert claim.fingerprint == fingerprint(POINT) == f"pkoc-v2:{hashlib.sha256(POINT).hexdigest()[:16]}"


def test_the_proof_binds_nonce_key_and_certificate_and_can_be_checked_again(site: PkocSite) -> None:
    nonces = RecordedNonces()
    certificate = site.issuer.issue(POINT)
    claim = identify(site.scheme(nonces), site.card(certificate=certificate))
    assert isinstance(claim, Claim)
    proof = claim.proof
    assert proof is not None
    assert (proof.algorithm, proof.public_key, proof.binding) == (
        "pkoc-v2-ecdsa-p256-sha256",
        POINT,
        b"head of the trail",
    )
    assert proof.nonce == nonces.given[0] + hashlib.sha256(certificate).digest()
    assert is_proved(proof)
    assert is_signed("ecdsa-p256-sha256", hashlib.sha256(proof.nonce).digest(), POINT, proof.signature)


def test_a_long_certificate_comes_in_parts(site: PkocSite) -> None:
    named = build(0x73, build(0x06, bytes.fromhex("2B0601040183D2250807")) + build(0x53, bytes(900)))
    certificate = site.issuer.issue(POINT, extensions=build(0x65, named))
    assert len(certificate) > 1000
    assert isinstance(identify(site.scheme(), PkocCard(KEY, certificate)), Claim)
    assert isinstance(identify(site.scheme(), PkocCard(KEY, certificate, largest_answer=100)), Claim)


def test_a_phone_of_the_first_version_keeps_working_beside_certificates(site: PkocSite) -> None:
    phone = PkocPhone.generate()
    claim = identify(site.scheme(), phone)
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.subject) == ("pkoc", phone.public_key)


@pytest.mark.parametrize("profile", [Profile.BOTH, Profile.PHONE])
def test_without_issuers_a_card_that_speaks_both_is_asked_for_the_first_version(profile: Profile) -> None:
    card = PkocCard(KEY, PkocIssuer().issue(POINT), profile)
    claim = identify(PkocScheme(RecordedNonces(), ManualClock()), card)
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.subject) == ("pkoc", POINT)


def test_without_issuers_a_card_of_the_second_version_alone_is_refused(site: PkocSite) -> None:
    card = ScriptedCard([SELECTED])
    assert refused(PkocScheme(RecordedNonces(), ManualClock()).identify(card)) is RefusalReason.UNKNOWN_ISSUER
    assert len(card.sent) == 1


def test_a_card_that_hides_its_certificate_is_not_the_one_that_was_enrolled_with_it(site: PkocSite) -> None:
    """Its holder could let the certificate expire and go on with the bare key."""
    shown = identify(site.scheme(), site.card(Profile.BOTH))
    hidden = identify(site.scheme(), site.card(Profile.BOTH, Fault.HIDES_VERSION_2))
    assert isinstance(shown, Claim)
    assert isinstance(hidden, Claim)
    assert shown.subject == hidden.subject
    assert (shown.kind, hidden.kind) == ("pkoc-v2", "pkoc")


def certificates(site: PkocSite) -> dict[RefusalReason, bytes]:
    day = date(2026, 6, 1)
    return {
        RefusalReason.EXPIRED: site.issuer.issue(POINT, expires=date(2026, 5, 31)),
        RefusalReason.NOT_YET_VALID: site.issuer.issue(POINT, effective=date(2026, 6, 2)),
        RefusalReason.UNKNOWN_ISSUER: PkocIssuer("01000SOMEBODY001").issue(POINT),
        RefusalReason.FORGED_CERTIFICATE: PkocIssuer(REFERENCE).issue(POINT),
        RefusalReason.UNFIT_CERTIFICATE: site.issuer.issue(POINT, curve=bytes.fromhex("2B81040022")),
        RefusalReason.MISBEHAVED: site.issuer.issue(POINT, instead={"5F24": day.isoformat().encode()}),
    }


REASONS = [
    RefusalReason.EXPIRED,
    RefusalReason.NOT_YET_VALID,
    RefusalReason.UNKNOWN_ISSUER,
    RefusalReason.FORGED_CERTIFICATE,
    RefusalReason.UNFIT_CERTIFICATE,
    RefusalReason.MISBEHAVED,
]


@pytest.mark.parametrize("reason", REASONS)
def test_each_bad_certificate_has_its_own_reason_and_nothing_is_signed(site: PkocSite, reason: RefusalReason) -> None:
    nonces = RecordedNonces()
    assert refused(identify(site.scheme(nonces), site.card(certificate=certificates(site)[reason]))) is reason
    assert nonces.given == []


@pytest.mark.parametrize("reason", REASONS)
def test_nothing_falls_back_to_the_first_version_or_to_the_uid(site: PkocSite, reason: RefusalReason) -> None:
    card = PkocCard(KEY, certificates(site)[reason], Profile.BOTH, uid=FIXED_UID)
    with presented(card) as connected:
        outcome = Ladder([UidScheme(), site.scheme()], ManualClock()).identify(connected)
    assert refused(outcome) is reason
    assert isinstance(outcome, Refusal)
    assert outcome.scheme == "pkoc-v2"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.WRONG_KEY, RefusalReason.PROOF_FAILED),
        (Fault.STALE_NONCE, RefusalReason.PROOF_FAILED),
        (Fault.NO_CERTIFICATE, RefusalReason.PROOF_FAILED),
        (Fault.RANDOM_LENGTHS, RefusalReason.MISBEHAVED),
        (Fault.DROPPED, RefusalReason.CARD_GONE),
        (Fault.ENDLESS_61XX, RefusalReason.MISBEHAVED),
    ],
)
@pytest.mark.parametrize("profile", [Profile.BOTH, Profile.VERSION_2])
def test_every_fault_ends_in_its_refusal_and_never_in_the_first_version(
    site: PkocSite, profile: Profile, fault: Fault, reason: RefusalReason
) -> None:
    # A random length byte would now and then be the right one.
    certificate = site.issuer.issue(POINT) if fault is not Fault.RANDOM_LENGTHS else site.issuer.issue(POINT)[:-1]
    with presented(site.card(profile, fault, certificate)) as connected:
        assert refused(Ladder([UidScheme(), site.scheme()], ManualClock()).identify(connected)) is reason


def test_a_certificate_of_somebody_elses_key_does_not_help(site: PkocSite) -> None:
    thief = ec.generate_private_key(ec.SECP256R1())
    assert refused(identify(site.scheme(), PkocCard(thief, site.issuer.issue(POINT)))) is RefusalReason.PROOF_FAILED


def test_a_signature_made_for_one_certificate_does_not_count_for_another(site: PkocSite) -> None:
    """The challenge is made from the certificate: whoever swaps it on the way gets a signature that fits neither."""
    shown = PkocCard(KEY, site.issuer.issue(POINT))
    older = site.issuer.issue(POINT, expires=date(2030, 1, 1))
    with presented(shown) as card:
        card.transmit(SELECT)
        nonce = (1).to_bytes(16, "big") + hashlib.sha256(older).digest()
        recorded = card.transmit(internal_authenticate(expanded(nonce)))
    script = [SELECTED, INFORMATION, Response(site.issuer.issue(POINT), 0x9000), recorded]
    assert refused(site.scheme().identify(ScriptedCard(script))) is RefusalReason.PROOF_FAILED


def test_a_recorded_answer_cannot_be_played_again(site: PkocSite) -> None:
    scheme = site.scheme()
    certificate = site.issuer.issue(POINT)
    recorder = Recorder(PkocCard(KEY, certificate))
    assert isinstance(identify(scheme, recorder), Claim)
    replay = [Response.parse(answer) for answer in recorder.answers]
    assert refused(scheme.identify(ScriptedCard(replay))) is RefusalReason.PROOF_FAILED


def test_a_signature_that_comes_too_late_does_not_count(site: PkocSite) -> None:
    clock = ManualClock()
    card = PkocCard(KEY, site.issuer.issue(POINT), fault=Fault.SLOW, sleep=clock.advance)
    with presented(card) as connected, pytest.raises(TimeSpent):
        site.scheme(monotonic=clock).identify(connected)


@pytest.mark.parametrize(
    "answer",
    ["", "9E00", "9E3F" + "11" * 63, "9E41" + "11" * 65, "5A40" + "11" * 64, "9E40" + "11" * 64 + "9E40" + "11" * 64],
)
def test_an_answer_that_is_no_signature_is_refused(site: PkocSite, answer: str) -> None:
    script = [
        SELECTED,
        INFORMATION,
        Response(site.issuer.issue(POINT), 0x9000),
        Response(bytes.fromhex(answer), 0x9000),
    ]
    assert refused(site.scheme().identify(ScriptedCard(script))) is RefusalReason.MISBEHAVED


@pytest.mark.parametrize("value", [0, 2**256 - 1, 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551])
def test_signatures_out_of_range_prove_nothing(site: PkocSite, value: int) -> None:
    signature = b"\x9e\x40" + value.to_bytes(32, "big") * 2
    script = [SELECTED, INFORMATION, Response(site.issuer.issue(POINT), 0x9000), Response(signature, 0x9000)]
    assert refused(site.scheme().identify(ScriptedCard(script))) is RefusalReason.PROOF_FAILED


@pytest.mark.parametrize("status_word", [0x6A88, 0x6D00, 0x6A86, 0x6F00])
def test_a_card_that_named_the_second_version_is_held_to_it(site: PkocSite, status_word: int) -> None:
    both = Response(bytes.fromhex("5C0401000200"), 0x9000)
    card = ScriptedCard([both, Response(b"", status_word), Response(b"", status_word)])
    assert refused(site.scheme().identify(card)) is RefusalReason.PROOF_FAILED
    assert [command.ins for command in card.sent] == [0xA4, 0xCA, 0xCA]


def test_information_that_makes_no_sense_is_refused(site: PkocSite) -> None:
    card = ScriptedCard([Response(bytes.fromhex("5C020100"), 0x9000), Response(bytes.fromhex("7F63FF"), 0x9000)])
    assert refused(site.scheme().identify(card)) is RefusalReason.MISBEHAVED


@pytest.mark.parametrize("selected", ["", "8401AA", "5C00"])
def test_whatever_names_no_version_is_left_to_other_schemes(site: PkocSite, selected: str) -> None:
    card = ScriptedCard([Response(bytes.fromhex(selected), 0x9000)])
    assert site.scheme().identify(card) is None
    assert len(card.sent) == 1


answers = st.builds(
    Response,
    st.binary(max_size=300) | st.sampled_from([INFORMATION.data, SELECTED.data, PkocIssuer().issue(POINT)]),
    st.sampled_from([0x9000, 0x6A88, 0x6D00]) | st.integers(0, 0xFFFF),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(answers, min_size=5, max_size=5))
def test_no_random_answer_makes_a_claim_or_an_error(site: PkocSite, script: list[Response]) -> None:
    assert not isinstance(site.scheme().identify(ScriptedCard([SELECTED, *script])), Claim)


class Recorder:
    """Stands between a card and its reader and keeps what the card said."""

    def __init__(self, card: PkocCard) -> None:
        self._card = card
        self.answers: list[bytes] = []
        self.atr, self.ats_historical, self.takes_apdus = card.atr, card.ats_historical, True
        self.uid = FIXED_UID

    def power_on(self) -> None:
        self._card.power_on()

    def exchange(self, raw: bytes) -> bytes:
        self.answers.append(self._card.exchange(raw))
        return self.answers[-1]
