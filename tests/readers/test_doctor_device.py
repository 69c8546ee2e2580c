"""Who holds a reader, by trees that look like /sys, /proc and /dev."""

import os
from pathlib import Path

import pytest

from readers import doctor
from readers.doctor_device import serial_port
from readers.errors import ReaderUnavailable
from readers.finding import Finding, State
from readers.usb import usb_readers

NODE = "dev/bus/usb/001/007"
ACR122_NAME = "ACS ACR122U PICC Interface 00 00"


def plugged(root: Path, ids: str, driver: str = "", programs: tuple[str, ...] = ()) -> None:
    """A device on bus 1, its interface bound to `driver`, and open in `programs`."""
    device = root / "sys/bus/usb/devices/1-2"
    device.mkdir(parents=True)
    vendor, product = ids.split(":")
    for name, value in {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": "7"}.items():
        (device / name).write_text(value + "\n")
    interface = root / "sys/bus/usb/devices/1-2:1.0"
    interface.mkdir()
    if driver:
        (interface / "driver").symlink_to(f"../../../../../../bus/usb/drivers/{driver}")
    (root / NODE).parent.mkdir(parents=True)
    (root / NODE).touch()
    for number, program in enumerate(programs, 100):
        running(root, number, program, f"/{NODE}")


def running(root: Path, number: int, program: str, *files: str) -> None:
    (root / f"proc/{number}/fd").mkdir(parents=True)
    (root / f"proc/{number}/comm").write_text(program + "\n")
    for descriptor, file in enumerate(("/dev/null", *files)):
        (root / f"proc/{number}/fd/{descriptor}").symlink_to(file)


def found(root: Path, driven: list[str] | None, *specs: str) -> Finding:
    def names() -> list[str]:
        if driven is None:
            raise ReaderUnavailable("gone")
        return driven

    (finding,) = doctor.usb(names, root, specs)
    return finding


@pytest.mark.parametrize("driver", ["pn533_usb", "port100"])
def test_a_reader_that_the_kernel_drives_is_busy(tmp_path: Path, driver: str) -> None:
    plugged(tmp_path, "04cc:2533", driver)
    for driven in (None, [], [ACR122_NAME]):
        finding = found(tmp_path, driven, "nfcpy:usb")
        assert finding.state is State.WRONG
        assert f"busy: the kernel's driver {driver} holds it" in finding.sentence
        assert "modprobe -r" in finding.fix
        assert "udev/kiosk-nfc-modules.conf" in finding.fix


@pytest.mark.parametrize("spec", ["nfcpy:usb", "nfcpy:usb:072f:2200", "nfcpy:usb:072F", "nfcpy:usb:001:007"])
def test_a_reader_that_pcscd_drives_is_not_nfcpys(tmp_path: Path, spec: str) -> None:
    plugged(tmp_path, "072f:2200", "usbfs", ("pcscd",))
    for driven in ([ACR122_NAME], None):
        finding = found(tmp_path, driven, spec)
        assert finding.state is State.WRONG
        assert "pcscd" in finding.sentence
        assert "choose one" in finding.fix
        assert "udev/95-kiosk-nfcpy.rules" in finding.fix


def test_another_reader_than_the_one_for_nfcpy_may_be_pcscds(tmp_path: Path) -> None:
    plugged(tmp_path, "072f:2200", "usbfs", ("pcscd",))
    for spec in ("nfcpy:usb:04cc:2533", "nfcpy:usb:002", "nfcpy:usb:001:008", "nfcpy:tty:USB0:pn532"):
        assert found(tmp_path, [ACR122_NAME], "pcsc", spec).state is State.OK


def test_a_reader_that_nfcpy_holds_is_named_to_pcscds_user(tmp_path: Path) -> None:
    plugged(tmp_path, "072f:2200", "usbfs", ("kiosk", "python3"))
    finding = found(tmp_path, [], "pcsc")
    assert finding.state is State.WRONG
    assert "in use by kiosk, python3" in finding.sentence
    assert "nfcpy:usb:072f:2200" in finding.fix
    mine = found(tmp_path, [], "nfcpy:usb:072f:2200")
    assert mine.state is State.ADVICE, "it may well be the kiosk itself"


def test_a_holder_that_cannot_be_seen_is_not_guessed(tmp_path: Path) -> None:
    plugged(tmp_path, "072f:2200", "usbfs")
    assert "root sees which" in found(tmp_path, []).sentence


def test_a_reader_that_pcscd_holds_and_this_user_may_not_ask_for_is_in_order(tmp_path: Path) -> None:
    plugged(tmp_path, "076b:5022", "usbfs", ("pcscd",))
    assert found(tmp_path, None).state is State.OK


def test_a_free_reader_is_given_its_specification(tmp_path: Path) -> None:
    plugged(tmp_path, "04cc:2533")
    for driven in (None, [], [ACR122_NAME]):
        finding = found(tmp_path, driven)
        assert (finding.state, finding.fix) == (State.OK, "")
        assert finding.sentence.endswith("open to nfcpy: nfcpy:usb:04cc:2533.")


def test_a_node_without_permission_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(tmp_path, "04cc:2533")
    monkeypatch.setattr("readers.usb.os.access", lambda path, mode: False)
    finding = found(tmp_path, None)
    assert finding.state is State.WRONG
    assert f"may not open /{NODE} (permission denied)" in finding.sentence
    assert "udev/95-kiosk-nfcpy.rules" in finding.fix


def test_a_reader_that_only_pcscd_knows_needs_it(tmp_path: Path) -> None:
    plugged(tmp_path, "076b:5022")
    finding = found(tmp_path, None)
    assert finding.state is State.WRONG
    assert "only pcscd could drive it" in finding.sentence


def test_programs_are_seen_by_the_files_they_have_open(tmp_path: Path) -> None:
    plugged(tmp_path, "04cc:2533", "", ("pcscd",))
    running(tmp_path, 7, "other", "/dev/bus/usb/001/008")
    (tmp_path / "proc/8").mkdir()
    (reader,) = usb_readers(tmp_path)
    assert reader.programs == ("pcscd",)
    assert reader.claimed_by == ()


def test_a_serial_port_that_is_not_there_or_not_allowed_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = serial_port("/dev/ttyUSB0", tmp_path)
    assert missing.state is State.WRONG
    assert "/dev/serial/by-id" in missing.fix
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/ttyUSB0").touch()
    assert serial_port("/dev/ttyUSB0", tmp_path).state is State.OK
    monkeypatch.setattr("readers.doctor_device.os.access", lambda path, mode: False)
    denied = serial_port("/dev/ttyUSB0", tmp_path)
    assert denied.state is State.WRONG
    assert "dialout" in denied.fix


def test_a_serial_port_that_another_program_has_open_is_named_through_its_link(tmp_path: Path) -> None:
    (tmp_path / "dev/serial/by-id").mkdir(parents=True)
    (tmp_path / "dev/ttyUSB0").touch()
    os.symlink("../../ttyUSB0", tmp_path / "dev/serial/by-id/usb-1")
    running(tmp_path, 9, "ModemManager", "/dev/ttyUSB0")
    finding = serial_port("/dev/serial/by-id/usb-1", tmp_path)
    assert finding.state is State.ADVICE
    assert "ModemManager" in finding.sentence
    assert "systemctl mask --now ModemManager" in finding.fix
