"""What was sent and may have to be sent again: how far the cursor may move, and where to begin after a failure."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from kiosk.audit.forward.stream import Position

SHORTEST: Final = 1.0


@dataclass(frozen=True)
class _Sent:
    position: Position
    at: float


class Window:
    """Positions of one sink, `now` in monotonic seconds.

    A position is settled once it is known to have arrived and the other end has then outlived `seconds` since it was
    sent. Where connections keep breaking sooner, each failure halves that time, down to a second, so that the stream
    moves on: what was read twice by a receiver that then broke off is not sent a third time.
    """

    def __init__(self, settled: Position, seconds: float) -> None:
        self.settled = settled
        self.sent = settled
        self._seconds = seconds
        self._patience = seconds
        self._flying: deque[tuple[int, _Sent]] = deque()
        self._arrived: deque[_Sent] = deque()

    @property
    def patience(self) -> float:
        """For how long after its last message a connection is watched, in seconds."""
        return self._patience

    @property
    def is_settled(self) -> bool:
        """Whether nothing would be sent again."""
        return not self._flying and not self._arrived

    def send(self, position: Position, count: int, now: float) -> None:
        """Something was sent: with it, `count` messages on this channel."""
        self.sent = position
        self._flying.append((count, _Sent(position, now)))

    def confirm(self, count: int, now: float) -> None:
        """The first `count` messages of this channel have arrived."""
        while self._flying and self._flying[0][0] <= count:
            self._arrived.append(self._flying.popleft()[1])
        while self._arrived and now - self._arrived[0].at >= self._patience:
            self.settled = self._arrived.popleft().position
            if not self._arrived and not self._flying:
                self._patience = self._seconds

    def begin_channel(self) -> None:
        """What was sent on the channel before is known to have arrived: it was closed in good order."""
        self._arrived.extend(sent for _, sent in self._flying)
        self._flying.clear()

    def fail(self) -> None:
        """Whatever is not settled is sent again."""
        if not self.is_settled:
            self._patience = min(self._seconds, max(self._patience / 2, SHORTEST))
        self._flying.clear()
        self._arrived.clear()
        self.sent = self.settled
