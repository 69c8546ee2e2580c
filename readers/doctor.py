"""Looks at everything between the plug and the reader's name, and says in words what is wrong and how to mend it."""

import importlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import cast

from readers.errors import ReaderUnavailable
from readers.pcsc_calls import NO_SERVICE, SECURITY_VIOLATION, PcscUnavailable
from readers.pcsc_reader import PcscReader
from readers.text import safe_text
from readers.usb import UsbReader, usb_readers
from readers.vpcd_guard import vpcd_exposure

ROOT = Path("/")
DAEMONS = (Path("usr/sbin/pcscd"), Path("usr/bin/pcscd"))
SOCKET = Path("run/pcscd/pcscd.comm")
KERNEL_DRIVERS = ("pn533_usb", "pn533", "nfc")

INSTALL_PCSCD = "apt install pcscd libccid"
START_PCSCD = "systemctl enable --now pcscd.socket"
ALLOW_POLKIT = (
    "put a rule into /etc/polkit-1/rules.d/ that answers YES to org.debian.pcsc-lite.access_pcsc and "
    "org.debian.pcsc-lite.access_card for the kiosk's user; pcscd asks polkit since version 2.0.1"
)
BLOCK_MODULES = "modprobe -r pn533_usb, and put the line 'install pn533_usb /bin/false' into /etc/modprobe.d/kiosk.conf"
ALLOW_USB = "install udev/ rules that give the kiosk's group the device, or let pcscd drive it"
RESTART_PCSCD = "plug the reader out and in again, or systemctl restart pcscd; then look at: journalctl -u pcscd"
REMOVE_VPCD = "apt purge vsmartcard-vpcd, and systemctl restart pcscd"


class State(Enum):
    """What a check came to."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One check's result: a sentence, and where something is wrong, what mends it."""

    state: State
    sentence: str
    fix: str = ""


ListNames = Callable[[], Sequence[str]]


def pcsc_names() -> Sequence[str]:
    """The names of the readers that pcscd drives; raises ReaderUnavailable, or ImportError without libpcsclite."""
    reader = cast(PcscReader, importlib.import_module("readers.pcsc").open_spec(""))
    reader.open()
    try:
        return [safe_text(name) for name in reader.names()]
    finally:
        reader.close()


def daemon_installed(root: Path = ROOT) -> Finding:
    """Is the PC/SC daemon on this machine?"""
    if any((root / path).exists() for path in DAEMONS):
        return Finding(State.OK, "pcscd is installed.")
    return Finding(State.WRONG, "The card reader service pcscd is not installed.", INSTALL_PCSCD)


def daemon_answers(names: ListNames = pcsc_names, root: Path = ROOT) -> Finding:
    """Does the daemon take this user, and which readers does it drive?"""
    try:
        found = names()
    except ImportError as error:
        return Finding(State.WRONG, f"PC/SC cannot be used: {safe_text(str(error))}.", INSTALL_PCSCD)
    except PcscUnavailable as error:
        return _refusal(error, root)
    except ReaderUnavailable as error:
        return Finding(State.WRONG, str(error), START_PCSCD)
    if not found:
        return Finding(State.OK, "pcscd answers and drives no reader.")
    return Finding(State.OK, f"pcscd drives: {', '.join(found)}.")


def kernel_modules(root: Path = ROOT) -> Finding:
    """Has the kernel's own NFC driver taken the reader away from pcscd and nfcpy?"""
    try:
        lines = (root / "proc/modules").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        return Finding(State.UNKNOWN, f"The kernel's modules cannot be listed: {error.strerror}.")
    loaded = [name for name in KERNEL_DRIVERS if any(line.split(" ", 1)[0] == name for line in lines)]
    if loaded:
        return Finding(State.WRONG, f"The kernel's NFC driver holds the reader: {', '.join(loaded)}.", BLOCK_MODULES)
    return Finding(State.OK, "No kernel driver holds NFC readers.")


def usb_access(reader: UsbReader, driven: Sequence[str] | None) -> Finding:
    """Can anything drive a reader that is plugged in? `driven` are pcscd's names, None when it does not answer."""
    where = f"{reader.model} ({reader.vendor:04x}:{reader.product:04x})"
    if driven is not None and any(_same_model(reader.model, name) for name in driven):
        return Finding(State.OK, f"{where} is plugged in and driven by pcscd.")
    if driven:
        return Finding(State.UNKNOWN, f"{where} is plugged in; pcscd has no reader of that name.", RESTART_PCSCD)
    if driven is not None:
        return Finding(State.WRONG, f"{where} is plugged in, but pcscd does not see it.", RESTART_PCSCD)
    if reader.is_writable:
        return Finding(State.OK, f"{where} is plugged in and open to nfcpy.")
    return Finding(State.WRONG, f"{where} is plugged in, but this user may not open {reader.node}.", ALLOW_USB)


def usb(names: ListNames = pcsc_names, root: Path = ROOT) -> list[Finding]:
    """One finding for each known reader on the USB bus, or one that says that there is none."""
    plugged = usb_readers(root)
    if not plugged:
        return [Finding(State.UNKNOWN, "No card reader of a known model is plugged into USB.")]
    driven: Sequence[str] | None
    try:
        driven = names()
    except (ImportError, ReaderUnavailable):
        driven = None
    return [usb_access(reader, driven) for reader in plugged]


def virtual_reader(root: Path = ROOT) -> Finding:
    """Can anybody on the network insert a virtual card?"""
    exposure = vpcd_exposure(root)
    if exposure.listening:
        ports = ", ".join(map(str, exposure.listening))
        sentence = f"A virtual card reader (vpcd) takes cards from the network on TCP port {ports}."
        return Finding(State.WRONG, sentence, REMOVE_VPCD)
    if exposure.configured:
        files = ", ".join(f"/{path.relative_to(root)}" for path in exposure.configured)
        sentence = f"A virtual card reader (vpcd) is configured in {files}: pcscd opens its port when it starts."
        return Finding(State.WRONG, sentence, REMOVE_VPCD)
    return Finding(State.OK, "No virtual card reader is configured.")


def findings(names: ListNames = pcsc_names, root: Path = ROOT) -> list[Finding]:
    """All checks, from the software to the plug. The doctor changes nothing."""
    return [
        daemon_installed(root),
        daemon_answers(names, root),
        kernel_modules(root),
        virtual_reader(root),
        *usb(names, root),
    ]


def _refusal(error: PcscUnavailable, root: Path) -> Finding:
    if error.code == SECURITY_VIOLATION:
        return Finding(State.WRONG, str(error), ALLOW_POLKIT)
    if error.code == NO_SERVICE and (root / SOCKET).exists() and not os.access(root / SOCKET, os.W_OK):
        return Finding(State.WRONG, f"This user may not write to /{SOCKET}.", "add the user to the socket's group")
    return Finding(State.WRONG, str(error), START_PCSCD)


def _same_model(model: str, name: str) -> bool:
    """pcscd's names hold the vendor's words for the product, such as "ACS ACR122U PICC Interface 00 00"."""
    return model.split()[-1].partition("/")[0].casefold() in name.casefold()
