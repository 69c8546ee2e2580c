"""The main job, scripted: tap, PIN, query, open, look, tags, push, take-over, tap-out, and the record of it all.

It drives an `Operations` like any front end, so the same script passes against every archive and through every reader.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event
from typing import TypeVar

from kiosk.errors import KioskError
from kiosk.imaging.studies.model import Series, SeriesContents, Study, StudyQuery
from kiosk.operations.facts import (
    AccessDenied,
    EndReason,
    Fact,
    PinAsked,
    ReaderHealth,
    SessionEnded,
    SessionOpened,
    TransferProgress,
    TransferState,
)
from kiosk.operations.operations import OpenedStudy, Operations, PushRequest

PATIENCE = 30.0
"""Seconds that one step may take."""
PICTURE_EDGE = 256
TAP_SECONDS = 0.5

SomeFact = TypeVar("SomeFact", bound=Fact)
Result = TypeVar("Result")


class StepFailed(Exception):
    """A step of the main job went wrong; the message says which and how."""


@dataclass(frozen=True)
class Cast:
    """The cards of the script, by the names that `Operations.present` knows, and their PIN."""

    first: str
    second: str
    phone: str
    unknown: str
    pin: str


class MainJob:
    """Runs the script once. `say` hears each step as it is done; `delivered` counts what a destination has of a study;
    `settle` is how long a badge must be away before it may tap again, seconds."""

    def __init__(
        self,
        operations: Operations,
        cast: Cast,
        delivered: Callable[[str, str], int],
        say: Callable[[str], None],
        settle: float,
    ) -> None:
        self._operations = operations
        self._cast = cast
        self._delivered = delivered
        self._say = say
        self._settle = settle
        self._facts: Queue[Fact] = Queue()
        self._step = ""

    def run(self, minimum_studies: int) -> None:
        """The whole job; raises StepFailed."""
        end = self._operations.subscribe(self._facts.put)
        try:
            self._unknown_badge()
            session_id = self._sign_in(self._cast.first)
            study = self._query(session_id, minimum_studies)
            opened, series = self._open(session_id, study)
            self._read(session_id, study, series)
            self._push(session_id, study, opened)
            session_id = self._take_over()
            self._tap_out(session_id)
            self._phone()
        except KioskError as error:
            raise StepFailed(f"{self._step}: {error}") from error
        finally:
            end()

    def _unknown_badge(self) -> None:
        self._begin("an unknown badge is refused")
        self._await(ReaderHealth, lambda health: health.available)
        self._tap(self._cast.unknown)
        denied = self._await(AccessDenied)
        self._expect("not known here" in denied.sentence, f"it said: {denied.sentence}")
        self._done()

    def _sign_in(self, card: str) -> str:
        self._begin("a badge and its PIN open a session, a wrong PIN does not")
        self._tap(card)
        asked = self._await(PinAsked)
        self._operations.enter_pin(asked.claim_id, "918273")
        again = self._await(PinAsked)
        self._expect(again.claim_id == asked.claim_id and bool(again.sentence), "a wrong PIN was not said to be wrong")
        self._operations.enter_pin(asked.claim_id, self._cast.pin)
        opened = self._await(SessionOpened)
        self._done(opened.person.display_name)
        return opened.session_id

    def _query(self, session_id: str, minimum: int) -> Study:
        self._begin("a query finds studies")
        rows, found = _gather(self._operations.query(session_id, StudyQuery(), Event()))
        rows = list({study.study_instance_uid: study for study in rows}.values())  # counted here, a row comes again
        self._expect(found.count == len(rows) >= minimum, f"{len(rows)} studies")
        images = [study for study in rows if not set(study.modalities) & {"SR", "US"}]
        study = max(images or rows, key=lambda row: (row.series_count or 0, row.study_instance_uid))
        family = study.patient.name.alphabetic.split("^")[0] or study.patient.patient_id
        by_name = (
            StudyQuery(patient_name=f"{family[:3]}*")
            if study.patient.name.alphabetic
            else StudyQuery(patient_id=family)
        )
        named, _ = _gather(self._operations.query(session_id, by_name, Event()))
        known = {row.study_instance_uid for row in named}
        self._expect(study.study_instance_uid in known, "a wildcard on the name does not find the study again")
        self._expect(len(known) <= len(rows), "a wildcard finds more than everything")
        self._done(f"{len(rows)} studies")
        return study

    def _open(self, session_id: str, study: Study) -> tuple[OpenedStudy, SeriesContents]:
        self._begin("a study opens into series, a series into instances in order")
        _, opened = _gather(self._operations.open_study(session_id, study, Event()))
        self._expect(bool(opened.series), "no series")
        series = max(opened.series, key=lambda one: one.instance_count or 0)
        contents = self._open_series(session_id, study, series)
        heights = [instance.position for instance in contents.instances if instance.position]
        self._expect(len(contents.instances) == series.instance_count, f"{len(contents.instances)} instances")
        self._done(
            f"{len(opened.series)} series, {len(contents.instances)} instances by {contents.rule.value}, "
            f"{len(heights)} placed"
        )
        return opened, contents

    def _open_series(self, session_id: str, study: Study, series: Series) -> SeriesContents:
        _, contents = _gather(self._operations.open_series(session_id, study, series, Event()))
        return contents

    def _read(self, session_id: str, study: Study, contents: SeriesContents) -> None:
        self._begin("an instance shows its picture and its tags")
        instance = contents.instances[len(contents.instances) // 2]
        picture = self._operations.picture(session_id, instance, 0, PICTURE_EDGE, PICTURE_EDGE, Event())
        self._expect(len(set(picture.pixels)) > 1, "the picture is of one colour")
        rows, _ = _gather(self._operations.tags(session_id, instance, Event()))
        shown = {row.keyword: row.value for row in rows if row.depth == 0}
        self._expect(shown.get("SOPInstanceUID") == instance.sop_instance_uid, "the tags are another instance's")
        self._expect(shown.get("PatientID") == study.patient.patient_id, "the tags are another patient's")
        self._done(f"{picture.width} x {picture.height} pixels, {len(rows)} tags")

    def _push(self, session_id: str, study: Study, opened: OpenedStudy) -> None:
        self._begin("a study is pushed and arrives whole")
        destination = self._operations.destinations(session_id)[0]
        accepted = self._operations.push(session_id, PushRequest(study, (), destination.name))
        last = self._await(
            TransferProgress, lambda seen: seen.job_id == accepted.job_id and seen.state.is_final, patience=4 * PATIENCE
        )
        self._expect(last.state is TransferState.DELIVERED, last.sentence or last.state.value)
        total = sum(series.instance_count or 0 for series in opened.series)
        arrived = self._delivered(destination.name, study.study_instance_uid)
        self._expect(arrived == total == last.instances_done, f"{arrived} of {total} instances arrived")
        self._done(f"{total} instances, {last.bytes_done} bytes to {destination.name}")

    def _take_over(self) -> str:
        self._begin("another person's badge takes the terminal over")
        self._tap(self._cast.second)
        ended = self._await(SessionEnded)
        self._expect(ended.reason is EndReason.DISPLACED, ended.reason.value)
        asked = self._await(PinAsked)
        self._operations.enter_pin(asked.claim_id, self._cast.pin)
        opened = self._await(SessionOpened)
        self._done(opened.person.display_name)
        return opened.session_id

    def _tap_out(self, session_id: str) -> None:
        self._begin("a tap of the same badge ends the session")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._tap(self._cast.second)
            try:
                ended = self._await(SessionEnded, lambda seen: seen.session_id == session_id, patience=1.0)
            except StepFailed:
                continue  # tapped again too soon after signing in: the kiosk asks to tap once more
            self._expect(ended.reason is EndReason.TAPPED_OUT, ended.reason.value)
            self._done()
            return
        raise StepFailed(f"{self._step}: the session stayed open")

    def _phone(self) -> None:
        self._begin("a phone proves itself, and its owner's PIN holds for the shift")
        self._tap(self._cast.phone)
        asked = self._await(PinAsked)
        self._operations.enter_pin(asked.claim_id, self._cast.pin)
        opened = self._await(SessionOpened)
        self._operations.sign_out(opened.session_id)
        self._await(SessionEnded)
        self._tap(self._cast.phone)
        opened = self._await(SessionOpened)
        self._operations.sign_out(opened.session_id)
        self._await(SessionEnded)
        self._done(opened.person.display_name)

    def _tap(self, card: str) -> None:
        self._operations.present(card, TAP_SECONDS)
        time.sleep(TAP_SECONDS + self._settle)

    def _await(
        self, kind: type[SomeFact], wanted: Callable[[SomeFact], bool] = lambda _: True, patience: float = PATIENCE
    ) -> SomeFact:
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            try:
                fact = self._facts.get(timeout=left)
            except Empty:
                break
            if isinstance(fact, kind) and wanted(fact):
                return fact
        raise StepFailed(f"{self._step}: no {kind.__name__} within {patience:.0f} s")

    def _begin(self, step: str) -> None:
        self._step = step

    def _done(self, detail: str = "") -> None:
        self._say(f"ok    {self._step}{f' ({detail})' if detail else ''}")

    def _expect(self, true: bool, otherwise: str) -> None:
        if not true:
            raise StepFailed(f"{self._step}: {otherwise}")


def _gather(work: "Generator[SomeItem, None, Result]") -> "tuple[list[SomeItem], Result]":
    items = []
    while True:
        try:
            items.append(next(work))
        except StopIteration as stop:
            return items, stop.value


SomeItem = TypeVar("SomeItem")
