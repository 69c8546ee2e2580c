"""One thread per reader: it waits, reads what is presented, tells one callback, and outlives every outage."""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from readers.debounce import Debounce
from readers.errors import CardGone, ReaderError, ReaderUnavailable
from readers.feedback import Signal, show
from readers.reader import (
    Card,
    CardPresented,
    CardRemoved,
    Reader,
    ReaderAttached,
    ReaderDetached,
    ReaderEvent,
    ReaderFault,
    ReaderInfo,
)

WAIT_SECONDS = 1.0
FIRST_DELAY = 0.25
LONGEST_DELAY = 2.0
JOIN_SECONDS = 2.0
STUCK_SECONDS = 15.0
NO_READER = "No card reader is connected."
DRIVER_FAILED = "The card reader's driver failed."


@dataclass(frozen=True)
class Reading:
    """What was read from a card. `key` says whose card it is, the same at every tap; `act` is what the tap does.

    A card that bounces is read again, so reading must change nothing; only `act` may. It runs in the reader's thread,
    while the card is still connected. What it returns is shown by the reader's lights; None changes nothing there.
    """

    key: Hashable
    act: Callable[[], Signal | None]


class ReaderWatch:
    """Watches one `Reader` from a daemon thread of its own.

    `on_event` gets every event, in order, from that thread. `on_card` is called for each presentation with the card
    connected; what it returns is acted on unless the same key was removed less than `settle` seconds ago: then the
    card is bouncing, and neither it nor its removal is reported. A card that rests through an outage of the reader is
    not tapped again by the reader's return. Where a presentation cannot be a bounce, `CardPresented` is reported before
    `on_card` is called, otherwise after it.

    With `shows_working` the reader's lights say so while a card is read; what a tap came to is shown after it was acted
    on, so that the screen never waits for a lamp. Lights that fail change nothing.

    A ReaderError from `on_card` becomes a ReaderFault. Any other exception goes to `on_crash` and the watch goes on.
    """

    def __init__(
        self,
        reader: Reader,
        on_event: Callable[[ReaderEvent], None],
        on_card: Callable[[CardPresented, Card], Reading | None],
        *,
        on_crash: Callable[[Exception], None],
        settle: float = 1.0,
        shows_working: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._on_event = on_event
        self._on_card = on_card
        self._on_crash = on_crash
        self._shows_working = shows_working
        self._monotonic = monotonic
        self._debounce = Debounce(settle)
        self._attached: frozenset[ReaderInfo] = frozenset()
        self._present: dict[int, ReaderInfo] = {}
        self._reported_down = False
        self._was_up = False
        self._last_turn = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reader {reader.spec}", daemon=True)

    @property
    def spec(self) -> str:
        """The specification of the reader that it watches."""
        return self._reader.spec

    @property
    def attached(self) -> frozenset[ReaderInfo]:
        """The readers that are there now."""
        return self._attached

    @property
    def alive(self) -> bool:
        """False when the thread has ended or hangs in a driver; for a watchdog that can restart the process."""
        return self._thread.is_alive() and self._monotonic() - self._last_turn < STUCK_SECONDS

    def start(self) -> None:
        """Starts the thread; once."""
        self._last_turn = self._monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread within two seconds; one that hangs in a driver is left behind. From any thread."""
        self._stopping.set()
        self._reader.cancel()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            self._was_up = False
            try:
                self._watch()
            except ReaderError as error:
                self._lose(str(error))
            except Exception as error:  # a driver's mistake must not end the watch; the caller is told
                self._on_crash(error)
                self._lose(DRIVER_FAILED)
            finally:
                self._guarded(self._reader.close)
            if self._was_up:
                delay = FIRST_DELAY
            self._last_turn = self._monotonic()
            self._stopping.wait(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    def _watch(self) -> None:
        self._reader.open()
        if self._stopping.is_set():
            return
        self._take(self._reader.wait(WAIT_SECONDS))
        self._was_up = True
        self._debounce.returned(self._monotonic())
        if not self._attached:
            self._report_down(NO_READER)
        while not self._stopping.is_set():
            self._last_turn = self._monotonic()
            self._take(self._reader.wait(WAIT_SECONDS))

    def _take(self, events: Sequence[ReaderEvent]) -> None:
        for event in events:
            match event:
                case CardPresented():
                    self._present[event.presentation] = event.reader
                    self._presented(event)
                case CardRemoved():
                    self._present.pop(event.presentation, None)
                    if self._debounce.removed(event, self._monotonic()):
                        self._tell(event)
                case ReaderAttached():
                    self._attached |= {event.reader}
                    self._reported_down = False
                    self._tell(event)
                case ReaderDetached():
                    self._attached -= {event.reader}
                    self._reported_down = not self._attached
                    self._tell(event)
                case ReaderFault():
                    self._tell(event)

    def _presented(self, presented: CardPresented) -> None:
        in_doubt = self._debounce.in_doubt(presented.reader, self._monotonic())
        if not in_doubt:
            self._debounce.tapped(presented, None)
            self._tell(presented)
        try:
            with self._reader.connect(presented) as card:
                if self._shows_working and not in_doubt:
                    self._show(Signal.WORKING, presented, card)
                reading = self._read(presented, card)
                if in_doubt:
                    key = reading.key if reading else None
                    if self._debounce.is_bounce(presented.reader, key, self._monotonic()):
                        self._debounce.bounced(presented)
                        return
                    self._tell(presented)
                self._debounce.tapped(presented, reading.key if reading else None)
                if reading:
                    self._act(reading, presented, card)
        except ReaderUnavailable:
            raise
        except ReaderError as error:
            if in_doubt and isinstance(error, CardGone):
                self._debounce.bounced(presented)
                return
            if in_doubt:
                self._tell(presented)
                self._debounce.tapped(presented, None)
            self._tell(ReaderFault(presented.reader, str(error), presented.presentation))

    def _read(self, presented: CardPresented, card: Card) -> Reading | None:
        try:
            return self._on_card(presented, card)
        except ReaderError:
            raise
        except Exception as error:  # the caller's mistake must not end the watch; the caller is told
            self._on_crash(error)
            return None

    def _act(self, reading: Reading, presented: CardPresented, card: Card) -> None:
        signals: list[Signal | None] = []
        self._guarded(lambda: signals.append(reading.act()))
        for signal in signals:
            if signal is not None:
                self._show(signal, presented, card)

    def _show(self, signal: Signal, presented: CardPresented, card: Card) -> None:
        self._guarded(lambda: show(signal, presented.reader, card))

    def _lose(self, reason: str) -> None:
        self._debounce.lost(self._monotonic())
        for presentation, reader in self._present.items():
            self._tell(CardRemoved(reader, presentation))
        self._present.clear()
        attached, self._attached = self._attached, frozenset()
        for reader in sorted(attached, key=lambda info: info.name):
            self._reported_down = True
            self._tell(ReaderDetached(reader, reason))
        self._report_down(reason)

    def _report_down(self, reason: str) -> None:
        """Once per outage, under the specification's name when no reader of that name was ever seen."""
        if not self._reported_down:
            self._reported_down = True
            backend = self._reader.spec.partition(":")[0]
            self._tell(ReaderDetached(ReaderInfo(self._reader.spec, backend), reason))

    def _tell(self, event: ReaderEvent) -> None:
        self._guarded(lambda: self._on_event(event))

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # the caller's mistake must not end the watch; the caller is told
            self._on_crash(error)
