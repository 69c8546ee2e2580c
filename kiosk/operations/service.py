"""What the machine does in its own name: start, stop, closing what a crash left open, readers that come and go."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import Node, Outcome, Record, events
from kiosk.operations.ledger import interrupted
from kiosk.operations.perform import Deed, Ending, Ledger
from kiosk.operations.principal import Principal, System
from kiosk.operations.statement import Statement, who


@dataclass(frozen=True)
class StartKiosk(Deed[int]):
    """Application start; intents that a crash left open are closed as interrupted. The result is their number."""

    name: ClassVar[str] = "start"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    node: Node
    ledger: Ledger
    left_open: tuple[Record, ...]
    start: Callable[[], None]

    def intent(self, by: Principal) -> Statement:
        """The kiosk is about to start."""
        return Statement("Kiosk starting")

    def do(self, by: Principal, cancel: Event) -> int:
        """Closes what was left open, each under its own act and actor, then starts."""
        for record in self.left_open:
            self.ledger.append(interrupted(record))
        self.start()
        return len(self.left_open)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Application Activity, Application Start (PS3.15 A.5.3.1)."""
        closed = f", {ending.result} interrupted acts closed" if ending.result else ""
        messages = events.application_started(who(by), self.node, ending.outcome, _wrong(ending))
        return Statement(f"Kiosk started{closed}: {ending.words}", ending.outcome, messages)


@dataclass(frozen=True)
class StopKiosk(Deed[None]):
    """Application stop."""

    name: ClassVar[str] = "stop"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    node: Node
    stop: Callable[[], None]

    def intent(self, by: Principal) -> Statement:
        """The kiosk is about to stop."""
        return Statement("Kiosk stopping")

    def do(self, by: Principal, cancel: Event) -> None:
        """Stops it."""
        self.stop()

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Application Activity, Application Stop (PS3.15 A.5.3.1)."""
        messages = events.application_stopped(who(by), self.node, ending.outcome, _wrong(ending))
        return Statement(f"Kiosk stopped: {ending.words}", ending.outcome, messages)


@dataclass(frozen=True)
class NoteReader(Deed[None]):
    """A reader came or went: a hardware fault is on record like everything else."""

    name: ClassVar[str] = "reader"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    reader: str
    sentence: str
    publish: Callable[[], None]

    def intent(self, by: Principal) -> Statement:
        """Which reader."""
        return Statement(f"Reader {self.reader}: {self.sentence or 'attached'}")

    def do(self, by: Principal, cancel: Event) -> None:
        """Says so on the screen."""
        self.publish()

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, Hardware Configuration, when it went (PS3.15 A.5.3.11)."""
        said = f"Reader {self.reader}: {self.sentence or 'attached'}"
        if not self.sentence:
            return Statement(said, ending.outcome)
        messages = events.reader_failed(who(by), self.reader, said)
        return Statement(said, Outcome.SERIOUS, messages)


@dataclass(frozen=True)
class NoteSink(Deed[None]):
    """An audit sink and this kiosk do not believe each other's certificates, or, without a sentence, do so again."""

    name: ClassVar[str] = "audit_sink"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    node: Node
    sink: str
    place: str
    sentence: str

    def intent(self, by: Principal) -> Statement:
        """Which sink."""
        return Statement(self._said)

    def do(self, by: Principal, cancel: Event) -> None:
        """It has happened already: here it is recorded."""

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, Node Authentication (PS3.15 A.5.3.11)."""
        outcome = Outcome.SERIOUS if self.sentence else ending.outcome
        return Statement(self._said, outcome, events.node_refused(who(by), self.place, self._said, self.node, outcome))

    @property
    def _said(self) -> str:
        return self.sentence or f"Audit sink {self.sink}: {self.place} takes the audit trail again."


@dataclass(frozen=True)
class ResumeService(Deed[None]):
    """The trail can be written again: recording goes on, and so does the kiosk."""

    name: ClassVar[str] = "resume"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    node: Node
    log_uri: str
    why: str
    resume: Callable[[], None]

    def intent(self, by: Principal) -> Statement:
        """What had gone wrong."""
        return Statement(f"Recording again after: {self.why}")

    def do(self, by: Principal, cancel: Event) -> None:
        """Puts the kiosk back into service."""
        self.resume()

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, Audit Recording Started (PS3.15 A.5.3.11)."""
        said = f"In service again: {ending.words}"
        return Statement(said, ending.outcome, events.audit_recording(who(by), False, self.log_uri, said, self.node))


def _wrong(ending: Ending) -> str:
    return "" if ending.outcome is Outcome.SUCCESS else ending.words
