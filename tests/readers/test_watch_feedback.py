"""The lights of the reader on which somebody tapped, and that no lamp ever costs a tap."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Queue

import pytest

from readers.apdu import Command, Response
from readers.errors import CardGone, ReaderUnavailable, TransmitFailed
from readers.feedback import Signal
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
from readers.uid import Uid
from readers.watch import ReaderWatch, Reading

WALL = ReaderInfo("ACS ACR1252 1S CL Reader PICC 00 00", "pcsc")
DESK = ReaderInfo("ACS ACR122U PICC Interface 01 00", "pcsc")
OTHER = ReaderInfo("HID Global OMNIKEY 5022 00 00", "pcsc")
PATIENCE = 60.0
WORKING, ACCEPTED, REFUSED = "E00000290103", "E00000290102 E0000028010A", "E00000290101 E0000028011E"
Note = tuple[str, str]


class LitCard:
    """A card on a reader whose lights note what they were told, in one list with everything else that happens."""

    uid = Uid.from_hex("04A1B2C3D4E580")
    atr = b""
    takes_apdus = False

    def __init__(self, notes: list[Note], reader: ReaderInfo, error: Exception | None) -> None:
        self._notes = notes
        self._reader = reader
        self._error = error

    def transmit(self, command: Command) -> Response:
        self._notes.append((self._reader.name[:10], bytes(command).hex().upper()))
        if self._error:
            raise self._error
        return Response(b"", 0x9000)

    def escape(self, data: bytes) -> bytes:
        self._notes.append((self._reader.name[:10], data.hex().upper()))
        if self._error:
            raise self._error
        return b""


class LitReader:
    """Two readers with lights and one without, behind one scripted wait."""

    spec = "pcsc"

    def __init__(self, notes: list[Note]) -> None:
        self.steps: Queue[ReaderEvent | None] = Queue()
        self.error: Exception | None = None
        self._notes = notes

    def open(self) -> None: ...

    def close(self) -> None: ...

    def cancel(self) -> None:
        self.steps.put(None)

    def wait(self, timeout: float) -> Sequence[ReaderEvent]:
        try:
            step = self.steps.get(timeout=timeout)
        except Empty:
            return []
        return [] if step is None else [step]

    @contextmanager
    def connect(self, presented: CardPresented) -> Iterator[Card]:
        yield LitCard(self._notes, presented.reader, self.error)
        self._notes.append(("reader", "let go"))


class Bench:
    """A watch whose taps come to what a test says."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.reader = LitReader(self.notes)
        self.told: Queue[ReaderEvent] = Queue()
        self.crashes: list[Exception] = []
        self.outcome: Callable[[], Signal | None] = lambda: Signal.ACCEPTED
        self.key = "badge"
        self._presentation = 0
        self.watch = ReaderWatch(
            self.reader, self._event, self._on_card, on_crash=self.crashes.append, settle=60.0, shows_working=True
        )

    def _event(self, event: ReaderEvent) -> None:
        self.notes.append(("event", type(event).__name__))
        self.told.put(event)

    def _on_card(self, _presented: CardPresented, _card: Card) -> Reading:
        self.notes.append(("card", "read"))

        def act() -> Signal | None:
            self.notes.append(("door", "acts"))
            return self.outcome()

        return Reading(self.key, act)

    def tap(self, reader: ReaderInfo = WALL) -> list[Note]:
        """Lays a card on and takes it away; what happened from the one to the other."""
        self._presentation += 1
        self.notes.clear()
        self.reader.steps.put(CardPresented(reader, self._presentation))
        self.reader.steps.put(CardRemoved(reader, self._presentation))
        self.reader.steps.put(ReaderFault(reader, "end of this tap"))
        while not isinstance(self.told.get(timeout=PATIENCE), ReaderFault):
            pass
        return [note for note in self.notes if note[0] != "event"]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.watch.start()
    bench.reader.steps.put(ReaderAttached(WALL))
    assert isinstance(bench.told.get(timeout=PATIENCE), ReaderAttached)
    yield bench
    bench.watch.stop()


def lights(notes: list[Note]) -> list[str]:
    return [what for who, what in notes if who in (WALL.name[:10], DESK.name[:10], OTHER.name[:10])]


@pytest.mark.parametrize(("signal", "shown"), [(Signal.ACCEPTED, ACCEPTED), (Signal.REFUSED, REFUSED), (None, "")])
def test_a_tap_is_shown_while_it_is_read_and_after_it_was_decided(
    bench: Bench, signal: Signal | None, shown: str
) -> None:
    bench.outcome = lambda: signal
    wall = WALL.name[:10]
    assert bench.tap() == [
        (wall, WORKING),
        ("card", "read"),
        ("door", "acts"),
        *((wall, step) for step in shown.split()),
        ("reader", "let go"),
    ]


def test_only_the_reader_that_was_tapped_shows_it(bench: Bench) -> None:
    assert lights(bench.tap(DESK)) == ["FF00400F0400000000", "FF00400E0401000101"]
    bench.key = "another"
    assert lights(bench.tap(OTHER)) == []


@pytest.mark.parametrize("error", [TransmitFailed("0x8010001F"), CardGone("gone"), ReaderUnavailable("lost")])
def test_lights_that_fail_cost_no_tap(bench: Bench, error: Exception) -> None:
    bench.reader.error = error
    for key, reader in (("one", WALL), ("two", DESK)):
        bench.key = key
        notes = bench.tap(reader)
        assert ("door", "acts") in notes
        assert ("reader", "let go") in notes
    assert bench.crashes == []


def test_a_driver_that_stumbles_over_a_lamp_is_told_and_costs_no_tap(bench: Bench) -> None:
    bench.reader.error = SystemError("returned NULL")
    assert ("door", "acts") in bench.tap()
    assert [type(crash) for crash in bench.crashes] == [SystemError] * 2


def test_a_card_that_bounces_is_not_signalled(bench: Bench) -> None:
    bench.tap()
    assert lights(bench.tap()) == []
    bench.key = "another card"
    assert lights(bench.tap()) == ACCEPTED.split(), "it is read before it is known to be no bounce"


def test_a_tap_whose_act_fails_shows_nothing_more(bench: Bench) -> None:
    def fail() -> Signal:
        raise RuntimeError

    bench.outcome = fail
    assert lights(bench.tap()) == [WORKING]
    assert len(bench.crashes) == 1


def test_a_reader_that_fails_to_close_is_opened_again() -> None:
    class Stubborn(LitReader):
        closed = 0

        def wait(self, timeout: float) -> Sequence[ReaderEvent]:
            if self.closed < 2:
                raise ReaderUnavailable("The reader was lost.")
            return super().wait(timeout)

        def close(self) -> None:
            self.closed += 1
            raise OSError

    reader = Stubborn([])
    reader.steps.put(ReaderAttached(WALL))
    told: Queue[ReaderEvent] = Queue()
    crashes: list[Exception] = []
    watch = ReaderWatch(reader, told.put, lambda *_: None, on_crash=crashes.append)
    watch.start()
    assert isinstance(told.get(timeout=PATIENCE), ReaderDetached)
    assert told.get(timeout=PATIENCE) == ReaderAttached(WALL)
    end = time.monotonic() + PATIENCE
    while len(crashes) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    watch.stop()
    assert {type(crash) for crash in crashes} == {OSError}
