"""Sealing the trail's closed months, and deleting what is old, sealed and delivered: by an act on record."""

from dataclasses import dataclass
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import Month, Node, Pruned, RetentionPort, Segment, events
from kiosk.operations.perform import Deed, Ending
from kiosk.operations.principal import Principal, System
from kiosk.operations.statement import Statement, who


@dataclass(frozen=True)
class SealTrail(Deed[tuple[Segment, ...]]):
    """Seals every closed month of the trail, or those before `before`, into files of their own."""

    name: ClassVar[str] = "seal_audit"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    node: Node
    log_uri: str
    retention: RetentionPort
    before: Month | None = None

    def intent(self, by: Principal) -> Statement:
        """Which months."""
        return Statement(f"Seal the audit trail's closed months{f' before {self.before}' if self.before else ''}")

    def do(self, by: Principal, cancel: Event) -> tuple[Segment, ...]:
        """Month by month; a second time, what is left."""
        return self.retention.seal(self.before)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Audit Log Used (PS3.15 A.5.3.2): every record of those months was read and copied."""
        done = ending.result if isinstance(ending.result, tuple) else ()
        sealed = "; ".join(segment.sentence for segment in done) or "nothing"
        said = f"Seal the audit trail: {sealed}, {ending.words}"
        messages = events.audit_log_used(who(by), self.node, self.log_uri, ending.outcome, said)
        return Statement(said, ending.outcome, messages)


@dataclass(frozen=True)
class PruneTrail(Deed[Pruned]):
    """Deletes the sealed months that are older than the rule wants them kept and that every sink has."""

    name: ClassVar[str] = "prune_audit"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    log_uri: str
    retention: RetentionPort

    def intent(self, by: Principal) -> Statement:
        """That something may go."""
        return Statement("Delete old records of the audit trail")

    def do(self, by: Principal, cancel: Event) -> Pruned:
        """Raises TrailError where the rule keeps everything."""
        return self.retention.prune()

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, Object Security Attributes Changed (PS3.15 A.5.3.11), about the log."""
        done = ending.result.sentence if isinstance(ending.result, Pruned) else ending.words
        said = f"Delete old records of the audit trail: {done}"
        return Statement(said, ending.outcome, events.trail_changed(who(by), self.log_uri, said, ending.outcome))
