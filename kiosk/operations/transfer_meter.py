"""How fast a push moves and how long it will take, from what it has moved in the last seconds."""

from collections import deque
from collections.abc import Callable

SPAN = 3.0
"""Seconds over which the rate is taken."""


class TransferMeter:
    """`note` what has been moved so far, in bytes; not thread-safe."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int]] = deque()
        self._shown = 0.0

    @property
    def rate(self) -> float:
        """Bytes a second; 0 while there is nothing to measure."""
        if len(self._seen) < 2:
            return 0.0
        (then, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - then) if now > then else 0.0

    def note(self, moved: int) -> None:
        """So many bytes have been moved by now."""
        now = self._monotonic()
        self._seen.append((now, moved))
        while len(self._seen) > 2 and now - self._seen[0][0] > SPAN:
            self._seen.popleft()

    def seconds_left(self, left: int) -> float | None:
        """At the present rate; None when that says nothing."""
        rate = self.rate
        return left / rate if rate > 0 else None

    def is_due(self, every: float) -> bool:
        """True when `every` seconds have passed since it last was."""
        now = self._monotonic()
        if now - self._shown < every:
            return False
        self._shown = now
        return True
