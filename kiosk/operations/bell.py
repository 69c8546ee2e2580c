"""Wakes every thread that waits for news, and those too that look up only after it rang."""

import threading


class Bell:
    """`heard` before looking, `wait` with that number after finding nothing: no ring in between is missed."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._count = 0

    def heard(self) -> int:
        """How often it has rung."""
        with self._rung:
            return self._count

    def ring(self) -> None:
        """There is news."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    def wait(self, heard: int, seconds: float) -> None:
        """Until it has rung more often than `heard`, at most so long."""
        with self._rung:
            self._rung.wait_for(lambda: self._count != heard, seconds)
