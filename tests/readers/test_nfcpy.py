"""The nfcpy backend against virtual cards on nfcpy's own UDP device: every byte goes through the stock driver."""

import errno
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import nfc.clf.udp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from readers import nfcpy
from readers.apdu import Command
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from readers.errors import CardGone, ReaderSpecError, ReaderUnavailable, TransmitFailed
from readers.nfcpy_reader import NfcpyReader
from readers.reader import CardPresented, CardRemoved, ReaderAttached, ReaderEvent, ReaderFault
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from readers.virtual.iso_dep import IsoDepDevice
from readers.virtual.pkoc_phone import Fault, PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import EchoCard, ManualClock

PATIENCE = 60.0
SIZES = ["04A1B2C3", "04A1B2C3D4E580", "04A1B2C3D4E580112233"]


@pytest.fixture
def device() -> Iterator[IsoDepDevice]:
    with IsoDepDevice() as running:
        yield running


@contextmanager
def opened(device: IsoDepDevice) -> Iterator[NfcpyReader]:
    reader = nfcpy.open_spec(device.spec.removeprefix("nfcpy:"))
    assert reader.spec == device.spec
    reader.open()
    try:
        yield reader
    finally:
        reader.close()


@pytest.fixture
def reader(device: IsoDepDevice) -> Iterator[NfcpyReader]:
    with opened(device) as made:
        yield made


def ladder() -> Ladder:
    """No time passes by its clock."""
    still = ManualClock()
    return Ladder([UidScheme(), PkocScheme(RandomNonceSource(), still)], still)


def gathered(reader: NfcpyReader, kind: type[ReaderEvent]) -> list[ReaderEvent]:
    """All events up to the first of that kind; fails when it does not come."""
    events: list[ReaderEvent] = []
    deadline = time.monotonic() + PATIENCE
    while not any(isinstance(event, kind) for event in events):
        assert time.monotonic() < deadline, f"no {kind.__name__}, only {events}"
        events += reader.wait(1.0)
    return events


def until(reader: NfcpyReader, kind: type[ReaderEvent]) -> ReaderEvent:
    """The first event of that kind; fails when it does not come."""
    return next(event for event in gathered(reader, kind) if isinstance(event, kind))


def tapped(reader: NfcpyReader, device: IsoDepDevice, card: VirtualCard) -> CardPresented:
    device.insert(card)
    event = until(reader, CardPresented)
    assert isinstance(event, CardPresented)
    return event


@pytest.mark.parametrize("digits", SIZES)
@pytest.mark.parametrize("takes_apdus", [True, False])
def test_a_badge_with_a_uid_of_any_size_is_identified(
    reader: NfcpyReader, device: IsoDepDevice, digits: str, takes_apdus: bool
) -> None:
    badge = UidCard(Uid.from_hex(digits), takes_apdus=takes_apdus)
    device.insert(badge)
    events = gathered(reader, CardPresented)
    assert [type(event) for event in events] == [ReaderAttached, CardPresented]
    presented = events[1]
    assert isinstance(presented, CardPresented)
    assert presented.atr == badge.atr
    with reader.connect(presented) as card:
        assert card.takes_apdus is takes_apdus
        assert card.transmit(Command(0xFF, 0xCA, 0x00, 0x00, le=0)).expect("GET DATA") == bytes.fromhex(digits)
        claim = ladder().identify(card)
    assert claim == Claim("iso14443", bytes.fromhex(digits), Uid.from_hex(digits), Assurance.IDENTIFIER)


def test_the_air_carries_what_a_real_badge_would_hear(reader: NfcpyReader, device: IsoDepDevice) -> None:
    presented = tapped(reader, device, UidCard(Uid.from_hex("04A1B2C3D4E580"), takes_apdus=True))
    with reader.connect(presented) as card:
        ladder().identify(card)
    assert reader.wait(0.01) == []
    trace = list(device.trace)
    heard = trace[len(trace) - 1 - trace[::-1].index("26") :]
    assert set(heard[7:]) == {"b3"}, "presence is asked with R(NAK), which leaves the card as it is"
    assert heard[:7] == [
        "26",
        "9320",
        "93708804a1b29f",
        "9520",
        "9570c3d4e58072",
        "e080",
        "0200a4040008a00000089800000100",
    ]


