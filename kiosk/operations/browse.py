"""Opening a study, a series and the tags of an instance."""

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field, replace
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import AuditMessage, Outcome, events
from kiosk.errors import ImagingError
from kiosk.imaging.calls import Imaging, Received
from kiosk.imaging.catalogue import KeptInstance
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Instance, Series, SeriesContents, Study, TagRow
from kiosk.imaging.studies.priors import reading_order
from kiosk.operations.operations import InstancesArrived, OpenedStudy
from kiosk.operations.perform import Ending, Operation
from kiosk.operations.principal import Principal, Session
from kiosk.operations.statement import Statement, who
from kiosk.operations.subjects import patient_ref, peer_node, study_ref, this_node

LOOK_EVERY = 0.7
"""Seconds between two orderings of a series that is still arriving, at first; the pause grows with the series."""


def _not_kept(_received: Received) -> None:
    """Nobody keeps a catalogue."""


@dataclass(frozen=True)
class OpenStudy(Operation[Series, OpenedStudy]):
    """C-FIND at SERIES level; counts that the archive does not give are counted at IMAGE level."""

    name: ClassVar[str] = "open_study"
    permission: ClassVar[Permission | None] = Permission.OPEN_STUDY
    accepts: ClassVar[tuple[type, ...]] = (Session,)

    imaging: Imaging
    archive: Peer
    study: Study

    def intent(self, by: Principal) -> Statement:
        """Which study of which patient."""
        return Statement("Open study", patient=patient_ref(self.study.patient), details=_study_details(self.study))

    def act(self, by: Principal, cancel: Event) -> Generator[Series, None, OpenedStudy]:
        """Series as they come, then all of them in reading order."""
        uid = self.study.study_instance_uid
        notes: tuple[str, ...] = ()
        found: list[Series] = []
        answers = self.imaging.find_series(self.archive, uid, cancel)
        while True:
            try:
                series = next(answers)
            except StopIteration as stop:
                notes = stop.value.notes
                break
            found.append(series)
            yield series
        for index, series in enumerate(found):
            if series.instance_count is None:
                found[index] = replace(series, instance_count=self._count(series, cancel))
                yield found[index]
        return OpenedStudy(self.study, tuple(sorted(found, key=reading_order)), notes)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """DICOM Instances Accessed (PS3.15 A.5.3.6)."""
        return _accessed(by, self.archive, self.study, ending, f"Open study: {ending.words}")

    def _count(self, series: Series, cancel: Event) -> int:
        answers = self.imaging.find_instances(
            self.archive, series.study_instance_uid, series.series_instance_uid, cancel
        )
        return sum(1 for _ in answers)


