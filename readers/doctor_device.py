"""The doctor's look at one plugged reader: who drives it, and if nobody can, why."""

import os
from collections.abc import Sequence
from pathlib import Path

from readers.finding import Finding, State
from readers.nfcpy_path import DevicePath, Wire
from readers.usb import BY_PROGRAM, UsbReader, programs_holding

ALLOW_USB = "install udev/95-kiosk-nfcpy.rules, which give the kiosk's group the device, or let pcscd drive it"
BLOCK_MODULES = "modprobe -r pn533_usb, and install udev/kiosk-nfc-modules.conf into /etc/modprobe.d/"
RESTART_PCSCD = "plug the reader out and in again, or systemctl restart pcscd; then look at: journalctl -u pcscd"
ONE_BACKEND = (
    'choose one: "pcsc" in readers.specs, or keep pcscd off the device with udev/95-kiosk-nfcpy.rules '
    "(pcsc-lite 2.3.2 or later) or with systemctl mask --now pcscd.socket pcscd"
)
ALLOW_SERIAL = "install udev/95-kiosk-nfcpy.rules, or add the kiosk's user to the port's group (dialout on Debian)"
NO_SUCH_PORT = "plug the reader in; ls -l /dev/serial/by-id shows the ports that are there"
PCSCD = "pcscd"


def driver_claims(reader: UsbReader) -> Finding | None:
    """Does a kernel module hold the device (EBUSY for everybody else)?"""
    modules = [name for name in reader.claimed_by if name != BY_PROGRAM]
    if not modules:
        return None
    held = ", ".join(modules)
    said = f"{_where(reader)} is plugged in, but busy: the kernel's driver {held} holds it."
    return Finding(State.WRONG, said, BLOCK_MODULES)


def usb_access(reader: UsbReader, driven: Sequence[str] | None, wanted: Sequence[DevicePath] = ()) -> Finding:
    """Can the kiosk drive it? `driven` are pcscd's names, None when it does not answer; `wanted` is for nfcpy."""
    where = _where(reader)
    for_nfcpy = any(path.wire is Wire.USB and _names(path, reader) for path in wanted)
    if driven is not None and any(_same_model(reader.model, name) for name in driven):
        if for_nfcpy:
            return Finding(State.WRONG, f"{where} is wanted for nfcpy, but pcscd drives it.", ONE_BACKEND)
        return Finding(State.OK, f"{where} is plugged in and driven by pcscd.")
    if BY_PROGRAM in reader.claimed_by:
        return _held(reader, for_nfcpy=for_nfcpy)
    if reader.suits_pcscd and driven is not None and not for_nfcpy:
        if driven:
            return Finding(State.UNKNOWN, f"{where} is plugged in; pcscd has no reader of that name.", RESTART_PCSCD)
        return Finding(State.WRONG, f"{where} is plugged in, but pcscd does not see it.", RESTART_PCSCD)
    if not reader.suits_nfcpy:
        return Finding(State.WRONG, f"{where} is plugged in, but only pcscd could drive it.", "use pcscd for it")
    if reader.is_writable:
        return Finding(State.OK, f"{where} is plugged in and open to nfcpy: nfcpy:usb:{reader.ids}.")
    said = f"{where} is plugged in, but this user may not open /{_node(reader)} (permission denied)."
    return Finding(State.WRONG, said, ALLOW_USB)


def serial_port(port: str, root: Path = Path("/")) -> Finding:
    """Is the serial port of a PN532 there, may this user open it, and does nobody else have it open?"""
    path = root / port.lstrip("/")
    if not path.exists():
        return Finding(State.WRONG, f"There is no serial port {port}.", NO_SUCH_PORT)
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding(State.WRONG, f"This user may not open {port} (permission denied).", ALLOW_SERIAL)
    node = f"/{path.resolve().relative_to(root.resolve())}"
    programs = programs_holding(node, root)
    if programs:
        fix = f"end it; if it is ModemManager, which tries every port: systemctl mask --now {programs[0]}"
        return Finding(State.ADVICE, f"The serial port {port} is open in: {', '.join(programs)}.", fix)
    return Finding(State.OK, f"The serial port {port} is there and free.")


def _held(reader: UsbReader, *, for_nfcpy: bool) -> Finding:
    """A program has it. That is as it should be where it is pcscd or the kiosk itself."""
    who = ", ".join(reader.programs) or "a program of another user (root sees which)"
    said = f"{_where(reader)} is plugged in and in use by {who}."
    if for_nfcpy and PCSCD in reader.programs:
        return Finding(State.WRONG, said, ONE_BACKEND)
    if for_nfcpy:
        return Finding(State.ADVICE, said, "if that is not the kiosk, end it: only one program can drive the reader")
    if PCSCD in reader.programs:
        return Finding(State.OK, said)
    return Finding(State.WRONG, said, f"end {who}, or name the reader in readers.specs as nfcpy:usb:{reader.ids}")


def _names(path: DevicePath, reader: UsbReader) -> bool:
    """Does nfcpy's path lead to this reader?"""
    if not reader.suits_nfcpy:
        return False
    parts = path.text.casefold().split(":")[1:]
    by_place = f"{reader.node.parent.name}:{reader.node.name}".split(":")
    fits_ids = parts == reader.ids.split(":")[: len(parts)]
    return fits_ids or [part.zfill(3) for part in parts] == by_place[: len(parts)]


def _same_model(model: str, name: str) -> bool:
    """pcscd's names hold the vendor's words for the product, such as "ACS ACR122U PICC Interface 00 00"."""
    return model.split()[-1].partition("/")[0].casefold() in name.casefold()


def _where(reader: UsbReader) -> str:
    return f"{reader.model} ({reader.ids})"


def _node(reader: UsbReader) -> str:
    return "/".join(reader.node.parts[-5:])
