"""Looks at everything between the plug and the reader's name, and says in words what is wrong and how to mend it.

The doctor changes nothing and opens no device but the PC/SC service. Checks take a root, to be tried on any machine.
"""

import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from readers.doctor_device import driver_claims, serial_port, usb_access
from readers.errors import ReaderSpecError, ReaderUnavailable
from readers.feedback import model_of
from readers.finding import Finding, State
from readers.nfcpy_path import DevicePath, Wire, parse
from readers.pcsc_calls import NO_SERVICE, SECURITY_VIOLATION, PcscUnavailable
from readers.pcsc_reader import PcscReader
from readers.registry import open_reader
from readers.text import safe_text
from readers.usb import usb_readers
from readers.vpcd_guard import vpcd_exposure

__all__ = ["REMOVE_VPCD", "Finding", "State", "findings", "usb", "virtual_reader"]

ROOT = Path("/")
DAEMONS = (Path("usr/sbin/pcscd"), Path("usr/bin/pcscd"))
SOCKET = Path("run/pcscd/pcscd.comm")
KERNEL_DRIVERS = ("pn533_usb", "pn533", "port100", "nfc")
CCID_OPTIONS = (Path("etc/libccid_Info.plist"), Path("usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist"))
OPTIONS_KEY = "<key>ifdDriverOptions</key>"
ESCAPE_ALLOWED = 0x01

INSTALL_PCSCD = "apt install pcscd libccid"
START_PCSCD = "systemctl enable --now pcscd.socket"
ALLOW_POLKIT = (
    "put a rule into /etc/polkit-1/rules.d/ that answers YES to org.debian.pcsc-lite.access_pcsc and "
    "org.debian.pcsc-lite.access_card for the kiosk's user; pcscd asks polkit since version 2.0.1"
)
BLOCK_MODULES = "modprobe -r pn533_usb, and install udev/kiosk-nfc-modules.conf into /etc/modprobe.d/"
REMOVE_VPCD = "apt purge vsmartcard-vpcd, and systemctl restart pcscd"
ALLOW_ESCAPE = "set ifdDriverOptions to 0x0001 in /etc/libccid_Info.plist, and systemctl restart pcscd"

ListNames = Callable[[], Sequence[str]]


def pcsc_names() -> Sequence[str]:
    """The names of the readers that pcscd drives; raises ReaderUnavailable, or ImportError without libpcsclite."""
    reader = cast(PcscReader, importlib.import_module("readers.pcsc").open_spec(""))
    reader.open()
    try:
        return [safe_text(name) for name in reader.names()]
    finally:
        reader.close()


def specification(spec: str) -> Finding:
    """Does a specification name something that can be built, and what?"""
    backend, _, argument = spec.strip().partition(":")
    try:
        open_reader(spec)
        words = parse(argument).words if backend == "nfcpy" else ""
    except ReaderSpecError as error:
        return Finding(State.WRONG, str(error), "change the specification")
    if words:
        return Finding(State.OK, f"{safe_text(spec)} is {words}, driven by nfcpy.")
    return Finding(State.OK, f"{safe_text(spec)} is understood.")


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


def escape_commands(driven: Sequence[str], root: Path = ROOT) -> list[Finding]:
    """Can the lights and the buzzer of the readers that pcscd drives be reached?"""
    dark = [name for name in driven if (model := model_of(name)) is not None and model.needs_escape]
    options = _ccid_options(root)
    if not dark or options is None:
        return []
    names = ", ".join(dark)
    if options & ESCAPE_ALLOWED:
        return [Finding(State.OK, f"The driver lets the kiosk show its answer on {names}.")]
    said = f"The driver blocks escape commands (ifdDriverOptions 0x{options:04X}): no light and no beep on {names}."
    return [Finding(State.ADVICE, said, ALLOW_ESCAPE)]


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


def usb(names: ListNames = pcsc_names, root: Path = ROOT, specs: Sequence[str] = ()) -> list[Finding]:
    """One finding for each known reader on the USB bus, or one that says that there is none."""
    plugged = usb_readers(root)
    if not plugged:
        return [Finding(State.UNKNOWN, "No card reader of a known model is plugged into USB.")]
    driven, paths = _driven(names), nfcpy_paths(specs)
    return [driver_claims(reader) or usb_access(reader, driven, paths) for reader in plugged]


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


def findings(names: ListNames = pcsc_names, root: Path = ROOT, specs: Sequence[str] = ("pcsc",)) -> list[Finding]:
    """All checks that the kiosk's reader specifications call for, from the software to the plug."""
    found = [specification(spec) for spec in specs if spec != "pcsc"]
    if any(spec.strip().lower().startswith("pcsc") for spec in specs):
        found += [daemon_installed(root), daemon_answers(names, root)]
        found += escape_commands(_driven(names) or (), root)
    found += [kernel_modules(root), virtual_reader(root), *usb(names, root, specs)]
    return found + [
        serial_port(path.port, root) for path in nfcpy_paths(specs) if path.wire is Wire.SERIAL and path.port
    ]


def nfcpy_paths(specs: Sequence[str]) -> list[DevicePath]:
    """What the specifications want nfcpy to drive; those that make no sense have a finding of their own."""
    paths = []
    for spec in specs:
        backend, _, argument = spec.strip().partition(":")
        if backend == "nfcpy":
            try:
                paths.append(parse(argument))
            except ReaderSpecError:
                continue
    return paths


def _driven(names: ListNames) -> Sequence[str] | None:
    """pcscd's names, None when it does not answer."""
    try:
        return names()
    except (ImportError, ReaderUnavailable):
        return None


def _ccid_options(root: Path) -> int | None:
    """The driver's switches, from the file that the driver reads; None without one."""
    for path in CCID_OPTIONS:
        try:
            text = (root / path).read_text(encoding="utf-8", errors="replace")
            value = text.partition(OPTIONS_KEY)[2].partition("<string>")[2].partition("</string>")[0]
            return int(value, 16)
        except (OSError, ValueError):
            continue
    return None


def _refusal(error: PcscUnavailable, root: Path) -> Finding:
    if error.code == SECURITY_VIOLATION:
        return Finding(State.WRONG, str(error), ALLOW_POLKIT)
    if error.code == NO_SERVICE and (root / SOCKET).exists() and not os.access(root / SOCKET, os.W_OK):
        return Finding(State.WRONG, f"This user may not write to /{SOCKET}.", "add the user to the socket's group")
    return Finding(State.WRONG, str(error), START_PCSCD)