@dataclass(frozen=True)
class OpenSeries(Operation[InstancesArrived, SeriesContents]):
    """Retrieval of a series into the session's spool, ordered while it arrives."""

    name: ClassVar[str] = "open_series"
    permission: ClassVar[Permission | None] = Permission.OPEN_SERIES
    accepts: ClassVar[tuple[type, ...]] = (Session,)

    imaging: Imaging
    archive: Peer
    study: Study
    series: Series
    spool: str
    came: list[str] = field(default_factory=list, repr=False, compare=False)
    """The SOP class of each instance that came."""
    missing: list[str] = field(default_factory=list, repr=False, compare=False)
    """Why some did not, where the archive said so."""
    here: tuple[KeptInstance, ...] = field(default=(), repr=False)
    """What was retrieved in this session already: it is not asked for again."""
    note: Callable[[Received], None] = field(default=_not_kept, repr=False, compare=False)
    """Where what came is put down, to be found here the next time."""

    def intent(self, by: Principal) -> Statement:
        """Which series of which study."""
        return Statement(
            "Open series",
            patient=patient_ref(self.study.patient),
            details=(*_study_details(self.study), ("series", self.series.series_instance_uid)),
        )

    def act(self, by: Principal, cancel: Event) -> Generator[InstancesArrived, None, SeriesContents]:
        """What is here already, counts as instances arrive, their order from time to time, and at the end the whole."""
        series, files = self.series, [kept.file for kept in self.here]
        pause, looked = LOOK_EVERY, 0.0
        wanted: tuple[str, ...] = ()
        if files:
            contents = self.imaging.read_series(series, tuple(files), self.spool, cancel)
            yield InstancesArrived(len(files), series.instance_count, contents)
            try:
                wanted = self._not_here(cancel)
            except ImagingError as error:
                self.missing.append(f"The archive was not asked whether there are more: {error}")
            if not wanted:
                return replace(contents, notes=(*self.missing, *contents.notes))
        answers = self.imaging.retrieve(
            self.archive,
            self.study.study_instance_uid,
            series.series_instance_uid,
            wanted,
            self.spool,
            cancel,
            patient=self.study.patient.key,
        )
        while True:
            try:
                received = next(answers)
            except StopIteration as stop:
                retrieved = stop.value
                break
            files.append(received.file)
            self.came.append(received.sop_class_uid)
            self.note(received)
            so_far = None
            if time.monotonic() - looked > pause:
                so_far = self.imaging.read_series(series, tuple(files), self.spool, cancel)
                looked, pause = time.monotonic(), pause * 2
            yield InstancesArrived(len(files), series.instance_count, so_far)
        contents = self.imaging.read_series(series, tuple(files), self.spool, cancel)
        if retrieved.reason or retrieved.failed:
            missing = f"{retrieved.failed} instances did not come" if retrieved.failed else "Not everything came"
            note = f"{missing}: {retrieved.reason}" if retrieved.reason else missing
            self.missing.append(note)
            contents = replace(contents, notes=(note, *contents.notes))
        return contents

    def _not_here(self, cancel: Event) -> tuple[str, ...]:
        """What the archive has and is not here: while it still receives a series it has more by the next look."""
        known = {kept.sop_instance_uid for kept in self.here}
        listed = self.imaging.find_instances(
            self.archive, self.study.study_instance_uid, self.series.series_instance_uid, cancel
        )
        return tuple(dict.fromkeys(key.sop_instance_uid for key in listed if key.sop_instance_uid not in known))

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Instances Transferred (PS3.15 A.5.3.7), a message for what came and one when not all did; then Accessed."""
        already = f", {len(self.here)} were here" if self.here else ""
        said = f"Open series: {len(self.came)} instances{already}, {ending.words}"
        series = ("series", self.series.series_instance_uid)
        accessed = _accessed(by, self.archive, self.study, ending, said, series)
        return replace(accessed, messages=(*self._retrieved(by, ending), *accessed.messages))

    def _retrieved(self, by: Principal, ending: Ending) -> tuple[AuditMessage, ...]:
        why = "; ".join(self.missing) if ending.outcome is Outcome.SUCCESS else ending.words
        messages = retrieved(by, self.archive, self.study, self.came, Outcome.SUCCESS, "") if self.came else ()
        if self.missing or ending.outcome is not Outcome.SUCCESS:
            outcome = ending.outcome or Outcome.SERIOUS
            messages += retrieved(by, self.archive, self.study, (), outcome, why)
        return messages


@dataclass(frozen=True)
class ReadTags(Operation[TagRow, None]):
    """The data elements of one retrieved instance."""

    name: ClassVar[str] = "tags"
    permission: ClassVar[Permission | None] = Permission.READ_TAGS
    accepts: ClassVar[tuple[type, ...]] = (Session,)

    imaging: Imaging
    archive: Peer
    study: Study
    instance: Instance
    spool: str

    def intent(self, by: Principal) -> Statement:
        """Which instance."""
        return Statement("Read tags", patient=patient_ref(self.study.patient), details=(self._instance,))

    def act(self, by: Principal, cancel: Event) -> Generator[TagRow, None, None]:
        """Rows as the worker parses them."""
        yield from self.imaging.tags(self.instance.file, self.spool, cancel)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """DICOM Instances Accessed (PS3.15 A.5.3.6)."""
        return _accessed(by, self.archive, self.study, ending, f"Read tags: {ending.words}", self._instance)

    @property
    def _instance(self) -> tuple[str, str]:
        return "instance", self.instance.sop_instance_uid


def retrieved(
    by: Principal, archive: Peer, study: Study, sop_class_uids: Iterable[str], outcome: Outcome, why: str
) -> tuple[AuditMessage, ...]:
    """Instances of a study came from an archive to this machine, or did not."""
    return events.transferred(
        who(by),
        peer_node(archive),
        this_node(archive.calling_ae_title),
        (study_ref(study, sop_class_uids),),
        patient_ref(study.patient),
        outcome,
        why,
        action="C",
    )


def _study_details(study: Study) -> tuple[tuple[str, str], ...]:
    return ("study", study.study_instance_uid), ("archive", study.archive)


def _accessed(
    by: Principal, archive: Peer, study: Study, ending: Ending, said: str, *details: tuple[str, str]
) -> Statement:
    wrong = "" if ending.outcome is Outcome.SUCCESS else ending.words
    messages = events.instances_accessed(
        who(by),
        this_node(archive.calling_ae_title),
        (study_ref(study),),
        patient_ref(study.patient),
        ending.outcome,
        wrong,
    )
    return Statement(
        said, ending.outcome, messages, patient_ref(study.patient), details=(*_study_details(study), *details)
    )
