"""A person at the line front end: types lines, reads lines."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kiosk.plain.console import Console
from kiosk.plain.shell import Shell
from tests.fakes import PIN, FakeOperations, Script

PATIENCE = 40.0


class Line:
    """A shell on a pair of pipes."""

    def __init__(self, fake: FakeOperations) -> None:
        self.fake = fake
        inlet, self._typed = os.pipe()
        self._printed, outlet = os.pipe()
        self._source = os.fdopen(inlet, encoding="utf-8")
        self._sink = os.fdopen(outlet, "w", encoding="utf-8")
        self._lines: list[str] = []
        self._news = threading.Condition()
        self.code: int | None = None
        self.threads = [
            threading.Thread(target=self._run, daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def _run(self) -> None:
        self.code = Shell(self.fake, Console(self._source, self._sink)).run()
        self._sink.close()

    def _listen(self) -> None:
        with os.fdopen(self._printed, encoding="utf-8") as printed:
            for line in printed:
                with self._news:
                    self._lines.append(line.rstrip("\n"))
                    self._news.notify_all()

    def type(self, *lines: str) -> int:
        """Types lines; returns how many lines had been printed before."""
        before = len(self._lines)
        os.write(self._typed, "".join(f"{line}\n" for line in lines).encode())
        return before

    def until(self, words: str, since: int = 0) -> str:
        """The first line with these words, printed after the first `since` lines."""
        end = time.monotonic() + PATIENCE
        with self._news:
            while True:
                for line in self._lines[since:]:
                    if words in line:
                        return line
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"{words!r} was not printed:\n" + "\n".join(self._lines))
                self._news.wait(left)

    def await_that(self, is_so: Callable[[], object]) -> None:
        """Waits for what the shell's threads bring about without printing."""
        end = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < end, self.text()
            time.sleep(0.01)

    def text(self, since: int = 0) -> str:
        """Everything printed so far."""
        with self._news:
            return "\n".join(self._lines[since:])

    def sign_in(self) -> None:
        """Taps the radiologist's badge and types the PIN."""
        self.until("Tap your badge or phone")
        self.type("tap radiologist-badge")
        self.until("PIN of Dr Ada")
        self.type(PIN)
        self.until("Signed in: Dr Ada Lindqvist")

    def hang_up(self) -> int | None:
        """Ends the input and waits for the shell."""
        os.close(self._typed)
        for thread in self.threads:
            thread.join(PATIENCE)
        self._source.close()
        return self.code


@contextmanager
def line(script: Script | None = None) -> Iterator[Line]:
    """A shell on a fake kiosk."""
    person = Line(FakeOperations(script))
    try:
        yield person
    finally:
        if person.threads[0].is_alive():
            person.hang_up()
