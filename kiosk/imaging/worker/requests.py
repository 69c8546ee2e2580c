"""The calls of `kiosk.imaging.calls.Imaging` as values that cross to the worker, each with what it may answer."""

from dataclasses import dataclass
from types import NoneType
from typing import ClassVar

from kiosk.imaging.calls import (
    Available,
    CommitmentAsked,
    CommitmentReport,
    Echoed,
    Found,
    InstanceKey,
    Listening,
    Notified,
    Received,
    Relayed,
    Relaying,
    Retrieved,
    Sent,
    SentInstance,
    ToSend,
    Transcoded,
)
from kiosk.imaging.lookups import Lookup, Match
from kiosk.imaging.peers import Peer, Receiving
from kiosk.imaging.studies.model import PatientKey, Picture, Series, SeriesContents, Study, StudyQuery, TagRow


@dataclass(frozen=True)
class Request:
    """A call. `ITEM` is the type of what it streams, `RESULT` of what it ends with."""

    ITEM: ClassVar[type] = NoneType
    RESULT: ClassVar[type] = NoneType


@dataclass(frozen=True)
class Echo(Request):
    """`Imaging.echo`."""

    RESULT: ClassVar[type] = Echoed
    peer: Peer


@dataclass(frozen=True)
class FindStudies(Request):
    """`Imaging.find_studies`."""

    ITEM: ClassVar[type] = Study
    RESULT: ClassVar[type] = Found
    peer: Peer
    query: StudyQuery
    limit: int


@dataclass(frozen=True)
class LookUp(Request):
    """`Imaging.look_up`."""

    ITEM: ClassVar[type] = Match
    RESULT: ClassVar[type] = Found
    peer: Peer
    lookup: Lookup
    limit: int


@dataclass(frozen=True)
class FindSeries(Request):
    """`Imaging.find_series`."""

    ITEM: ClassVar[type] = Series
    RESULT: ClassVar[type] = Found
    peer: Peer
    study_instance_uid: str


@dataclass(frozen=True)
class FindInstances(Request):
    """`Imaging.find_instances`."""

    ITEM: ClassVar[type] = InstanceKey
    RESULT: ClassVar[type] = Found
    peer: Peer
    study_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class Retrieve(Request):
    """`Imaging.retrieve`."""

    ITEM: ClassVar[type] = Received
    RESULT: ClassVar[type] = Retrieved
    peer: Peer
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    spool: str
    reserve: int
    durable: bool
    patient: PatientKey | None
    receiving: Receiving | None


@dataclass(frozen=True)
class Listen(Request):
    """`WorkerImaging.listen`."""

    RESULT: ClassVar[type] = Listening
    receiving: Receiving


@dataclass(frozen=True)
class Commit(Request):
    """`Imaging.commit`."""

    RESULT: ClassVar[type] = CommitmentAsked
    peer: Peer
    transaction_uid: str
    instances: tuple[InstanceKey, ...]


@dataclass(frozen=True)
class TakeReports(Request):
    """`Imaging.reports`."""

    ITEM: ClassVar[type] = CommitmentReport
    receiving: Receiving


@dataclass(frozen=True)
class Notify(Request):
    """`Imaging.notify`."""

    RESULT: ClassVar[type] = Notified
    listener: Peer
    available: tuple[Available, ...]


@dataclass(frozen=True)
class Relay(Request):
    """`Imaging.relay`."""

    ITEM: ClassVar[type] = Relaying
    RESULT: ClassVar[type] = Relayed
    archive: Peer
    ae_title: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: tuple[str, ...]


@dataclass(frozen=True)
class Send(Request):
    """`Imaging.send`."""

    ITEM: ClassVar[type] = SentInstance
    RESULT: ClassVar[type] = Sent
    peer: Peer
    files: tuple[ToSend, ...]
    spool: str


@dataclass(frozen=True)
class ReadSeries(Request):
    """`Imaging.read_series`."""

    RESULT: ClassVar[type] = SeriesContents
    series: Series
    files: tuple[str, ...]
    spool: str


@dataclass(frozen=True)
class Transcode(Request):
    """`Imaging.transcode`."""

    RESULT: ClassVar[type] = Transcoded
    file: str
    transfer_syntax_uid: str
    spool: str
    reserve: int
    durable: bool


@dataclass(frozen=True)
class DrawPicture(Request):
    """`Imaging.picture`."""

    RESULT: ClassVar[type] = Picture
    file: str
    frame: int
    max_width: int
    max_height: int
    spool: str


@dataclass(frozen=True)
class ListTags(Request):
    """`Imaging.tags`."""

    ITEM: ClassVar[type] = TagRow
    file: str
    spool: str


@dataclass(frozen=True)
class ListTagsOfFile(Request):
    """`FileTags.rows`."""

    ITEM: ClassVar[type] = TagRow
    path: str


@dataclass(frozen=True)
class JsonOfFile(Request):
    """`FileTags.json`."""

    ITEM: ClassVar[type] = str
    path: str
    meta: bool


REQUESTS: dict[str, type[Request]] = {
    request.__name__: request
    for request in (
        Echo,
        FindStudies,
        LookUp,
        FindSeries,
        FindInstances,
        Retrieve,
        Listen,
        Commit,
        TakeReports,
        Notify,
        Relay,
        Send,
        ReadSeries,
        Transcode,
        DrawPicture,
        ListTags,
        ListTagsOfFile,
        JsonOfFile,
    )
}
