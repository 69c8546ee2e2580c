"""Study root C-FIND (PS3.4 C.4.1) at its three levels, as streams of plain values."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import Final, TypeVar

from kiosk.errors import ImagingError
from kiosk.imaging.calls import Found, InstanceKey
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Association, Context, GrantedContext, associate
from kiosk.imaging.network.commands import CommandField, cancel_request, query_request
from kiosk.imaging.network.identifiers import Answer, Key, encode_identifier
from kiosk.imaging.network.keys import (
    STUDY_ROOT_FIND,
    instance_from,
    instance_keys,
    series_from,
    series_keys,
    study_from,
    study_keys,
)
from kiosk.imaging.network.matching import matches, modality_unknown
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.elements import BrokenDataSet
from kiosk.imaging.studies.model import Series, Study, StudyQuery
from kiosk.imaging.studies.syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

FIND_CONTEXT: Final = Context(STUDY_ROOT_FIND, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN))
UNIDENTIFIED_LIMIT: Final = 500
ANSWER_LIMIT: Final = 100_000

T = TypeVar("T")


class _Notes:
    """What was odd about the answers, counted: a broken answer costs itself, not the query."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.broken = 0
        self.undeclared = 0
        self.unfinished = False

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


class _Operation:
    """One C-FIND on an association: iterate for its answers; after `cancel` the association can be used again."""

    def __init__(self, association: Association, level: str, keys: tuple[Key, ...], notes: _Notes) -> None:
        self._association = association
        self._notes = notes
        self._context = _find_context(association)
        identifier = encode_identifier(association.peer, level, keys, self._context.transfer_syntax)
        self._message_id = association.next_message_id()
        request = query_request(CommandField.C_FIND_RQ, self._message_id, STUDY_ROOT_FIND)
        association.send(self._context, request, identifier)

    def __iter__(self) -> Iterator[Answer]:
        peer = self._association.peer
        for _ in range(ANSWER_LIMIT):
            message = self._association.response(self._message_id, CommandField.C_FIND_RSP)
            if status.find_step(peer, message.command.status, message.command.comment) is not status.FindStep.ANSWER:
                return
            try:
                answer = Answer(peer, message.data, self._context.transfer_syntax)
            except BrokenDataSet:
                self._notes.broken += 1
                continue
            self._notes.undeclared += answer.undeclared
            yield answer
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
    context = association.find_context(STUDY_ROOT_FIND)
    if context is None:
        raise status.not_granted(association.peer, "queries (study root C-FIND)")
    return context


def _answers(
    association: Association, level: str, keys: tuple[Key, ...], notes: _Notes, read: Callable[[Answer], T | None]
) -> Iterator[T]:
    """Every usable answer of a query that is read to its end."""
    for answer in _Operation(association, level, keys, notes):
        value = read(answer)
        if value is None:
            notes.broken += 1
        else:
            yield value


class _StudySearch:
    """Collects what a query finds across its modalities: each study once, no more than `limit` of them."""

    def __init__(self, association: Association, query: StudyQuery, limit: int) -> None:
        self.notes = _Notes(association.peer)
        self.count = 0
        self.more = False
        self._association = association
        self._query = query
        self._limit = limit
        self._seen: set[str] = set()
        self._unidentified: list[Study] = []

    def run(self) -> Iterator[Study]:
        for modality in self._query.modalities or ("",):
            yield from self._ask(modality)
            if self.more:
                break
        if self.notes.unfinished:
            return
        for study in self._unidentified:
            named = replace(study, modalities=self._modalities_of(study))
            if matches(named, self._query):
                if self.count >= self._limit:
                    self.more = True
                    return
                self.count += 1
                yield named

    def _ask(self, modality: str) -> Iterator[Study]:
        operation = _Operation(self._association, "STUDY", study_keys(self._query, modality), self.notes)
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
            self.count += 1
            yield study

    def _modalities_of(self, study: Study) -> tuple[str, ...]:
        keys = series_keys(study.study_instance_uid)
        found = _answers(
            self._association, "SERIES", keys, self.notes, lambda answer: series_from(study.study_instance_uid, answer)
        )
        return tuple(dict.fromkeys(series.modality for series in found if series.modality))


def find_studies(peer: Peer, query: StudyQuery, limit: int, cancel: Event) -> Generator[Study, None, Found]:
    """Studies as the archive names them, filtered again here; see `Imaging.find_studies`."""
    with associate(peer, [FIND_CONTEXT], cancel) as association:
        search = _StudySearch(association, query, limit)
        yield from search.run()
        return Found(search.count, search.more, search.notes.sentences())


def _find(
    peer: Peer,
    level: str,
    keys: tuple[Key, ...],
    read: Callable[[Answer], T | None],
    identify: Callable[[T], str],
    cancel: Event,
) -> Generator[T, None, Found]:
    notes = _Notes(peer)
    seen: set[str] = set()
    with associate(peer, [FIND_CONTEXT], cancel) as association:
        for value in _answers(association, level, keys, notes, read):
            if identify(value) not in seen:
                seen.add(identify(value))
                yield value
        return Found(len(seen), False, notes.sentences())


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
class Listed:
    """What is known of an instance before it comes; its SOP class and modality may be unknown (empty)."""

    series_instance_uid: str
    sop_class_uid: str
    modality: str


def list_instances(peer: Peer, study_instance_uid: str, series_instance_uid: str, cancel: Event) -> dict[str, Listed]:
    """The instances of a series, or of the whole study when none is given, by SOP Instance UID."""
    notes = _Notes(peer)
    with associate(peer, [FIND_CONTEXT], cancel) as association:

        def series() -> dict[str, str]:
            keys, read = series_keys(study_instance_uid), partial(series_from, study_instance_uid)
            found = _answers(association, "SERIES", keys, notes, read)
            return {one.series_instance_uid: one.modality for one in found}

        modalities = {series_instance_uid: ""} if series_instance_uid else series()
        instances: dict[str, tuple[str, InstanceKey]] = {}
        for uid in modalities:
            keys, read = instance_keys(study_instance_uid, uid), partial(instance_from, uid)
            for found in _answers(association, "IMAGE", keys, notes, read):
                instances.setdefault(found.sop_instance_uid, (uid, found))
        if series_instance_uid and any(not found.sop_class_uid for _, found in instances.values()):
            modalities |= series()
        return {key: Listed(uid, found.sop_class_uid, modalities[uid]) for key, (uid, found) in instances.items()}
