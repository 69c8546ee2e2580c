"""Where the line front end prints and reads: one lock around the output, the echo of the terminal in its hands."""

import sys
import termios
from threading import Event, Lock
from typing import TextIO

from kiosk.errors import Cancelled
from readers.text import safe_text

LINE_LENGTH = 4096
FORGET_ON_TERMINAL = "\x1b[2J\x1b[3J\x1b[H"


class Console:
    """Prints whole lines from any thread. Everything printed passes `safe_text` here, whatever it passed before."""

    def __init__(self, source: TextIO | None = None, sink: TextIO | None = None) -> None:
        self._source = source or sys.stdin
        self._sink = sink or sys.stdout
        self._lock = Lock()
        self._echo_of: list[int | list[bytes | int]] | None = None

    def say(self, *lines: str, unless: Event | None = None) -> None:
        """Prints the lines, or raises Cancelled when `unless` is set: then they belong to a session that is over."""
        with self._lock:
            if unless is not None and unless.is_set():
                raise Cancelled
            for line in lines:
                self._sink.write(safe_text(line, LINE_LENGTH).rstrip() + "\n")
            self._sink.flush()

    def read(self) -> str | None:
        """The next line that somebody types, without its end; None when there will be no more. Blocks."""
        line = self._source.readline()
        return line.rstrip("\r\n") if line else None

    def hide_typing(self) -> None:
        """What is typed from now on is not shown; nothing to do when no terminal is there."""
        with self._lock:
            if self._echo_of is None and self._source.isatty():
                self._echo_of = termios.tcgetattr(self._source.fileno())
                hidden = list(self._echo_of)
                hidden[3] &= ~termios.ECHO  # type: ignore[operator]  # element 3 is always the local flags
                termios.tcsetattr(self._source.fileno(), termios.TCSANOW, hidden)

    def show_typing(self) -> None:
        """What is typed is shown again."""
        with self._lock:
            if self._echo_of is not None:
                termios.tcsetattr(self._source.fileno(), termios.TCSANOW, self._echo_of)
                self._echo_of = None

    def wipe(self) -> None:
        """Takes everything off a terminal's screen and out of its scrollback; a pipe keeps what it was given."""
        with self._lock:
            if self._sink.isatty():
                self._sink.write(FORGET_ON_TERMINAL)
                self._sink.flush()
