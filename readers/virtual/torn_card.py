"""A card that leaves the field in the middle of what is done to it."""

from readers.uid import Uid
from readers.virtual.card import VirtualCard


class TornCard:
    """Carries out `commands` APDUs in a field and leaves; with `heard` it still carries out the next, unanswered."""

    takes_apdus = True

    def __init__(self, card: VirtualCard, commands: int, *, heard: bool) -> None:
        self._card = card
        self._commands = commands
        self._heard = heard
        self._left = commands

    @property
    def uid(self) -> Uid | None:
        """The card's."""
        return self._card.uid

    @property
    def atr(self) -> bytes:
        """The card's."""
        return self._card.atr

    @property
    def ats_historical(self) -> bytes:
        """The card's."""
        return self._card.ats_historical

    @property
    def was_torn(self) -> bool:
        """True once it has left in the middle."""
        return self._left < 0

    def power_on(self) -> None:
        """A new field, in which it stays as long again."""
        self._left = self._commands
        self._card.power_on()

    def exchange(self, raw: bytes) -> bytes:
        """The card's answer, or nothing."""
        self._left -= 1
        if self._left >= 0:
            return self._card.exchange(raw)
        if self._left == -1 and self._heard:
            self._card.exchange(raw)
        return b""
