"""DESFire and NTAG 424 through every reader: pcscd, nfcpy's UDP device, the simulated one."""

import time
from collections.abc import Callable, Iterator

import pytest

from readers.credentials.claim import Assurance, Claim, CredentialScheme, Refusal, RefusalReason
from readers.credentials.counters import MemoryCounters
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from readers.reader import CardPresented
from readers.virtual import desfire_card, ntag424_card
from readers.virtual.aes_card import AesCard, Fault
from readers.virtual.card import VirtualCard
from readers.virtual.pkoc_phone import PkocPhone
from tests.readers.cards import ManualClock
from tests.readers.credentials.aes_cards import (
    APPLICATION,
    IDENTITY,
    SITE_KEYS,
    SUN_TAG,
    TAG_KEYS,
    TEMPLATE,
    UID,
    desfire_scheme,
    ntag424_scheme,
    sun_scheme,
)
from tests.readers.credentials.test_ladder_through_readers import SEEN_WITHIN, place

Tap = Callable[[VirtualCard], Claim | Refusal]


@pytest.fixture(params=["pcscd", "nfcpy", "simulated"])
def tap(request: pytest.FixtureRequest) -> Iterator[Tap]:
    """Taps one card after another and returns what a ladder with every scheme of the site makes of each."""
    counters = MemoryCounters()
    with place(request.param, request) as (reader, insert):
        reader.open()

        def once(card: VirtualCard) -> Claim | Refusal:
            insert(card)
            still = ManualClock()  # how long a card may take is tested elsewhere
            schemes: list[CredentialScheme] = [
                PkocScheme(RandomNonceSource(), still),
                desfire_scheme(),
                ntag424_scheme(),
                sun_scheme(counters),
                UidScheme(),
            ]
            end = time.monotonic() + SEEN_WITHIN
            while time.monotonic() < end:
                for event in reader.wait(1.0):
                    if isinstance(event, CardPresented):
                        with reader.connect(event) as connected:
                            return Ladder(schemes, still).identify(connected)
            pytest.fail("the card was not seen")

        yield once
        reader.close()


def desfire(fault: Fault = Fault.NONE, *, knows_ev2: bool = True, random_uid: bool = False) -> AesCard:
    return desfire_card.issue(
        APPLICATION, UID, IDENTITY, SITE_KEYS, knows_ev2=knows_ev2, random_uid=random_uid, fault=fault
    )


def ntag424(fault: Fault = Fault.NONE) -> AesCard:
    return ntag424_card.issue(UID, SITE_KEYS, TAG_KEYS, SUN_TAG, TEMPLATE, random_uid=True, fault=fault)


@pytest.mark.parametrize("knows_ev2", [True, False])
def test_a_desfire_with_a_random_uid_is_authenticated(tap: Tap, knows_ev2: bool) -> None:
    claim = tap(desfire(knows_ev2=knows_ev2, random_uid=True))
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.subject, claim.uid) == ("desfire", UID.value + IDENTITY, UID)
    assert claim.assurance is Assurance.AUTHENTICATED


def test_a_tag_is_authenticated(tap: Tap) -> None:
    claim = tap(ntag424())
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.subject, claim.uid) == ("ntag424", UID.value, UID)


def test_a_phone_passes_where_the_site_has_cards_too(tap: Tap) -> None:
    claim = tap(PkocPhone.generate())
    assert isinstance(claim, Claim)
    assert claim.kind == "pkoc"


@pytest.mark.parametrize("make", [desfire, ntag424])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.WRONG_KEY, RefusalReason.PROOF_FAILED),
        (Fault.FORGED, RefusalReason.PROOF_FAILED),
        (Fault.DROPPED, RefusalReason.CARD_GONE),
        (Fault.ENDLESS_FRAMES, RefusalReason.MISBEHAVED),
    ],
)
def test_a_card_with_a_fault_is_refused(
    tap: Tap, make: Callable[[Fault], AesCard], fault: Fault, expected: RefusalReason
) -> None:
    refusal = tap(make(fault))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is expected


def test_a_sun_message_counts_once(request: pytest.FixtureRequest) -> None:
    counters = MemoryCounters()
    card = ntag424_card.issue(UID, SITE_KEYS, None, SUN_TAG, TEMPLATE)
    for name in ("nfcpy", "pcscd"):
        with place(name, request) as (reader, insert):
            reader.open()
            insert(card)
            outcomes: list[Claim | Refusal] = []
            end = time.monotonic() + SEEN_WITHIN
            while not outcomes and time.monotonic() < end:
                for event in reader.wait(1.0):
                    if isinstance(event, CardPresented):
                        with reader.connect(event) as connected:
                            outcomes.append(Ladder([sun_scheme(counters)], ManualClock()).identify(connected))
            reader.close()
        if name == "nfcpy":
            assert isinstance(outcomes[0], Claim)
            card.fault = Fault.REPLAYED
        else:
            assert isinstance(outcomes[0], Refusal)
            assert outcomes[0].reason is RefusalReason.REPLAYED
