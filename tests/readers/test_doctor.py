import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from readers import doctor
from readers.__main__ import lines
from readers.doctor import Finding, State
from readers.errors import ReaderUnavailable
from readers.pcsc_calls import NO_SERVICE, SECURITY_VIOLATION, PcscUnavailable
from readers.usb import usb_readers
from readers.vpcd_guard import listening_ports, vpcd_exposure, vpcd_port_open
from tests.pcscd import READERS, PcscWithVpcd

VPCD = 'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:{0}\nLIBPATH /usr/lib/libifdvpcd.so\nCHANNELID {0}\n'
TCP = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def plugged(root: Path, vendor: str, product: str, mode: int = 0o600) -> None:
    """A device on bus 1 as sysfs and /dev show it, with an interface beside it that has no identity of its own."""
    device = root / "sys/bus/usb/devices/1-2"
    device.mkdir(parents=True)
    for name, value in {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": "7"}.items():
        (device / name).write_text(value + "\n")
    (root / "sys/bus/usb/devices/1-2:1.0").mkdir()
    node = root / "dev/bus/usb/001/007"
    node.parent.mkdir(parents=True)
    node.touch(mode)


def raising(error: Exception) -> doctor.ListNames:
    def names() -> Sequence[str]:
        raise error

    return names


def test_a_missing_daemon_is_named_with_its_package(tmp_path: Path) -> None:
    finding = doctor.daemon_installed(tmp_path)
    assert finding.state is State.WRONG
    assert "apt install pcscd" in finding.fix
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/pcscd").touch()
    assert doctor.daemon_installed(tmp_path).state is State.OK


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (ImportError("libpcsclite.so.1: cannot open shared object file"), "apt install"),
        (PcscUnavailable(NO_SERVICE), "systemctl enable --now pcscd.socket"),
        (PcscUnavailable(SECURITY_VIOLATION), "polkit-1/rules.d"),
        (ReaderUnavailable("gone"), "systemctl"),
    ],
)
def test_a_daemon_that_does_not_answer_is_explained(tmp_path: Path, error: Exception, fix: str) -> None:
    finding = doctor.daemon_answers(raising(error), tmp_path)
    assert finding.state is State.WRONG
    assert fix in finding.fix


def test_a_socket_of_another_group_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run/pcscd").mkdir(parents=True)
    (tmp_path / "run/pcscd/pcscd.comm").touch()
    monkeypatch.setattr("readers.doctor.os.access", lambda path, mode: False)
    assert "group" in doctor.daemon_answers(raising(PcscUnavailable(NO_SERVICE)), tmp_path).fix


def test_a_daemon_that_answers_names_its_readers() -> None:
    assert "Wall" in doctor.daemon_answers(lambda: ["Wall reader"]).sentence
    assert "no reader" in doctor.daemon_answers(lambda: []).sentence


def test_the_kernels_own_driver_is_found(tmp_path: Path) -> None:
    assert doctor.kernel_modules(tmp_path).state is State.UNKNOWN
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/modules").write_text("nfc_demo 1 0 - Live 0x0\nusbcore 1 0 - Live 0x0\n")
    assert doctor.kernel_modules(tmp_path).state is State.OK
    (tmp_path / "proc/modules").write_text("pn533_usb 20480 0 - Live 0x0\npn533 1 1 pn533_usb, Live 0x0\n")
    finding = doctor.kernel_modules(tmp_path)
    assert finding.state is State.WRONG
    assert "pn533_usb, pn533" in finding.sentence
    assert "modprobe -r pn533_usb" in finding.fix


PLIST = """<plist><dict><key>ifdVersionNumber</key><string>0x00010005</string>
<key>ifdDriverOptions</key>
<string>{}</string></dict></plist>"""
ACR1252 = "ACS ACR1252 1S CL Reader [ACR1252 Dual Reader PICC] 00 00"


def ccid_options(root: Path, value: str) -> None:
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/libccid_Info.plist").write_text(PLIST.format(value))


@pytest.mark.parametrize(("value", "state"), [("0x0000", State.ADVICE), ("0x0004", State.ADVICE), ("0x0005", State.OK)])
def test_a_driver_that_blocks_escape_commands_is_named_where_it_keeps_a_reader_dark(
    tmp_path: Path, value: str, state: State
) -> None:
    assert doctor.escape_commands([ACR1252], tmp_path) == [], "another driver than libccid, or none"
    ccid_options(tmp_path, value)
    (finding,) = doctor.escape_commands([ACR1252, "Wall reader"], tmp_path)
    assert (finding.state, ACR1252 in finding.sentence) == (state, True)
    assert bool(finding.fix) is (state is State.ADVICE)
    if finding.fix:
        assert value in finding.sentence
        assert "set ifdDriverOptions to 0x0001 in /etc/libccid_Info.plist" in finding.fix
    for name in ("ACS ACR122U PICC Interface 00 00", "HID Global OMNIKEY 5022 00 00"):
        assert doctor.escape_commands([name], tmp_path) == []


def test_a_broken_driver_configuration_says_nothing(tmp_path: Path) -> None:
    ccid_options(tmp_path, "many")
    assert doctor.escape_commands([ACR1252], tmp_path) == []


@pytest.mark.parametrize(
    ("spec", "state", "words"),
    [
        ("pcsc:ACR1252*", State.OK, "pcsc:ACR1252* is understood."),
        ("nfcpy:usb:04cc:2533", State.OK, "is the first NXP PN533, driven by nfcpy."),
        ("nfcpy:usb:076b:5022", State.WRONG, "Let pcscd drive it"),
        ("osdp:/dev/ttyUSB0", State.WRONG, "cannot be used yet"),
        ("pscs", State.WRONG, "did you mean"),
    ],
)
def test_a_specification_is_explained(spec: str, state: State, words: str) -> None:
    finding = doctor.specification(spec)
    assert finding.state is state
    assert words in finding.sentence
    assert bool(finding.fix) is (state is State.WRONG)


