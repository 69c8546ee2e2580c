"""The agent: `Operations` for one terminal, composed of the door, the acts and the outbox.

Everything a session does goes through `_run`, and so through `perform`. `picture` alone does not: an open series is
already on record with everything it shows, and a scroll through it would bury the trail.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from threading import Event
from typing import TypeVar

from kiosk.access.policy import Permission
from kiosk.audit import BadgeNaming, Node, OpenArchive, Record, Selection, TrailReader
from kiosk.errors import NotAllowed
from kiosk.imaging.calls import Found, Imaging, Received
from kiosk.imaging.catalogue import KeptInstance
from kiosk.imaging.lookups import Lookup, Match
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Instance, Picture, Series, SeriesContents, Study, StudyQuery, TagRow
from kiosk.operations.audit_log import ReadAudit, VerifyAudit
from kiosk.operations.browse import OpenSeries, OpenStudy, ReadTags
from kiosk.operations.deliver import Deliverer
from kiosk.operations.door import Door
from kiosk.operations.facts import EndReason, Fact
from kiosk.operations.hub import Hub
from kiosk.operations.look_up import LookUp
from kiosk.operations.operations import (
    AuditFound,
    ChainState,
    Destination,
    InstancesArrived,
    OpenedStudy,
    PushAccepted,
    PushRequest,
    Station,
)
from kiosk.operations.perform import Desk, Operation, finish, perform, refuse, require
from kiosk.operations.push import CancelPush, Push, RetryPush
from kiosk.operations.query import QueryStudies
from kiosk.operations.sessions import SessionHoldings
from kiosk.operations.status import KioskStatus

Item = TypeVar("Item")
Result = TypeVar("Result")
TICK = 1.0
"""Seconds between two looks at the clock; a countdown shows whole seconds."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """The terminal's neighbours and limits."""

    station: Station
    archives: tuple[Peer, ...]
    destinations: tuple[tuple[Peer, Destination], ...]
    query_limit: int

    def archive(self, name: str) -> Peer:
        """The archive of that name; raises NotAllowed."""
        for peer in self.archives:
            if peer.name == name:
                return peer
        raise NotAllowed("That archive is not configured here.")

    def destination(self, name: str) -> Peer:
        """The destination of that name; raises NotAllowed."""
        for peer, _ in self.destinations:
            if peer.name == name:
                return peer
        raise NotAllowed("That destination is not configured here.")


