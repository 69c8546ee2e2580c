"""`Imaging` as operations hold it: every call goes to a worker process; nothing of DICOM is loaded here.

Three workers, so that a poisoned file breaks neither a transfer nor what somebody looks at: one lane for the network,
one for reading files, and one, started when it is first needed, for writing them anew.
"""

from collections.abc import Generator
from pathlib import Path
from threading import Event, Lock
from typing import Final, TypeVar

from kiosk.errors import Cancelled
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
from kiosk.imaging.spool import RESERVE_BYTES, Spool
from kiosk.imaging.studies.model import PatientKey, Picture, Series, SeriesContents, Study, StudyQuery, TagRow
from kiosk.imaging.worker.lane import Lane, LaneOptions
from kiosk.imaging.worker.requests import (
    Commit,
    DrawPicture,
    Echo,
    FindInstances,
    FindSeries,
    FindStudies,
    Listen,
    ListTags,
    LookUp,
    Notify,
    ReadSeries,
    Relay,
    Request,
    Retrieve,
    Send,
    TakeReports,
    Transcode,
)

MEMORY_BYTES: Final = 2 * 1024 * 1024 * 1024
READING_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05

Result = TypeVar("Result")


class WorkerImaging:
    """The imaging workers. They start at the first call, or at `start`; a dead one is replaced at the next call.

    `memory_bytes` is the address space each may take, `reading_seconds` the time a reading call may take before its
    worker is killed, `reserve_bytes` the bytes of disk that retrieving leaves free, `receiving` where archives may send
    what they were asked for, None where only C-GET is used.
    """

    def __init__(
        self,
        memory_bytes: int = MEMORY_BYTES,
        reading_seconds: float = READING_SECONDS,
        reserve_bytes: int = RESERVE_BYTES,
        receiving: Receiving | None = None,
    ) -> None:
        self._reserve = reserve_bytes
        self._receiving = receiving
        self._network = Lane(LaneOptions("network", memory_bytes))
        self._reading = Lane(LaneOptions("reading", memory_bytes, reading_seconds))
        self._writing = Lane(LaneOptions("reading", memory_bytes, reading_seconds))
        self._lanes = self._network, self._reading, self._writing
        self._writes = Lock()

    def start(self) -> None:
        """Starts the first two workers ahead of the first call; returns before they have loaded what they need."""
        self._network.start()
        self._reading.start()

    def close(self) -> None:
        """Ends the workers; calls under way raise WorkerDied."""
        for lane in self._lanes:
            lane.close()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The workers that are alive."""
        return tuple(lane.process_id for lane in self._lanes if lane.process_id is not None)

    def listen(self, cancel: Event) -> Listening | None:
        """Lets callers see that we are there before anything is asked for; None when there is nowhere to listen.

        A retrieval by C-MOVE does the same when it begins. Raises ImagingError when the port cannot be had.
        """
        return _result(self._network, Listen(self._receiving), Listening, cancel) if self._receiving else None

    def echo(self, peer: Peer, cancel: Event) -> Echoed:
        """See `Imaging.echo`."""
        return _result(self._network, Echo(peer), Echoed, cancel)

    def find_studies(self, peer: Peer, query: StudyQuery, limit: int, cancel: Event) -> Generator[Study, None, Found]:
        """See `Imaging.find_studies`."""
        return self._network.call(FindStudies(peer, query, limit), cancel)

    def look_up(self, peer: Peer, lookup: Lookup, limit: int, cancel: Event) -> Generator[Match, None, Found]:
        """See `Imaging.look_up`."""
        return self._network.call(LookUp(peer, lookup, limit), cancel)

    def find_series(self, peer: Peer, study_instance_uid: str, cancel: Event) -> Generator[Series, None, Found]:
        """See `Imaging.find_series`."""
        return self._network.call(FindSeries(peer, study_instance_uid), cancel)

    def find_instances(
        self, peer: Peer, study_instance_uid: str, series_instance_uid: str, cancel: Event
    ) -> Generator[InstanceKey, None, Found]:
        """See `Imaging.find_instances`."""
        return self._network.call(FindInstances(peer, study_instance_uid, series_instance_uid), cancel)

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
        """See `Imaging.retrieve`; makes the spool's folder if need be."""
        Spool(Path(spool)).prepare()
        request = Retrieve(
            peer,
            study_instance_uid,
            series_instance_uid,
            sop_instance_uids,
            spool,
            self._reserve,
            durable,
            patient,
            self._receiving,
        )
        result: Retrieved = yield from self._network.call(request, cancel)
        return result

    def send(
        self, peer: Peer, files: tuple[ToSend, ...], spool: str, cancel: Event
    ) -> Generator[SentInstance, None, Sent]:
        """See `Imaging.send`."""
        return self._network.call(Send(peer, files, spool), cancel)

    def commit(
        self, peer: Peer, transaction_uid: str, instances: tuple[InstanceKey, ...], cancel: Event
    ) -> CommitmentAsked:
        """See `Imaging.commit`."""
        return _result(self._network, Commit(peer, transaction_uid, instances), CommitmentAsked, cancel)

    def reports(self, cancel: Event) -> Generator[CommitmentReport, None, None]:
        """See `Imaging.reports`."""
        if self._receiving is not None:
            yield from self._network.call(TakeReports(self._receiving), cancel)

    def notify(self, listener: Peer, available: tuple[Available, ...], cancel: Event) -> Notified:
        """See `Imaging.notify`."""
        return _result(self._network, Notify(listener, available), Notified, cancel)

    def relay(
        self,
        archive: Peer,
        ae_title: str,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_instance_uids: tuple[str, ...],
        cancel: Event,
    ) -> Generator[Relaying, None, Relayed]:
        """See `Imaging.relay`."""
        request = Relay(archive, ae_title, study_instance_uid, series_instance_uid, sop_instance_uids)
        return self._network.call(request, cancel)

    def transcode(
        self, file: str, transfer_syntax_uid: str, spool: str, cancel: Event, durable: bool = False
    ) -> Transcoded:
        """See `Imaging.transcode`. One at a time: what fits into the memory alone must not fail beside others."""
        request = Transcode(file, transfer_syntax_uid, spool, self._reserve, durable)
        while not self._writes.acquire(timeout=LOOK_SECONDS):
            if cancel.is_set():
                raise Cancelled
        try:
            return _result(self._writing, request, Transcoded, cancel)
        finally:
            self._writes.release()

    def read_series(self, series: Series, files: tuple[str, ...], spool: str, cancel: Event) -> SeriesContents:
        """See `Imaging.read_series`."""
        return _result(self._reading, ReadSeries(series, files, spool), SeriesContents, cancel)

    def picture(self, file: str, frame: int, max_width: int, max_height: int, spool: str, cancel: Event) -> Picture:
        """See `Imaging.picture`."""
        return _result(self._reading, DrawPicture(file, frame, max_width, max_height, spool), Picture, cancel)

    def tags(self, file: str, spool: str, cancel: Event) -> Generator[TagRow, None, None]:
        """See `Imaging.tags`."""
        return self._reading.call(ListTags(file, spool), cancel)


def _result(lane: Lane, request: Request, expected: type[Result], cancel: Event) -> Result:
    """The result of a call that streams nothing."""
    answers = lane.call(request, cancel)
    while True:
        try:
            next(answers)
        except StopIteration as stop:
            result: Result = stop.value
            return result
