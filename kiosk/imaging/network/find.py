"""Study root C-FIND (PS3.4 C.4.1) at its three levels, as streams of plain values."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from time import monotonic
from typing import Final, TypeVar

from kiosk.errors import ImagingError, PeerRefused
from kiosk.imaging.calls import Found, InstanceKey
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Association, Context, GrantedContext, associate
from kiosk.imaging.network.commands import CommandField, cancel_request, query_request
from kiosk.imaging.network.identifiers import Answer, Key, encode_identifier
from kiosk.imaging.network.keys import (
    PATIENT_ROOT_FIND,
    STUDY_ROOT_FIND,
    content_keys,
    instance_from,
    instance_keys,
    patient_id_from,
    patient_key,
    patient_keys,
    series_from,
    series_keys,
    sop_classes_from,
    sop_classes_keys,
    study_from,
    study_keys,
)
from kiosk.imaging.network.matching import matches, modality_unknown
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.elements import BrokenDataSet
from kiosk.imaging.studies.model import Series, Study, StudyQuery
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

FIND_CONTEXT: Final = Context(STUDY_ROOT_FIND, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))
FIND_CONTEXTS: Final = FIND_CONTEXT, replace(FIND_CONTEXT, abstract_syntax=PATIENT_ROOT_FIND)
UNIDENTIFIED_LIMIT: Final = 500
ANSWER_LIMIT: Final = 100_000
MOST_TIMEOUTS: Final = 30
"""How many of an archive's timeouts a query may take, and so many seconds more for each answer that is a new one."""
ANSWER_SECONDS: Final = 0.2
COUNTED_STUDIES: Final = 50
COUNTING_SECONDS: Final = 5.0
"""Of how many studies the series and instances are counted here where the archive does not say, and for how long."""

T = TypeVar("T")