def test_a_phone_is_authenticated_and_stays_one_presentation_while_it_lies_there(
    reader: NfcpyReader, device: IsoDepDevice
) -> None:
    phone = PkocPhone.generate()
    presented = tapped(reader, device, phone)
    assert reader.wait(0.5) == []
    with reader.connect(presented) as card:
        claim = ladder().identify(card)
    assert isinstance(claim, Claim)
    assert (claim.subject, claim.assurance) == (phone.public_key, Assurance.AUTHENTICATED)
    assert claim.uid is not None
    assert claim.uid.is_random
    assert reader.wait(0.5) == []


def test_a_phone_tapped_again_is_another_presentation_with_another_uid_and_the_same_key(
    reader: NfcpyReader, device: IsoDepDevice
) -> None:
    phone = PkocPhone.generate()
    claims = []
    presentations = []
    for _tap in range(2):
        presented = tapped(reader, device, phone)
        presentations.append(presented.presentation)
        with reader.connect(presented) as card:
            claims.append(ladder().identify(card))
        device.remove()
        removed = until(reader, CardRemoved)
        assert isinstance(removed, CardRemoved)
        assert removed.presentation == presented.presentation
        with pytest.raises(CardGone), reader.connect(presented):
            pytest.fail("entered")
    first, second = claims
    assert isinstance(first, Claim)
    assert isinstance(second, Claim)
    assert first.subject == second.subject
    assert first.uid != second.uid
    assert presentations[0] != presentations[1]


def test_a_phone_that_leaves_in_the_middle_makes_no_claim_and_is_removed(
    reader: NfcpyReader, device: IsoDepDevice
) -> None:
    presented = tapped(reader, device, PkocPhone(ec.generate_private_key(ec.SECP256R1()), Fault.DROPPED))
    with reader.connect(presented) as card:
        outcome = ladder().identify(card)
        with pytest.raises(CardGone):
            card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
    assert isinstance(outcome, Refusal)
    assert outcome.reason is RefusalReason.CARD_GONE
    until(reader, CardRemoved)


def test_a_badge_that_slips_away_in_the_middle_and_comes_back_is_read_anew(
    reader: NfcpyReader, device: IsoDepDevice
) -> None:
    presented = tapped(reader, device, EchoCard(lambda raw: b""))
    with reader.connect(presented) as card, pytest.raises(CardGone):
        card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
    again = tapped(reader, device, EchoCard())
    assert again.presentation != presented.presentation
    with reader.connect(again) as card:
        assert card.transmit(Command(0x00, 0xA4, 0x04, 0x00)).expect("SELECT")


@pytest.mark.parametrize(("ats", "waiting_times"), [("0270", 0), ("0678807020AA", 0), ("0578807000", 3), ("01", 1)])
def test_commands_of_any_length_pass_whatever_the_ats_says(ats: str, waiting_times: int) -> None:
    card = EchoCard(lambda raw: raw + bytes(700) + b"\x90\x00")
    with (
        IsoDepDevice(ats=bytes.fromhex(ats), waiting_times=waiting_times) as device,
        opened(device) as reader,
        reader.connect(tapped(reader, device, card)) as connected,
    ):
        for size in (1, 200, 255):
            command = Command(0x00, 0xC2, 0x00, 0x00, bytes((size,)) * size, 0)
            assert connected.transmit(command).expect("ENVELOPE") == bytes(command) + bytes(700)
    assert len(card.commands) == 3


@pytest.mark.parametrize("ats", [b"", b"\x14\x78\x80"])
def test_a_card_that_does_not_wake_up_is_told_once_and_is_no_badge(ats: bytes) -> None:
    with IsoDepDevice(ats=ats) as device, opened(device) as reader:
        device.insert(UidCard(Uid.from_hex("04A1B2C3"), takes_apdus=True))
        events = [*gathered(reader, ReaderFault), *reader.wait(0.5), *reader.wait(0.5)]
        assert [type(event) for event in events] == [ReaderAttached, ReaderFault]


