"""Readers on USB through nfcpy's real drivers and transport; in libusb's place stands a bus of software."""

import errno
import time
from collections.abc import Callable, Iterator
from queue import Queue

import pytest
import usb1

from readers.credentials.claim import Assurance, Claim, Refusal
from readers.credentials.standard import standard_ladder
from readers.errors import ReaderUnavailable
from readers.nfcpy_reader import NfcpyUnavailable
from readers.reader import Card, CardPresented, CardRemoved, ReaderAttached, ReaderDetached, ReaderEvent
from readers.registry import open_reader
from readers.uid import Uid
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from readers.watch import ReaderWatch, Reading
from tests.readers.usb_bus import Acr122, Plug, Pn533Stick, UsbBus, usb_bus

__all__ = ["usb_bus"]

PATIENCE = 60.0
BADGE = UidCard(Uid.from_hex("04A1B2C3D4E580"))
STICKS: list[Callable[[], Plug]] = [Pn533Stick, Acr122]


class Wall:
    """A watched reader and what came of it."""

    def __init__(self, spec: str) -> None:
        self.events: Queue[ReaderEvent] = Queue()
        self.answers: Queue[Claim | Refusal] = Queue()
        self.crashes: list[Exception] = []
        self.watch = ReaderWatch(
            open_reader(spec), self.events.put, self._on_card, on_crash=self.crashes.append, settle=0.1
        )

    def _on_card(self, _presented: CardPresented, card: Card) -> Reading:
        answer = standard_ladder().identify(card)
        return Reading(None, lambda: self.answers.put(answer))

    def expect(self, kind: type[ReaderEvent]) -> ReaderEvent:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            event = self.events.get(timeout=PATIENCE)
            if isinstance(event, kind):
                return event
        pytest.fail(f"no {kind.__name__}")


@pytest.fixture
def wall(usb_bus: UsbBus) -> Iterator[Wall]:
    usb_bus.plug(Pn533Stick())
    wall = Wall("nfcpy:usb")
    wall.watch.start()
    wall.expect(ReaderAttached)
    yield wall
    wall.watch.stop()
    assert wall.crashes == []


@pytest.mark.parametrize("stick", STICKS)
def test_a_badge_and_a_phone_are_recognised_by_path(usb_bus: UsbBus, stick: Callable[[], Plug]) -> None:
    usb_bus.plug(stick())
    assert usb_bus.socket is not None
    plug = usb_bus.socket.plug
    reader = open_reader(f"nfcpy:usb:{plug.vendor:04x}:{plug.product:04x}")
    reader.open()
    claims = []
    phone = PkocPhone.generate()
    for card in (BADGE, phone):
        usb_bus.insert(card)
        events: list[ReaderEvent] = []
        while not any(isinstance(event, CardPresented) for event in events):
            events += reader.wait(1.0)
        presented = next(event for event in events if isinstance(event, CardPresented))
        with reader.connect(presented) as connected:
            claims.append(standard_ladder().identify(connected))
    reader.close()
    assert claims[0] == Claim("iso14443", BADGE.uid.value, BADGE.uid, Assurance.IDENTIFIER)
    assert isinstance(claims[1], Claim)
    assert claims[1].subject == phone.public_key
    assert not usb_bus.socket.is_claimed


def test_an_acr122_is_left_as_it_was_found(usb_bus: UsbBus) -> None:
    reader_model = Acr122()
    usb_bus.plug(reader_model)
    reader = open_reader("nfcpy:usb:072f:2200")
    reader.open()
    reader.close()
    assert reader_model.lights == ["FF00400E0400000000", "FF00400C0400000000"]


def test_a_stick_that_is_pulled_and_plugged_again_is_lost_and_found(usb_bus: UsbBus, wall: Wall) -> None:
    for _ in range(2):
        usb_bus.unplug()
        detached = wall.expect(ReaderDetached)
        assert isinstance(detached, ReaderDetached)
        assert detached.reason == "The NFC reader is not plugged in."
        usb_bus.plug(Pn533Stick())
        wall.expect(ReaderAttached)
    usb_bus.insert(BADGE)
    assert isinstance(wall.answers.get(timeout=PATIENCE), Claim)