class Notes:
    """What was odd about the answers, counted: a broken answer costs itself, not the query."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.broken = 0
        self.undeclared = 0
        self.unfinished = False
        self.cut = False

    def sentences(self) -> tuple[str, ...]:
        notes = []
        if self.broken:
            noun = "answer" if self.broken == 1 else "answers"
            notes.append(f"{self.broken} {noun} of {self._peer} could not be read.")
        if self.undeclared:
            notes.append(f"{self._peer} does not say in which character set it writes: names may look wrong.")
        if self.unfinished:
            notes.append(f"{self._peer} went on after the query was cancelled.")
        return tuple(notes)


class Query:
    """One C-FIND on an association: iterate for its answers; after `cancel` the association can be used again."""

    def __init__(
        self,
        association: Association,
        level: str,
        keys: tuple[Key, ...],
        notes: Notes,
        deadline: float | None = None,
    ) -> None:
        self._association = association
        self._notes = notes
        self._deadline = deadline
        self._context = _find_context(association)
        identifier = encode_identifier(association.peer, level, keys, self._context.transfer_syntax)
        self._message_id = association.next_message_id()
        request = query_request(CommandField.C_FIND_RQ, self._message_id, self._context.abstract_syntax)
        association.send(self._context, request, identifier)

    def __iter__(self) -> Iterator[Answer]:
        peer, began = self._association.peer, monotonic()
        told: set[int] = set()
        for _ in range(ANSWER_LIMIT):
            if (seconds := monotonic() - began) > MOST_TIMEOUTS * peer.timeout + ANSWER_SECONDS * len(told):
                raise status.endless(peer, seconds)
            message = self._association.response(self._message_id, CommandField.C_FIND_RSP, deadline=self._deadline)
            told.add(hash(message.data))
            if status.find_step(peer, message.command.status, message.command.comment) is not status.FindStep.ANSWER:
                return
            try:
                answer = Answer(peer, message.data, self._context.transfer_syntax)
            except BrokenDataSet:
                self._notes.broken += 1
                continue
            self._notes.undeclared += answer.undeclared
            yield answer
        self._notes.cut = True
        self.cancel()

    def cancel(self) -> None:
        """C-CANCEL, then what was still under way; an archive that does not stop within the timeout is left alone."""
        self._association.send(self._context, cancel_request(self._message_id))
        deadline = self._association.deadline()
        try:
            while True:
                message = self._association.response(self._message_id, CommandField.C_FIND_RSP, deadline=deadline)
                if message.command.status not in status.PENDING:
                    return
        except ImagingError:
            self._notes.unfinished = True


def _find_context(association: Association) -> GrantedContext:
    """Study root where it is granted, else patient root, which not all have beside it."""
    context = association.find_context(STUDY_ROOT_FIND) or association.find_context(PATIENT_ROOT_FIND)
    if context is None:
        raise status.not_granted(association.peer, "queries (study root C-FIND)")
    return context


def _answers(
    association: Association,
    level: str,
    keys: tuple[Key, ...],
    notes: Notes,
    read: Callable[[Answer], T | None],
    deadline: float | None = None,
) -> Iterator[T]:
    """Every usable answer of a query that is read to its end."""
    for answer in Query(association, level, keys, notes, deadline):
        value = read(answer)
        if value is None:
            notes.broken += 1
        else:
            yield value


class _StudySearch:
    """Collects what a query finds across its modalities: each study once, no more than `limit` of them."""

    def __init__(self, association: Association, query: StudyQuery, limit: int) -> None:
        self.notes = Notes(association.peer)
        self.count = 0
        self.more = False
        self._association = association
        self._query = query
        self._limit = limit
        self._seen: set[str] = set()
        self._unidentified: list[Study] = []
        self._uncounted: list[Study] = []

    def run(self) -> Iterator[Study]:
        """Every study once, and once more where something of it could be counted."""
        for study in self._studies():
            self.count += 1
            if study.series_count is None or study.instance_count is None or not study.modalities:
                self._uncounted.append(study)
            yield study
        if not self.notes.unfinished:
            yield from self._counted()

    def _studies(self) -> Iterator[Study]:
        for query in self._queries():
            for modality in self._query.modalities or ("",):
                yield from self._ask_all(query, modality)
                if self.more:
                    break
        if self.notes.unfinished:
            return
        for study in self._unidentified:
            named = replace(study, modalities=self._modalities_of(study), counted=True)
            if matches(named, self._query):
                if self.count >= self._limit:
                    self.more = True
                    return
                yield named

    def _queries(self) -> Iterator[StudyQuery]:
        """The query; where patient root alone is granted, one for each patient, who must be named (PS3.4 C.4.1)."""
        patient_id = self._query.patient_id
        if not self._by_patient or (patient_id and not set("*?") & set(patient_id)):
            yield self._query
            return
        keys = patient_keys(self._query)
        found = _answers(self._association, "PATIENT", keys, self.notes, patient_id_from)
        for one in tuple(dict.fromkeys(found)):
            if self.more:
                return
            yield replace(self._query, patient_id=one)

    @property
    def _by_patient(self) -> bool:
        return _find_context(self._association).abstract_syntax == PATIENT_ROOT_FIND

    def _under(self, study: Study, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        return (*keys, patient_key(study.patient.patient_id)) if self._by_patient else keys

    def _counted(self) -> Iterator[Study]:
        """What the archive did not say, from its series and instances; an archive that will not is left in peace."""
        deadline = monotonic() + min(COUNTING_SECONDS, self._association.peer.timeout)
        for study in self._uncounted[:COUNTED_STUDIES]:
            try:
                counted = self._count(study, deadline)
            except ImagingError:
                return
            if counted != study:
                yield replace(counted, counted=True)

    def _count(self, study: Study, deadline: float) -> Study:
        notes = Notes(self._association.peer)
        uid = study.study_instance_uid
        keys, read = self._under(study, series_keys(uid)), partial(series_from, uid)
        answers = _answers(self._association, "SERIES", keys, notes, read, deadline)
        series = {one.series_instance_uid: one for one in answers}
        total = study.instance_count
        if total is None:
            total = sum(
                self._instances_of(study, one, notes, deadline) if one.instance_count is None else one.instance_count
                for one in series.values()
            )
        if notes.broken or notes.cut or not series or not total:
            return study
        return replace(
            study,
            modalities=study.modalities
            or tuple(dict.fromkeys(one.modality for one in series.values() if one.modality)),
            series_count=study.series_count or len(series),
            instance_count=total,
        )

    def _instances_of(self, study: Study, series: Series, notes: Notes, deadline: float) -> int:
        uid = series.series_instance_uid
        keys = self._under(study, content_keys(study.study_instance_uid, uid, sop_classes=False))
        answers = _answers(self._association, "IMAGE", keys, notes, partial(instance_from, uid), deadline)
        return len({one.sop_instance_uid for one in answers})

    def _ask_all(self, query: StudyQuery, modality: str) -> Iterator[Study]:
        """Some archives refuse a list of UIDs: they are asked for one by one."""
        try:
            yield from self._ask(query, modality)
        except PeerRefused:
            if len(query.study_instance_uids) < 2:
                raise
            for uid in query.study_instance_uids:
                yield from self._ask(replace(query, study_instance_uids=(uid,)), modality)

    def _ask(self, query: StudyQuery, modality: str) -> Iterator[Study]:
        operation = Query(self._association, "STUDY", study_keys(query, modality), self.notes)
        for answer in operation:
            study = study_from(self._association.peer, answer)
            if study is None:
                self.notes.broken += 1
                continue
            if study.study_instance_uid in self._seen or not matches(study, self._query):
                continue
            if self.count >= self._limit or len(self._unidentified) >= UNIDENTIFIED_LIMIT:
                self.more = True
                operation.cancel()
                return
            self._seen.add(study.study_instance_uid)
            if modality_unknown(study, self._query):
                self._unidentified.append(study)
                continue
            yield study

    def _modalities_of(self, study: Study) -> tuple[str, ...]:
        keys = self._under(study, series_keys(study.study_instance_uid))
        found = _answers(
            self._association, "SERIES", keys, self.notes, lambda answer: series_from(study.study_instance_uid, answer)
        )
        return tuple(dict.fromkeys(series.modality for series in found if series.modality))


def find_studies(peer: Peer, query: StudyQuery, limit: int, cancel: Event) -> Generator[Study, None, Found]:
    """Studies as the archive names them, filtered again here; see `Imaging.find_studies`."""
    with associate(peer, FIND_CONTEXTS, cancel) as association:
        search = _StudySearch(association, query, limit)
        yield from search.run()
        notes = search.notes
        return Found(search.count, search.more or notes.cut, notes.sentences(), notes.broken)


def _find(
    peer: Peer,
    level: str,
    keys: tuple[Key, ...],
    read: Callable[[Answer], T | None],
    identify: Callable[[T], str],
    cancel: Event,
) -> Generator[T, None, Found]:
    notes = Notes(peer)
    seen: set[str] = set()
    with associate(peer, FIND_CONTEXTS, cancel) as association:
        for value in _answers(association, level, keys, notes, read):
            if identify(value) not in seen:
                seen.add(identify(value))
                yield value
        return Found(len(seen), notes.cut, notes.sentences(), notes.broken)


def find_series(peer: Peer, study_instance_uid: str, cancel: Event) -> Generator[Series, None, Found]:
    """Every series of a study, each once."""
    return _find(
        peer,
        "SERIES",
        series_keys(study_instance_uid),
        lambda answer: series_from(study_instance_uid, answer),
        lambda series: series.series_instance_uid,
        cancel,
    )


def find_instances(
    peer: Peer, study_instance_uid: str, series_instance_uid: str, cancel: Event
) -> Generator[InstanceKey, None, Found]:
    """Every instance of a series, each once."""
    return _find(
        peer,
        "IMAGE",
        instance_keys(study_instance_uid, series_instance_uid),
        lambda answer: instance_from(series_instance_uid, answer),
        lambda instance: instance.sop_instance_uid,
        cancel,
    )


@dataclass(frozen=True)
class ListedClasses:
    """The SOP classes of the study, as the archive tells them at once: those of its instances are not told then."""

    sop_class_uids: frozenset[str]


@dataclass(frozen=True)
class ListedSeries:
    """A series of which the instances follow; its modality may be unknown (empty)."""

    series_instance_uid: str
    modality: str


@dataclass(frozen=True)
class Listed:
    """What is known of an instance before it comes; its SOP class may be unknown (empty)."""

    sop_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str


def list_instances(
    peer: Peer, study_instance_uid: str, series_instance_uid: str, cancel: Event, most_classes: int
) -> Iterator[ListedClasses | ListedSeries | Listed]:
    """The instances of a series, or of the whole study when none is given: first every series, the smaller ones first,
    then their instances.

    SOP classes come once for the study, where they are not more than `most_classes`, else with each instance, if the
    archive tells them at all.
    """
    notes = Notes(peer)
    with associate(peer, FIND_CONTEXTS, cancel) as association:
        told = _sop_classes(association, study_instance_uid, notes) if most_classes else frozenset()
        by_study = 0 < len(told) <= most_classes
        if by_study:
            yield ListedClasses(told)
        modalities = {series_instance_uid: ""} if series_instance_uid else {}
        if not (by_study and series_instance_uid):
            keys, read = series_keys(study_instance_uid), partial(series_from, study_instance_uid)
            found_series = _answers(association, "SERIES", keys, notes, read)
            for series in sorted(found_series, key=lambda one: one.instance_count or 0):
                if series_instance_uid in ("", series.series_instance_uid):
                    modalities[series.series_instance_uid] = series.modality
        yield from (ListedSeries(uid, modality) for uid, modality in modalities.items())
        for uid in modalities:
            keys, key = content_keys(study_instance_uid, uid, sop_classes=not by_study), partial(instance_from, uid)
            for found in _answers(association, "IMAGE", keys, notes, key):
                yield Listed(found.sop_instance_uid, uid, found.sop_class_uid)


def _sop_classes(association: Association, study_instance_uid: str, notes: Notes) -> frozenset[str]:
    keys, read = sop_classes_keys(study_instance_uid), partial(sop_classes_from, study_instance_uid)
    try:
        return frozenset().union(*_answers(association, "STUDY", keys, notes, read))
    except PeerRefused:
        return frozenset()