def test_an_answer_without_a_status_word_is_a_broken_exchange(reader: NfcpyReader, device: IsoDepDevice) -> None:
    presented = tapped(reader, device, EchoCard(lambda raw: b"\x90"))
    with reader.connect(presented) as card, pytest.raises(TransmitFailed):
        card.transmit(Command(0x00, 0xA4, 0x04, 0x00))


def test_a_storage_card_takes_no_commands(reader: NfcpyReader, device: IsoDepDevice) -> None:
    presented = tapped(reader, device, UidCard(Uid.from_hex("04A1B2C3")))
    with reader.connect(presented) as card, pytest.raises(TransmitFailed):
        card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
    assert reader.wait(0.3) == [], "a badge that lies there is not tapped again and again"


def test_cancel_ends_a_wait(reader: NfcpyReader) -> None:
    reader.wait(0.0)
    waiter = threading.Thread(target=reader.wait, args=(60.0,), daemon=True)
    waiter.start()
    reader.cancel()
    waiter.join(PATIENCE)
    assert not waiter.is_alive()


def test_cancel_cuts_a_look_short_that_would_take_a_second(reader: NfcpyReader, device: IsoDepDevice) -> None:
    reader.wait(0.0)
    took = []
    for _ in range(4):
        heard = len(device.trace)
        waiter = threading.Thread(target=reader.wait, args=(60.0,), daemon=True)
        waiter.start()
        while len(device.trace) == heard:
            time.sleep(0.005)
        started = time.monotonic()
        reader.cancel()
        waiter.join(PATIENCE)
        took.append(time.monotonic() - started)
    assert min(took) < 0.3
    device.insert(UidCard(Uid.from_hex("04A1B2C3")))
    until(reader, CardPresented)


def test_a_lost_device_is_reported_and_can_be_opened_again(
    reader: NfcpyReader, device: IsoDepDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    presented = tapped(reader, device, EchoCard())

    def unplugged(*_arguments: object) -> None:
        raise OSError(errno.ENODEV, "No such device")

    with monkeypatch.context() as lost:
        lost.setattr(nfc.clf.udp.Device, "_send_data", unplugged)
        with reader.connect(presented) as card, pytest.raises(ReaderUnavailable, match="not plugged in"):
            card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
        with pytest.raises(ReaderUnavailable):
            reader.wait(1.0)
        with pytest.raises(ReaderUnavailable, match="not open"):
            reader.wait(0.0)
    reader.open()
    assert [type(event) for event in gathered(reader, CardPresented)] == [ReaderAttached, CardPresented]


def test_a_reader_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(ReaderUnavailable):
        nfcpy.open_spec("usb:ffff:ffff").open()


@pytest.mark.parametrize("argument", ["", "bluetooth", "com:1", "UDP:127.0.0.1:54321", "udpx", "usbx"])
def test_a_device_that_nfcpy_does_not_have_is_refused(argument: str) -> None:
    with pytest.raises(ReaderSpecError):
        nfcpy.open_spec(argument)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("usb", False), ("usb:054c:06c3", False), ("tty:USB0:pn532", False), ("udp", True), ("udp:10.0.0.1:1", True)],
)
def test_only_local_wires_are_not_the_network(argument: str, expected: bool) -> None:
    assert nfcpy.uses_network(argument) is expected


def test_asking_about_the_network_loads_no_driver() -> None:
    script = (
        "import sys, readers.nfcpy as b; assert b.uses_network('udp:localhost:1'); b.open_spec('usb');"
        "sys.exit(any(name.split('.')[0] in ('nfc', 'usb1', 'serial') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


def test_the_log_of_nfcpy_never_shows_a_card(device: IsoDepDevice, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    caplog.set_level(1, "nfc")
    with opened(device) as reader:
        presented = tapped(reader, device, UidCard(Uid.from_hex("04A1B2C3D4E580"), takes_apdus=True))
        with reader.connect(presented) as card:
            ladder().identify(card)
            assert "A1B2C3" not in repr(card)
        assert "A1B2C3" not in repr(reader)
    assert "a1b2c3" not in caplog.text.lower()
