"""What the imaging worker can be asked, and what it answers: one page, plain values only.

Each call streams zero or more items and ends with a result or an error from `kiosk.errors`.
`Imaging` is the protocol that operations hold; `kiosk.imaging.client.WorkerImaging` speaks it to the worker process.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from threading import Event
from typing import Protocol

from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Instance, Picture, Series, SeriesContents, Study, StudyQuery, TagRow


@dataclass(frozen=True)
class Echoed:
    """C-ECHO answered."""

    seconds: float


@dataclass(frozen=True)
class Found:
    """A query ended. `more` is True when the limit was reached and the query was cancelled at the archive."""

    count: int
    more: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class InstanceKey:
    """What C-FIND at IMAGE level tells about an instance."""

    sop_instance_uid: str
    sop_class_uid: str
    number: int | None


@dataclass(frozen=True)
class Received:
    """One instance lies in the spool under `file`."""

    sop_instance_uid: str
    sop_class_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    file: str
    size: int


@dataclass(frozen=True)
class Retrieved:
    """A retrieval ended. `failed` counts what the archive could not send; `reason` says why, empty when all came."""

    completed: int
    failed: int
    reason: str = ""


@dataclass(frozen=True)
class ToSend:
    """One spooled file to push."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    file: str
    size: int


class SendState(Enum):
    """What the destination said to one instance (PS3.4 B.2.3)."""

    STORED = "stored"
    STORED_WITH_WARNING = "stored with a warning"
    FAILED = "failed"
    RETRY_LATER = "retry later"


@dataclass(frozen=True)
class SentInstance:
    """The destination's answer to one instance; `reason` names the peer's status in words."""

    sop_instance_uid: str
    state: SendState
    size: int
    reason: str = ""


@dataclass(frozen=True)
class Sent:
    """A push over one association ended; `reason` is set when it broke off with instances unanswered."""

    stored: int
    failed: int
    reason: str = ""


class Imaging(Protocol):
    """The imaging worker. Every method may raise ImagingError or Cancelled; `spool` names a folder the worker may use.

    Generators yield items as they come and return the result. Setting `cancel` ends the call within a second.
    """

    def echo(self, peer: Peer, cancel: Event) -> Echoed:
        """C-ECHO (PS3.4 A)."""

    def find_studies(self, peer: Peer, query: StudyQuery, limit: int, cancel: Event) -> Generator[Study, None, Found]:
        """Study root C-FIND at STUDY level; what the peer ignored as a key is filtered again here."""

    def find_series(self, peer: Peer, study_instance_uid: str, cancel: Event) -> Generator[Series, None, Found]:
        """Study root C-FIND at SERIES level."""

    def find_instances(
        self, peer: Peer, study_instance_uid: str, series_instance_uid: str, cancel: Event
    ) -> Generator[InstanceKey, None, Found]:
        """Study root C-FIND at IMAGE level."""

    def retrieve(
        self,
        peer: Peer,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uids: tuple[str, ...],
        spool: str,
        cancel: Event,
        durable: bool = False,
    ) -> Generator[Received, None, Retrieved]:
        """C-GET of a series (`sop_instance_uids` empty) or of single instances; files as received, not decoded.

        `durable` files are on the disk before they are reported: for what an outbox relies on. Raises StorageFull.
        """

    def read_series(self, series: Series, files: tuple[str, ...], spool: str, cancel: Event) -> SeriesContents:
        """Headers of spooled files, in true order."""

    def picture(self, file: str, frame: int, max_width: int, max_height: int, spool: str, cancel: Event) -> Picture:
        """One frame, windowed and scaled down to fit; raises UnreadableObject saying why not."""

    def tags(self, file: str, spool: str, cancel: Event) -> Generator[TagRow, None, None]:
        """Every data element of the file, file meta group included."""

    def send(
        self, peer: Peer, files: tuple[ToSend, ...], spool: str, cancel: Event
    ) -> Generator[SentInstance, None, Sent]:
        """C-STORE of spooled files over one association; several when they need more than 128 presentation contexts."""

    def close(self) -> None:
        """Ends the worker."""


__all__ = [
    "Echoed",
    "Found",
    "Imaging",
    "Instance",
    "InstanceKey",
    "Received",
    "Retrieved",
    "SendState",
    "Sent",
    "SentInstance",
    "ToSend",
]
