"""The locked terminal beside the least that Textual can do: how soon it is there, and what it costs while nobody comes.

It is the installed `kiosk run` with a configuration that it admits, on a private pcscd whose reader is empty. That
reader is a virtual one, which `kiosk run` refuses where it finds it in the machine's own configuration: each command,
the peer's too, is started where /etc/reader.conf.d is empty.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from sys import executable

from tests.bench.label_process import READY
from tests.bench.screen_process import ScreenProcess
from tests.bench.tap import LOCKED, pcscd

QUICK = bool(os.environ.get("KIOSK_BENCH_QUICK"))
STARTS = 2 if QUICK else 5
IDLE_SECONDS = 10.0 if QUICK else 60.0
SETTLE = 10.0
"""Seconds after which everything has started, the imaging workers too."""
START_GOAL = 4.0
IDLE_GOAL = 2.0
KIOSK = str(Path(executable).with_name("kiosk"))
LABEL = (executable, str(Path(__file__).with_name("label_process.py")))
HIDE_VPCD = '[ ! -d /etc/reader.conf.d ] || mount -t tmpfs tmpfs /etc/reader.conf.d || exit 70; exec "$@"'


def rows() -> Iterator[dict[str, object]]:
    """Start, then idleness."""
    with configured() as path:
        kiosk = (KIOSK, "run", "--config", str(path))
        _start(kiosk, LOCKED), _start(LABEL, READY)  # the first of each writes files that the others find
        starts = [(_start(kiosk, LOCKED), _start(LABEL, READY)) for _ in range(STARTS)]
        yield _row("start to the first frame", "a Textual app of one Label", "s", START_GOAL, starts)
        idle = [(_idle(kiosk, LOCKED), _idle((*LABEL, "--clock"), READY))]
        work = f"locked and idle for {IDLE_SECONDS:.0f} s, all processes"
        yield _row(work, "a Textual app that writes the time each second", "% of a core", IDLE_GOAL, idle)


@contextmanager
def configured() -> Iterator[Path]:
    """A configuration of a kiosk whose reader works."""
    with tempfile.TemporaryDirectory() as name, pcscd() as pcsc:
        folder = Path(name)
        path = folder / "kiosk.toml"
        path.write_text(
            f'[kiosk]\nname = "Bench"\nstate_directory = "{folder / "state"}"\n[readers]\nspecs = ["{pcsc.spec}"]\n'
        )
        yield path


def _screen(command: Sequence[str]) -> ScreenProcess:
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    return ScreenProcess([*unshare, "sh", "-c", HIDE_VPCD, "sh", *command])


def _start(command: Sequence[str], words: str) -> float:
    """Seconds from the start of the process to those words on the screen."""
    with _screen(command) as screen:
        return screen.moment_of(words) - screen.started


def _idle(command: Sequence[str], words: str) -> float:
    """Per cent of one core."""
    with _screen(command) as screen:
        screen.moment_of(words)
        time.sleep(SETTLE)
        before, since = screen.processor_seconds(), time.monotonic()
        time.sleep(IDLE_SECONDS)
        return 100.0 * (screen.processor_seconds() - before) / (time.monotonic() - since)


def _row(work: str, peer: str, unit: str, goal: float, rounds: Sequence[tuple[float, float]]) -> dict[str, object]:
    """Medians of rounds of (ours, theirs), both of them costs: `ratio` may not be above `goal`."""
    ratio = round(statistics.median(ours / theirs for ours, theirs in rounds), 2)
    return {
        "work": f"terminal: {work}",
        "peer": peer,
        "ours": round(statistics.median(ours for ours, _ in rounds), 3),
        "theirs": round(statistics.median(theirs for _, theirs in rounds), 3),
        "unit": unit,
        "ratio": ratio,
        "goal": goal,
        "met": ratio <= goal,
        "rounds": len(rounds),
    }
