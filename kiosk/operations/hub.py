"""Posts facts to whoever listens, the state that still holds first."""

import logging
import threading
from collections import deque
from collections.abc import Callable

from kiosk.operations.facts import (
    AuditDelivery,
    Fact,
    IdleOver,
    IdleWarning,
    Notice,
    OutOfService,
    PinAsked,
    PinClosed,
    ReaderHealth,
    SessionEnded,
    SessionOpened,
    TimeLeft,
    TransferProgress,
)

OF_A_SESSION = (IdleWarning, IdleOver, TimeLeft, Notice, TransferProgress)

Listener = Callable[[Fact], None]
log = logging.getLogger(__name__)


class Hub:
    """Thread-safe. Every listener hears the facts in the order in which they were published, one at a time.

    The hub holds no lock while a listener runs, so that one may call back into the kiosk; but whoever published waits
    for it, so it must not block. One that raises is logged, and keeps nobody else from hearing: a front end's mistake
    must not leave a session open.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._listeners: list[Listener] = []
        self._waiting: deque[tuple[Fact, tuple[Listener, ...]]] = deque()
        self._telling = False
        self._readers: dict[str, ReaderHealth] = {}
        self._out_of_service = OutOfService("")
        self._delivery = AuditDelivery()
        self._session: SessionOpened | None = None
        self._pin: PinAsked | None = None

    @property
    def out_of_service(self) -> str:
        """Why the kiosk may not be used; empty when it may."""
        with self._lock:
            return self._out_of_service.sentence

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Replays what holds now, then posts what happens; returns what ends the subscription."""
        with self._lock:
            self._listeners.append(listener)
            faulty = self._out_of_service if self._out_of_service.sentence else None
            lagging = self._delivery if self._delivery != AuditDelivery() else None
            for fact in (*self._readers.values(), faulty, lagging, self._session, self._pin):
                if fact is not None:
                    self._waiting.append((fact, (listener,)))
        self._tell()

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def publish(self, fact: Fact) -> None:
        """Keeps what still holds and posts it. Facts of a session that is not open reach nobody."""
        with self._lock:
            self._keep(fact)
            if isinstance(fact, OF_A_SESSION) and (
                self._session is None or self._session.session_id != fact.session_id
            ):
                return
            self._waiting.append((fact, tuple(self._listeners)))
        self._tell()

    def _tell(self) -> None:
        """Empties the queue, unless another thread, or a call further up, is at it."""
        with self._lock:
            if self._telling:
                return
            self._telling = True
        try:
            while True:
                with self._lock:
                    if not self._waiting:
                        self._telling = False
                        return
                    fact, listeners = self._waiting.popleft()
                    listeners = tuple(listener for listener in listeners if listener in self._listeners)
                for listener in listeners:
                    try:
                        listener(fact)
                    except Exception as error:  # the border to the front ends, whatever they are
                        log.error("a listener stumbled over %s: %s", type(fact).__name__, type(error).__name__)
        except BaseException:
            with self._lock:
                self._telling = False
            raise

    def _keep(self, fact: Fact) -> None:
        match fact:
            case ReaderHealth():
                self._readers[fact.name] = fact
            case OutOfService():
                self._out_of_service = fact
            case AuditDelivery():
                self._delivery = fact
            case SessionOpened():
                self._session, self._pin = fact, None
            case SessionEnded():
                if self._session is not None and self._session.session_id == fact.session_id:
                    self._session = None
            case PinAsked():
                self._pin = fact
            case PinClosed():
                if self._pin is not None and self._pin.claim_id == fact.claim_id:
                    self._pin = None
            case _:
                pass
