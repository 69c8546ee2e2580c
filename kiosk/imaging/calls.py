"""What the imaging worker can be asked, and what it answers: one page, plain values only.

Each call streams zero or more items and ends with a result or an error from `kiosk.errors`.
`Imaging` is the protocol that operations hold; `kiosk.imaging.client.WorkerImaging` speaks it to the worker process.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from threading import Event
from typing import Protocol

from kiosk.imaging.lookups import Lookup, Match
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Instance, PatientKey, Picture, Series, SeriesContents, Study, StudyQuery, TagRow


@dataclass(frozen=True)
class Echoed:
    """C-ECHO answered."""

    seconds: float


@dataclass(frozen=True)
class Listening:
    """We can be reached, at this port."""

    port: int


@dataclass(frozen=True)
class Found:
    """A query ended. `more` is True when the limit was reached and the query was cancelled at the archive; `unread`
    counts the answers that could not be read, which are not among those that came."""

    count: int
    more: bool
    notes: tuple[str, ...] = ()
    unread: int = 0


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
    UNANSWERED = "unanswered"
    ANOTHER_SYNTAX = "another transfer syntax"


@dataclass(frozen=True)
class SentInstance:
    """The destination's answer to one instance; `reason` names the peer's status in words.

    One that is UNANSWERED was under way when the association broke off: nobody knows whether the destination has it.
    With ANOTHER_SYNTAX it was not sent: the destination takes its SOP class in `transfer_syntax_uid` only.
    """

    sop_instance_uid: str
    state: SendState
    size: int
    reason: str = ""
    transfer_syntax_uid: str = ""


@dataclass(frozen=True)
class Sent:
    """A push ended; `reason` is set when it broke off with instances unanswered."""

    stored: int
    failed: int
    reason: str = ""


@dataclass(frozen=True)
class Transcoded:
    """The same instance in another transfer syntax, in the spool under `file`."""

    file: str
    size: int
    transfer_syntax_uid: str


@dataclass(frozen=True)
class NotCommitted:
    """An instance that a peer does not keep, and why."""

    sop_instance_uid: str
    reason: str


@dataclass(frozen=True)
class CommitmentReport:
    """What the peer of that AE title says of a storage commitment that it was asked for (PS3.4 J.3.3)."""

    ae_title: str
    transaction_uid: str
    kept: tuple[str, ...]
    failed: tuple[NotCommitted, ...]


@dataclass(frozen=True)
class CommitmentAsked:
    """The peer will say what it keeps; `report` is there when it said so at once."""

    report: CommitmentReport | None = None


@dataclass(frozen=True)
class Available:
    """A series of which instances are available now at the AE title `retrieve_ae_title`."""

    study_instance_uid: str
    series_instance_uid: str
    instances: tuple[InstanceKey, ...]
    retrieve_ae_title: str


@dataclass(frozen=True)
class Notified:
    """The listener took the notification."""


@dataclass(frozen=True)
class Relaying:
    """How many instances an archive has sent to a third by now, as it counts them."""

    completed: int


@dataclass(frozen=True)
class Relayed:
    """An archive has sent to a third what it was told to. `failed` are those it names as not sent; `reason` says why
    not all went, empty when all did."""

    completed: int
    failed: tuple[str, ...] = ()
    reason: str = ""


class Imaging(Protocol):
    """The imaging worker. Every method may raise ImagingError or Cancelled; `spool` names a folder the worker may use.

    Generators yield items as they come and return the result. Setting `cancel` ends the call within a second.
    """

    def echo(self, peer: Peer, cancel: Event) -> Echoed:
        """C-ECHO (PS3.4 A)."""

    def find_studies(self, peer: Peer, query: StudyQuery, limit: int, cancel: Event) -> Generator[Study, None, Found]:
        """C-FIND at STUDY level, study root where it is granted; what the peer ignored as a key is filtered again here.

        A study may come a second time, `counted` and otherwise the same: the result counts it once.
        """

    def look_up(self, peer: Peer, lookup: Lookup, limit: int, cancel: Event) -> Generator[Match, None, Found]:
        """C-FIND at any level of either root, relational where it must be and is granted, else PeerLacks."""

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
        patient: PatientKey | None = None,
    ) -> Generator[Received, None, Retrieved]:
        """C-GET or C-MOVE of a study (`series_instance_uid` empty), a series of it (`sop_instance_uids` empty) or
        single instances; files as received, not decoded. What an association that broke off left is asked for again.

        `durable` files are on the disk before they are reported: for what an outbox relies on. Instances of another
        patient than `patient` are refused. Raises StorageFull.
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
        """C-STORE of spooled files, each in the syntax it is in, over as many associations as the peer is configured
        for; more when the files need more than 128 presentation contexts. Every file is answered, in any order, unless
        the result says why not."""

    def transcode(
        self, file: str, transfer_syntax_uid: str, spool: str, cancel: Event, durable: bool = False
    ) -> Transcoded:
        """Writes a spooled file anew in a native transfer syntax, pixel data as they decode; raises UnreadableObject
        where that cannot be done, and StorageFull."""

    def commit(
        self, peer: Peer, transaction_uid: str, instances: tuple[InstanceKey, ...], cancel: Event
    ) -> CommitmentAsked:
        """Asks for storage commitment (PS3.4 J.3.2); PeerLacks where it is not offered. What is not answered at once
        comes as one of `reports`."""

    def reports(self, cancel: Event) -> Generator[CommitmentReport, None, None]:
        """What peers say of storage commitments, until it is cancelled; ends at once where we do not listen."""

    def notify(self, listener: Peer, available: tuple[Available, ...], cancel: Event) -> Notified:
        """Instance Availability Notification (PS3.4 Annex R) of series of one study."""

    def relay(
        self,
        archive: Peer,
        ae_title: str,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uids: tuple[str, ...],
        cancel: Event,
    ) -> Generator[Relaying, None, Relayed]:
        """C-MOVE of a series, or of some of its instances, from the archive to another AE that it knows by title."""

    def close(self) -> None:
        """Ends the worker."""


__all__ = [
    "Available",
    "CommitmentAsked",
    "CommitmentReport",
    "Echoed",
    "Found",
    "Imaging",
    "Instance",
    "InstanceKey",
    "Listening",
    "NotCommitted",
    "Notified",
    "Received",
    "Relayed",
    "Relaying",
    "Retrieved",
    "SendState",
    "Sent",
    "SentInstance",
    "ToSend",
    "Transcoded",
]
