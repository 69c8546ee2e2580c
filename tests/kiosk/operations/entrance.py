"""From a card on the simulated reader to a session on record: the kiosk's own ladder, door, gate and trail."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from kiosk.access.session import SessionBook
from kiosk.audit import Entry, Phase, Trail
from kiosk.config.credentials import CredentialsConfig
from kiosk.config.model import Kiosk, KioskConfig, Limits, Readers, SessionRules
from kiosk.demo.site import demo_credentials, prepare
from kiosk.demo.staff import DEMO_PIN, deck, enrol
from kiosk.operations.door import Door
from kiosk.operations.facts import AccessDenied, Fact, PinAsked, PinClosed, SessionEnded, SessionOpened
from kiosk.operations.hub import Hub
from kiosk.operations.ledger import TrailLedger, TrailNonces
from kiosk.operations.perform import Desk
from kiosk.premises import People, Premises
from readers.reader import CardRemoved, ReaderEvent
from readers.simulated import SimulatedReader
from readers.virtual.card import VirtualCard
from readers.watch import ReaderWatch

DEADLINE = 60.0
LOOK = 0.01
RULES = SessionRules(accidental_seconds=0.0)
FactType = TypeVar("FactType", bound=Fact)


@dataclass
class Entrance:
    """One kiosk's entrance; `facts` is what its screen hears."""

    premises: Premises
    trail: Trail
    people: People
    reader: SimulatedReader
    facts: list[Fact] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.removed = threading.Event()
        hub = Hub()
        hub.subscribe(self.facts.append)
        desk = Desk(TrailLedger(self.trail, lambda _: None), lambda session_id: self.door.is_open(session_id))
        clock = self.premises.clock
        self.door = Door(
            desk,
            self.people.gate,
            SessionBook(RULES, clock),
            RULES,
            hub,
            self.premises.node,
            clock,
            before_open=lambda _: None,
            on_open=lambda *_: None,
            on_end=lambda _: None,
        )
        ladder = self.premises.ladder(self.people.counters, TrailNonces(self.trail))
        self.watch = ReaderWatch(
            self.reader,
            self._on_event,
            lambda _, card: self.door.on_card(ladder, card),
            on_crash=self.crashes.append,
            settle=self.premises.config.readers.settle_seconds,
        )

    def _on_event(self, event: ReaderEvent) -> None:
        if isinstance(event, CardRemoved):
            self.removed.set()

    def tap(self, card: str | VirtualCard) -> Fact:
        """Lays the card there until the screen says something new, and says what that was."""
        seen = len(self.facts)
        self.removed.clear()
        self.reader.insert(card)
        heard = self._await(lambda: len(self.facts) > seen and not _is_passing(self.facts[-1]) and self.facts[-1])
        self.reader.remove()
        assert self.removed.wait(DEADLINE)
        # The same card again is another tap only when it was gone for a while.
        time.sleep(self.premises.config.readers.settle_seconds + 0.05)
        return heard

    def enter_pin(self, asked: Fact) -> SessionOpened:
        """Answers the box."""
        assert isinstance(asked, PinAsked), asked
        self.door.enter_pin(asked.claim_id, DEMO_PIN)
        opened = self.facts[-1]
        assert isinstance(opened, SessionOpened)
        return opened

    def sign_out(self, opened: Fact) -> None:
        """Ends the session."""
        assert isinstance(opened, SessionOpened), opened
        self.door.sign_out(opened.session_id)
        assert isinstance(self.facts[-1], SessionEnded)

    def refused(self, card: str | VirtualCard) -> str:
        """The sentence on the lock screen."""
        denied = self.tap(card)
        assert isinstance(denied, AccessDenied), denied
        return denied.sentence

    def outcomes(self, act: str = "tap") -> list[Entry]:
        """What the trail says the act came to, each time."""
        return [
            record.entry
            for record in self.trail.read()
            if record.entry.act == act and record.entry.phase is Phase.OUTCOME
        ]

    def _await(self, look: Callable[[], Fact | bool]) -> Fact:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and not self.crashes:
            found = look()
            if not isinstance(found, bool):
                return found
            time.sleep(LOOK)
        raise AssertionError(f"The screen says nothing. {self.crashes}")


def _is_passing(fact: Fact) -> bool:
    """Something else is about to be said."""
    return isinstance(fact, PinClosed | SessionEnded)


@contextmanager
def entrance(
    folder: Path, change: Callable[[CredentialsConfig], CredentialsConfig] = lambda _: _
) -> Iterator[Entrance]:
    """The demo's people before a kiosk with that state directory, its [credentials] changed."""
    config = KioskConfig(
        kiosk=Kiosk(name="Test kiosk", state_directory=folder, demo=True),
        readers=Readers(("simulated",), settle_seconds=0.1),
        session=RULES,
        credentials=change(demo_credentials(folder)),
        limits=Limits(disk_reserve_bytes=0),
    )
    prepare(config)
    premises = Premises(config)
    cards = deck(config)
    with premises.own_trail() as trail:
        people = premises.directory(demo=True)
        desk = Desk(TrailLedger(trail, lambda _: None), lambda _: False)
        enrol(desk, people.directory, cards, premises.ladder(people.counters))
        made = Entrance(premises, trail, people, SimulatedReader(cards))
        made.watch.start()
        try:
            yield made
        finally:
            made.watch.stop()
            people.close()


def with_sun(table: CredentialsConfig) -> CredentialsConfig:
    """Tags are read, not challenged."""
    return replace(table, ntag424=replace(table.ntag424, enabled=False), sun=replace(table.sun, enabled=True))
