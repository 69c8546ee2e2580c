"""An open way to a sink, whatever travels on it."""

from collections.abc import Sequence
from typing import Protocol


class Channel(Protocol):
    """Takes messages in order. Every method but `abort` may raise SinkError, and the channel is then of no more use."""

    @property
    def confirmed(self) -> int:
        """How many of the messages sent on this channel, from the first on, are known to have been read there."""

    @property
    def proves_at_close(self) -> bool:
        """Whether nothing is known to have arrived before the channel was closed in good order."""

    def send(self, messages: Sequence[bytes]) -> None:
        """Hands messages over, blocking for at most the sink's timeout without progress."""

    def attend(self, seconds: float) -> None:
        """Listens for so long to what comes back: acknowledgements, or that nobody is there any more."""

    def close(self) -> None:
        """Ends in good order: when it returns, everything sent has been read there."""

    def abort(self) -> None:
        """Ends at once, from any thread."""
