"""What one card may cost: exchanges, bytes, chained answers and time."""

from collections.abc import Callable
from dataclasses import dataclass

from readers.apdu import Command, Response
from readers.errors import ReaderError
from readers.reader import Card, UidWitness
from readers.uid import Uid

MORE_DATA = 0x61
GET_RESPONSE = 0xC0


class LimitExceeded(ReaderError):
    """The card answered more, or more often, than any honest card does."""


class TimeSpent(ReaderError):
    """The card took longer than it was given."""


@dataclass(frozen=True)
class Limits:
    """Ceilings for one presentation: APDUs sent, bytes received, and 61xx continuations of a single answer."""

    exchanges: int = 48
    received_bytes: int = 32_768
    continuations: int = 16


class LimitedCard:
    """A card behind its limits. Follows 61xx with GET RESPONSE (ISO/IEC 7816-4 11.7.1), so schemes see whole answers.

    `allow_until` sets the deadline on the given monotonic clock. An answer that comes after it never counts.
    """

    def __init__(self, card: Card, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._card = card
        self._first_uid = card.uid
        self._limits = limits
        self._monotonic = monotonic
        self._deadline: float | None = None
        self._exchanges = 0
        self._received = 0

    @property
    def uid(self) -> Uid | None:
        """The card's UID."""
        return self._card.uid

    @property
    def atr(self) -> bytes:
        """The card's ATR."""
        return self._card.atr

    @property
    def takes_apdus(self) -> bool:
        """True for ISO/IEC 14443-4 cards."""
        return self._card.takes_apdus

    def still_shows_its_uid(self) -> bool:
        """False where the UID is another one than in the beginning; raises CardGone or TransmitFailed.

        Two cards at once, or one put in the other's place: what was proved and what was seen are not of one card then.
        """
        if isinstance(self._card, UidWitness):
            self._card.read_uid()
        return self._card.uid == self._first_uid

    def allow_until(self, deadline: float) -> None:
        """From now on, nothing after `deadline` (monotonic seconds) counts."""
        self._deadline = deadline

    def transmit(self, command: Command) -> Response:
        """One command and its whole answer; raises LimitExceeded, TimeSpent, or what the card's own transmit raises."""
        # Parts stay inside Response objects, whose repr hides them: a traceback with locals shows no account data.
        parts = [self._exchange(command)]
        while parts[-1].status_word >> 8 == MORE_DATA:
            if len(parts) > self._limits.continuations:
                raise LimitExceeded("The card's answer never ended")
            remaining = parts[-1].status_word & 0xFF
            parts.append(self._exchange(Command(0x00, GET_RESPONSE, 0x00, 0x00, le=remaining)))
        return Response(b"".join(part.data for part in parts), parts[-1].status_word)

    def _exchange(self, command: Command) -> Response:
        self._check_time()
        if self._exchanges >= self._limits.exchanges:
            raise LimitExceeded("The card needed too many exchanges")
        self._exchanges += 1
        response = self._card.transmit(command)
        self._check_time()
        self._received += len(response.data) + 2
        if self._received > self._limits.received_bytes:
            raise LimitExceeded("The card answered too much")
        return response

    def _check_time(self) -> None:
        if self._deadline is not None and self._monotonic() > self._deadline:
            raise TimeSpent("The card took too long to answer")
