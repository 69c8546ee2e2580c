"""What is wrong with a configuration or a machine is said in sentences, before anything is started."""

import json
from pathlib import Path

import pytest

from kiosk.demo.archive import DemoArchive
from kiosk.imaging.peers import Peer
from tests.end_to_end.machine import with_vpcd, without_vpcd
from tests.end_to_end.program import COMMAND, Program, finish, kiosk
from tests.peers import free_port

ORDERLY = """
[kiosk]
name = "Reading room 1"
state_directory = "state"

[readers]
specs = ["{spec}"]

[limits]
disk_reserve_bytes = 0
"""
PEER = """
[[{kind}]]
name = "{peer.name}"
ae_title = "{peer.ae_title}"
host = "{peer.host}"
port = {peer.port}
timeout = 2.0
"""


def written(folder: Path, text: str) -> str:
    path = folder / "kiosk.toml"
    path.write_text(text)
    return str(path)


def test_a_configuration_in_order_is_said_to_be(tmp_path: Path, environment: dict[str, str]) -> None:
    path = written(tmp_path, ORDERLY.format(spec="pcsc"))
    done = kiosk(environment, "config", "check", "--config", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}: in order.\n", "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n[sesion]\nidle_seconds = 5\n", "there is no key sesion; the nearest is session."),
        ("\n[session]\nidle_second = 5\n", "there is no key session.idle_second; the nearest is session.idle_seconds."),
        ("\n[access]\npepper = 'x'\n", "Secrets do not belong in this file"),
        ("\n[session]\nidle_seconds = 'long'\n", "session.idle_seconds must be a number, not text."),
        ("\n[session\n", "Expected ']'"),
    ],
)
def test_an_unknown_key_is_named_with_file_and_nearest_key(
    text: str, sentence: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    path = written(tmp_path, ORDERLY.format(spec="pcsc") + text)
    done = kiosk(environment, "config", "check", "--config", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"kiosk: {path}: ")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_configuration_is_named(environment: dict[str, str]) -> None:
    for command in ("config check", "audit verify"):
        done = kiosk(environment, *command.split(), "--config", "/nowhere/kiosk.toml")
        assert (done.returncode, done.stderr) == (1, "kiosk: /nowhere/kiosk.toml: No such file or directory.\n")
    doctor = kiosk(environment, "doctor", "--config", "/nowhere/kiosk.toml")
    assert doctor.returncode == 1
    assert "wrong    /nowhere/kiosk.toml: No such file or directory." in doctor.stdout


@pytest.mark.parametrize(
    ("spec", "demo", "sentence"),
    [
        ("simulated", False, "readers.specs names the simulated reader"),
        ("nfcpy:udp", False, "readers.specs names nfcpy's UDP device"),
        ("nfcpy:usb", True, "kiosk.demo is true"),
    ],
)
def test_what_only_a_demo_may_have_is_refused(
    spec: str, demo: bool, sentence: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    text = ORDERLY.format(spec=spec)
    path = written(tmp_path, text.replace("[readers]", "demo = true\n\n[readers]") if demo else text)
    for command in (["run", "--plain"], ["config", "check"]):
        done = kiosk(environment, *command, "--config", path)
        assert done.returncode == 1
        assert sentence in done.stdout + done.stderr
    assert not (tmp_path / "state").exists()


def test_a_machine_on_which_anybody_could_insert_a_card_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    path = written(tmp_path, ORDERLY.format(spec="pcsc"))
    done = finish(environment, with_vpcd([*COMMAND, "run", "--config", path]))
    assert done.returncode == 1
    assert "virtual card reader (vpcd)" in done.stderr
    assert "apt purge vsmartcard-vpcd" in done.stderr
    assert not (tmp_path / "state").exists()


def test_the_doctor_says_what_works_and_what_does_not(tmp_path: Path, environment: dict[str, str]) -> None:
    silent = Peer("Second archive", "SILENT", "127.0.0.1", free_port())
    with DemoArchive() as pacs:
        text = ORDERLY.format(spec="nfcpy:usb") + PEER.format(kind="archives", peer=pacs.archive)
        up = written(tmp_path, text)
        kiosk(environment, "staff", "bootstrap", "o", "--name", "O", "--config", up)
        command = [*COMMAND, "doctor", "--config", up]
        well = finish(environment, without_vpcd(command))
        assert well.returncode == 0, well.stdout + well.stderr
        assert f"ok       {up} is in order." in well.stdout
        assert "ok       The archive Demo archive answers in " in well.stdout
        assert "ok       The chain is whole: 2 records" in well.stdout
        assert "ok       The directory of people opens." in well.stdout
        written(tmp_path, text + PEER.format(kind="archives", peer=silent))
        ill = finish(environment, without_vpcd([*command, "--json"]))
    assert ill.returncode == 1
    findings = [json.loads(line) for line in ill.stdout.splitlines()]
    (wrong,) = [finding for finding in findings if finding["state"] == "wrong"]
    assert wrong["sentence"].startswith("The archive Second archive does not answer: Second archive (SILENT) cannot")
    assert f"Check 127.0.0.1:{silent.port}" in wrong["fix"]


def test_the_doctor_makes_nothing_where_nothing_was_started(tmp_path: Path, environment: dict[str, str]) -> None:
    path = written(tmp_path, ORDERLY.format(spec="nfcpy:usb"))
    done = finish(environment, without_vpcd([*COMMAND, "doctor", "--config", path]))
    assert done.returncode == 0
    assert f"There is no state directory {tmp_path / 'state'} yet" in done.stdout
    assert not (tmp_path / "state").exists()


def test_a_state_directory_that_cannot_be_used_is_said(tmp_path: Path, environment: dict[str, str]) -> None:
    text = ORDERLY.format(spec="nfcpy:usb").replace('"state"', '"kiosk.toml/state"')
    path = written(tmp_path, text)
    run = finish(environment, without_vpcd([*COMMAND, "run", "--plain", "--config", path]))
    assert run.returncode == 1
    assert "kiosk.toml/state cannot be made: Not a directory." in run.stderr
    doctor = kiosk(environment, "doctor", "--config", path)
    assert "The state directory cannot be used" in doctor.stdout


def test_a_second_terminal_on_one_state_directory_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    path = written(tmp_path, ORDERLY.format(spec="nfcpy:usb"))
    command = without_vpcd([*COMMAND, "run", "--plain", "--config", path])
    with Program(environment, command=command) as first:
        first.await_text("Locked. Tap your badge")
        second = finish(environment, command)
        assert second.returncode == 1
        assert "A kiosk is running already" in second.stderr
        assert first.end() == 0
