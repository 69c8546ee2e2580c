import pytest

from readers.errors import ReaderSpecError
from readers.nfcpy_path import Wire, parse
from readers.registry import open_reader


@pytest.mark.parametrize(
    ("text", "wire", "words"),
    [
        ("usb", Wire.USB, "the first reader on USB that nfcpy knows"),
        ("usb:04cc:2533", Wire.USB, "the first NXP PN533"),
        ("usb:04CC:2533", Wire.USB, "the first NXP PN533"),
        ("usb:072f:2200", Wire.USB, "the first ACS ACR122U"),
        ("usb:054c:06c3", Wire.USB, "the first Sony RC-S380/P"),
        ("usb:054c:06c1", Wire.USB, "the first Sony RC-S380/S"),
        ("usb:054c", Wire.USB, "the first reader of the USB vendor 054c"),
        ("usb:ffff:ffff", Wire.USB, "the first USB device ffff:ffff"),
        ("usb:001:023", Wire.USB, "device 23 on USB bus 1"),
        ("usb:1", Wire.USB, "the first reader on USB bus 1"),
        ("tty", Wire.SERIAL, "a reader on serial port (the first that answers)"),
        ("tty:USB0:arygon", Wire.SERIAL, "a reader on serial port USB0"),
        ("udp:127.0.0.1:54321", Wire.NETWORK, "nfcpy's simulated device, for tests only"),
    ],
)
def test_a_path_is_understood_and_explained(text: str, wire: Wire, words: str) -> None:
    path = parse(text)
    assert (path.text, path.wire, path.words, path.port) == (text, wire, words, "")
    assert open_reader(f"nfcpy:{text}").spec == f"nfcpy:{text}"


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("tty:USB0:pn532", "/dev/ttyUSB0"),
        ("tty:AMA0:pn532", "/dev/ttyAMA0"),
        ("tty:serial0:pn532", "/dev/serial0"),
        ("tty:/dev/kiosk-pn532:pn532", "/dev/kiosk-pn532"),
        (
            "tty:/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0:pn532",
            "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0",
        ),
    ],
)
def test_a_pn532_on_a_serial_line_is_found_by_its_file(text: str, port: str) -> None:
    path = parse(text)
    assert (path.wire, path.port, path.words) == (Wire.SERIAL, port, f"a PN532 on {port}")


@pytest.mark.parametrize(
    "text",
    [
        "", "bluetooth", "usbx", "usb:", "usb:zzzz:0001", "usb:04cc:2533:1", "usb:0001:", "usb: 04cc", "tty:USB0:pn999",
        "tty:pn532", "tty:/dev/ttyS0;reboot:pn532", "tty:$(reboot):pn532", "udp:host:0", "udp:host:65536", "udp:a:b",
        "com:1:pn532", "tty:/dev/kiosk-pn532", "tty:/dev/kiosk-pn532:arygon",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ReaderSpecError, match=r"usb:VENDOR:PRODUCT.*tty:PORT:DRIVER|needs its driver"):
        parse(text)


@pytest.mark.parametrize("text", ["usb:076b:5022", "usb:072f:223b", "usb:054c:0dc8"])
def test_a_model_that_nfcpy_cannot_drive_is_handed_to_pcscd(text: str) -> None:
    with pytest.raises(ReaderSpecError, match=r"no driver for the .* Let pcscd drive it"):
        parse(text)
