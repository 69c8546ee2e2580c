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

from kiosk.access.counters import SqlCounters
from kiosk.access.gate import Gate
from kiosk.access.ladder import site_keys, site_ladder
from kiosk.access.lockout import Lockouts
from kiosk.access.people import Directory
from kiosk.access.pin import Argon2id, HashCost, Pins
from kiosk.access.session import SessionBook
from kiosk.audit import (
    AuditSource,
    FileAnchors,
    Keeper,
    KeeperRules,
    Node,
    Trail,
    TrailClient,
    TrailPort,
    TrailRules,
)
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
from kiosk.operations.facts import AccessDenied, ReaderHealth, TapSeen
from kiosk.operations.hub import Hub
from kiosk.operations.in_service import Service
from kiosk.operations.ledger import TrailLedger, TrailNonces
from kiosk.operations.operations import DemoCard, Destination, Station
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.service import NoteReader, StartKiosk, StopKiosk
from kiosk.operations.sessions import SessionHoldings
from readers.credentials.claim import NonceSource
from readers.credentials.keys import CounterStore, RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.standard import LadderSources
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
        return self.config.trail_path

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

    def trail(self) -> TrailPort:
        """The trail, not yet open: behind the daemon's socket where the configuration names one."""
        socket = self.config.audit.socket
        return self.own_trail() if socket is None else TrailClient(socket)

    def own_trail(self, *, alone: bool = False) -> Trail:
        """The trail's file, not yet open, for whoever writes it: the daemon, which is `alone`, or without one anybody.

        The kiosk's identity is a digest of a secret that is made once, beside the trail. Raises ConfigError.
        """
        folder, audit = self.config.audit_directory, self.config.audit
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be made: {error.strerror}.") from None
        identity = hashlib.sha256(load_or_create_secret(folder / "keys", "identity")).hexdigest()[:16]
        return Trail(
            self.trail_path,
            identity,
            AuditSource(self.config.kiosk.name, self.config.kiosk.site),
            self.clock,
            reserve_bytes=self.config.limits.disk_reserve_bytes,
            keys=folder / "audit-keys",
            anchors=[FileAnchors(audit.anchors)] if audit.anchors else [],
            rules=TrailRules(audit.clock_seconds, audit.settle_seconds, ballast_bytes=audit.ballast_bytes),
            alone=alone,
        )

    @property
    def keeper_rules(self) -> KeeperRules:
        """How often checkpoints are signed."""
        return KeeperRules(self.config.audit.busy_seconds, self.config.audit.heartbeat_seconds)

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
        return People(directory, gate, SqlCounters(engine, pepper, self.clock), engine.dispose)

    def ladder(self, counters: CounterStore, nonces: NonceSource | None = None) -> Ladder:
        """The schemes that [credentials] enables; raises ConfigError where a key or an authority will not do."""
        nonces = nonces or RandomNonceSource()
        clock = self.clock
        sources = LadderSources(nonces, site_keys(self.config), counters, clock.monotonic, clock.now)
        return site_ladder(self.config, sources)

    def _secret(self, name: str) -> bytes:
        return load_or_create_secret(self.state / "keys", name)


@dataclass(frozen=True)
class People:
    """The directory, the gate before it, and the counters of cards that count their taps."""

    directory: Directory
    gate: Gate
    counters: CounterStore
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


def build(
    premises: Premises,
    trail: TrailPort,
    people: People,
    demo: DemoParts | None = None,
    *,
    readers: Sequence[Reader] = (),
    fault: str = "",
) -> Agent:
    """A whole kiosk, started and on record, on an open trail that the caller closes after it. Raises KioskError.

    With a trail that could not be opened, for the reason that `fault` says, it is locked until the trail can be.
    """
    config, clock, state = premises.config, premises.clock, premises.state
    ladder = premises.ladder(people.counters, TrailNonces(trail))
    hub = Hub()
    service = Service(premises.node, trail, hub)
    ledger = service.ledger = TrailLedger(trail, service.fault)
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

    keeper = Keeper(trail, clock.monotonic, premises.keeper_rules) if isinstance(trail, Trail) else None

    def begin() -> None:
        finish(perform(desk, System(), StartKiosk(premises.node, ledger, trail.open_intents(), start)))
        deliverer.start()
        if keeper is not None:
            keeper.start()

    def on_close() -> None:
        try:
            finish(perform(desk, System(), StopKiosk(premises.node, stop)))
        except TrailError:
            stop()
        if keeper is not None:
            keeper.stop()

    service.begin = begin
    agent = Agent(
        around, desk, hub, door, imaging, holdings, deliverer, service.tend, on_close, demo.tap if demo else None
    )
    try:
        service.start(fault)
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

    settle = config.readers.settle_seconds
    return ReaderWatch(reader, on_event, on_card, on_crash=on_crash, settle=settle, shows_working=True)
