"""What lies in the outbox, as plain values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class JobState(Enum):
    """Where a push stands."""

    WAITING = "waiting"
    FETCHING = "fetching"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen by itself."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class ItemState(Enum):
    """Where one instance of a push stands."""

    WANTED = "wanted"
    FETCHED = "fetched"
    SENT = "sent"
    WARNED = "warned"
    FAILED = "failed"

    @property
    def is_there(self) -> bool:
        """True when the destination has it, with or without a warning."""
        return self in (ItemState.SENT, ItemState.WARNED)


@dataclass(frozen=True)
class OutboxJob:
    """One push. `errand` is the caller's own (on whose behalf, which study), kept as it is and never looked into.

    `series_instance_uids` empty means the whole study. `due` is when it may be taken up again, None for now.
    """

    job_id: str
    owner: str
    errand: bytes = field(repr=False)
    archive: str
    destination: str
    study_instance_uid: str
    series_instance_uids: tuple[str, ...]
    state: JobState
    sentence: str = ""
    attempts: int = 0
    due: datetime | None = None


@dataclass(frozen=True)
class OutboxItem:
    """One instance of a push. `file` is its name in the spool once it is fetched, `size` its bytes there."""

    job_id: str
    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str = ""
    file: str = ""
    size: int = 0
    state: ItemState = ItemState.WANTED
    reason: str = ""
    attempts: int = 0


@dataclass(frozen=True)
class OutboxFailure:
    """An instance that did not go, and why."""

    sop_instance_uid: str
    reason: str


@dataclass(frozen=True)
class OutboxCounts:
    """How far a job is. `fetched` counts what has been fetched so far, sent or not; sizes are known once fetched."""

    total: int
    fetched: int
    sent: int
    failed: int
    bytes_total: int
    bytes_sent: int
    failures: tuple[OutboxFailure, ...]
