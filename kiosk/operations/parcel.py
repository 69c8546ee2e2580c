"""One push as those who work on it hold it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from kiosk.clock import Clock, SystemClock
from kiosk.imaging.calls import Imaging
from kiosk.imaging.outbox import ItemState, Outbox, OutboxItem, OutboxJob
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Study
from kiosk.operations.turn import Turn, no_others

TRIES = 5
"""How often something that went through but shows no effect is looked for before it counts as failed."""


@dataclass(frozen=True)
class Parcel:
    """A job of the outbox, the peers it goes between, and the tools.

    `listeners` are told when it has been delivered; `patience` is how long a report of storage commitment is awaited
    on an association of the destination's own, nothing where we do not listen; `turn` how long it may go on while
    others wait.
    """

    imaging: Imaging
    outbox: Outbox
    archive: Peer
    destination: Peer
    study: Study
    job_id: str
    spool: str
    listeners: tuple[Peer, ...] = ()
    patience: timedelta = timedelta(0)
    clock: Clock = field(default_factory=SystemClock, repr=False, compare=False)
    turn: Turn = field(default_factory=lambda: Turn(SystemClock().monotonic, no_others), repr=False, compare=False)

    @property
    def is_relayed(self) -> bool:
        """True when the archive sends it to the destination itself, and no bytes come here."""
        return self.archive.name in self.destination.fed_by

    @property
    def job(self) -> OutboxJob:
        """As it stands in the outbox now."""
        return self.outbox.job(self.job_id)

    @property
    def items(self) -> tuple[OutboxItem, ...]:
        """Its instances as they stand now."""
        return self.outbox.items(self.job_id)

    def items_in(self, *states: ItemState) -> tuple[OutboxItem, ...]:
        """Its instances in these states."""
        return tuple(item for item in self.items if item.state in states)

    def drop(self, file: str) -> None:
        """Removes a file from the spool."""
        if file:
            Spool(Path(self.spool)).remove(file)


def by_series(items: Iterable[OutboxItem]) -> dict[str, list[OutboxItem]]:
    """Series by their UID, in the order in which they were planned."""
    series: dict[str, list[OutboxItem]] = {}
    for item in items:
        series.setdefault(item.series_instance_uid, []).append(item)
    return series
