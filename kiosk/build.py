"""Puts the kiosk together: the one place that knows which part stands behind which protocol."""

import contextlib
import fcntl
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosk.access.gate import Gate
from kiosk.access.lockout import Lockouts
from kiosk.access.people import Directory
from kiosk.access.pin import Argon2id, HashCost, Pins
from kiosk.access.session import SessionBook
from kiosk.audit import AuditSource, Node, Trail
from kiosk.clock import Clock, SystemClock
from kiosk.config.model import KioskConfig, PeerConfig
from kiosk.config.secrets import load_or_create_secret
from kiosk.database.engine import open_database
from kiosk.errors import ConfigError, TrailError, WorkerDied
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import Outbox
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.operations.agent import Agent, Surroundings
from kiosk.operations.deliver import Deliverer
from kiosk.operations.door import Door
from kiosk.operations.facts import AccessDenied, EndReason, OutOfService, ReaderHealth, TapSeen
from kiosk.operations.hub import Hub
from kiosk.operations.ledger import TrailLedger, TrailNonces
from kiosk.operations.operations import DemoCard, Destination, Station
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.service import NoteReader, ResumeService, StartKiosk, StopKiosk
from kiosk.operations.sessions import SessionHoldings
from readers.credentials.ladder import Ladder
from readers.credentials.standard import standard_ladder
from readers.reader import (
    Card,
    CardPresented,
    CardRemoved,
    Reader,
    ReaderAttached,
    ReaderDetached,
    ReaderEvent,
    ReaderFault,
)
from readers.registry import open_reader
from readers.text import safe_text
from readers.watch import ReaderWatch, Reading

