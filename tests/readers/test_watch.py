import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Queue

import pytest

from readers.errors import CardGone, ReaderUnavailable, TransmitFailed
from readers.reader import (
    Card,
    CardPresented,
    CardRemoved,
    ReaderAttached,
    ReaderDetached,
    ReaderEvent,
    ReaderFault,
    ReaderInfo,
)
from readers.watch import DRIVER_FAILED, NO_READER, STUCK_SECONDS, ReaderWatch, Reading
from tests.readers.cards import ManualClock, ScriptedCard

PATIENCE = 60.0
WALL = ReaderInfo("Wall reader", "scripted")
Step = ReaderEvent | Exception
Outcome = Reading | Exception | None


class ScriptedReader:
    """A reader whose waits return what a test hands over; cards are read as `read` says."""

    spec = "scripted:wall"

    def __init__(self) -> None:
        self.steps: Queue[Step | None] = Queue()
        self.opens: Queue[Exception] = Queue()
        self.opened = 0
        self.connected = 0
        self.connect_error: Exception | None = None

    def open(self) -> None:
        self.opened += 1
        try:
            raise self.opens.get_nowait()
        except Empty:
            return

    def wait(self, timeout: float) -> Sequence[ReaderEvent]:
        try:
            step = self.steps.get(timeout=timeout)
        except Empty:
            return []
        if isinstance(step, Exception):
            raise step
        return [] if step is None else [step]

    @contextmanager
    def connect(self, presented: CardPresented) -> Iterator[Card]:
        if self.connect_error is not None:
            raise self.connect_error
        self.connected += 1
        try:
            yield ScriptedCard([])
        finally:
            self.connected -= 1

    def cancel(self) -> None:
        self.steps.put(None)

    def close(self) -> None:
        pass


class Bench:
    """A watch over a scripted reader, and everything that it reported."""

    def __init__(self) -> None:
        self.reader = ScriptedReader()
        self.clock = ManualClock()
        self.events: Queue[ReaderEvent] = Queue()
        self.crashes: Queue[Exception] = Queue()
        self.acts: list[str] = []
        self.read: Callable[[CardPresented], Outcome] = lambda presented: None
        self.presentation = 0
        self.watch = ReaderWatch(
            self.reader, self.events.put, self._on_card, on_crash=self.crashes.put, settle=1.0, monotonic=self.clock
        )

    def _on_card(self, presented: CardPresented, card: Card) -> Reading | None:
        outcome = self.read(presented)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def card(self, key: str) -> Reading:
        def act() -> None:
            assert self.reader.connected == 1
            self.acts.append(key)

        return Reading(key, act)

    def insert(self, outcome: Outcome) -> CardPresented:
        self.presentation += 1
        self.read = lambda presented: outcome
        event = CardPresented(WALL, self.presentation)
        self.reader.steps.put(event)
        self.settle()
        return event

    def remove(self) -> CardRemoved:
        event = CardRemoved(WALL, self.presentation)
        self.reader.steps.put(event)
        self.settle()
        return event

    def settle(self) -> None:
        """Returns when the thread has taken in every step so far."""
        end = time.monotonic() + PATIENCE
        for _ in range(2):
            self.reader.steps.put(None)
            while not self.reader.steps.empty():
                assert time.monotonic() < end
                time.sleep(0.001)

    def reported(self) -> list[ReaderEvent]:
        found = []
        while not self.events.empty():
            found.append(self.events.get())
        return found

    def next(self) -> ReaderEvent:
        return self.events.get(timeout=PATIENCE)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.reader.steps.put(ReaderAttached(WALL))
    bench.watch.start()
    assert bench.next() == ReaderAttached(WALL)
    yield bench
    bench.watch.stop()
    assert not bench.watch.alive


def test_a_tap_is_reported_then_acted_on_while_the_card_is_connected(bench: Bench) -> None:
    came = bench.insert(bench.card("badge"))
    left = bench.remove()
    assert bench.reported() == [came, left]
    assert bench.acts == ["badge"]


def test_a_card_that_bounces_is_neither_reported_nor_acted_on(bench: Bench) -> None:
    came = bench.insert(bench.card("badge"))
    left = bench.remove()
    for _ in range(3):
        bench.clock.advance(0.9)
        bench.insert(bench.card("badge"))
        bench.clock.advance(5)
        bench.remove()
    assert bench.reported() == [came, left]
    assert bench.acts == ["badge"]


def test_a_card_that_returns_after_the_settling_time_is_a_second_tap(bench: Bench) -> None:
    bench.insert(bench.card("badge"))
    bench.remove()
    bench.clock.advance(1.0)
    bench.insert(bench.card("badge"))
    assert bench.acts == ["badge", "badge"]


def test_another_card_within_the_settling_time_is_a_tap(bench: Bench) -> None:
    bench.insert(bench.card("one"))
    bench.remove()
    bench.reported()
    came = bench.insert(bench.card("other"))
    assert bench.acts == ["one", "other"]
    assert bench.reported() == [came]


def test_a_bouncing_card_that_is_gone_before_it_was_read_says_nothing(bench: Bench) -> None:
    bench.insert(bench.card("badge"))
    bench.remove()
    bench.reported()
    bench.insert(CardGone("The card left the reader too soon."))
    bench.remove()
    bench.insert(bench.card("badge"))
    assert bench.reported() == []
    assert bench.acts == ["badge"]


