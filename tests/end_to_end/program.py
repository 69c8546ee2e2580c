"""The `kiosk` command as its users have it: a process, on a pipe or on a pseudo-terminal, with everything it wrote."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

COMMAND = (sys.executable, "-m", "kiosk.cli")
ROOT = Path(__file__).parents[2]
COLUMNS, ROWS = 120, 36
PATIENCE = 60.0
LOOK = 0.05
COLOURS = re.compile(rb"\x1b\[[0-9;:]*m")
SEQUENCES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
ANSWERS = {b"\x1b[c": b"\x1b[?62;22c"}
"""What a terminal says that can neither draw sixels nor speak kitty's protocol."""


@contextmanager
def runtime() -> Iterator[dict[str, str]]:
    """An environment in which control sockets are this test's alone. The path is short: a socket's name has room for
    107 bytes."""
    with tempfile.TemporaryDirectory(prefix="kiosk-run-") as folder:
        # A size in the environment, such as pytest-xdist's, would outdo that of the terminal.
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "TMUX")}
        yield inherited | {
            "XDG_RUNTIME_DIR": folder,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
        }


def kiosk(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Runs one subcommand to its end, in a session of its own: no terminal to ask for a PIN on."""
    return finish(environment, [*COMMAND, *words])


def lay(environment: dict[str, str], card: str) -> subprocess.CompletedProcess[str]:
    """`kiosk tap` for as long as a tap may last: the card lies there until it has been read, however busy the machine
    is, or until another takes its place."""
    return kiosk(environment, "tap", card, "--seconds", "60")


def finish(environment: dict[str, str], command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        env=environment,
        check=False,
        start_new_session=True,
    )


class Program:
    """A running `kiosk`. `await_text` and `gone` fail the test when their patience ends."""

    def __init__(
        self,
        environment: dict[str, str],
        *words: str,
        terminal: bool = False,
        answers: bool = True,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._environment = environment
        self._command = [*command, *words]
        self._on_terminal = terminal
        self._answers = ANSWERS if terminal and answers else {}
        self._master = -1
        self._written = bytearray()
        self._errors = bytearray()
        self._lock = threading.Lock()
        self._hung_up = threading.Event()
        self._threads: list[threading.Thread] = []
        self.process: subprocess.Popen[bytes]

    def start(self) -> Self:
        """Starts it."""
        if self._on_terminal:
            self._master, slave = pty.openpty()
            size = struct.pack("HHHH", ROWS, COLUMNS, COLUMNS * 8, ROWS * 16)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
            # The terminal becomes the controlling one, so that its end is a SIGHUP and getpass finds it.
            self.process = subprocess.Popen(
                ["setsid", "--ctty", *self._command],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=self._environment,
                cwd="/",
            )
            os.close(slave)
            self._follow(self._master, self._written)
        else:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(
                self._command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=self._environment,
                cwd="/",
                start_new_session=True,
            )
            for stream, kept in ((self.process.stdout, self._written), (self.process.stderr, self._errors)):
                assert stream is not None
                self._follow(stream.fileno(), kept)
        return self

    def _follow(self, source: int, kept: bytearray) -> None:
        thread = threading.Thread(target=self._read, args=(source, kept), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, source: int, kept: bytearray) -> None:
        while not self._hung_up.is_set():
            if not select.select([source], [], [], LOOK)[0]:
                continue
            try:
                part = os.read(source, 65536)
            except OSError:  # the other side of a pseudo-terminal is closed
                part = b""
            with self._lock:
                kept += part
            if not part:
                return
            for question, answer in self._answers.items():
                if question in part:
                    os.write(self._master, answer)

    @property
    def written(self) -> bytes:
        """Everything so far, byte for byte."""
        with self._lock:
            return bytes(self._written)

    @property
    def errors(self) -> str:
        """Standard error so far; on a terminal it is part of what was written."""
        with self._lock:
            return self._errors.decode(errors="replace")

    @property
    def text(self) -> str:
        """Everything so far without colours; other sequences, such as those that move the cursor, are line ends."""
        return _without_sequences(self.written)

    def await_text(self, words: str, after: int = 0, patience: float = PATIENCE) -> int:
        """Waits for those words in what is written from byte `after` on; gives how much has been written then."""
        deadline = time.monotonic() + patience
        while True:
            ended = self.process.poll() is not None and not any(thread.is_alive() for thread in self._threads)
            seen = self.written
            if words in _without_sequences(seen[after:]):
                return len(seen)
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{words!r} did not come. Written: {self.text[-3000:]}\n{self.errors[-2000:]}")
            time.sleep(LOOK)

    def await_error(self, words: str, patience: float = PATIENCE) -> None:
        """Waits for those words on standard error."""
        deadline = time.monotonic() + patience
        while words not in self.errors:
            assert time.monotonic() < deadline, f"{words!r} was not said: {self.errors}"
            time.sleep(LOOK)

    def type(self, text: str) -> int:
        """Types, as keys on the terminal or as input on the pipe; gives how much had been written before."""
        before = len(self.written)
        if self._on_terminal:
            os.write(self._master, text.encode())
        else:
            assert self.process.stdin is not None
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        return before

    def end_of_input(self) -> None:
        """Closes its standard input; on a terminal that is Ctrl+D."""
        if self._on_terminal:
            self.type("\x04")
        else:
            assert self.process.stdin is not None
            self.process.stdin.close()

    def stall(self) -> None:
        """From now on nobody reads what it writes."""
        self._hung_up.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def hang_up(self) -> None:
        """Closes the terminal, as a window does: the kernel sends SIGHUP, and every further write fails."""
        self.stall()
        master, self._master = self._master, -1
        os.close(master)

    def deafen(self) -> None:
        """Closes the reading end of its standard output, as `head` does."""
        self.stall()
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert self.process.stderr is not None
        self._hung_up.clear()
        self._follow(self.process.stderr.fileno(), self._errors)

    def end(self, how: int = signal.SIGTERM) -> int:
        """Sends that signal and waits; gives the exit code."""
        self.process.send_signal(how)
        return self.wait()

    def wait(self, patience: float = PATIENCE) -> int:
        """Waits for its end; gives the exit code."""
        code = self.process.wait(patience)
        for thread in self._threads:
            thread.join(PATIENCE)
        return code

    def descendants(self) -> set[int]:
        """Every process that it started, and those that they started."""
        found: set[int] = set()
        parents = {self.process.pid}
        while parents:
            parents = {pid for pid in _children(parents) if pid not in found}
            found |= parents
        return found

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if self._master >= 0:
            os.close(self._master)


def _without_sequences(written: bytes) -> str:
    return SEQUENCES.sub(b"\n", COLOURS.sub(b"", written)).decode(errors="replace")


def _children(parents: set[int]) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) in parents:
            yield int(folder.name)


def gone(pids: set[int], patience: float = PATIENCE) -> bool:
    """True when all of those processes have ended within the time."""
    deadline = time.monotonic() + patience
    while left := {pid for pid in pids if _is_running(pid)}:
        if time.monotonic() > deadline:
            return not left
        time.sleep(LOOK)
    return True


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
