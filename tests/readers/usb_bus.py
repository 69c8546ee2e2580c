"""A USB bus with NFC readers on it, in place of libusb: below it, nothing of nfcpy or of the backend is replaced.

It has what nfcpy's transport asks of the `usb1` module, and raises that module's own errors.
"""

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Protocol

import nfc.clf.device
import nfc.clf.transport
import pytest
import usb1

from readers.virtual.card import VirtualCard
from readers.virtual.pn532 import Answer, Pn532, Pn533
from readers.virtual.pn532_frame import ACK, ERROR, FROM_CHIP, Acknowledged, Deframer, Order, encode

BULK_OUT, BULK_IN = 0x02, 0x81
CCID_BLOCK, CCID_POWER_ON, CCID_DATA = 0x6F, 0x62, 0x80
TO_CHIP = bytes.fromhex("FF000000")


class Plug(Protocol):
    """What one model does with what the host writes: the answers that the host will read."""

    vendor: int
    product: int
    words: tuple[str, str]
    chip: Pn532

    def written(self, data: bytes) -> list[bytes]: ...


def _timed(answer: Answer) -> Answer:
    time.sleep(answer.seconds or 0.0)
    return answer


class Pn533Stick:
    """Frames as they are, an acknowledgement before each answer."""

    vendor, product, words = 0x04CC, 0x2533, ("NXP", "PN533")

    def __init__(self) -> None:
        self.chip: Pn532 = Pn533()
        self._deframer = Deframer()

    def written(self, data: bytes) -> list[bytes]:
        replies = []
        for heard in self._deframer.feed(data):
            if isinstance(heard, Order):
                answer = self.chip.obey(heard.code, heard.data)
                frame = encode(bytes((FROM_CHIP, heard.code + 1)) + _timed(answer).data) if answer else ERROR
                replies += [ACK, frame]
            elif isinstance(heard, Acknowledged):
                self.chip.heard_answer()
        return replies


class Acr122:
    """A PN532 behind CCID messages and the pseudo-APDU that leads to it (ACR122U API 5.1)."""

    vendor, product, words = 0x072F, 0x2200, ("ACS", "ACR122U PICC Interface")

    def __init__(self) -> None:
        self.chip = Pn532()
        self.lights: list[str] = []

    def written(self, data: bytes) -> list[bytes]:
        kind, payload = data[0], data[10:]
        if kind == CCID_POWER_ON:
            return [self._block(b"")]
        assert kind == CCID_BLOCK
        if payload == bytes.fromhex("FF00480000"):
            return [self._block(b"ACR122U216")]
        if payload.startswith(TO_CHIP):
            answer = self.chip.obey(payload[6], payload[7:])
            said = bytes((FROM_CHIP, payload[6] + 1)) + _timed(answer).data + b"\x90\x00" if answer else b"\x63\x00"
            return [self._block(said)]
        if payload.startswith(bytes.fromhex("FF0040")):
            self.lights.append(payload.hex().upper())
        return [self._block(b"\x90\x00")]

    def _block(self, data: bytes) -> bytes:
        return bytes((CCID_DATA,)) + len(data).to_bytes(4, "little") + bytes(5) + data


class Socket:
    """One plugged device, as libusb's Device and as its open handle."""

    def __init__(self, bus: "UsbBus", plug: Plug, address: int) -> None:
        self.bus, self.plug, self.address = bus, plug, address
        self.replies: list[bytes] = []
        self.is_claimed = False

    def getVendorID(self) -> int:
        return self.plug.vendor

    def getProductID(self) -> int:
        return self.plug.product

    def getBusNumber(self) -> int:
        return 1

    def getDeviceAddress(self) -> int:
        return self.address

    def getManufacturer(self) -> str:
        return self.plug.words[0]

    def getProduct(self) -> str:
        return self.plug.words[1]

    def iterSettings(self) -> Iterator[Any]:
        def endpoint(address: int) -> SimpleNamespace:
            return SimpleNamespace(getAddress=lambda: address, getAttributes=lambda: 0x02, getMaxPacketSize=lambda: 64)

        yield SimpleNamespace(iterEndpoints=lambda: iter((endpoint(BULK_OUT), endpoint(BULK_IN))))

    def open(self) -> "Socket":
        self.bus.fail("open")
        return self

    def claimInterface(self, _number: int) -> None:
        self.bus.fail("claim")
        if self.is_claimed:
            raise usb1.USBErrorBusy
        self.is_claimed = True

    def close(self) -> None:
        self.is_claimed = False

    def bulkWrite(self, _endpoint: int, data: bytes, _timeout: int) -> None:
        self._here("write")
        if data == ACK:  # the host wants none of what is under way
            self.replies.clear()
        if data:
            self.replies += self.plug.written(data)

    def bulkRead(self, _endpoint: int, _size: int, timeout: int) -> bytes:
        self._here("read")
        if not self.replies:
            time.sleep(min(timeout, 100) / 1000)
            raise usb1.USBErrorTimeout
        return self.replies.pop(0)

    def _here(self, step: str) -> None:
        self.bus.fail(step)
        if self.bus.socket is not self:
            raise usb1.USBErrorNoDevice


class UsbBus:
    """Stands where nfcpy's transport has the `usb1` module. One device at a time; every plug is a new address."""

    TRANSFER_TYPE_MASK, ENDPOINT_DIR_MASK = 0x03, 0x80
    TRANSFER_TYPE_BULK, ENDPOINT_IN, ENDPOINT_OUT = 0x02, 0x80, 0x00
    USBError, USBErrorIO, USBErrorAccess = usb1.USBError, usb1.USBErrorIO, usb1.USBErrorAccess
    USBErrorBusy, USBErrorNoDevice, USBErrorTimeout = usb1.USBErrorBusy, usb1.USBErrorNoDevice, usb1.USBErrorTimeout

    def __init__(self) -> None:
        self.socket: Socket | None = None
        self.errors: dict[str, list[Exception]] = {}
        self.node_is_open = True
        self._address = 3

    def plug(self, plug: Plug) -> None:
        self._address += 1
        self.socket = Socket(self, plug, self._address)

    def unplug(self) -> None:
        self.socket = None

    def insert(self, card: VirtualCard) -> None:
        assert self.socket is not None
        self.socket.plug.chip.insert(card)

    def fail(self, step: str) -> None:
        """Raises what was planted for that step."""
        planted = self.errors.get(step)
        if planted:
            raise planted.pop(0)

    def getVersion(self) -> tuple[int, int, int]:
        return (1, 0, 26)

    def USBContext(self) -> "UsbBus":
        return self

    def __enter__(self) -> "UsbBus":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.exit()

    def exit(self) -> None: ...

    def getDeviceList(self, skip_on_error: bool) -> list[Socket]:
        self.fail("list")
        return [self.socket] if self.socket else []


@pytest.fixture
def usb_bus(monkeypatch: pytest.MonkeyPatch) -> UsbBus:
    """An empty bus, in libusb's place for the time of a test."""
    bus = UsbBus()
    access: Callable[..., bool] = lambda *_: bus.node_is_open  # noqa: E731  it is an attribute
    monkeypatch.setattr(nfc.clf.transport, "libusb", bus)
    strerror = nfc.clf.device.os.strerror
    monkeypatch.setattr(nfc.clf.device, "os", SimpleNamespace(access=access, strerror=strerror, R_OK=4, W_OK=2))
    return bus
