"""A counter store in memory, for one process: the demo, the doctor and tests. A fleet's is the caller's to provide."""

import threading


class MemoryCounters:
    """The highest counter of each card, forgotten with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._highest: dict[bytes, int] = {}

    def advance(self, subject: bytes, counter: int) -> bool:
        """Keeps `counter` and returns True when it is above every earlier one; callers in several threads may race."""
        with self._lock:
            if counter <= self._highest.get(subject, -1):
                return False
            self._highest[subject] = counter
            return True
