"""A command on a pseudo-terminal, and the moment at which each thing that it wrote arrived there."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from tests.end_to_end.program import ANSWERS, COLOURS, COLUMNS, ROOT, ROWS, SEQUENCES

LOOK = 0.05
PATIENCE = 30.0
TICKS = os.sysconf("SC_CLK_TCK")


class ScreenProcess:
    """Runs with `with`. Times are those of `time.monotonic`, which every process on the machine shares."""

    def __init__(self, command: Sequence[str], keep: Sequence[int] = ()) -> None:
        """`keep` are file descriptors that the command inherits."""
        self._command = ["setsid", "--ctty", *command]
        self._keep = keep
        self._master = -1
        self._written = bytearray()
        self._arrivals: list[tuple[int, float]] = []
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="pseudo-terminal", daemon=True)
        self._process: subprocess.Popen[bytes]
        self.started = 0.0

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        # The size in pixels saves front ends the question.
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, COLUMNS * 8, ROWS * 16))
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self._thread.start()
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            self._command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=ROOT, pass_fds=self._keep
        )
        os.close(slave)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._over.set()
        self._thread.join()
        os.close(self._master)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        with self._changed:
            return len(self._written)

    def moment_of(self, *words: str, after: int = 0) -> float:
        """When the last of those words had arrived, counting from byte `after`; RuntimeError after 30 s without."""
        deadline, text = time.monotonic() + PATIENCE, ""
        with self._changed:
            for place, moment in self._places(deadline):
                text = SEQUENCES.sub(b"\n", COLOURS.sub(b"", self._written[after:place])).decode(errors="replace")
                if place > after and all(word in text for word in words):
                    return moment
        raise RuntimeError(f"{words} did not come, but {text[-2000:]!r}")

    def type(self, keys: bytes) -> None:
        """As somebody at the keyboard."""
        os.write(self._master, keys)

    def processor_seconds(self) -> float:
        """What it and all that it started have had of the processors (proc(5), utime and stime), in seconds."""
        stats = {int(path.parent.name): fields for path in Path("/proc").glob("[0-9]*/stat") if (fields := _stat(path))}
        family = {self._process.pid}
        while more := {pid for pid, fields in stats.items() if int(fields[1]) in family} - family:
            family |= more
        return sum(int(stats[pid][11]) + int(stats[pid][12]) for pid in family) / TICKS

    def _places(self, deadline: float) -> Iterator[tuple[int, float]]:
        """Each arrival, those that are yet to come included."""
        index = 0
        while time.monotonic() < deadline:
            while index < len(self._arrivals):
                yield self._arrivals[index]
                index += 1
            self._changed.wait(LOOK)

    def _read(self) -> None:
        while not self._over.is_set():
            if not select.select([self._master], [], [], LOOK)[0]:
                continue
            try:
                part = os.read(self._master, 65536)
            except OSError:  # nobody has the other side open any more
                return
            moment = time.monotonic()
            for question, answer in ANSWERS.items():
                if question in part:
                    os.write(self._master, answer)
            with self._changed:
                self._written += part
                self._arrivals.append((len(self._written), moment))
                self._changed.notify_all()


def _stat(path: Path) -> list[str]:
    """The fields after the command's name, state first; empty for a process that has ended."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
