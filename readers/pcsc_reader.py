"""The PC/SC backend: every reader of one daemon whose name fits a pattern, on its own SCardGetStatusChange loop."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase

from readers.errors import CardGone
from readers.pcsc_calls import (
    CANCELLED,
    NO_READERS,
    PLUG_AND_PLAY,
    STATE_CHANGED,
    SUCCESS,
    TIMEOUT,
    UNKNOWN_READER,
    PcscCalls,
    PcscUnavailable,
    SlotState,
)
from readers.pcsc_card import PcscCard
from readers.pcsc_hold import LEFT, held
from readers.pcsc_slots import BACKEND, Slots
from readers.reader import CardPresented, ReaderEvent

SLICE_SECONDS = 1.0
RELIST_SECONDS = 0.05


class PcscReader:
    """All readers that fit `pattern`, a shell pattern that may start at any word of a reader's name.

    Each slice of a wait begins with the list of readers, so that what a notification missed is seen a second later.
    """

    def __init__(self, calls: PcscCalls, pattern: str = "", monotonic: Callable[[], float] = time.monotonic) -> None:
        self._calls = calls
        self._pattern = pattern.casefold()
        self._spec = f"{BACKEND}:{pattern}" if pattern else BACKEND
        self._monotonic = monotonic
        self._slots = Slots()
        self._plug_and_play = SlotState(PLUG_AND_PLAY, 0)
        self._cancelled = threading.Event()
        self._context: int | None = None
        self._context_lock = threading.Lock()

    @property
    def spec(self) -> str:
        """The specification it was made from."""
        return self._spec

    def open(self) -> None:
        """Takes a context of the daemon; raises ReaderUnavailable."""
        self.close()
        code, context = self._calls.establish_context()
        if code != SUCCESS:
            raise PcscUnavailable(code)
        self._context = context

    def close(self) -> None:
        """Lets the context go; never raises."""
        with self._context_lock:
            context, self._context = self._context, None
            if context is not None:
                self._calls.release_context(context)
        self._slots.forget()
        self._plug_and_play = SlotState(PLUG_AND_PLAY, 0)

    def cancel(self) -> None:
        """Ends a `wait` from another thread, or the next one when none is under way."""
        self._cancelled.set()
        with self._context_lock:
            if self._context is not None:
                self._calls.cancel(self._context)

    def names(self) -> tuple[str, ...]:
        """The daemon's names of the readers that fit; raises ReaderUnavailable."""
        code, names = self._calls.list_readers(self._opened())
        if code not in (SUCCESS, NO_READERS):
            raise PcscUnavailable(code)
        return tuple(name for name in names if self._fits(name))

    def wait(self, timeout: float) -> Sequence[ReaderEvent]:
        """Blocks up to `timeout` seconds for something to happen; raises ReaderUnavailable."""
        end = self._monotonic() + timeout
        while True:
            events = self._slots.listed(self.names())
            left = end - self._monotonic()
            seconds = 0.0 if events or self._cancelled.is_set() else max(0.0, min(left, SLICE_SECONDS))
            events += self._changes(seconds)
            if self._cancelled.is_set():
                self._cancelled.clear()
                return events
            if events or left <= 0:
                return events

    @contextmanager
    def connect(self, presented: CardPresented) -> Iterator[PcscCard]:
        """The presented card, exclusively; raises CardGone when another one lies there by now."""
        place = self._slots.place_of(presented)
        if place is None:
            raise CardGone(LEFT)
        name, counter = place
        context = self._opened()
        with held(self._calls, name) as hold:
            _, states = self._calls.get_status_change(context, 0, (SlotState(name, 0),))
            if any(state.flags >> 16 != counter for state in states):
                raise CardGone(LEFT)
            card = PcscCard(self._calls, context, name, hold, presented.atr)
            card.read_uid()
            yield card

    def _changes(self, seconds: float) -> list[ReaderEvent]:
        rows = [*self._slots.watched(), self._plug_and_play]
        code, states = self._calls.get_status_change(self._opened(), round(seconds * 1000), rows)
        if code == UNKNOWN_READER:  # unplugged since it was listed; the next list will say so
            self._cancelled.wait(RELIST_SECONDS)
            return []
        if code not in (SUCCESS, TIMEOUT, CANCELLED):
            raise PcscUnavailable(code)
        events: list[ReaderEvent] = []
        for state in states:
            if state.name == PLUG_AND_PLAY:
                self._plug_and_play = SlotState(PLUG_AND_PLAY, state.flags & ~STATE_CHANGED)
            else:
                events += self._slots.changed(state)
        return events

    def _opened(self) -> int:
        if self._context is None:
            raise PcscUnavailable(code=0x8010001D)
        return self._context

    def _fits(self, name: str) -> bool:
        folded = name.casefold()
        return not self._pattern or fnmatchcase(folded, self._pattern) or fnmatchcase(folded, "* " + self._pattern)
