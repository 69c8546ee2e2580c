"""Reading the trail, which is itself on record."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import Node, Record, TrailReader, Verification, events, verify
from kiosk.operations.perform import Deed, Ending, Operation
from kiosk.operations.principal import Principal, Session, System
from kiosk.operations.statement import Statement, who


@dataclass(frozen=True)
class ReadAudit(Operation[Record, None]):
    """The records from `first` on, oldest first. The machine's administrator sees them with patients masked."""

    name: ClassVar[str] = "read_audit"
    permission: ClassVar[Permission | None] = Permission.SEE_AUDIT
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    node: Node
    trail: TrailReader
    first: int = 1
    masked: bool = True

    def intent(self, by: Principal) -> Statement:
        """Somebody is about to read the trail."""
        return Statement(f"Read the audit trail{' with patients masked' if self.masked else ''}")

    def act(self, by: Principal, cancel: Event) -> Generator[Record, None, None]:
        """The records that were there when the reading began, so that it does not chase its own tail."""
        yield from self.trail.read(self.first, self.trail.head().sequence)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Audit Log Used (PS3.15 A.5.3.2)."""
        messages = events.audit_log_used(who(by), self.node, self.trail.uri, ending.outcome)
        return Statement(f"Read the audit trail: {ending.items} records, {ending.words}", ending.outcome, messages)


@dataclass(frozen=True)
class VerifyAudit(Deed[Verification]):
    """Checks the whole chain."""

    name: ClassVar[str] = "verify_audit"
    permission: ClassVar[Permission | None] = Permission.SEE_AUDIT
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    node: Node
    path: Path

    def intent(self, by: Principal) -> Statement:
        """The chain is about to be checked."""
        return Statement("Verify the audit trail")

    def do(self, by: Principal, cancel: Event) -> Verification:
        """Reads every record again."""
        return verify(self.path)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Audit Log Used (PS3.15 A.5.3.2), with what was found."""
        found = ending.result.sentence if isinstance(ending.result, Verification) else ending.words
        messages = events.audit_log_used(who(by), self.node, self.path.as_uri(), ending.outcome)
        return Statement(f"Verify the audit trail: {found}", ending.outcome, messages)
