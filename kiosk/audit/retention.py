"""How long a trail is kept: closed months are sealed into files, and what every sink has is one day deleted.

Nothing is deleted but whole segments, from the beginning on: each older than the rule wants it kept, its file here and
whole, taken by every sink, and without an act that has not ended. What stays is verified from the boundary on, what
went from its segments. Months are those of UTC.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Final, Protocol

from kiosk.audit import events, retained
from kiosk.audit.archive import SegmentFolder
from kiosk.audit.boundary import Boundary
from kiosk.audit.checkpoint import Occasion
from kiosk.audit.evidence import Evidence
from kiosk.audit.message import Outcome
from kiosk.audit.month import Month
from kiosk.audit.participants import Node, Who
from kiosk.audit.record import Actor, Entry, Phase
from kiosk.audit.sealing import Sealing
from kiosk.audit.segment import Segment
from kiosk.audit.segment_file import SegmentFile
from kiosk.audit.trail import Trail
from kiosk.audit.verify_segment import verify_segment
from kiosk.clock import Clock
from kiosk.errors import TrailError

SWEEP: Final = 512
"""Records deleted in one transaction: an append that comes meanwhile waits for no more than these."""
AGAIN_SECONDS: Final = 300.0
SYSTEM: Final = Who("system")

log = logging.getLogger(__name__)


class Delivery(Protocol):
    """One sink, as far as retention is concerned."""

    @property
    def name(self) -> str:
        """What it is called."""

    def delivered_up_to(self) -> int:
        """The last record that it has for good, 0 for none. Raises TrailError or OSError: then nothing is deleted."""


@dataclass(frozen=True)
class RetentionRules:
    """Where segments lie, and for how many whole months their records also stay in the trail; for ever when 0."""

    directory: Path
    keep_months: int = 0


@dataclass(frozen=True)
class Pruned:
    """What was deleted, oldest first. `kept` says why not more; empty when nothing more was due."""

    segments: tuple[Segment, ...]
    kept: str = ""

    @property
    def sentence(self) -> str:
        """For people and for the record."""
        gone = "; ".join(segment.sentence for segment in self.segments)
        return " ".join(filter(None, (f"Deleted: {gone}." if gone else "Nothing was deleted.", self.kept)))


class RetentionPort(Protocol):
    """Retention wherever the trail lies: in this process, or behind its daemon's socket. Methods raise TrailError."""

    def segments(self) -> tuple[Segment, ...]:
        """Every segment that was ever sealed."""

    def seal(self, before: Month | None = None) -> tuple[Segment, ...]:
        """Seals every closed month, or those before that one."""

    def prune(self) -> Pruned:
        """Deletes what may go."""


