"""Posts facts to whoever listens, the state that still holds first."""

import threading
from collections.abc import Callable

from kiosk.operations.facts import (
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


class Hub:
    """Thread-safe. Listeners are called in order, under no lock of anybody else's; they must not block."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._listeners: list[Callable[[Fact], None]] = []
        self._readers: dict[str, ReaderHealth] = {}
        self._out_of_service = OutOfService("")
        self._session: SessionOpened | None = None
        self._pin: PinAsked | None = None

    @property
    def out_of_service(self) -> str:
        """Why the kiosk may not be used; empty when it may."""
        with self._lock:
            return self._out_of_service.sentence

    def subscribe(self, listener: Callable[[Fact], None]) -> Callable[[], None]:
        """Replays what holds now, then posts what happens; returns what ends the subscription."""
        with self._lock:
            for fact in (*self._readers.values(), self._out_of_service, self._session, self._pin):
                if fact is not None:
                    listener(fact)
            self._listeners.append(listener)

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
            for listener in tuple(self._listeners):
                listener(fact)

    def _keep(self, fact: Fact) -> None:
        match fact:
            case ReaderHealth():
                self._readers[fact.name] = fact
            case OutOfService():
                self._out_of_service = fact
            case SessionOpened():
                self._session, self._pin = fact, None
            case SessionEnded():
                self._session = None
            case PinAsked():
                self._pin = fact
            case PinClosed():
                self._pin = None
            case _:
                pass
