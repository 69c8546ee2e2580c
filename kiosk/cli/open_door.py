"""For commands that show patients: somebody taps, enters a PIN, and the command acts in their session."""

import getpass
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, Queue

from kiosk.access.session import SessionBook
from kiosk.audit import TrailPort
from kiosk.cli.reader import opened
from kiosk.errors import NotAllowed
from kiosk.operations.door import Door
from kiosk.operations.facts import AccessDenied, EndReason, Fact, PinAsked, ReaderHealth, SessionOpened
from kiosk.operations.hub import Hub
from kiosk.operations.ledger import TrailNonces
from kiosk.operations.perform import Desk
from kiosk.operations.principal import Session
from kiosk.premises import People, Premises
from readers.reader import ReaderDetached, ReaderEvent
from readers.watch import ReaderWatch

PATIENCE = 60.0
log = logging.getLogger(__name__)


@contextmanager
def tapped_session(
    premises: Premises, trail: TrailPort, people: People, socket: str | None, say: Callable[[str], None]
) -> Iterator[tuple[Desk, Session]]:
    """Waits up to a minute for a tap and its PIN; raises NotAllowed. The session ends, on record, with the block.

    `socket` is where `kiosk tap` finds the reader if it is a simulated one; None for the default.
    """
    hub = Hub()
    facts: Queue[Fact] = Queue()
    hub.subscribe(facts.put)
    desk = Desk(premises.ledger(trail, say), lambda session_id: door.is_open(session_id))
    rules = premises.config.session
    door = Door(
        desk,
        people.gate,
        SessionBook(rules, premises.clock),
        rules,
        hub,
        premises.node,
        premises.clock,
        before_open=lambda _: None,
        on_open=lambda *_: None,
        on_end=lambda _: None,
        site=premises.config.site_name,
    )
    ladder = premises.ladder(people.counters, TrailNonces(trail))

    def on_event(event: ReaderEvent) -> None:
        if isinstance(event, ReaderDetached):
            hub.publish(ReaderHealth(False, event.reader.name, event.reason))

    with opened(premises.config.readers.specs[0], socket, premises.config) as reader:
        watch = ReaderWatch(
            reader,
            on_event,
            lambda _, card: door.on_card(ladder, card),
            on_crash=lambda error: log.error("the watch stumbled: %s", type(error).__name__),
        )
        say("Tap your badge or phone.")
        watch.start()
        try:
            yield desk, _wait(facts, door, say)
        finally:
            watch.stop()
            door.shut(EndReason.SIGNED_OUT)


def _wait(facts: "Queue[Fact]", door: Door, say: Callable[[str], None]) -> Session:
    while True:
        try:
            fact = facts.get(timeout=PATIENCE)
        except Empty:
            raise NotAllowed("Nobody tapped in time.") from None
        match fact:
            case SessionOpened():
                return door.session(fact.session_id)
            case PinAsked():
                say(f"{fact.person.display_name}. {fact.sentence}".strip())
                pin = getpass.getpass("PIN: ")
                threading.Thread(target=door.enter_pin, args=(fact.claim_id, pin), daemon=True).start()
            case AccessDenied():
                raise NotAllowed(fact.sentence)
            case ReaderHealth(available=False):
                say(fact.sentence)
            case _:
                pass