class Agent:
    """Implements `kiosk.operations.operations.Operations`; `start` begins the clock, `close` ends everything."""

    def __init__(
        self,
        surroundings: Surroundings,
        desk: Desk,
        hub: Hub,
        door: Door,
        imaging: Imaging,
        holdings: SessionHoldings,
        deliverer: Deliverer,
        tend: Callable[[], None],
        on_close: Callable[[], None],
        trail: TrailReader,
        node: Node,
        naming: BadgeNaming,
        status: Callable[[], KioskStatus],
        tap: Callable[[str, float | None], None] | None = None,
        archive: OpenArchive | None = None,
    ) -> None:
        self._around = surroundings
        self._desk = desk
        self._hub = hub
        self._door = door
        self._imaging = imaging
        self._holdings = holdings
        self._deliverer = deliverer
        self._tend = tend
        self._on_close = on_close
        self._trail = trail
        self._node = node
        self._naming = naming
        self._status = status
        self._tap = tap
        self._archive = archive
        self._stopping = Event()
        self._clock: threading.Thread | None = None

    def start(self) -> None:
        """Begins the clock."""
        self._clock = threading.Thread(target=self._run_clock, name="agent-clock", daemon=True)
        self._clock.start()

    def close(self) -> None:
        """Ends the session, the watch and the worker, on record."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._door.shut(EndReason.SHUTDOWN)
        self._deliverer.stop()
        self._on_close()

    def station(self) -> Station:
        """Name and surroundings of this kiosk."""
        return self._around.station

    def status(self) -> KioskStatus:
        """How the trail and its delivery stand."""
        return self._status()

    def subscribe(self, listener: Callable[[Fact], None]) -> Callable[[], None]:
        """Facts, the current state first."""
        return self._hub.subscribe(listener)

    def enter_pin(self, claim_id: str, pin: str) -> None:
        """Answers a PinAsked."""
        self._door.enter_pin(claim_id, pin)

    def abandon_pin(self, claim_id: str) -> None:
        """The person closed the PIN box."""
        self._door.abandon_pin(claim_id)

    def touch(self, session_id: str) -> None:
        """The idle clock starts again."""
        self._door.touch(session_id)

    def sign_out(self, session_id: str) -> None:
        """Ends the session."""
        self._door.sign_out(session_id)

    def query(self, session_id: str, query: StudyQuery, cancel: Event) -> Generator[Study, None, Found]:
        """Studies as they come."""
        act = QueryStudies(self._imaging, self._around.archives, query, self._around.query_limit)
        act_id = uuid.uuid4().hex
        work = self._run(session_id, act, cancel, act_id)
        while True:
            try:
                study = next(work)
            except StopIteration as stop:
                found: Found = stop.value
                return found
            self._holdings.see(session_id, study, act_id)
            yield study

    def look_up(self, session_id: str, archive: str, lookup: Lookup, cancel: Event) -> Generator[Match, None, Found]:
        """What one archive holds at a level of either root."""
        peer = self._around.archive(archive or self._around.archives[0].name)
        return (yield from self._run(session_id, LookUp(self._imaging, peer, lookup, self._around.query_limit), cancel))

    def open_study(self, session_id: str, study: Study, cancel: Event) -> Generator[Series, None, OpenedStudy]:
        """Series as they come, then all in reading order."""
        self._require_seen(session_id, OpenStudy.name, study)
        act = OpenStudy(self._imaging, self._around.archive(study.archive), study)
        return (yield from self._run(session_id, act, cancel))

    def open_series(
        self, session_id: str, study: Study, series: Series, cancel: Event
    ) -> Generator[InstancesArrived, None, SeriesContents]:
        """Retrieves the series into the session's spool."""
        self._require_seen(session_id, OpenSeries.name, study)
        if series.study_instance_uid != study.study_instance_uid:
            refuse(
                self._desk,
                self._door.session(session_id),
                OpenSeries.name,
                NotAllowed("This series is not one of that study."),
            )

        def note(received: Received) -> None:
            kept = KeptInstance(
                received.file,
                received.sop_instance_uid,
                received.sop_class_uid,
                received.transfer_syntax_uid,
                received.size,
            )
            self._holdings.came(session_id, study, series, kept)

        act = OpenSeries(
            self._imaging,
            self._around.archive(study.archive),
            study,
            series,
            self._holdings.spool(session_id),
            here=self._holdings.here(session_id, series.series_instance_uid),
            note=note,
        )
        work = self._run(session_id, act, cancel)
        while True:
            try:
                arrived = next(work)
            except StopIteration as stop:
                contents: SeriesContents = stop.value
                self._holdings.keep(session_id, study, contents)
                self._holdings.tidy(session_id, series.series_instance_uid)
                return contents
            if arrived.contents is not None:
                self._holdings.keep(session_id, study, arrived.contents)
            yield arrived

    def picture(
        self, session_id: str, instance: Instance, frame: int, max_width: int, max_height: int, cancel: Event
    ) -> Picture:
        """A frame of an instance of a series that this session opened."""
        require(self._desk, self._door.session(session_id), Permission.VIEW.value, Permission.VIEW)
        self._opened(session_id, Permission.VIEW.value, instance)
        with self._holdings.running(session_id, cancel):
            spool = self._holdings.spool(session_id)
            return self._imaging.picture(instance.file, frame, max_width, max_height, spool, cancel)

    def tags(self, session_id: str, instance: Instance, cancel: Event) -> Generator[TagRow, None, None]:
        """The data elements of an instance of a series that this session opened."""
        study = self._opened(session_id, ReadTags.name, instance)
        archive, spool = self._around.archive(study.archive), self._holdings.spool(session_id)
        yield from self._run(session_id, ReadTags(self._imaging, archive, study, instance, spool), cancel)

    def destinations(self, session_id: str) -> tuple[Destination, ...]:
        """Where this person may push to."""
        session = self._door.session(session_id)
        return tuple(shown for _, shown in self._around.destinations) if "push" in session.permissions else ()

    def push(self, session_id: str, request: PushRequest) -> PushAccepted:
        """Puts a push into the outbox."""
        found_by = self._require_seen(session_id, Push.name, request.study)
        destination = self._around.destination(request.destination)
        self._around.archive(request.study.archive)
        return finish(self._run(session_id, Push(self._deliverer.add, destination, request, found_by), Event()))

    def cancel_push(self, session_id: str, job_id: str) -> None:
        """Stops a push of this session."""
        study, destination = self._own_push(session_id, CancelPush.name, job_id)
        finish(self._run(session_id, CancelPush(self._deliverer.cancel, job_id, study, destination), Event()))

    def retry_push(self, session_id: str, job_id: str) -> None:
        """Sends again what failed or was cancelled."""
        study, destination = self._own_push(session_id, RetryPush.name, job_id)
        finish(self._run(session_id, RetryPush(self._deliverer.retry, job_id, study, destination), Event()))

    def read_audit(
        self, session_id: str, selection: Selection, limit: int, cancel: Event, *, newest_first: bool = True
    ) -> Generator[Record, None, AuditFound]:
        """Records of the trail, patients and all."""
        selection = replace(selection, badge_token=self._naming.also(selection.badge))
        act = ReadAudit(
            self._node,
            self._trail,
            masked=False,
            selection=selection,
            newest_first=newest_first,
            limit=limit,
            archive=self._archive,
        )
        return (yield from self._run(session_id, act, cancel))

    def verify_audit(self, session_id: str, cancel: Event) -> ChainState:
        """Checks the whole chain."""
        return finish(self._run(session_id, VerifyAudit(self._node, self._trail), cancel))

    def present(self, card: str, seconds: float | None = None) -> None:
        """Demo only: lays a virtual card on the simulated reader."""
        if self._tap is None:
            raise NotAllowed("There is no simulated reader here.")
        self._tap(card, seconds)

    def _require_seen(self, session_id: str, act: str, study: Study) -> str:
        session = self._door.session(session_id)
        found_by = self._holdings.found_by(session_id, study)
        if found_by is None:
            refuse(self._desk, session, act, NotAllowed("This study was not found in this session."))
        return found_by

    def _opened(self, session_id: str, act: str, instance: Instance) -> Study:
        session = self._door.session(session_id)
        try:
            return self._holdings.opened(session_id, instance)
        except NotAllowed as refusal:
            refuse(self._desk, session, act, refusal)

    def _own_push(self, session_id: str, act: str, job_id: str) -> tuple[Study, str]:
        session = self._door.session(session_id)
        try:
            return self._deliverer.about(session_id, job_id)
        except NotAllowed as refusal:
            refuse(self._desk, session, act, refusal)

    def _run(
        self, session_id: str, operation: Operation[Item, Result], cancel: Event, act_id: str | None = None
    ) -> Generator[Item, None, Result]:
        session = self._door.session(session_id)
        self._door.touch(session_id)
        with self._holdings.running(session_id, cancel):
            return (yield from perform(self._desk, session, operation, cancel, act_id))

    def _run_clock(self) -> None:
        while not self._stopping.wait(TICK):
            try:
                self._door.tick()
                self._holdings.tidy_all()
                self._tend()
            except Exception as error:  # the border of the thread: without a clock no session would end by itself
                log.error("the clock stumbled: %s", type(error).__name__)
