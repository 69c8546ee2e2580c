"""A kiosk without a reader, an archive or a trail: `FakeOperations` speaks all of `Operations` from a script."""

import threading
import time as timing
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Event

from kiosk.audit import Head, Record, Selection, TrailStatus
from kiosk.errors import Cancelled, KioskError, NotAllowed, PeerAborted
from kiosk.imaging.calls import Found
from kiosk.imaging.lookups import Lookup, Match
from kiosk.imaging.studies.model import Instance, Picture, Series, SeriesContents, Study, StudyQuery, TagRow
from kiosk.operations.facts import (
    AccessDenied,
    BadgeView,
    EndReason,
    Fact,
    FailedInstance,
    PersonView,
    PinAsked,
    PinClosed,
    ReaderHealth,
    SessionEnded,
    SessionOpened,
    TapSeen,
    TransferProgress,
    TransferState,
)
from kiosk.operations.operations import (
    AuditFound,
    ChainState,
    DemoCard,
    Destination,
    InstancesArrived,
    OpenedStudy,
    Operations,
    PushAccepted,
    PushRequest,
    Station,
)
from kiosk.operations.status import KioskStatus, TrailSight
from tests import phantoms

PIN = "123456"
LONGEST_HANG = 100.0
"""Seconds: longer than any test waits, shorter than it may take."""
PEOPLE = {
    "radiologist-badge": (PersonView("ada", "Dr Ada Lindqvist", "radiologist"), BadgeView("badge", "…A1B2")),
    "technologist-badge": (PersonView("tom", "Tom Okafor", "technologist"), BadgeView("badge", "…C3D4")),
    "auditor-badge": (PersonView("sara", "Sara Holm", "auditor"), BadgeView("badge", "…293A")),
    "radiologist-phone": (PersonView("ada", "Dr Ada Lindqvist", "radiologist"), BadgeView("phone", "…9F2C")),
}
STATUS = KioskStatus(
    datetime(2026, 3, 1, 12, tzinfo=UTC), "", TrailSight(TrailStatus("kiosk-7", Head(4, bytes.fromhex("9f2c") * 16)))
)
CHAIN = ChainState(True, "The chain is whole: 4 records, head 9f2c.")
ACTS = {"auditor": frozenset({"sign_in", "see_audit"})}
CARDS = (
    DemoCard("F1", "radiologist-badge", "Radiologist's badge"),
    DemoCard("F2", "technologist-badge", "Technologist's badge"),
    DemoCard("F3", "radiologist-phone", "Radiologist's phone"),
    DemoCard("F4", "unknown-badge", "Unknown badge"),
)
DESTINATIONS = (
    Destination("Workstation", "WORKSTATION", "reading room 2"),
    Destination("Teaching files", "TEACHING", "anonymised later"),
)


@dataclass
class Script:
    """What the archive holds and how it behaves. `page` is how many studies a query gives, 0 for all. `row_delay` and
    `instance_delay` are seconds."""

    studies: list[Study] = field(default_factory=phantoms.studies)
    series: Callable[[Study], tuple[Series, ...]] = phantoms.series_of
    contents: Callable[[Series], SeriesContents] = phantoms.contents_of
    picture: Callable[[Instance, int], Picture] = phantoms.picture_of
    tags: Callable[[Instance], Iterable[TagRow]] = phantoms.tags_of
    destinations: tuple[Destination, ...] = DESTINATIONS
    records: list[Record] = field(default_factory=list)
    chain: ChainState = CHAIN
    status: KioskStatus = STATUS
    page: int = 0
    matches: tuple[Match, ...] = ()
    row_delay: float = 0.0
    instance_delay: float = 0.0
    hanging: set[str] = field(default_factory=set)
    failing: dict[str, KioskError] = field(default_factory=dict)


