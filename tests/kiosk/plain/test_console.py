"""The line front end on a real terminal: what is typed as a PIN is not shown, what a session printed is wiped."""

import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

from tests.fakes import PIN

ROOT = Path(__file__).parents[3]
PROGRAM = (
    "from kiosk.plain.app import run; from tests.fakes import FakeOperations; raise SystemExit(run(FakeOperations()))"
)
LOADED = """
import importlib, pkgutil, sys, kiosk.plain
for module in pkgutil.iter_modules(kiosk.plain.__path__):
    importlib.import_module(f"kiosk.plain.{module.name}")
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


class Terminal:
    """The program on a pty."""

    def __init__(self) -> None:
        self.master, terminal = pty.openpty()
        self.program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=terminal, stdout=terminal, stderr=terminal, cwd=ROOT
        )
        os.close(terminal)
        self.seen = b""

    def until(self, words: str) -> None:
        """Reads until the words are there."""
        end = time.monotonic() + 60
        while words.encode() not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536)

    def echoes(self) -> bool:
        """True when the terminal shows what is typed."""
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def type(self, text: str) -> None:
        """Types a line."""
        os.write(self.master, f"{text}\n".encode())

    def close(self) -> None:
        """Ends the program by its own pid."""
        self.program.kill()
        self.program.wait(60)
        os.close(self.master)


def test_the_pin_is_not_shown_and_the_screen_is_wiped_at_the_end() -> None:
    terminal = Terminal()
    try:
        terminal.until("Tap your badge")
        assert terminal.echoes()
        terminal.type("tap radiologist-badge")
        terminal.until("an empty line gives up")
        assert not terminal.echoes()
        shown = len(terminal.seen)
        terminal.type(PIN)
        terminal.until("Signed in")
        assert PIN.encode() not in terminal.seen[shown:]
        assert terminal.echoes()
        terminal.type("query")
        terminal.until("30 studies")
        assert b"\x1b" not in terminal.seen
        terminal.type("sign out")
        terminal.until("You signed out.")
        assert b"\x1b[2J\x1b[3J\x1b[H" in terminal.seen
        assert b"Berg" not in terminal.seen[terminal.seen.index(b"\x1b[2J") :]
    finally:
        terminal.close()


def test_the_line_front_end_loads_neither_textual_nor_rich() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    assert not {"textual", "rich", "PIL", "textual_image", "pydicom", "pynetdicom"} & set(loaded.stdout.split())
