"""A reader made of software, for demo and tests.

"simulated:DECK.toml" has cards that are laid on it by name, "simulated:scenario=FILE" taps them by itself at the times
written down there, and "simulated:replay=FILE" plays a recording of another reader.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from readers.apdu import Command, Response
from readers.errors import CardGone, ReaderSpecError, ReaderUnavailable, TransmitFailed
from readers.pseudo_apdu import answer
from readers.reader import Card, CardPresented, CardRemoved, ReaderAttached, ReaderEvent, ReaderInfo
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from readers.virtual.deck import Deck
from readers.virtual.recorded_card import Replay
from readers.virtual.scenario import Scenario
from readers.virtual.timetable import Timetable

BACKEND = "simulated"
UNPLUGGED = "The simulated reader is unplugged."


def open_spec(argument: str) -> "SimulatedReader":
    """The reader with the deck in the TOML file `argument`, or with an empty deck; raises ReaderSpecError.

    "scenario=FILE" and "replay=FILE" name files of other kinds.
    """
    kind, equals, name = argument.partition("=")
    spec, path = f"{BACKEND}:{argument}", Path(name)
    if equals and kind == "scenario":
        return following(Scenario.load(path), spec)
    if equals and kind == "replay":
        replay = Replay.load(path)
        return SimulatedReader(Deck(), spec, replay.name, timetable=replay.timetable())
    if not argument:
        return SimulatedReader(Deck())
    try:
        return SimulatedReader(Deck.load(Path(argument)), spec)
    except OSError as error:
        raise ReaderSpecError(f"The deck {argument} cannot be read: {error.strerror}") from None


def following(scenario: Scenario, spec: str = BACKEND) -> "SimulatedReader":
    """The reader on which that scenario happens; its cards can be laid on by hand as well."""
    return SimulatedReader(scenario.deck, spec, timetable=scenario.timetable(time.sleep))


@dataclass
class _Presence:
    presentation: int
    card: VirtualCard
    until: float | None
    after: Callable[[], None]
    gone: bool = False


class SimulatedCard:
    """A virtual card on the simulated reader."""

    def __init__(self, reader: "SimulatedReader", presence: _Presence) -> None:
        self._reader = reader
        self._presence = presence

    @property
    def uid(self) -> Uid | None:
        """The UID of this presentation."""
        return self._presence.card.uid

    @property
    def atr(self) -> bytes:
        """The ATR a PC/SC reader would make."""
        return self._presence.card.atr

    @property
    def takes_apdus(self) -> bool:
        """True for ISO/IEC 14443-4 cards."""
        return self._presence.card.takes_apdus

    def transmit(self, command: Command) -> Response:
        """One APDU exchange; raises CardGone when the card left before or during it, else TransmitFailed."""
        card = self._presence.card
        self._reader.require_present(self._presence)
        own = answer(command, card.uid, card.ats_historical)
        if own is not None:
            return own
        if not card.takes_apdus:
            raise TransmitFailed("This card takes no commands")
        response = _received(card.exchange(bytes(command)))
        self._reader.require_present(self._presence)
        if response is None:
            self._reader.lose(self._presence)
            raise CardGone("The card left the field")
        return response


def _received(raw: bytes) -> Response | None:
    """What the card said, in an object that hides it from tracebacks; None where it said nothing."""
    if not raw:
        return None
    if len(raw) < 2:
        raise TransmitFailed("The card's answer has no status word")
    return Response.parse(raw)


class SimulatedReader:
    """One place for one card. `insert`, `remove`, `unplug` and `plug` are for any thread; a `wait` wakes at once.

    Every coming and going is kept until `wait` has told it, however short the tap was. What is on the `timetable` comes
    by itself; its time begins with the first `open`.
    """

    def __init__(
        self,
        deck: Deck | None = None,
        spec: str = BACKEND,
        name: str = "Simulated reader",
        monotonic: Callable[[], float] = time.monotonic,
        timetable: Timetable = (),
    ) -> None:
        """`timetable` in its order."""
        self._deck = deck if deck is not None else Deck()
        self._spec = spec
        self._info = ReaderInfo(name, BACKEND)
        self._monotonic = monotonic
        self._to_come = deque(timetable)
        self._began: float | None = None
        self._changed = threading.Condition()
        self._exclusive = threading.Lock()
        self._events: deque[ReaderEvent] = deque()
        self._presence: _Presence | None = None
        self._presentations = 0
        self._open = False
        self._plugged = True
        self._cancelled = False

    @property
    def spec(self) -> str:
        """The specification it was made from."""
        return self._spec

    @property
    def deck(self) -> Deck:
        """The cards it knows by name."""
        return self._deck

    def insert(self, card: str | VirtualCard, seconds: float | None = None) -> None:
        """Lays a card on, in place of one that is there; for `seconds`, or until `remove`. Raises ReaderError."""
        chosen = self._deck.card(card) if isinstance(card, str) else card
        with self._changed:
            self._keep_time()
            self._take_away()
            until = None if seconds is None else self._monotonic() + seconds
            self._lay(chosen, until, lambda: None)
            self._changed.notify_all()

    def remove(self) -> None:
        """Takes the card away, if there is one."""
        with self._changed:
            self._keep_time()
            self._take_away()
            self._changed.notify_all()

    def unplug(self) -> None:
        """The reader is gone for its owner until `plug`; a card on it stays where it is."""
        with self._changed:
            self._plugged = False
            if self._presence is not None:
                self._presence.gone = True
            self._changed.notify_all()

    def plug(self) -> None:
        """The reader is back and can be opened again."""
        with self._changed:
            self._plugged = True
            self._changed.notify_all()

    def open(self) -> None:
        """Starts afresh; raises ReaderUnavailable while unplugged."""
        with self._changed:
            if not self._plugged:
                raise ReaderUnavailable(UNPLUGGED)
            self._began = self._monotonic() if self._began is None else self._began
            self._keep_time()
            presence, self._presence = self._presence, None
            self._events.clear()
            self._events.append(ReaderAttached(self._info))
            self._open = True
            if presence is not None:
                presence.gone = True
                self._lay(presence.card, presence.until, presence.after)

    def wait(self, timeout: float) -> Sequence[ReaderEvent]:
        """Everything that happened since the last call, after up to `timeout` seconds; raises ReaderUnavailable."""
        deadline = self._monotonic() + timeout
        with self._changed:
            while True:
                if not self._plugged or not self._open:
                    self._open = False
                    raise ReaderUnavailable(UNPLUGGED if not self._plugged else "The simulated reader is not open.")
                self._keep_time()
                remaining = deadline - self._monotonic()
                if self._events or self._cancelled or remaining <= 0:
                    self._cancelled = False
                    events = list(self._events)
                    self._events.clear()
                    return events
                changes = [change for change in (self._next_leave(), self._next_appearance()) if change is not None]
                self._changed.wait(max(min([deadline, *changes]) - self._monotonic(), 0.0))

    @contextmanager
    def connect(self, presented: CardPresented) -> Iterator[Card]:
        """The presented card, exclusively; entering raises CardGone when it has left."""
        with self._changed:
            self._keep_time()
            presence = self._presence
        if presence is None or presence.gone or presence.presentation != presented.presentation:
            raise CardGone("The card left the field")
        if not self._exclusive.acquire(blocking=False):
            raise TransmitFailed("The card is in use")
        try:
            yield SimulatedCard(self, presence)
        finally:
            self._exclusive.release()

    def cancel(self) -> None:
        """Ends a `wait`, or the next one."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def close(self) -> None:
        """Lets go; a card stays where it is."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def require_present(self, presence: _Presence) -> None:
        """Raises CardGone when that presentation is over, ReaderUnavailable when the reader is."""
        with self._changed:
            self._keep_time()
            if not self._plugged:
                raise ReaderUnavailable(UNPLUGGED)
            if presence.gone:
                raise CardGone("The card left the field")

    def lose(self, presence: _Presence) -> None:
        """The card took itself away."""
        with self._changed:
            if presence is self._presence:
                self._take_away()
                self._changed.notify_all()

    def _lay(self, card: VirtualCard, until: float | None, after: Callable[[], None]) -> None:
        card.power_on()
        self._presentations += 1
        self._presence = _Presence(self._presentations, card, until, after)
        if self._open:
            self._events.append(CardPresented(self._info, self._presentations, card.atr))

    def _take_away(self) -> None:
        presence, self._presence = self._presence, None
        if presence is not None:
            presence.gone = True
            presence.after()
            if self._open:
                self._events.append(CardRemoved(self._info, presence.presentation))

    def _keep_time(self) -> None:
        """Everything that is due, in its order: cards that leave by themselves, and those on the timetable."""
        now = self._monotonic()
        while True:
            leaves, appears = self._next_leave(), self._next_appearance()
            if leaves is not None and leaves <= now and (appears is None or leaves <= appears):
                self._take_away()
            elif appears is not None and appears <= now:
                self._take_away()
                appearance = self._to_come.popleft()
                until = None if appearance.seconds is None else appears + appearance.seconds
                self._lay(appearance.card(), until, appearance.after)
            else:
                return

    def _next_leave(self) -> float | None:
        return None if self._presence is None else self._presence.until

    def _next_appearance(self) -> float | None:
        return self._began + self._to_come[0].at if self._to_come and self._began is not None else None