class FakeOperations:
    """Implements `Operations`. Tests push facts with `post`, read `calls`, and set what fails or hangs in `script`."""

    def __init__(self, script: Script | None = None, demo: bool = True) -> None:
        self.script = script or Script()
        self.calls: list[tuple[object, ...]] = []
        self.session: SessionOpened | None = None
        self.asked: PinAsked | None = None
        self.jobs: dict[str, tuple[PushRequest, TransferProgress]] = {}
        self.queries: list[tuple[StudyQuery, Event]] = []
        self.hangs = Event()
        self._demo = demo
        self._listeners: list[Callable[[Fact], None]] = []
        self._numbers = count(1)
        self._last_card = ""
        self._lock = threading.RLock()

    def post(self, fact: Fact) -> None:
        """Tells every listener, from the calling thread."""
        for listener in tuple(self._listeners):
            listener(fact)

    def called(self, name: str) -> list[tuple[object, ...]]:
        """The calls of that method, without its name."""
        return [call[1:] for call in self.calls if call[0] == name]

    def station(self) -> Station:
        """See Operations."""
        cards, pin = (CARDS, PIN) if self._demo else ((), "")
        return Station("Kiosk 7", "St. Example, reading room 2", ("Main archive",), cards, pin)

    def status(self) -> KioskStatus:
        """See Operations."""
        self._enter("status")
        return self.script.status

    def subscribe(self, listener: Callable[[Fact], None]) -> Callable[[], None]:
        """See Operations."""
        self._listeners.append(listener)
        listener(ReaderHealth(True, "Simulated reader"))
        if self.session is not None:
            listener(self.session)
        return lambda: self._listeners.remove(listener)

    def present(self, card: str, seconds: float | None = None) -> None:
        """See Operations: the radiologist's badge asks for a PIN, the same badge again ends the session."""
        self._enter("present", card)
        if not self._demo:
            raise NotAllowed("Only the demo has virtual cards.")
        self.post(TapSeen())
        if self.asked is not None:
            asked, self.asked = self.asked, None
            self.post(PinClosed(asked.claim_id))
        if card not in PEOPLE:
            self.post(AccessDenied("This badge is not known here."))
            return
        if self.session is not None and self._last_card == card:
            self.end(EndReason.TAPPED_OUT, "You tapped again: your session is closed.")
            return
        self._last_card = card
        person, badge = PEOPLE[card]
        self.asked = PinAsked(f"claim-{next(self._numbers)}", person, badge, 5)
        self.post(self.asked)

    def enter_pin(self, claim_id: str, pin: str) -> None:
        """See Operations."""
        self._enter("enter_pin", claim_id)
        asked = self.asked
        if asked is None or asked.claim_id != claim_id:
            self.post(PinClosed(claim_id, "This PIN box has expired. Tap again."))
            return
        if pin != PIN:
            self.asked = replace(asked, attempts_left=asked.attempts_left - 1, sentence="That PIN is not right.")
            self.post(self.asked)
            return
        self.asked = None
        if self.session is not None:
            self.end(EndReason.DISPLACED, "Another badge took over.")
        self.open_session(asked.person, asked.badge)

    def sign_in(self, card: str) -> SessionOpened:
        """That card's person signs in, as after the right PIN."""
        self._last_card = card
        return self.open_session(*PEOPLE[card])

    def open_session(self, person: PersonView, badge: BadgeView) -> SessionOpened:
        """Opens a session without a tap."""
        acts = ACTS.get(person.role, frozenset({"query", "open", "push"}))
        ends_at = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(hours=8)
        self.session = SessionOpened(f"session-{next(self._numbers)}", person, badge, acts, 300.0, 30.0, ends_at)
        self.post(self.session)
        return self.session

    def end(self, reason: EndReason, sentence: str) -> None:
        """Ends the open session."""
        session, self.session = self.session, None
        if session is not None:
            self.post(SessionEnded(session.session_id, reason, sentence))

    def abandon_pin(self, claim_id: str) -> None:
        """See Operations."""
        self._enter("abandon_pin", claim_id)
        self.asked = None
        self.post(PinClosed(claim_id))

    def touch(self, session_id: str) -> None:
        """See Operations."""
        self._enter("touch", session_id)

    def sign_out(self, session_id: str) -> None:
        """See Operations."""
        self._enter("sign_out", session_id)
        self.end(EndReason.SIGNED_OUT, "You signed out.")

    def query(self, session_id: str, query: StudyQuery, cancel: Event) -> Generator[Study, None, Found]:
        """See Operations."""
        self._enter("query", session_id, query)
        self.queries.append((query, cancel))
        found = 0
        most = self.script.page * query.pages or len(self.script.studies)
        for study in self.script.studies[:most]:
            self._pause(self.script.row_delay, cancel)
            found += 1
            yield study
        self._hang("query", cancel)
        return Found(found, len(self.script.studies) > most)

    def look_up(self, session_id: str, archive: str, lookup: Lookup, cancel: Event) -> Generator[Match, None, Found]:
        """See Operations."""
        self._enter("look_up", session_id, archive, lookup)
        yield from self.script.matches
        return Found(len(self.script.matches), False)

    def open_study(self, session_id: str, study: Study, cancel: Event) -> Generator[Series, None, OpenedStudy]:
        """See Operations."""
        self._enter("open_study", session_id, study.study_instance_uid)
        series = self.script.series(study)
        yield from series
        self._hang("open_study", cancel)
        return OpenedStudy(study, series)

    def open_series(
        self, session_id: str, study: Study, series: Series, cancel: Event
    ) -> Generator[InstancesArrived, None, SeriesContents]:
        """See Operations."""
        self._enter("open_series", session_id, series.series_instance_uid)
        contents = self.script.contents(series)
        total = len(contents.instances)
        step = max(1, total // 8)
        for received in range(step, total + 1, step):
            self._pause(self.script.instance_delay * step, cancel)
            so_far = replace(contents, instances=contents.instances[:received])
            yield InstancesArrived(received, series.instance_count, so_far)
        self._hang("open_series", cancel)
        return contents

    def picture(
        self, session_id: str, instance: Instance, frame: int, max_width: int, max_height: int, cancel: Event
    ) -> Picture:
        """See Operations."""
        self._enter("picture", instance.sop_instance_uid, frame, max_width, max_height)
        self._hang("picture", cancel)
        return self.script.picture(instance, frame)

    def tags(self, session_id: str, instance: Instance, cancel: Event) -> Generator[TagRow, None, None]:
        """See Operations."""
        self._enter("tags", instance.sop_instance_uid)
        yield from self.script.tags(instance)

    def destinations(self, session_id: str) -> tuple[Destination, ...]:
        """See Operations."""
        self._enter("destinations", session_id)
        return self.script.destinations

    def push(self, session_id: str, request: PushRequest) -> PushAccepted:
        """See Operations. The job stands still until the test calls `advance`."""
        self._enter("push", session_id, request)
        if (error := self.script.failing.get(f"push to {request.destination}")) is not None:
            raise error
        job_id = f"job-{next(self._numbers)}"
        total = request.expected_instances or 10
        progress = TransferProgress(
            session_id, job_id, TransferState.WAITING, request.study.patient, request.study.description,
            request.destination, total, 0, 0, 0, total * 524_288, 0,
        )  # fmt: skip
        self.jobs[job_id] = (request, progress)
        self.post(progress)
        return PushAccepted(job_id)

    def cancel_push(self, session_id: str, job_id: str) -> None:
        """See Operations."""
        self._enter("cancel_push", session_id, job_id)
        self.move(job_id, state=TransferState.CANCELLED, rate=0.0, sentence="Cancelled.")

    def retry_push(self, session_id: str, job_id: str) -> None:
        """See Operations."""
        self._enter("retry_push", session_id, job_id)
        self.move(job_id, state=TransferState.WAITING, instances_failed=0, failures=(), sentence="")

    def read_audit(
        self, session_id: str, selection: Selection, limit: int, cancel: Event, *, newest_first: bool = True
    ) -> Generator[Record, None, AuditFound]:
        """See Operations."""
        self._enter("read_audit", session_id, selection, newest_first)
        found = [record for record in self.script.records if selection.takes(record)]
        for record in (found[::-1] if newest_first else found)[:limit]:
            self._pause(self.script.row_delay, cancel)
            yield record
        self._hang("read_audit", cancel)
        return AuditFound(min(len(found), limit), len(found) > limit)

    def verify_audit(self, session_id: str, cancel: Event) -> ChainState:
        """See Operations."""
        self._enter("verify_audit", session_id)
        self._hang("verify_audit", cancel)
        return self.script.chain

    def move(self, job_id: str, **changes: object) -> TransferProgress:
        """Changes a push and tells the listeners."""
        with self._lock:
            request, progress = self.jobs[job_id]
            moved = replace(progress, **changes)  # type: ignore[arg-type]  # the test names fields of TransferProgress
            self.jobs[job_id] = (request, moved)
        self.post(moved)
        return moved

    def advance(self, job_id: str, done: int, failures: tuple[FailedInstance, ...] = ()) -> TransferProgress:
        """Moves a push to `done` instances stored; it ends when all are accounted for."""
        progress = self.jobs[job_id][1]
        failed = len(failures)
        over = done + failed >= progress.instances_total
        state = TransferState.SENDING if not over else TransferState.FAILED if failed else TransferState.DELIVERED
        left = progress.instances_total - done - failed
        return self.move(
            job_id, state=state, instances_fetched=progress.instances_total, instances_done=done,
            instances_failed=failed, failures=failures, bytes_done=done * 524_288, rate=0.0 if over else 4_200_000.0,
            seconds_left=None if over else left / 8,
        )  # fmt: skip

    def close(self) -> None:
        """See Operations."""
        self._enter("close")

    def _enter(self, name: str, *arguments: object) -> None:
        with self._lock:
            self.calls.append((name, *arguments))
            error = self.script.failing.get(name)
        if error is not None:
            raise error

    def _pause(self, seconds: float, cancel: Event) -> None:
        if seconds and cancel.wait(seconds):
            raise Cancelled
        if cancel.is_set():
            raise Cancelled

    def _hang(self, name: str, cancel: Event) -> None:
        until = timing.monotonic() + LONGEST_HANG
        if name in self.script.hanging:
            self.hangs.set()
        while name in self.script.hanging:
            if cancel.wait(0.01):
                raise Cancelled
            if timing.monotonic() > until:
                raise PeerAborted("The script hung, and nobody cancelled.")


def typed(fake: FakeOperations) -> Operations:
    """The fake as the protocol that it speaks: mypy compares the two here."""
    return fake
