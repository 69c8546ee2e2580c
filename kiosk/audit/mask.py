"""Records without their patients: for whoever may see who did what, and not to whom."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from kiosk.audit.codes import ROLE_PATIENT
from kiosk.audit.message import AuditMessage, ParticipantObject, PatientRef
from kiosk.audit.participants import patient_object
from kiosk.audit.record import Entry, Record

MASKED: Final = "(masked)"
SEARCH_PREFIX: Final = "key."
SHORTEST: Final = 3
NAME_PARTS: Final = re.compile(r"[\^=\s,]+")


class Mask:
    """Masks records; one patient keeps one name ("patient-1") as long as the mask lives.

    Masked are the record's patient, patient objects, accession numbers, the identifiers of queries and details that
    begin with "key."; in what is left, words that equal the patient's ID or a part of the name.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def record(self, record: Record) -> Record:
        """The record without its patient. Its hashes are those of the record as written."""
        entry = record.entry
        words = _words(entry)
        masked = replace(
            entry,
            summary=_without(words, entry.summary),
            messages=tuple(self._message(message, words) for message in entry.messages),
            details=tuple(
                (key, MASKED if key.startswith(SEARCH_PREFIX) else _without(words, value))
                for key, value in entry.details
            ),
            patient=None if entry.patient is None else self._patient(entry.patient),
            if_interrupted=tuple(self._message(message, words) for message in entry.if_interrupted),
        )
        return replace(record, entry=masked)

    def _patient(self, patient: PatientRef) -> PatientRef:
        return PatientRef(self._alias(patient_object(patient).object_id), "", MASKED)

    def _message(self, message: AuditMessage, words: re.Pattern[str] | None) -> AuditMessage:
        return replace(
            message,
            outcome_description=_without(words, message.outcome_description),
            objects=tuple(self._object(item, words) for item in message.objects),
        )

    def _object(self, item: ParticipantObject, words: re.Pattern[str] | None) -> ParticipantObject:
        if item.role == ROLE_PATIENT:
            return replace(item, object_id=self._alias(item.object_id), name=MASKED, query=None, details=())
        return replace(
            item,
            name=_without(words, item.name),
            query=None if item.query is None else MASKED.encode("ascii"),
            details=tuple((kind, _without_bytes(words, value)) for kind, value in item.details),
            accession_numbers=tuple(MASKED for _ in item.accession_numbers),
        )

    def _alias(self, patient_id: str) -> str:
        return f"patient-{self._numbers.setdefault(patient_id, len(self._numbers) + 1)}"


def _words(entry: Entry) -> re.Pattern[str] | None:
    """What would name the patient in free text: the ID and the parts of the name, each as a word of its own."""
    objects = [item for message in (*entry.messages, *entry.if_interrupted) for item in message.objects]
    names = {item.name for item in objects if item.role == ROLE_PATIENT}
    ids = {item.object_id for item in objects if item.role == ROLE_PATIENT}
    accessions = {number for item in objects for number in item.accession_numbers}
    if entry.patient is not None:
        names.add(entry.patient.name)
        ids.add(entry.patient.patient_id)
    parts = {part for name in names for part in (name, *NAME_PARTS.split(name))}
    searched = {value for key, value in entry.details if key.startswith(SEARCH_PREFIX)}
    ids |= {text.split("^")[0] for text in ids}
    return _pattern(parts | ids | accessions | searched)


def _pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    # Shorter ones would blank every other word of a sentence; the fields that are known to hold them are masked whole.
    long = sorted((word for word in words if len(word) >= SHORTEST), key=len, reverse=True)
    if not long:
        return None
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, long))})(?!\w)", re.IGNORECASE)


def _without(words: re.Pattern[str] | None, text: str) -> str:
    return words.sub(MASKED, text) if words else text


def _without_bytes(words: re.Pattern[str] | None, value: bytes) -> bytes:
    try:
        return _without(words, value.decode("utf-8")).encode("utf-8")
    except UnicodeDecodeError:
        return value
