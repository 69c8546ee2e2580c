"""Whole kiosks for tests: real archives and destinations, every reader, the demo's people."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosk.audit import TrailPort
from kiosk.build import DemoParts, build
from kiosk.clock import Clock
from kiosk.config.model import Kiosk, KioskConfig, Limits, Readers, SessionRules
from kiosk.config.peers import PeerConfig
from kiosk.demo.department import studies_on
from kiosk.demo.objects import data_set
from kiosk.demo.staff import CARDS, DEMO_PIN, deck, enrol
from kiosk.imaging.peers import Peer
from kiosk.operations.agent import Agent
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk
from kiosk.premises import Premises
from readers.reader import Card, CardPresented, CardRemoved, Reader, ReaderEvent
from readers.registry import open_reader
from readers.simulated import SimulatedReader
from readers.virtual.card import VirtualCard
from readers.virtual.iso_dep import IsoDepDevice
from tests.pcscd import PcscWithVpcd
from tests.peers import fill

SETTLE = 0.3
LONGEST_TAP = 30.0
"""Seconds that a card lies there where nobody reads it."""
RULES = SessionRules(idle_seconds=120.0, warning_seconds=10.0, accidental_seconds=1.0)


class Attended:
    """A reader of which the tests see how far its watch has come with a card."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._removed = False
        self.has_read = threading.Event()
        self.is_done = threading.Event()

    @property
    def spec(self) -> str:
        """Of the reader."""
        return self._reader.spec

    def begin(self) -> None:
        """Another tap."""
        self.has_read.clear()
        self.is_done.clear()

    def open(self) -> None:
        """As the reader."""
        self._reader.open()

    def close(self) -> None:
        """As the reader."""
        self._reader.close()

    def cancel(self) -> None:
        """As the reader."""
        self._reader.cancel()

    def wait(self, timeout: float) -> Sequence[ReaderEvent]:
        """As the reader. Who waits again has taken in what came before."""
        if self._removed:
            self.is_done.set()
        events = self._reader.wait(timeout)
        self._removed = any(isinstance(event, CardRemoved) for event in events)
        return events

    @contextmanager
    def connect(self, presented: CardPresented) -> Iterator[Card]:
        """As the reader; what the tap does is done when this ends."""
        try:
            with self._reader.connect(presented) as card:
                yield card
        finally:
            self.has_read.set()


class Presenter:
    """A reader, and how a card is laid on it."""

    def __init__(self, reader: Reader, insert: Callable[[VirtualCard], None], remove: Callable[[], None]) -> None:
        self.reader = Attended(reader)
        self.insert = insert
        self.remove = remove
        self._lies: threading.Thread | None = None

    def tap(self, name: str, _: float | None = None) -> None:
        """Lays the demo's card of that name there until it has been read, once the card before it has been away for
        long enough that this tap counts."""
        if self._lies is not None:
            self._lies.join()
        self.reader.begin()
        self.insert(deck()[name])
        self._lies = threading.Thread(target=self._lie, daemon=True)
        self._lies.start()

    def _lie(self) -> None:
        self.reader.has_read.wait(LONGEST_TAP)
        self.remove()
        self.reader.is_done.wait(LONGEST_TAP)
        time.sleep(SETTLE)


@contextmanager
def simulated() -> Iterator[Presenter]:
    """The simulated reader."""
    reader = SimulatedReader(deck())
    yield Presenter(reader, reader.insert, reader.remove)


@contextmanager
def over_pcsc(pcsc: PcscWithVpcd) -> Iterator[Presenter]:
    """The real pcscd with a virtual card in it."""
    yield Presenter(open_reader(pcsc.spec), pcsc.insert, pcsc.remove)


@contextmanager
def over_nfcpy() -> Iterator[Presenter]:
    """nfcpy on its UDP device."""
    with IsoDepDevice() as device:
        yield Presenter(open_reader(device.spec), device.insert, device.remove)


def configuration(state: Path, archive: Peer, destination: Peer, rules: SessionRules = RULES) -> KioskConfig:
    """A kiosk on that state directory between those two."""
    return KioskConfig(
        kiosk=Kiosk(name="Test kiosk", state_directory=state, ae_title="KIOSK", demo=True),
        readers=Readers(("simulated",), settle_seconds=SETTLE),
        session=rules,
        limits=Limits(disk_reserve_bytes=0),
        archives=(_config(archive),),
        destinations=(_config(destination),),
    )


@dataclass(frozen=True)
class Running:
    """A kiosk that runs, and what stands behind it."""

    agent: Agent
    premises: Premises
    trail: TrailPort


@contextmanager
def running(config: KioskConfig, presenter: Presenter, clock: Clock | None = None) -> Iterator[Running]:
    """The kiosk of that configuration with the demo's people, started and at the end closed."""
    premises = Premises(config, clock)
    with premises.trail() as trail:
        people = premises.directory(demo=True)
        enrol(Desk(TrailLedger(trail, lambda _: None), lambda _: False), people.directory)
        parts = DemoParts(CARDS, DEMO_PIN, presenter.tap, (presenter.reader,))
        agent = build(premises, trail, people, parts)
        try:
            yield Running(agent, premises, trail)
        finally:
            agent.close()
            people.close()


def fill_with_demo_studies(peer: Peer, clock: Clock) -> int:
    """Two studies of the demo with images in true geometry; returns how many studies the peer got."""
    plans = [plan for plan in studies_on(clock.now().date()) if plan.patient.character_set == ("ISO_IR 100",)]
    chosen = [next(plan for plan in plans if modality in plan.modalities) for modality in ("MR", "US")]
    for plan in chosen:
        fill(peer, [data_set(plan, series, instance) for series in plan.series for instance in series.instances])
    return len(chosen)


def _config(peer: Peer) -> PeerConfig:
    return PeerConfig(peer.name, peer.ae_title, peer.host, peer.port, peer.timeout)
