"""Whole kiosks for tests: real archives and destinations, every reader, the demo's people."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosk.audit import Trail
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
from readers.reader import Reader
from readers.registry import open_reader
from readers.simulated import SimulatedReader
from readers.virtual.card import VirtualCard
from readers.virtual.iso_dep import IsoDepDevice
from tests.pcscd import PcscWithVpcd
from tests.peers import fill

SETTLE = 0.3
RULES = SessionRules(idle_seconds=120.0, warning_seconds=10.0, accidental_seconds=1.0)


@dataclass(frozen=True)
class Presenter:
    """A reader, and how a card is laid on it. `seconds` is how long a card has to lie there to be seen, `away` how long
    it has to be gone for that to be seen."""

    reader: Reader
    insert: Callable[[VirtualCard], None]
    remove: Callable[[], None]
    seconds: float
    away: float

    @property
    def pause(self) -> float:
        """Seconds from one tap to the next, so that the second counts."""
        return self.seconds + self.away + SETTLE

    def tap(self, name: str, seconds: float | None = None) -> None:
        """Lays the demo's card of that name there for a while; returns at once."""
        self.insert(deck()[name])
        timer = threading.Timer(max(seconds or 0.0, self.seconds), self.remove)
        timer.daemon = True
        timer.start()


@contextmanager
def simulated() -> Iterator[Presenter]:
    """The simulated reader."""
    reader = SimulatedReader(deck())
    yield Presenter(reader, reader.insert, reader.remove, 0.3, 0.3)


@contextmanager
def over_pcsc(pcsc: PcscWithVpcd) -> Iterator[Presenter]:
    """The real pcscd with a virtual card in it; pcscd asks vpcd every 0.4 s whether there is a card."""
    yield Presenter(open_reader(pcsc.spec), pcsc.insert, pcsc.remove, 1.0, 1.0)


@contextmanager
def over_nfcpy() -> Iterator[Presenter]:
    """nfcpy on its UDP device, which takes a second to find that nothing answers."""
    with IsoDepDevice() as device:
        yield Presenter(open_reader(device.spec), device.insert, device.remove, 2.5, 3.0)


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
    trail: Trail


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
