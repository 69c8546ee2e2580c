"""The same ladder and the same virtual cards through every reader: pcscd, nfcpy's UDP device, the simulated one."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from readers.reader import CardPresented, Reader
from readers.registry import open_reader
from readers.simulated import SimulatedReader
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from readers.virtual.iso_dep import IsoDepDevice
from readers.virtual.pkoc_phone import Fault, PkocPhone
from readers.virtual.uid_card import UidCard
from tests.pcscd import PcscWithVpcd
from tests.readers.cards import ManualClock

SEEN_WITHIN = 60.0
Insert = Callable[[VirtualCard], None]


@contextmanager
def place(name: str, request: pytest.FixtureRequest) -> Iterator[tuple[Reader, Insert]]:
    """The reader of that name, not yet open, and what lays a card on it."""
    if name == "simulated":
        simulated = SimulatedReader()
        yield simulated, simulated.insert
    elif name == "nfcpy":
        with IsoDepDevice() as device:
            yield open_reader(device.spec), device.insert
    else:
        pcscd: PcscWithVpcd = request.getfixturevalue("pcsc_with_vpcd")
        yield open_reader(pcscd.spec), pcscd.insert


@pytest.fixture(params=["pcscd", "nfcpy", "simulated"])
def identify(request: pytest.FixtureRequest) -> Iterator[Callable[[VirtualCard], Claim | Refusal]]:
    """Taps one card and returns what the ladder makes of it."""
    with place(request.param, request) as (reader, insert):
        reader.open()

        def tap(card: VirtualCard) -> Claim | Refusal:
            insert(card)
            still = ManualClock()  # how long a card may take is tested elsewhere
            ladder = Ladder([UidScheme(), PkocScheme(RandomNonceSource(), still)], still)
            end = time.monotonic() + SEEN_WITHIN
            while time.monotonic() < end:
                for event in reader.wait(1.0):
                    if isinstance(event, CardPresented):
                        with reader.connect(event) as connected:
                            return ladder.identify(connected)
            pytest.fail("the card was not seen")

        yield tap
        reader.close()


@pytest.mark.parametrize("takes_apdus", [True, False])
def test_a_badge_is_identified(identify: Callable[[VirtualCard], Claim | Refusal], takes_apdus: bool) -> None:
    uid = Uid.from_hex("04A1B2C3D4E580")
    assert identify(UidCard(uid, takes_apdus=takes_apdus)) == Claim("iso14443", uid.value, uid, Assurance.IDENTIFIER)


def test_a_phone_is_authenticated(identify: Callable[[VirtualCard], Claim | Refusal]) -> None:
    phone = PkocPhone.generate()
    claim = identify(phone)
    assert isinstance(claim, Claim)
    assert (claim.subject, claim.assurance) == (phone.public_key, Assurance.AUTHENTICATED)
    assert claim.uid is not None
    assert claim.uid.is_random


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.WRONG_KEY, RefusalReason.PROOF_FAILED),
        (Fault.DROPPED, RefusalReason.CARD_GONE),
        (Fault.ENDLESS_61XX, RefusalReason.MISBEHAVED),
    ],
)
def test_a_phone_with_a_fault_is_refused(
    identify: Callable[[VirtualCard], Claim | Refusal], fault: Fault, reason: RefusalReason
) -> None:
    refusal = identify(PkocPhone.generate(fault))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


def test_a_phone_without_the_app_is_refused(identify: Callable[[VirtualCard], Claim | Refusal]) -> None:
    refusal = identify(UidCard(Uid.from_hex("08A1B2C3"), takes_apdus=True))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.RANDOM_UID
