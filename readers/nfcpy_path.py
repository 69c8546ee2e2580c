"""What may follow "nfcpy:" in a specification, and what it means in words."""

import re
from dataclasses import dataclass
from enum import Enum

from readers.errors import ReaderSpecError
from readers.text import safe_text
from readers.usb import MODELS, NFCPY_DRIVERS

FORMS = (
    'After "nfcpy:" comes usb, usb:VENDOR:PRODUCT (four hexadecimal digits each), usb:BUS:DEVICE (decimal), '
    "tty:PORT:DRIVER or udp:HOST:PORT"
)
USB_IDS = re.compile(r"usb:([0-9A-Fa-f]{4})(?::([0-9A-Fa-f]{4}))?")
USB_PLACE = re.compile(r"usb:(\d{1,3})(?::(\d{1,3}))?")
SERIAL = re.compile(r"tty(?::(?P<port>[A-Za-z0-9-]+|/[\w./:+-]+?))?(?::(?P<driver>[a-z0-9]+))?", re.ASCII)
NAMED_PORT = re.compile(r"(?:S|ACM|AMA|USB)\d+")
UDP = re.compile(r"udp(?::[^:\s]*)?(?::(\d{1,5}))?")
SERIAL_DRIVERS = ("arygon", "pn532")
OUR_DRIVER = "pn532"


class Wire(Enum):
    """What lies between this machine and the reader."""

    USB = "usb"
    SERIAL = "serial"
    NETWORK = "network"


@dataclass(frozen=True)
class DevicePath:
    """A path that was understood. `port` is the serial device of a PN532, which is opened by its file name."""

    text: str
    wire: Wire
    words: str
    port: str = ""


def parse(text: str) -> DevicePath:
    """Reads what follows "nfcpy:"; raises ReaderSpecError with a sentence that says what would be right."""
    if text == "usb":
        return DevicePath(text, Wire.USB, "the first reader on USB that nfcpy knows")
    if match := USB_IDS.fullmatch(text):
        return DevicePath(text, Wire.USB, _by_ids(int(match[1], 16), match[2] and int(match[2], 16)))
    if match := USB_PLACE.fullmatch(text):
        device = f"device {int(match[2])}" if match[2] else "the first reader"
        return DevicePath(text, Wire.USB, f"{device} on USB bus {int(match[1])}")
    if match := SERIAL.fullmatch(text):
        return _serial(text, match["port"] or "", match["driver"] or "")
    if (match := UDP.fullmatch(text)) and int(match[1] or 1) in range(1, 65536):
        return DevicePath(text, Wire.NETWORK, "nfcpy's simulated device, for tests only")
    raise ReaderSpecError(f'{FORMS}; "{safe_text(text, 60)}" is none of them.')


def _by_ids(vendor: int, product: int | str | None) -> str:
    if not isinstance(product, int):
        return f"the first reader of the USB vendor {vendor:04x}"
    model = MODELS.get((vendor, product))
    if model is not None and (vendor, product) not in NFCPY_DRIVERS:
        raise ReaderSpecError(
            f'nfcpy has no driver for the {model} ({vendor:04x}:{product:04x}). Let pcscd drive it: "pcsc".'
        )
    return f"the first {model}" if model else f"the first USB device {vendor:04x}:{product:04x}"


def _serial(text: str, port: str, driver: str) -> DevicePath:
    if port in SERIAL_DRIVERS or (driver and driver not in SERIAL_DRIVERS):
        raise ReaderSpecError(f"{FORMS}; DRIVER is one of: {', '.join(SERIAL_DRIVERS)}.")
    if port.startswith("/") and driver != OUR_DRIVER:
        raise ReaderSpecError(f"A serial port given by its path needs its driver: nfcpy:tty:{safe_text(port)}:pn532.")
    if driver != OUR_DRIVER:
        return DevicePath(text, Wire.SERIAL, f"a reader on serial port {port or '(the first that answers)'}")
    if not port.startswith("/"):
        port = f"/dev/tty{port}" if NAMED_PORT.fullmatch(port) else f"/dev/{port}"
    return DevicePath(text, Wire.SERIAL, f"a PN532 on {port}", port)
