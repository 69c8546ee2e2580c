"""What a trail is to those that write and read it, wherever its file lies: in this process, or behind a socket."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self

from kiosk.audit.boundary import Beginning
from kiosk.audit.checkpoint import Checkpoint, Occasion
from kiosk.audit.record import Entry, Head, Receipt, Record
from kiosk.audit.store import CheckpointRow, Identity, Row


@dataclass(frozen=True)
class TrailStatus:
    """How a trail is. `failure` is empty while it takes records, else the sentence that says why not.

    `checkpoint` is the newest, None before the first. `anchored` is the number of the newest checkpoint that is kept
    elsewhere too (0: none), `anchored_at` its time, `anchor_fault` why a sink does not take them. Bytes are free bytes
    of the trail's disk and what is kept of them. `begun_anew` is when this trail took the place of another one that is
    gone; None where it did not.
    """

    kiosk_id: str
    head: Head
    failure: str = ""
    checkpoint: Checkpoint | None = None
    free_bytes: int = 0
    reserve_bytes: int = 0
    anchored: int = 0
    anchored_at: datetime | None = None
    anchor_fault: str = ""
    begun_anew: datetime | None = None

    @property
    def unsealed(self) -> int:
        """Records since the last checkpoint."""
        return self.head.sequence - (self.checkpoint.sequence if self.checkpoint else 0)


class TrailReader(Protocol):
    """Reading. Every method raises TrailError when that is not possible now."""

    @property
    def uri(self) -> str:
        """Where the file lies, for messages about it."""

    @property
    def identity(self) -> Identity:
        """Whose trail it is, and the public key of its checkpoints."""

    def beginning(self) -> Beginning:
        """What comes before its first record: the genesis, or the signed boundary up to which it was deleted."""

    def head(self) -> Head:
        """Place and hash of the last record."""

    def page(self, first: int, limit: int = 256) -> tuple[Record, ...]:
        """Records from `first` on: at most `limit`, fewer where they are large, none where there are none yet."""

    def read(self, first: int = 1, last: int | None = None) -> Iterator[Record]:
        """Records `first` to `last`, or to the one that is last when the reading begins."""

    def rows(self, first: int, limit: int = 256) -> tuple[Row, ...]:
        """As `page`, in the form in which they are stored and chained."""

    def checkpoints(self, first: int = 1) -> Iterator[Checkpoint]:
        """Checkpoints from number `first` on, up to the one that is last now."""

    def checkpoint_rows(self, first: int, limit: int = 256) -> tuple[CheckpointRow, ...]:
        """At most `limit` of them in the form in which they are stored and signed."""

    def open_intents(self) -> tuple[Record, ...]:
        """Intents that no outcome followed, oldest first."""


class TrailPort(TrailReader, Protocol):
    """A trail to act under: no intent, no act. After a failure everything is refused until `reopen` goes through."""

    def open(self) -> None:
        """Begins; raises TrailError with a sentence for the screen."""

    def reopen(self) -> None:
        """Tries again after a failure; raises TrailError."""

    def close(self) -> None:
        """Ends."""

    def __enter__(self) -> Self:
        """Opens."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Closes."""

    def append(self, entry: Entry, nonce: bytes | None = None) -> Receipt:
        """Makes the entry the next record; it is durable when this returns. Raises TrailError.

        With a `nonce` (16 random octets), an entry whose receipt got lost may be sent again: it is recorded once.
        """

    def checkpoint(self, occasion: Occasion) -> Checkpoint:
        """Signs how far the trail has come; raises TrailError."""

    def check(self) -> None:
        """Whether a record could be written now, without writing one; raises TrailError, and has then failed."""

    def status(self) -> TrailStatus:
        """How it is; raises TrailError only when nobody can tell."""
