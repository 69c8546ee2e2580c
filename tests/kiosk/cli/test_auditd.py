"""`kiosk auditd`, and every command that uses the trail beside it and without it."""

import getpass
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk.audit import Occasion, Trail, verify
from tests.end_to_end.program import COMMAND, ROOT, kiosk
from tests.kiosk.audit.daemons import short_folder, until
from tests.kiosk.audit.samples import tamper

CONFIG = """
[kiosk]
name = "Office"
state_directory = "state"

[readers]
specs = ["simulated"]

[limits]
disk_reserve_bytes = 0

[audit]
socket = "{socket}"
directory = "audit"
anchors = "anchors.jsonl"
"""


@pytest.fixture(params=["run/socket", ""], ids=["daemon", "alone"])
def folder(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[Path]:
    """A kiosk's folder; with a daemon that is running where it is meant to have one."""
    with short_folder() as folder:
        (folder / "kiosk.toml").write_text(CONFIG.format(socket=request.param))
        if not request.param:
            yield folder
            return
        with daemon(environment, folder):
            yield folder


@contextmanager
def daemon(environment: dict[str, str], folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """`kiosk auditd` until SIGTERM; it must end with 0."""
    command = [*COMMAND, "auditd", "--config", str(folder / "kiosk.toml")]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: (folder / "run" / "socket").exists() or process.poll() is not None)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


def run(environment: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return kiosk(environment, *words, "--config", str(folder / "kiosk.toml"))


def test_staff_show_export_and_verify_work_with_a_daemon_and_without(folder: Path, environment: dict[str, str]) -> None:
    made = run(environment, folder, "staff", "bootstrap", "o.first", "--name", "Olga First")
    assert (made.returncode, made.stderr) == (0, "")
    shown = run(environment, folder, "audit", "show", "--as-auditor")
    assert shown.returncode == 0, shown.stderr
    assert f"unix:{getpass.getuser()}" in shown.stdout
    assert "staff_bootstrap" in shown.stdout
    exported = run(environment, folder, "audit", "export", "--as-auditor", "--format", "jsonl")
    acts = [json.loads(line)["act"] for line in exported.stdout.splitlines()]
    assert acts[:2] == ["staff_bootstrap", "staff_bootstrap"]
    assert acts[-1] == "read_audit"
    verified = run(environment, folder, "audit", "verify")
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.startswith("The chain is whole: ")


def test_the_public_key_is_printed_for_whoever_verifies_elsewhere(folder: Path, environment: dict[str, str]) -> None:
    run(environment, folder, "staff", "bootstrap", "o.first", "--name", "Olga First")
    printed = run(environment, folder, "audit", "key")
    assert printed.stdout.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert printed.stderr.startswith("Fingerprint: ")
    (folder / "key.pem").write_text(printed.stdout)
    found = run(environment, folder, "audit", "verify", "--public-key", str(folder / "key.pem"))
    assert found.returncode == 0, found.stderr
    other = str(folder / "other.pem")
    Path(other).write_text("00" * 32)
    assert run(environment, folder, "audit", "verify", "--public-key", other).returncode == 3


def test_a_daemon_seals_what_it_wrote_and_lets_one_client_in_after_another(environment: dict[str, str]) -> None:
    with short_folder() as folder:
        (folder / "kiosk.toml").write_text(CONFIG.format(socket="run/socket"))
        with daemon(environment, folder):
            run(environment, folder, "staff", "bootstrap", "o.first", "--name", "Olga First")
            run(environment, folder, "staff", "list")
        with Trail.read_only(folder / "audit" / "trail.db") as trail:
            made = [checkpoint.occasion for checkpoint in trail.checkpoints()]
            newest = [*trail.checkpoints()][-1]
            assert newest.head == trail.head()
        assert (made[0], made[-1]) == (Occasion.START, Occasion.STOP)
        assert (folder / "anchors.jsonl").read_text().splitlines()[-1] == newest.line()
        gone = run(environment, folder, "staff", "list")
        assert (gone.returncode, gone.stderr) == (1, "kiosk: The audit trail's daemon does not answer.\n")


def test_a_copy_is_verified_on_another_machine_against_key_anchors_and_escrow(environment: dict[str, str]) -> None:
    with short_folder() as folder:
        (folder / "kiosk.toml").write_text(CONFIG.format(socket=""))
        key = run(environment, folder, "audit", "key", "--escrow", str(folder / "mac.key"))
        assert key.returncode == 0, key.stderr
        (folder / "key.pem").write_text(key.stdout)
        assert (folder / "mac.key").stat().st_mode & 0o777 == 0o600
        (folder / "kiosk.toml").write_text(CONFIG.format(socket="run/socket"))
        with daemon(environment, folder):
            run(environment, folder, "staff", "bootstrap", "o.first", "--name", "Olga First")
        shutil.copyfile(folder / "audit" / "trail.db", folder / "older.db")
        with daemon(environment, folder):
            run(environment, folder, "staff", "list")
        for name in ("key.pem", "mac.key", "anchors.jsonl", "older.db"):
            shutil.move(folder / name, folder / f"there-{name}")
        copy = shutil.copyfile(folder / "audit" / "trail.db", folder / "copy.db")
        shutil.rmtree(folder / "audit")

        def check(path: Path, *names: tuple[str, str]) -> subprocess.CompletedProcess[str]:
            files = [word for name in names for word in (f"--{name[0]}", str(folder / f"there-{name[1]}"))]
            return kiosk(environment, "audit", "verify", "--db", str(path), *files)

        public, escrow, anchors = ("public-key", "key.pem"), ("mac-key", "mac.key"), ("anchors", "anchors.jsonl")
        whole = check(copy, public, escrow, anchors)
        assert whole.returncode == 0, whole.stdout + whole.stderr
        assert "4 checkpoints signed by" in whole.stdout
        assert check(folder / "there-older.db", public, escrow).returncode == 0
        behind = check(folder / "there-older.db", anchors)
        assert behind.returncode == 3
        assert "are missing at the end" in behind.stdout
        tamper(copy, ("UPDATE record SET body = x'7b7d' WHERE sequence = 2", ()))
        broken = check(copy)
        assert (broken.returncode, broken.stdout.startswith("Record 2 was changed")) == (1, True)
        assert not verify(copy).whole
        for wrong in (folder / "missing.db", folder / "there-key.pem"):
            assert check(wrong).returncode == 4
        assert check(copy, ("anchors", "nothing.jsonl")).returncode == 4
        assert check(copy, ("mac-key", "key.pem")).returncode == 4


def test_without_a_socket_there_is_no_daemon_and_with_strangers_neither(environment: dict[str, str]) -> None:
    with short_folder() as folder:
        for socket, more, sentence in (
            ("", "", "audit.socket is missing"),
            ("run/socket", 'writers = ["no-such-user-here"]', "there is no user no-such-user-here"),
            ("run/socket", 'group = "no-such-group-here"', "there is no group no-such-group-here"),
        ):
            (folder / "kiosk.toml").write_text(CONFIG.format(socket=socket) + more)
            refused = run(environment, folder, "auditd")
            assert refused.returncode == 1
            assert sentence in refused.stderr
        assert os.listdir(folder) == ["kiosk.toml"] or not (folder / "run" / "socket").exists()
