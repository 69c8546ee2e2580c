"""How the deliveries stand, from the cursors and the trail: the forwarder may be another process, or not run at all."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kiosk.audit.forward.cursor import CursorFile, Standing
from kiosk.audit.forward.sink import Sink
from kiosk.audit.port import TrailReader


@dataclass(frozen=True)
class SinkStatus:
    """One sink. `waiting` records were not sent yet, the oldest of them made at `oldest`; None where the trail cannot
    be read. `settled` is the last record that never needs to be sent again. `fault` is why the last try failed, since
    `fault_at`; empty when it did not, and `refused` when one end did not believe the other's certificate. Records up
    to `pruned` went before all were sent."""

    name: str
    kind: str
    place: str
    waiting: int | None
    oldest: datetime | None
    settled: int
    sent_at: datetime | None = None
    fault: str = ""
    fault_at: datetime | None = None
    refused: bool = False
    pruned: int = 0

    @property
    def note(self) -> str:
        """What it never was sent, and where that lies; empty when there is no such thing."""
        if not self.pruned:
            return ""
        return f"Records up to {self.pruned} were pruned before all of them were sent; they lie in the sealed segments."

    def oldest_seconds(self, now: datetime) -> float:
        """How old the oldest record is that was not sent yet; 0 when there is none."""
        return max(0.0, (now - self.oldest).total_seconds()) if self.oldest else 0.0


def sink_statuses(sinks: Iterable[Sink], directory: Path, trail: TrailReader) -> tuple[SinkStatus, ...]:
    """How each sink stands against the trail; raises TrailError when trail or cursor cannot be read."""
    return tuple(sink_status(sink, directory, trail) for sink in sinks)


def sink_status(sink: Sink, directory: Path, trail: TrailReader | None) -> SinkStatus:
    """How one sink stands; with no trail to be read, what its cursor alone says. Raises TrailError."""
    standing = CursorFile(directory, sink.name).read()
    begun, waiting, oldest = 0, None, None
    if trail is not None:
        if standing.trail != trail.identity.genesis:
            standing = Standing()
        begun = trail.beginning().sequence
        sent = max(standing.sent, begun)
        waiting = max(0, trail.head().sequence - sent)
        first = trail.page(sent + 1, 1) if waiting else ()
        oldest = first[0].time if first else None
    return SinkStatus(
        sink.name,
        sink.kind.value,
        sink.place,
        waiting,
        oldest,
        standing.settled.sequence,
        standing.sent_at,
        standing.fault,
        standing.fault_at,
        standing.refused,
        begun if standing.settled.sequence < begun else standing.pruned,
    )