class Retention:
    """Implements `RetentionPort` beside whoever writes the trail. Any thread may use it; they take turns."""

    def __init__(self, trail: Trail, rules: RetentionRules, clock: Clock, deliveries: Sequence[Delivery] = ()) -> None:
        self._trail = trail
        self._rules = rules
        self._clock = clock
        self._deliveries = tuple(deliveries)
        self._sealing = Sealing(trail, rules.directory, clock)
        self._turn = RLock()
        self._looked: Month | None = None
        self._look_at = 0.0

    def segments(self) -> tuple[Segment, ...]:
        """Every segment that was ever sealed, also of records that are deleted."""
        return self._sealing.segments()

    def archive(self) -> SegmentFolder:
        """The segments to read in, for one reader."""
        return SegmentFolder(self._rules.directory, self.segments)

    def path(self, segment: Segment) -> Path:
        """Where its file was put."""
        return self._sealing.path(segment)

    def seal(self, before: Month | None = None) -> tuple[Segment, ...]:
        """Seals every closed month, or those before that one, each on record; after a crash, what is left of them."""
        closed = Month.of(self._clock.now())
        before = min(before, closed) if before else closed
        sealed = []
        with self._turn:
            while segment := self._sealing.next(before):
                said = f"Sealed {segment.sentence}, in {segment.file_name}"
                node = Node(self._trail.kiosk_id)
                self._note("audit_seal", said, events.audit_log_used(SYSTEM, node, self._trail.uri, description=said))
                sealed.append(segment)
        return tuple(sealed)

    def prune(self) -> Pruned:
        """Deletes what may go. That is on record before the first record goes; what a crash leaves is finished by the
        next `prune` or `tend`."""
        if not self._rules.keep_months:
            raise TrailError("Nothing is ever deleted from this audit trail: audit.keep_months is 0.")
        with self._turn:
            self.sweep()
            going, kept = self._due()
            if going:
                last = going[-1]
                said = f"Deleting records up to {last.last.sequence}, which are sealed: {last.sentence}"
                self._note("audit_prune", said, events.trail_changed(SYSTEM, self._trail.uri, said))
                self._trail.checkpoint(Occasion.BUSY)  # one has to stay
                self._move(last)
                self.sweep()
            return Pruned(tuple(going), kept)

    def sweep(self) -> int:
        """Deletes what is left before the boundary; returns how many records and checkpoints went."""
        total = 0
        with self._turn:
            while gone := self._trail.within(lambda file: retained.sweep(file.connection, file.beginning(), SWEEP)):
                total += gone
        return total

    def tend(self) -> None:
        """For whoever keeps the trail, every now and then: seals a month once it is closed and, after a start, finishes
        what was begun. What does not work is logged and tried again after a while."""
        month, now = Month.of(self._clock.now()), self._clock.monotonic()
        if month == self._looked or now < self._look_at:
            return
        self._look_at = now + AGAIN_SECONDS
        try:
            self.seal()
            self.sweep()
        except TrailError as error:
            log.error("the closed months of the audit trail: %s", error)
        else:
            self._looked, self._look_at = month, now

    def _due(self) -> tuple[list[Segment], str]:
        """What may go, and why not more."""
        now, begun = Month.of(self._clock.now()), self._trail.beginning().sequence
        going: list[Segment] = []
        for segment in self.segments():
            if segment.last.sequence <= begun:
                continue
            if not segment.month.plus(self._rules.keep_months) < now:
                break
            if why := self._objection(segment):
                return going, f"{segment.month} stays: {why}"
            going.append(segment)
        return going, ""

    def _objection(self, segment: Segment) -> str:
        """Why that segment must stay; empty when it may go."""
        last = segment.last.sequence
        try:
            with SegmentFile(self.path(segment)) as file:
                same = file.segment == segment
            found = verify_segment(self.path(segment), Evidence(self._trail.public_key))
        except TrailError as error:
            return str(error)
        if not (same and found.whole):
            return f"its segment {segment.file_name} is not what was sealed."
        for delivery in self._deliveries:
            try:
                delivered = delivery.delivered_up_to()
            except (TrailError, OSError) as error:
                return f"how far {delivery.name} has come cannot be told ({error})."
            if delivered <= last:  # one more: what it is sent next must have one before it
                return f"{delivery.name} has records up to {delivered} only."
        place = self._trail.within(lambda file: file.first_open_intent())
        if place is not None and place <= last:
            return f"the act of record {place} has not ended."
        return ""

    def _move(self, segment: Segment) -> None:
        kiosk_id, now = self._trail.kiosk_id, self._clock.now()
        boundary = Boundary(kiosk_id, segment.number, segment.digest, segment.last, now)
        signed = boundary.signed(self._trail.within(lambda file: file.sign(boundary.body)))
        self._trail.within(lambda file: retained.add_boundary(file.connection, signed))

    def _note(self, act: str, said: str, messages: events.Messages) -> None:
        actor = Actor("system", SYSTEM.user_id, "")
        self._trail.append(Entry(act, uuid.uuid4().hex, Phase.EVENT, actor, said, Outcome.SUCCESS, messages))