WORKERS_WAIT = 1.0
"""Seconds that the imaging workers give the front end to paint: they are wanted at the first query, not before."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DemoParts:
    """What only the demo adds: its cards, its PIN, the presenter behind F1 to F4, and readers made beforehand."""

    cards: tuple[DemoCard, ...]
    pin: str
    tap: Callable[[str, float | None], None]
    readers: tuple[Reader, ...]


class Premises:
    """The state directory of one kiosk, its secrets, its trail and its directory of people."""

    def __init__(self, config: KioskConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.state = config.kiosk.state_directory
        self.node = Node(config.kiosk.ae_title)

    @property
    def trail_path(self) -> Path:
        """The trail's file."""
        return self.config.kiosk.trail_path

    @property
    def directory_path(self) -> Path:
        """The file of the directory of people."""
        return self.state / "directory.db"

    def prepare(self) -> None:
        """Makes the state directory, its owner's alone; raises ConfigError."""
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.state} cannot be made: {error.strerror}.") from None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Only one terminal runs on a state directory; raises ConfigError for the second."""
        self.prepare()
        try:
            handle = os.open(self.state / "kiosk.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"{self.state} cannot be used: {error.strerror}.") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(f"A kiosk is running already on {self.state}.") from None
            yield
        finally:
            os.close(handle)

    def trail(self) -> Trail:
        """The trail, not yet open. The kiosk's identity is a digest of a secret that is made once."""
        self.prepare()
        identity = hashlib.sha256(self._secret("identity")).hexdigest()[:16]
        source = AuditSource(self.config.kiosk.name, self.config.kiosk.site)
        return Trail(self.trail_path, identity, source, self.clock, reserve_bytes=self.config.limits.disk_reserve_bytes)

    def directory(self, *, demo: bool = False) -> "People":
        """People, PINs and lockouts. The demo's PINs are known to everybody: there, weak ones pass, cheaply hashed."""
        self.prepare()
        pepper = self._secret("pepper")
        engine = open_database(f"sqlite:///{self.directory_path}")
        hashing = Argon2id(HashCost(memory_kib=8192, passes=1, lanes=1)) if demo else Argon2id()
        pins = Pins(engine, pepper, self.clock, hashing, allow_weak=demo)
        directory = Directory(engine, pepper, self.clock, pins)
        directory.verify_key()
        lockouts = Lockouts(engine, self.clock)
        gate = Gate(directory, pins, lockouts, self.clock, self.config.access)
        return People(directory, gate, engine.dispose)

    def _secret(self, name: str) -> bytes:
        return load_or_create_secret(self.state / "keys", name)


@dataclass(frozen=True)
class People:
    """The directory and the gate before it."""

    directory: Directory
    gate: Gate
    close: Callable[[], None]


def peer(config: PeerConfig, calling_ae_title: str) -> Peer:
    """A configured peer as the imaging room knows it."""
    return Peer(
        name=config.name,
        ae_title=config.ae_title,
        host=config.host,
        port=config.port,
        calling_ae_title=calling_ae_title,
        timeout=config.timeout,
        character_set=config.character_set,
        assumed_character_set=config.assumed_character_set,
    )


def surroundings(config: KioskConfig, demo: DemoParts | None = None) -> Surroundings:
    """The neighbours of a configured kiosk."""
    title = config.kiosk.ae_title
    return Surroundings(
        station=Station(
            config.kiosk.name,
            config.kiosk.site,
            tuple(archive.name for archive in config.archives),
            demo.cards if demo else (),
            demo.pin if demo else "",
        ),
        archives=tuple(peer(archive, title) for archive in config.archives),
        destinations=tuple(
            (peer(to, title), Destination(to.name, to.ae_title, to.description)) for to in config.destinations
        ),
        query_limit=config.limits.query_limit,
    )


class Service:
    """Keeps the kiosk out of service while the trail cannot be written, and brings it back on record."""

    def __init__(self, premises: Premises, trail: Trail, hub: Hub) -> None:
        self._premises = premises
        self._trail = trail
        self._hub = hub
        self.shut: Callable[[EndReason], None] = lambda _: None
        self.desk: Desk | None = None

    def fault(self, sentence: str) -> None:
        """The first failed append: lock, and say why. The sentence is published before the session is ended."""
        if not self._hub.out_of_service:
            log.error("out of service: %s", sentence)
            self._hub.publish(OutOfService(sentence))
            self.shut(EndReason.OUT_OF_SERVICE)

    def mend(self) -> None:
        """Tries whether the trail can be written again; called about once a second while it cannot."""
        why = self._hub.out_of_service
        if not why or self.desk is None:
            return
        try:
            self._trail.reopen()
            resume = ResumeService(
                self._premises.node, self._trail.path.as_uri(), why, lambda: self._hub.publish(OutOfService(""))
            )
            finish(perform(self.desk, System(), resume))
        except TrailError as error:
            log.debug("still out of service: %s", error)


def build(
    premises: Premises, trail: Trail, people: People, demo: DemoParts | None = None, *, readers: Sequence[Reader] = ()
) -> Agent:
    """A whole kiosk, started and on record, on an open trail that the caller closes after it. Raises KioskError."""
    config, clock, state = premises.config, premises.clock, premises.state
    hub = Hub()
    service = Service(premises, trail, hub)
    ledger = TrailLedger(trail, service.fault)
    desk = Desk(ledger, lambda session_id: door.is_open(session_id))
    service.desk = desk
    imaging = WorkerImaging(
        memory_bytes=config.limits.worker_memory_bytes, reserve_bytes=config.limits.disk_reserve_bytes
    )
    holdings = SessionHoldings(state / "sessions")
    holdings.wipe_all()
    outbox = Outbox(state / "outbox.db")
    around = surroundings(config, demo)
    spool = Spool(state / "outbox", durable=True)
    deliverer = Deliverer(desk, imaging, outbox, spool, around.archive, around.destination, hub, clock)

    def on_end(session_id: str) -> None:
        holdings.end(session_id)
        deliverer.viewer_left()

    def on_open(session_id: str, user_id: str) -> None:
        deliverer.viewer_came(session_id, user_id)

    door = Door(
        desk,
        people.gate,
        SessionBook(config.session, clock),
        config.session,
        hub,
        premises.node,
        clock,
        before_open=holdings.begin,
        on_open=on_open,
        on_end=on_end,
    )
    service.shut = door.shut
    ladder = standard_ladder(TrailNonces(trail), premises.clock.monotonic)
    watched = [*readers, *(demo.readers if demo else (open_reader(spec) for spec in config.readers.specs))]
    watches = [_watch(reader, config, ladder, door, hub, desk) for reader in watched]

    def warm_up() -> None:
        with contextlib.suppress(WorkerDied):  # closed meanwhile; or it cannot be started, as the first query will say
            imaging.start()

    warming = threading.Timer(WORKERS_WAIT, warm_up)
    warming.daemon = True

    def start() -> None:
        outbox.open()
        for watch in watches:
            watch.start()
        warming.start()

    def stop() -> None:
        warming.cancel()
        for watch in watches:
            watch.stop()
        imaging.close()
        outbox.close()

    def on_close() -> None:
        try:
            finish(perform(desk, System(), StopKiosk(premises.node, stop)))
        except TrailError:
            stop()

    agent = Agent(
        around, desk, hub, door, imaging, holdings, deliverer, service.mend, on_close, demo.tap if demo else None
    )
    try:
        finish(perform(desk, System(), StartKiosk(premises.node, ledger, trail.open_intents(), start)))
        agent.start()
    except BaseException:  # nothing may go on running behind a kiosk that did not start
        agent.close()
        raise
    return agent


def _watch(reader: Reader, config: KioskConfig, ladder: Ladder, door: Door, hub: Hub, desk: Desk) -> ReaderWatch:
    def note(name: str, sentence: str) -> None:
        def publish() -> None:
            hub.publish(ReaderHealth(not sentence, name, sentence))

        try:
            finish(perform(desk, System(), NoteReader(name, sentence, publish)))
        except TrailError:
            publish()

    def on_event(event: ReaderEvent) -> None:
        match event:
            case ReaderAttached():
                note(event.reader.name, "")
            case ReaderDetached():
                note(event.reader.name, event.reason)
            case CardPresented():
                hub.publish(TapSeen())
            case ReaderFault():
                hub.publish(AccessDenied(event.reason))
            case CardRemoved():
                pass

    def on_card(_: CardPresented, card: Card) -> Reading:
        return door.on_card(ladder, card)

    def on_crash(error: Exception) -> None:
        log.error("the watch of %s stumbled: %s", safe_text(reader.spec), type(error).__name__)

    return ReaderWatch(reader, on_event, on_card, on_crash=on_crash, settle=config.readers.settle_seconds)