def test_what_is_checked_follows_from_the_specifications(tmp_path: Path) -> None:
    plugged(tmp_path, "04cc", "2533")
    silent = raising(PcscUnavailable(NO_SERVICE))
    with_nfcpy = doctor.findings(silent, tmp_path, ["nfcpy:usb:04cc:2533", "nfcpy:tty:/dev/none:pn532"])
    assert not any("pcscd" in finding.sentence for finding in with_nfcpy)
    assert [finding.sentence for finding in with_nfcpy][-1] == "There is no serial port /dev/none."
    with_pcsc = doctor.findings(silent, tmp_path)
    assert "not installed" in with_pcsc[0].sentence
    ccid_options(tmp_path, "0x0000")
    driven = doctor.findings(lambda: [ACR1252], tmp_path, ["pcsc"])
    assert State.ADVICE in {finding.state for finding in driven}


@pytest.mark.parametrize(
    ("driven", "state", "words"),
    [
        (["ACS ACR122U PICC Interface 00 00"], State.OK, "driven by pcscd"),
        ([], State.WRONG, "does not see it"),
        (["Other reader 00 00"], State.UNKNOWN, "no reader of that name"),
    ],
)
def test_a_reader_on_usb_is_compared_with_what_pcscd_drives(
    tmp_path: Path, driven: list[str], state: State, words: str
) -> None:
    plugged(tmp_path, "072f", "2200")
    (finding,) = doctor.usb(lambda: driven, tmp_path)
    assert finding.state is state
    assert words in finding.sentence


def test_a_reader_that_only_nfcpy_could_drive_must_be_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(tmp_path, "04cc", "2533")
    (finding,) = doctor.usb(raising(PcscUnavailable(NO_SERVICE)), tmp_path)
    assert finding.state is State.OK
    monkeypatch.setattr("readers.usb.os.access", lambda path, mode: False)
    (finding,) = doctor.usb(raising(PcscUnavailable(NO_SERVICE)), tmp_path)
    assert finding.state is State.WRONG
    assert "dev/bus/usb/001/007" in finding.sentence


def test_devices_that_are_no_readers_are_passed_over(tmp_path: Path) -> None:
    plugged(tmp_path, "046d", "c31c")
    assert usb_readers(tmp_path) == ()
    (finding,) = doctor.usb(lambda: [], tmp_path)
    assert finding.state is State.UNKNOWN


def configured(root: Path, text: str) -> None:
    (root / "etc/reader.conf.d/more").mkdir(parents=True)
    (root / "etc/reader.conf.d/libccidtwin").write_text("#LIBPATH /usr/lib/libifdvpcd.so\n")
    (root / "etc/reader.conf.d/vpcd").write_text(text)


def listening(root: Path, *ports: int) -> None:
    (root / "proc/net").mkdir(parents=True)
    rows = [f"   {n}: 00000000:{port:04X} 00000000:0000 0A 0 0 0 0 0 1\n" for n, port in enumerate(ports)]
    rows.append("   9: 0100007F:8C7C 0100007F:A000 01 0 0 0 0 0 1\n")
    (root / "proc/net/tcp").write_text(TCP + "".join(rows))


def test_a_configured_virtual_reader_is_found_before_it_listens(tmp_path: Path) -> None:
    configured(tmp_path, VPCD.format("0x8C7B"))
    listening(tmp_path, 22)
    exposure = vpcd_exposure(tmp_path)
    assert [path.name for path in exposure.configured] == ["vpcd"]
    assert not exposure.is_open
    finding = doctor.virtual_reader(tmp_path)
    assert finding.state is State.WRONG
    assert "/etc/reader.conf.d/vpcd" in finding.sentence


@pytest.mark.parametrize(("text", "port"), [("", 35963), ("", 35964), (VPCD.format("0x4E21"), 0x4E22)])
def test_a_virtual_reader_that_listens_is_found_on_its_port(tmp_path: Path, text: str, port: int) -> None:
    configured(tmp_path, text)
    listening(tmp_path, 22, port)
    assert vpcd_exposure(tmp_path).listening == (port,)
    assert vpcd_port_open(tmp_path)
    assert str(port) in doctor.virtual_reader(tmp_path).sentence


def test_a_machine_without_a_virtual_reader_is_sound(tmp_path: Path) -> None:
    listening(tmp_path, 22)
    assert vpcd_exposure(tmp_path) == vpcd_exposure(tmp_path / "nowhere")
    assert doctor.virtual_reader(tmp_path).state is State.OK


def test_a_socket_of_this_machine_is_seen_while_it_listens() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert port not in listening_ports()
        server.listen()
        assert port in listening_ports()


def test_fixes_are_printed_below_their_sentences() -> None:
    printed = list(lines([Finding(State.OK, "Fine."), Finding(State.WRONG, "Broken.", "mend it")]))
    assert printed == ["ok      Fine.", "wrong   Broken.", "        fix: mend it"]


def test_the_doctor_sees_the_readers_of_a_running_daemon(pcsc_with_vpcd: PcscWithVpcd) -> None:
    command = [sys.executable, "-m", "readers"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert f"pcscd drives: {', '.join(READERS)}." in done.stdout
    assert done.stderr == ""
    assert "No card lies on a reader." in done.stdout
    pcsc_with_vpcd.kill_daemon()
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "fix: systemctl enable --now pcscd.socket" in done.stdout
