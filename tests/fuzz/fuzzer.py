"""Runs fuzzers in processes of their own and reads what they found."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 90.0
LONGEST_STORY = 4000
EXECUTED = re.compile(r"^runs: (\d+)$", re.MULTILINE)
COVERED = re.compile(r"cov: (\d+)")


@dataclass(frozen=True)
class Report:
    """How often a target ran, how many branches of the library it reached, and the inputs that broke something.

    `runs` is 0 and `story` tells the end of what it printed where it did not come to its end.
    """

    target: str
    seconds: float
    runs: int
    covered: int
    findings: tuple[bytes, ...]
    story: str

    @property
    def is_clean(self) -> bool:
        """True where it ran to its end without a finding."""
        return not self.findings and self.runs > 0


def fuzz(targets: Sequence[str], seconds: float) -> tuple[Report, ...]:
    """Fuzzes one target after another for so many seconds each; raises subprocess.TimeoutExpired where none ends."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        command = [sys.executable, "-m", "tests.fuzz.worker", name, str(seconds), *targets]
        with (Path(name) / "log").open("wb") as log:
            worker = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            try:
                worker.wait(START_SECONDS + 3 * seconds * len(targets))
            finally:
                if worker.poll() is None:
                    os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()
        return tuple(_report(target, seconds, Path(name)) for target in targets)


def _report(target: str, seconds: float, directory: Path) -> Report:
    own = directory / target
    log, status = own / "log", own / "status"
    if not status.exists():
        return Report(target, seconds, 0, 0, (), (directory / "log").read_text(errors="replace")[-LONGEST_STORY:])
    said, ended = log.read_text(errors="replace"), status.read_text() == "0"
    executed, covered = EXECUTED.search(said), COVERED.findall(said)
    return Report(
        target,
        seconds,
        int(executed[1]) if executed is not None and ended else 0,
        int(covered[-1]) if covered else 0,
        tuple(path.read_bytes() for path in sorted(own.glob("findings/*"))),
        "" if ended else said[-LONGEST_STORY:],
    )
