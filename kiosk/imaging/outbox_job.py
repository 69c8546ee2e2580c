"""What lies in the outbox, as plain values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

LISTED: Final = "query"
"""The destination was asked for its list of instances."""


class JobState(Enum):
    """Where a push stands. SENT is the end where the destination cannot be asked whether it keeps what it was sent;
    CONFIRMING is while it is asked, DELIVERED once it said so of every instance."""

    WAITING = "queued"
    FETCHING = "fetching"
    SENDING = "sending"
    CONFIRMING = "confirming"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen by itself."""
        return self.is_done or self in (JobState.FAILED, JobState.CANCELLED)

    @property
    def is_done(self) -> bool:
        """True when everything went."""
        return self in (JobState.SENT, JobState.DELIVERED)


class ItemState(Enum):
    """Where one instance of a push stands. SENDING is durable before it goes: after a crash nobody knows whether the
    destination has it, and it is asked before anything is sent again."""

    WANTED = "wanted"
    FETCHED = "fetched"
    SENDING = "sending"
    SENT = "sent"
    WARNED = "warned"
    DELIVERED = "delivered"
    FAILED = "failed"

    @property
    def is_there(self) -> bool:
        """True when the destination took it, with or without a warning."""
        return self in (ItemState.SENT, ItemState.WARNED, ItemState.DELIVERED)


@dataclass(frozen=True)
class OutboxJob:
    """One push. `errand` is the caller's own (on whose behalf, which study), kept as it is and never looked into.

    `series_instance_uids` empty means the whole study. `due` is when it may be taken up again, None for now.
    `transaction_uid` is the storage commitment that was last asked for, `asked` when; `told` are the listeners that
    have been notified. `changed` is when it last moved.
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
    transaction_uid: str = ""
    asked: datetime | None = None
    told: tuple[str, ...] = ()
    changed: datetime | None = None


@dataclass(frozen=True)
class OutboxItem:
    """One instance of a push. `file` is its name in the spool once it is fetched, `size` its bytes there. `answer` is
    where the destination said whether it keeps it: the Transaction UID of a storage commitment, or LISTED."""

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
    answer: str = ""


@dataclass(frozen=True)
class OutboxFailure:
    """An instance that did not go, and why."""

    sop_instance_uid: str
    reason: str


@dataclass(frozen=True)
class OutboxCounts:
    """How far a job is. `fetched` counts what has been fetched so far, sent or not; sizes are known once fetched.
    `sent` counts what the destination took, `delivered` what of that it said it keeps."""

    total: int
    fetched: int
    sent: int
    failed: int
    bytes_total: int
    bytes_sent: int
    failures: tuple[OutboxFailure, ...]
    delivered: int = 0
