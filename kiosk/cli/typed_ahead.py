"""Keys that are typed before the screen is there to read them."""

import fcntl
import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MOST = 256
LOCAL_FLAGS, CONTROL_CHARACTERS = 3, 6


@contextmanager
def put_aside() -> Iterator[None]:
    """While the block talks with the terminal, what was typed before it does not stand between question and answer.

    Afterwards it waits in the terminal again. A kernel that forbids that (dev.tty.legacy_tiocsti = 0) loses it.
    """
    terminal = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    typed = b"" if terminal is None else _take(terminal)
    try:
        yield
    finally:
        if terminal is not None:
            with suppress(OSError):
                for byte in typed:
                    fcntl.ioctl(terminal, termios.TIOCSTI, bytes([byte]))


def _take(terminal: int) -> bytes:
    """What was typed so far, finished lines or not; waits for nothing."""
    before = termios.tcgetattr(terminal)
    raw = termios.tcgetattr(terminal)
    raw[LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO)
    raw[CONTROL_CHARACTERS][termios.VMIN] = raw[CONTROL_CHARACTERS][termios.VTIME] = 0
    termios.tcsetattr(terminal, termios.TCSANOW, raw)
    try:
        return os.read(terminal, MOST)
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
