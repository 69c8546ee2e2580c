"""However a demo is ended, it ends on record where it can, and leaves no process behind."""

import os
import signal
import time
from pathlib import Path

import pytest

from kiosk.audit import Entry, Phase, Trail, verify
from tests.end_to_end.program import LOOK, PATIENCE, Program, gone, lay

PICTURES = 25
INVITATION = {"--plain": "Locked. Tap your badge", "screen": "Tap your badge or phone"}


def demo(environment: dict[str, str], folder: Path, front_end: str) -> Program:
    options = [front_end] if front_end.startswith("--") else []
    return Program(environment, "demo", *options, "--keep", str(folder), terminal=True)


def acts(folder: Path) -> list[Entry]:
    with Trail.read_only(folder / "trail.db") as trail:
        return [record.entry for record in trail.read()]


def test_a_screen_that_is_told_to_end_ends_the_session_stops_on_record_and_restores_the_terminal(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with demo(environment, tmp_path / "state", "screen") as running:
        running.await_text(INVITATION["screen"])
        _sign_in(running, environment)
        started = running.descendants()
        before = running.written
        assert running.end() == 0
        after = running.written[len(before) :]
    for on, off in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h"), (b"\x1b[?1000h", b"\x1b[?1000l")):
        assert on in before
        assert off in after
    assert gone(started)
    ended = [(entry.act, entry.phase) for entry in acts(tmp_path / "state")][-4:]
    assert ended == [(act, phase) for act in ("sign_out", "stop") for phase in (Phase.INTENT, Phase.OUTCOME)]
    _is_in_order(tmp_path / "state", environment)


def test_lines_that_are_told_to_end_stop_on_record(tmp_path: Path, environment: dict[str, str]) -> None:
    with demo(environment, tmp_path / "state", "--plain") as running:
        running.await_text(INVITATION["--plain"])
        started = running.descendants()
        assert running.end() == 0
        assert gone(started)
        assert "Traceback" not in running.text
    _is_in_order(tmp_path / "state", environment)


@pytest.mark.parametrize("front_end", ["--plain", "screen"])
def test_a_terminal_that_goes_away_stops_the_demo_on_record(
    front_end: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    with demo(environment, tmp_path / "state", front_end) as running:
        running.await_text(INVITATION[front_end])
        started = running.descendants()
        running.hang_up()
        assert running.wait() in (0, 1)  # the terminal may be missed before the signal is heard
        assert gone(started)
    _is_in_order(tmp_path / "state", environment)


def test_a_terminal_that_stalls_and_then_goes_away_stops_the_demo_on_record(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with demo(environment, tmp_path / "state", "screen") as running:
        running.await_text(INVITATION["screen"])
        started = running.descendants()
        running.stall()
        for _ in range(PICTURES):  # more than the terminal and whoever writes to it can hold
            running.type("s")
            time.sleep(LOOK)
            running.type("\x1b")
            time.sleep(LOOK)
        running.hang_up()
        assert running.wait() in (0, 1)
        assert gone(started)
    _is_in_order(tmp_path / "state", environment)


def test_a_demo_that_is_killed_leaves_no_process_and_the_next_closes_what_was_open(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "state"
    with demo(environment, folder, "screen") as running:
        running.await_text(INVITATION["screen"])
        _sign_in(running, environment)
        started = running.descendants()
        # A query that nobody answers is open when the kiosk dies.
        os.kill(_archive(started), signal.SIGSTOP)
        running.type("\r")
        _await_open_intent(folder)
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
        assert gone(started)
    with demo(environment, folder, "screen") as again:
        again.await_text(INVITATION["screen"])
        again.end()
    interrupted = [entry for entry in acts(folder) if entry.summary.startswith("Interrupted: ")]
    assert [(entry.act, entry.phase, entry.outcome) for entry in interrupted] == [("query", Phase.OUTCOME, 8)]
    started_again = [entry.summary for entry in acts(folder) if entry.act == "start"][-1]
    assert started_again == "Kiosk started, 1 interrupted acts closed: done"
    with Trail.read_only(folder / "trail.db") as trail:
        assert trail.open_intents() == ()
    assert verify(folder / "trail.db").whole


def _archive(started: set[int]) -> int:
    (pid,) = [pid for pid in started if b"kiosk.demo.archive" in _command(pid)]
    return pid


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended since
        return b""


def _await_open_intent(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with Trail.read_only(folder / "trail.db") as trail:
            if trail.open_intents():
                return
        time.sleep(LOOK)
    raise AssertionError("Nothing was begun.")


def _sign_in(running: Program, environment: dict[str, str]) -> None:
    after = len(running.written)
    assert lay(environment, "radiologist-badge").returncode == 0
    running.await_text("PIN of Dr. Anna Weber", after)
    after = running.type("123456\r")
    running.await_text("Sign out", after)


def _is_in_order(folder: Path, environment: dict[str, str]) -> None:
    *_, stopping, stopped = acts(folder)
    assert (stopping.act, stopping.phase) == ("stop", Phase.INTENT)
    assert (stopped.act, stopped.phase, stopped.outcome) == ("stop", Phase.OUTCOME, 0)
    assert verify(folder / "trail.db").whole
    assert "Traceback" not in (folder / "kiosk.log").read_text()
    assert not list(Path(environment["XDG_RUNTIME_DIR"]).rglob("*.sock"))
