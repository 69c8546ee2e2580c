"""Telling a second tap from a card that bounces at the edge of the field."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

from readers.reader import CardPresented, CardRemoved, ReaderInfo


@dataclass(frozen=True)
class _Tap:
    """The last card that a reader reported: who it was, and since when it is away (None while it lies there)."""

    key: Hashable
    presentation: int
    away_since: float | None = None
    silent: bool = False
    outage: bool = False


class Debounce:
    """The last tap of each reader. A card is the same when its key is the same: a phone has a new UID in each field.

    Times are monotonic seconds.
    """

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._taps: dict[ReaderInfo, _Tap] = {}

    def in_doubt(self, reader: ReaderInfo, now: float) -> bool:
        """True while whatever comes may be the last card again: it left less than `settle` ago, or in an outage."""
        tap = self._taps.get(reader)
        if tap is None or tap.key is None or tap.away_since is None:
            return False
        return tap.outage or now - tap.away_since < self._settle

    def is_bounce(self, reader: ReaderInfo, key: Hashable, now: float) -> bool:
        """True when the card that is `key` is the last one again, and nobody tapped."""
        return self.in_doubt(reader, now) and self._taps[reader].key == key

    def tapped(self, presented: CardPresented, key: Hashable) -> None:
        """Takes in a tap; a `key` of None never bounces."""
        self._taps[presented.reader] = _Tap(key, presented.presentation)

    def bounced(self, presented: CardPresented) -> None:
        """Takes in a presentation that is not to be reported."""
        tap = self._taps[presented.reader]
        self._taps[presented.reader] = _Tap(tap.key, presented.presentation, silent=True)

    def removed(self, removed: CardRemoved, now: float) -> bool:
        """Takes in a removal; False when its presentation was not reported either."""
        tap = self._taps.get(removed.reader)
        if tap is None or tap.presentation != removed.presentation:
            return True
        self._taps[removed.reader] = replace(tap, away_since=now)
        return not tap.silent

    def lost(self, now: float) -> None:
        """The readers are gone: a card that still lies there when they return was not tapped again."""
        for reader, tap in self._taps.items():
            if tap.away_since is None:
                self._taps[reader] = replace(tap, away_since=now, outage=True)

    def returned(self, now: float) -> None:
        """The readers are back; they need a moment to find what lies on them, so the cards count as just removed."""
        for reader, tap in self._taps.items():
            if tap.outage:
                self._taps[reader] = replace(tap, away_since=now, outage=False)