def test_a_card_that_was_not_read_is_a_fault_of_its_presentation(bench: Bench) -> None:
    came = bench.insert(TransmitFailed("The exchange with the card failed."))
    assert bench.reported() == [came, ReaderFault(WALL, "The exchange with the card failed.", came.presentation)]
    assert bench.crashes.empty()


def test_a_card_that_cannot_be_connected_is_a_fault(bench: Bench) -> None:
    bench.reader.connect_error = CardGone("The card left the reader too soon.")
    came = bench.insert(None)
    assert bench.reported() == [came, ReaderFault(WALL, "The card left the reader too soon.", came.presentation)]


def test_a_reading_without_a_key_is_never_taken_for_a_bounce(bench: Bench) -> None:
    bench.insert(None)
    bench.remove()
    bench.reported()
    came = bench.insert(None)
    assert bench.reported() == [came]


def test_a_mistake_in_a_callback_is_passed_on_and_the_watch_goes_on(bench: Bench) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    bench.insert(KeyError("read"))
    bench.remove()
    bench.insert(Reading("badge", fail))
    assert isinstance(bench.crashes.get(timeout=PATIENCE), KeyError)
    assert isinstance(bench.crashes.get(timeout=PATIENCE), ZeroDivisionError)
    bench.remove()
    bench.insert(bench.card("other"))
    assert bench.acts == ["other"]
    assert bench.reader.opened == 1


def test_a_mistake_in_a_driver_is_passed_on_and_the_reader_is_opened_again(bench: Bench) -> None:
    bench.reader.steps.put(IndexError("driver"))
    assert bench.next() == ReaderDetached(WALL, DRIVER_FAILED)
    assert isinstance(bench.crashes.get(timeout=PATIENCE), IndexError)
    bench.reader.steps.put(ReaderAttached(WALL))
    assert bench.next() == ReaderAttached(WALL)
    assert bench.reader.opened == 2


def test_an_outage_removes_the_card_and_the_reader_once(bench: Bench) -> None:
    bench.insert(bench.card("badge"))
    bench.reported()
    for _ in range(2):
        bench.reader.opens.put(ReaderUnavailable("pcscd is not running"))
    bench.reader.steps.put(ReaderUnavailable("pcscd broke off"))
    assert bench.next() == CardRemoved(WALL, bench.presentation)
    assert bench.next() == ReaderDetached(WALL, "pcscd broke off")
    bench.reader.steps.put(ReaderAttached(WALL))
    assert bench.next() == ReaderAttached(WALL)
    assert bench.reader.opened == 4


def test_a_card_that_rests_through_an_outage_is_not_tapped_again(bench: Bench) -> None:
    bench.insert(bench.card("badge"))
    bench.clock.advance(60)
    bench.reader.steps.put(ReaderUnavailable("pcscd broke off"))
    bench.reader.steps.put(ReaderAttached(WALL))
    bench.settle()
    bench.reported()
    bench.insert(bench.card("badge"))
    assert bench.reported() == []
    bench.remove()
    bench.clock.advance(2)
    bench.insert(bench.card("badge"))
    assert bench.acts == ["badge", "badge"]


def test_an_outage_within_a_reading_is_an_outage(bench: Bench) -> None:
    came = bench.insert(ReaderUnavailable("pcscd broke off"))
    assert [bench.next() for _ in range(3)] == [
        came,
        CardRemoved(WALL, came.presentation),
        ReaderDetached(WALL, "pcscd broke off"),
    ]


def test_a_reader_that_was_never_there_is_said_once_under_its_specification() -> None:
    bench = Bench()
    bench.watch.start()
    assert bench.next() == ReaderDetached(ReaderInfo("scripted:wall", "scripted"), NO_READER)
    bench.reader.steps.put(ReaderUnavailable("pcscd broke off"))
    bench.reader.steps.put(ReaderAttached(WALL))
    assert bench.next() == ReaderAttached(WALL)
    assert bench.watch.attached == frozenset((WALL,))
    bench.watch.stop()


def test_back_off_grows_to_two_seconds_and_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, delays = Bench(), []

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        delays.append(timeout)
        return self.is_set()

    for _ in range(6):
        bench.reader.opens.put(ReaderUnavailable("pcscd is not running"))
    bench.reader.steps.put(ReaderAttached(WALL))
    bench.reader.steps.put(ReaderUnavailable("pcscd broke off"))
    bench.reader.steps.put(ReaderAttached(WALL))
    monkeypatch.setattr(bench.watch._stopping, "wait", wait.__get__(bench.watch._stopping))
    bench.watch.start()
    bench.settle()
    bench.watch.stop()
    assert delays[:7] == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0, 0.25]


def test_a_thread_that_hangs_is_not_alive(bench: Bench) -> None:
    reading, hang = threading.Event(), threading.Event()

    def read(presented: CardPresented) -> None:
        reading.set()
        hang.wait(PATIENCE)

    bench.read = read
    bench.reader.steps.put(CardPresented(WALL, 1))
    assert reading.wait(PATIENCE)
    bench.clock.advance(STUCK_SECONDS)
    assert not bench.watch.alive
    hang.set()
    bench.settle()
    assert bench.watch.alive


def test_stop_from_its_own_callback_does_not_wait_for_itself(bench: Bench) -> None:
    stopped = threading.Event()

    def act() -> None:
        bench.watch.stop()
        stopped.set()

    bench.read = lambda presented: Reading("badge", act)
    bench.reader.steps.put(CardPresented(WALL, 1))
    assert stopped.wait(PATIENCE)
