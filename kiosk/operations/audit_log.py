"""Reading the trail, which is itself on record."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import (
    Checkpoint,
    Custody,
    Head,
    Node,
    OpenArchive,
    Record,
    Selection,
    TrailReader,
    Verification,
    Wanted,
    WholeTrail,
    chain_line,
    events,
    select,
    select_newest,
    trace,
    verify_stored,
)
from kiosk.audit.boundary import Beginning
from kiosk.audit.selection import EVERYTHING
from kiosk.audit.store import CheckpointRow, Identity, Row
from kiosk.errors import Cancelled, NotAllowed
from kiosk.operations.operations import AuditFound, ChainState
from kiosk.operations.perform import Deed, Ending, Operation
from kiosk.operations.principal import Principal, Session, System
from kiosk.operations.statement import Statement, who


@dataclass(frozen=True)
class ReadAudit(Operation[Record, AuditFound]):
    """The selected records from `first` on, oldest first, or `newest_first`; at most `limit`, None for all.

    The machine's administrator sees them with patients masked, and so may not ask for a patient's.
    """

    name: ClassVar[str] = "read_audit"
    permission: ClassVar[Permission | None] = Permission.SEE_AUDIT
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    node: Node
    trail: TrailReader
    first: int = 1
    masked: bool = True
    selection: Selection = EVERYTHING
    newest_first: bool = False
    limit: int | None = None
    archive: OpenArchive | None = None
    """What was archived of the trail is looked into as well, where a wanted record may lie there."""

    def intent(self, by: Principal) -> Statement:
        """Somebody is about to read the trail, and what they look for."""
        return Statement(
            f"Read the audit trail{' with patients masked' if self.masked else ''}{'' if self._all else ', selected'}",
            details=self.selection.words(),
        )

    def act(self, by: Principal, cancel: Event) -> Generator[Record, None, AuditFound]:
        """The records that were there when the reading began, so that it does not chase its own tail."""
        if self.masked and self.selection.patient_id:
            raise NotAllowed("Patients are masked here: only the tap of an auditor shows who saw one of them.")
        wanted = Wanted(self.first, self.selection.since, self.selection.until)
        whole = WholeTrail(self.trail, self.archive() if self.archive else None, wanted, cancel)
        found, count = self._found(whole, cancel), 0
        for record in islice(found, self.limit):
            count += 1
            yield record
        more = self.limit is not None and count == self.limit and next(found, None) is not None
        return AuditFound(count, more, whole.unread)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Audit Log Used (PS3.15 A.5.3.2)."""
        messages = events.audit_log_used(who(by), self.node, self.trail.uri, ending.outcome)
        said = f"Read the audit trail: {ending.items} records, {ending.words}"
        if isinstance(ending.result, AuditFound) and ending.result.unread:
            said += f"; not looked into: {'; '.join(ending.result.unread)}"
        return Statement(said, ending.outcome, messages, details=self.selection.words())

    @property
    def _all(self) -> bool:
        return self.selection.is_empty

    def _found(self, whole: WholeTrail, cancel: Event) -> Iterator[Record]:
        if self.newest_first:
            return select_newest(whole, self.selection, cancel=cancel)
        return select(whole, self.selection, self.first, cancel=cancel)


@dataclass(frozen=True)
class VerifyAudit(Deed[ChainState]):
    """Checks the whole chain, and says how far it is signed for."""

    name: ClassVar[str] = "verify_audit"
    permission: ClassVar[Permission | None] = Permission.SEE_AUDIT
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    node: Node
    trail: TrailReader

    def intent(self, by: Principal) -> Statement:
        """The chain is about to be checked."""
        return Statement("Verify the audit trail")

    def do(self, by: Principal, cancel: Event) -> ChainState:
        """Reads every record again; raises Cancelled."""
        found = verify_stored(Cancellable(self.trail, cancel))
        last = _last_checkpoint(self.trail, found)
        return ChainState(found.whole, chain_line(found, last, self.trail.identity.public_key))

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Audit Log Used (PS3.15 A.5.3.2), with what was found."""
        found = ending.result.sentence if isinstance(ending.result, ChainState) else ending.words
        messages = events.audit_log_used(who(by), self.node, self.trail.uri, ending.outcome)
        return Statement(f"Verify the audit trail: {found}", ending.outcome, messages)


@dataclass(frozen=True)
class Traced:
    """The path of every push of a study. `unread` says where a link may lie that could not be looked into."""

    paths: tuple[Custody, ...]
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class TraceCustody(Deed[Traced]):
    """The path of every push of a study, without its patient."""

    name: ClassVar[str] = "trace_custody"
    permission: ClassVar[Permission | None] = Permission.SEE_AUDIT
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    node: Node
    trail: TrailReader
    study_instance_uid: str
    archive: OpenArchive | None = None

    def intent(self, by: Principal) -> Statement:
        """Which study."""
        return Statement("Trace a study through the audit trail", details=self._details)

    def do(self, by: Principal, cancel: Event) -> Traced:
        """Reads the trail, and what was archived of it, twice."""
        archive = self.archive() if self.archive else None
        whole = WholeTrail(Cancellable(self.trail, cancel), archive, cancel=cancel)
        return Traced(trace(whole, self.study_instance_uid), whole.unread)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Audit Log Used (PS3.15 A.5.3.2)."""
        messages = events.audit_log_used(who(by), self.node, self.trail.uri, ending.outcome)
        said = f"Trace a study through the audit trail: {ending.words}"
        if isinstance(ending.result, Traced) and ending.result.unread:
            said += f"; not looked into: {'; '.join(ending.result.unread)}"
        return Statement(said, ending.outcome, messages, details=self._details)

    @property
    def _details(self) -> tuple[tuple[str, str], ...]:
        # Not under the key "study": to look for a study is no access to it.
        return (("traced", self.study_instance_uid),)


class Cancellable:
    """A trail whose reading ends with Cancelled soon after `cancel` is set."""

    def __init__(self, trail: TrailReader, cancel: Event) -> None:
        self._trail = trail
        self._cancel = cancel

    @property
    def identity(self) -> Identity:
        """What the chain begins with."""
        return self._trail.identity

    def head(self) -> Head:
        """Place and hash of the last record."""
        return self._trail.head()

    def beginning(self) -> Beginning:
        """What its first record follows."""
        return self._trail.beginning()

    def rows(self, first: int, limit: int = 256) -> Sequence[Row]:
        """At most `limit` records from `first` on."""
        self._check()
        return self._trail.rows(first, limit)

    def checkpoint_rows(self, first: int, limit: int = 256) -> Sequence[CheckpointRow]:
        """At most `limit` checkpoints from `first` on."""
        self._check()
        return self._trail.checkpoint_rows(first, limit)

    def _check(self) -> None:
        if self._cancel.is_set():
            raise Cancelled


def _last_checkpoint(trail: TrailReader, found: Verification) -> Checkpoint | None:
    return next(iter(trail.checkpoints(found.checkpoints)), None) if found.checkpoints else None
