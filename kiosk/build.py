"""Puts the kiosk together: the one place that knows which part stands behind which protocol."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kiosk.access.session import SessionBook
from kiosk.audit import (
    Keeper,
    Trail,
    TrailPort,
)
from kiosk.config.model import KioskConfig
from kiosk.errors import ImagingError, TrailError
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import Outbox
from kiosk.imaging.spool import Spool
from kiosk.operations.agent import Agent, Surroundings
from kiosk.operations.deliver import Deliverer
from kiosk.operations.delivery_watch import DeliveryWatch
from kiosk.operations.door import Door
from kiosk.operations.facts import AccessDenied, ReaderHealth, TapSeen
from kiosk.operations.hub import Hub
from kiosk.operations.in_service import Service
from kiosk.operations.ledger import TrailNonces
from kiosk.operations.neighbours import delivery_rules, peer, receiving
from kiosk.operations.operations import DemoCard, Destination, Station
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.service import NoteReader, StartKiosk, StopKiosk
from kiosk.operations.sessions import SessionHoldings
from kiosk.operations.status import Look, TrailSight, kiosk_status
from kiosk.premises import People, Premises
from readers.credentials.ladder import Ladder
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
    look: Look | None = None,
) -> Agent:
    """A whole kiosk, started and on record, on an open trail that the caller closes after it. Raises KioskError.

    With a trail that could not be opened, for the reason that `fault` says, it is locked until the trail can be.
    `look` reads the trail and its deliveries beside everything else; without it nobody watches deliveries.
    """
    config, clock, state = premises.config, premises.clock, premises.state
    ladder = premises.ladder(people.counters, TrailNonces(trail))
    hub = Hub()
    service = Service(premises.node, trail, hub)
    ledger = service.ledger = premises.ledger(trail, service.fault)
    desk = Desk(ledger, lambda session_id: door.is_open(session_id))
    service.desk = desk
    imaging = WorkerImaging(
        memory_bytes=config.limits.worker_memory_bytes,
        reserve_bytes=config.limits.disk_reserve_bytes,
        receiving=receiving(config),
    )
    holdings = SessionHoldings(state / "sessions")
    holdings.wipe_all()
    outbox = Outbox(state / "outbox.db")
    around = surroundings(config, demo)
    spool = Spool(state / "outbox", durable=True)
    deliverer = Deliverer(
        desk, imaging, outbox, spool, around.archive, around.destination, hub, clock, delivery_rules(config)
    )

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
        site=config.site_name,
    )
    service.shut, service.recount = door.shut, door.record_ends
    watched = [*readers, *(demo.readers if demo else (open_reader(spec) for spec in config.readers.specs))]
    watches = [_watch(reader, config, ladder, door, hub, desk) for reader in watched]

    see = _own_look(trail, look)
    lookout = DeliveryWatch(see, desk, hub, premises.node, clock, state / "refused-sinks.json")

    def warm_up() -> None:
        with contextlib.suppress(ImagingError):  # closed meanwhile, or what the first query or retrieval will say
            imaging.start()
            imaging.listen(threading.Event())

    warming = threading.Timer(WORKERS_WAIT, warm_up)
    warming.daemon = True

    def start() -> None:
        service.begun = True
        outbox.open()
        for watch in watches:
            watch.start()
        warming.start()
        deliverer.start()
        if look is not None:
            lookout.start()
        if keeper is not None:
            keeper.start()

    def stop() -> None:
        warming.cancel()
        lookout.stop()
        for watch in watches:
            watch.stop()
        imaging.close()
        outbox.close()

    keeper = None
    if isinstance(trail, Trail):
        tend = premises.retention(trail).tend
        keeper = Keeper(trail, clock.monotonic, premises.keeper_rules, on_beat=tend)

    def begin() -> None:
        finish(perform(desk, System(), StartKiosk(premises.node, ledger, trail.open_intents(), start)))

    def on_close() -> None:
        try:
            finish(perform(desk, System(), StopKiosk(premises.node, stop)))
        except TrailError:
            stop()
        if keeper is not None:
            keeper.stop()

    service.begin = begin
    agent = Agent(
        around,
        desk,
        hub,
        door,
        imaging,
        holdings,
        deliverer,
        service.tend,
        on_close,
        trail,
        premises.node,
        premises.badge_naming,
        lambda: kiosk_status(see, hub.out_of_service, clock),
        demo.tap if demo else None,
        premises.archive(trail),
    )
    try:
        service.start(fault)
        agent.start()
    except BaseException:  # nothing may go on running behind a kiosk that did not start
        agent.close()
        raise
    return agent


def _own_look(trail: TrailPort, look: Look | None) -> Look:
    """What is written here knows more of itself than its file shows."""
    if look is None:
        return lambda: TrailSight(trail.status())
    if isinstance(trail, Trail):
        return lambda: replace(look(), trail=trail.status())
    return look


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
