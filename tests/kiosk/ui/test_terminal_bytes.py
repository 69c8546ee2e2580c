"""The real program under a real pty: what an archive planted in its texts must not reach the terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

from tests.fakes import PIN

ROOT = Path(__file__).parents[3]
PATIENCE = 60.0
PLANTED = (
    b"\x1b]52",
    b"\xc2\x9b",
    b"\xc2\x9d",
    b"\x1b[2J\x1b",
    b"\x1b[c",
    "\u202e".encode(),
    "\u2066".encode(),
    b"\x08",
)


class Pty:
    """The terminal's program on a pty of its own, 120 by 36."""

    def __init__(self) -> None:
        self.seen = b""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            for name in ("LINES", "COLUMNS"):
                os.environ.pop(name, None)
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            arguments = ["-m", "tests.kiosk.ui.demo_fake", "--hostile", "--rows", "3", "--image", "halfcell"]
            os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - the program under test
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 1080, 720))

    def until(self, words: str, seconds: float = PATIENCE, styles: bool = False) -> bytes:
        """Reads until the words were drawn since the last call; styles between the letters count only on request."""
        start, end = len(self.seen), time.monotonic() + seconds
        while time.monotonic() < end:
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if ready:
                self.seen += os.read(self._master, 65536)
            drawn = self.seen[start:] if styles else re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", self.seen[start:])
            if words.encode() in drawn:
                return self.seen[start:]
        raise AssertionError(f"{words!r} was not drawn within {seconds:.0f} s")

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self._master, keys.encode())

    def press_until(self, keys: str, words: str) -> None:
        """Types until the program, which throws away what came before it listened, answers."""
        end = time.monotonic() + PATIENCE
        while True:
            self.press(keys)
            try:
                self.until(words, 5.0)
            except AssertionError:
                assert time.monotonic() < end, f"{words!r} was not drawn"
            else:
                return

    def close(self) -> None:
        """Ends the program."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._master)


def test_nothing_planted_in_a_study_reaches_the_terminal() -> None:
    program = Pty()
    try:
        program.until("Tap your badge or phone")
        before = len(program.seen)
        program.press_until("\x1bOP", "PIN of Dr Ada")
        program.press(PIN + "\r")
        program.until("Patient name")
        program.press("\r")
        program.until("4 studies")
        program.press("\x1b[B")
        program.until("EVILx[@click=app.bell]HIT[/]")
        program.press("\r")
        program.until("Open a series to see")
        program.press("p")
        program.until("Do not push")
        shown = program.seen[before:]
        assert b"EVILx[@click=app.bell]HIT[/]" in shown
        for planted in PLANTED:
            assert planted not in shown, planted
    finally:
        program.close()


def test_ctrl_c_ctrl_z_and_ctrl_q_do_not_end_the_program() -> None:
    program = Pty()
    try:
        program.until("Tap your badge or phone")
        program.press_until("\x1bOS", "This badge is not known here.")
        program.press("\x03\x1a\x11\x04\x1c")
        os.kill(program.pid, signal.SIGTSTP)
        program.press("\x1bOP")
        program.until("PIN of Dr Ada")
        assert os.waitpid(program.pid, os.WNOHANG) == (0, 0)
    finally:
        program.close()


def test_told_to_end_it_takes_the_session_off_the_terminal_and_ends_well() -> None:
    program = Pty()
    try:
        program.until("Tap your badge or phone")
        os.kill(program.pid, signal.SIGTERM)
        program.until("\x1b[?1049l", styles=True)
        _pid, status = os.waitpid(program.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        program.pid = 0
    finally:
        program.close()
