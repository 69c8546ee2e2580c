"""Card readers on the USB bus, by vendor and product, and who holds them, as sysfs and procfs show it.

No device is opened.
"""

import os
from dataclasses import dataclass
from pathlib import Path

DEVICES = Path("sys/bus/usb/devices")
MODELS = {
    (0x04CC, 0x0531): "NXP PN531",
    (0x04CC, 0x2533): "NXP PN533",
    (0x04E6, 0x5591): "SCM SCL3711",
    (0x04E6, 0x5593): "SCM SCL3712",
    (0x054C, 0x0193): "Sony PN531",
    (0x054C, 0x02E1): "Sony RC-S330",
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
NFCPY_DRIVERS = {
    (0x04CC, 0x0531): "pn531",
    (0x04CC, 0x2533): "pn533",
    (0x04E6, 0x5591): "pn533",
    (0x04E6, 0x5593): "pn533",
    (0x054C, 0x0193): "pn531",
    (0x054C, 0x02E1): "rcs956",
    (0x054C, 0x06C1): "rcs380",
    (0x054C, 0x06C3): "rcs380",
    (0x072F, 0x2200): "acr122",
}
"""What nfcpy 1.0.4 can drive, and its driver's name."""
NFCPY_ONLY = frozenset(ids for ids, driver in NFCPY_DRIVERS.items() if driver != "acr122")
"""Devices that are no CCID: pcscd's usual driver leaves them alone."""
BY_PROGRAM = "usbfs"
"""The kernel's name for an interface that a program has claimed through libusb."""


@dataclass(frozen=True)
class UsbReader:
    """One plugged reader. `node` is its file under /dev, which a program needs to drive it without pcscd.

    `claimed_by` are the kernel drivers of its interfaces ("usbfs" where a program drives it), `programs` those who have
    the node open, as far as this user may see.
    """

    model: str
    vendor: int
    product: int
    node: Path
    claimed_by: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    @property
    def ids(self) -> str:
        """As lsusb writes them."""
        return f"{self.vendor:04x}:{self.product:04x}"

    @property
    def is_writable(self) -> bool:
        """True when this user may drive the device itself."""
        return os.access(self.node, os.R_OK | os.W_OK)

    @property
    def suits_nfcpy(self) -> bool:
        """True where nfcpy has a driver."""
        return (self.vendor, self.product) in NFCPY_DRIVERS

    @property
    def suits_pcscd(self) -> bool:
        """True where it is a CCID device."""
        return (self.vendor, self.product) not in NFCPY_ONLY


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
            name = f"dev/bus/usb/{bus:03d}/{number:03d}"
            found.append(
                UsbReader(model, vendor, product, root / name, _claims(device), programs_holding(f"/{name}", root))
            )
    return tuple(found)


def programs_holding(node: str, root: Path = Path("/")) -> tuple[str, ...]:
    """Names of the programs that have the file `node` open; those of other users only root can see (proc(5), fd)."""
    names = set()
    for process in (root / "proc").glob("[0-9]*"):
        try:
            if any(os.readlink(descriptor) == node for descriptor in (process / "fd").iterdir()):
                names.add((process / "comm").read_text(encoding="utf-8", errors="replace").strip())
        except OSError:  # another user's, or gone meanwhile
            continue
    return tuple(sorted(names))


def _claims(device: Path) -> tuple[str, ...]:
    """The drivers that its interfaces are bound to."""
    drivers = set()
    for interface in device.parent.glob(f"{device.name}:*"):
        try:
            drivers.add(Path(os.readlink(interface / "driver")).name)
        except OSError:  # nobody has it
            continue
    return tuple(sorted(drivers))


def _line(device: Path, name: str) -> str:
    return (device / name).read_text(encoding="ascii").strip()