def test_a_stick_that_is_pulled_within_a_tap_ends_the_tap_and_comes_back(usb_bus: UsbBus, wall: Wall) -> None:
    class Pulled(PkocPhone):
        def exchange(self, raw: bytes) -> bytes:
            usb_bus.unplug()
            return super().exchange(raw)

    usb_bus.insert(Pulled(PkocPhone.generate()._key))
    assert isinstance(wall.answers.get(timeout=PATIENCE), Refusal)
    wall.expect(CardRemoved)
    wall.expect(ReaderDetached)
    usb_bus.plug(Pn533Stick())
    wall.expect(ReaderAttached)
    usb_bus.insert(BADGE)
    assert isinstance(wall.answers.get(timeout=PATIENCE), Claim)


@pytest.mark.parametrize("step", ["write", "read"])
@pytest.mark.parametrize("error", [usb1.USBErrorIO, usb1.USBErrorTimeout, usb1.USBErrorPipe, usb1.USBErrorNoDevice])
def test_a_transfer_that_fails_is_an_outage_that_ends(
    usb_bus: UsbBus, wall: Wall, step: str, error: type[Exception]
) -> None:
    usb_bus.errors[step] = [error()]
    detached = wall.expect(ReaderDetached)
    assert isinstance(detached, ReaderDetached)
    assert detached.reason.startswith("The NFC reader")
    wall.expect(ReaderAttached)
    usb_bus.insert(BADGE)
    assert isinstance(wall.answers.get(timeout=PATIENCE), Claim)


@pytest.mark.parametrize(
    ("step", "error", "number", "words"),
    [
        ("open", usb1.USBErrorAccess, errno.EACCES, "Install the udev rules"),
        ("claim", usb1.USBErrorBusy, errno.EBUSY, "Stop pcscd or unload the pn533_usb kernel module"),
        ("open", usb1.USBErrorNoDevice, errno.ENODEV, "not plugged in"),
    ],
)
def test_a_device_that_cannot_be_taken_says_why(
    usb_bus: UsbBus, step: str, error: type[Exception], number: int, words: str
) -> None:
    usb_bus.plug(Pn533Stick())
    usb_bus.errors[step] = [error()]
    reader = open_reader("nfcpy:usb:04cc:2533")
    with pytest.raises(NfcpyUnavailable, match=words) as caught:
        reader.open()
    assert caught.value.number == number
    reader.close()
    reader.open()
    reader.close()


def test_a_node_that_this_user_may_not_open_says_so(usb_bus: UsbBus) -> None:
    usb_bus.plug(Pn533Stick())
    usb_bus.node_is_open = False
    with pytest.raises(NfcpyUnavailable) as caught:
        open_reader("nfcpy:usb:04cc:2533").open()
    assert caught.value.number == errno.EACCES
    with pytest.raises(ReaderUnavailable, match="No NFC reader was found that this account may use"):
        open_reader("nfcpy:usb").open()


def test_an_empty_bus_and_a_bus_without_permission_are_told_apart(usb_bus: UsbBus) -> None:
    with pytest.raises(ReaderUnavailable, match="No NFC reader was found"):
        open_reader("nfcpy:usb").open()
    usb_bus.errors["list"] = [usb1.USBErrorAccess()]
    with pytest.raises(ReaderUnavailable, match="USB is not accessible"):
        open_reader("nfcpy:usb").open()


def test_a_device_that_fails_while_it_is_closed_is_let_go(usb_bus: UsbBus) -> None:
    for error in (usb1.USBErrorNoDevice(), usb1.USBErrorIO()):
        usb_bus.plug(Pn533Stick())
        assert usb_bus.socket is not None
        reader = open_reader("nfcpy:usb")
        reader.open()
        usb_bus.errors["write"] = [error]
        reader.close()
        assert not usb_bus.socket.is_claimed
