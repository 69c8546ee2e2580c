"""Card readers on the USB bus, by vendor and product, as sysfs shows them. No device is opened."""

import os
from dataclasses import dataclass
from pathlib import Path

DEVICES = Path("sys/bus/usb/devices")
MODELS = {
    (0x04CC, 0x2533): "NXP PN533",
    (0x04E6, 0x5591): "SCM SCL3711",
    (0x054C, 0x06C1): "Sony RC-S380/S",
    (0x054C, 0x06C3): "Sony RC-S380/P",
    (0x054C, 0x0DC8): "Sony RC-S300/S",
    (0x054C, 0x0DC9): "Sony RC-S300/P",
    (0x072F, 0x2200): "ACS ACR122U",
    (0x072F, 0x221A): "ACS ACR1251",
    (0x072F, 0x223B): "ACS ACR1252U",
    (0x072F, 0x223E): "ACS ACR1252U",
    (0x072F, 0x90CC): "ACS ACR122 or Touchatag",
    (0x076B, 0x5022): "HID Omnikey 5022",
    (0x076B, 0x5023): "HID Omnikey 5023",
    (0x076B, 0x5422): "HID Omnikey 5422",
    (0x076B, 0x5427): "HID Omnikey 5427",
}


@dataclass(frozen=True)
class UsbReader:
    """One plugged reader. `node` is its file under /dev, which a program needs to drive it without pcscd."""

    model: str
    vendor: int
    product: int
    node: Path

    @property
    def is_writable(self) -> bool:
        """True when this user may drive the device itself."""
        return os.access(self.node, os.R_OK | os.W_OK)


def usb_readers(root: Path = Path("/")) -> tuple[UsbReader, ...]:
    """The known readers that are plugged into the machine under `root`."""
    found: list[UsbReader] = []
    for device in sorted((root / DEVICES).glob("*")):
        try:
            vendor, product = (int(_line(device, name), 16) for name in ("idVendor", "idProduct"))
            bus, number = (int(_line(device, name)) for name in ("busnum", "devnum"))
        except (OSError, ValueError):  # an interface, or a device unplugged just now
            continue
        model = MODELS.get((vendor, product))
        if model is not None:
            found.append(UsbReader(model, vendor, product, root / f"dev/bus/usb/{bus:03d}/{number:03d}"))
    return tuple(found)


def _line(device: Path, name: str) -> str:
    return (device / name).read_text(encoding="ascii").strip()
