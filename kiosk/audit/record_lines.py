"""One record whole, as lines for people: what it says, and its DICOM messages field by field."""

from collections.abc import Iterator
from typing import Final

from kiosk.audit.codes import ROLE_PATIENT
from kiosk.audit.message import ActiveParticipant, AuditMessage, Code, ParticipantObject
from kiosk.audit.record import Record
from kiosk.audit.selection import session_of
from kiosk.audit.table import OUTCOME_WORDS, badge_text, outcome_text, patient_text, person_text, row, utc_text
from readers.text import cell_width, safe_text

FIELD_WIDTH: Final = 22
MORE: Final = "    "
ACTIONS: Final = {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "execute"}


def record_lines(record: Record) -> Iterator[str]:
    """The fields of a record, a line each."""
    fields = tuple(record_fields(record))
    width = max(FIELD_WIDTH, *(cell_width(safe_text(name)) for name, _ in fields))
    for name, text in fields:
        yield row((name, text), (width,)) if name else ""


def record_fields(record: Record) -> Iterator[tuple[str, str]]:
    """Everything that one record holds, as names and texts; a pair of empty ones stands before each message."""
    entry, actor = record.entry, record.entry.actor
    proof = entry.proof
    yield from _filled(
        ("Record", f"{record.sequence}, {utc_text(record.time)}"),
        ("Act", f"{entry.act}, {entry.phase.value}, {outcome_text(entry)}"),
        ("Summary", entry.summary),
        ("Person", person_text(actor)),
        ("Role", actor.role),
        ("Badge", badge_text(actor)),
        ("Session", session_of(entry)),
        ("Patient", patient_text(entry.patient) if entry.patient else ""),
        *(pair for pair in entry.details if pair[0] != "session"),
        ("Proof", f"{proof.algorithm}, a signature of {len(proof.signature)} octets" if proof else ""),
        ("If interrupted", f"{len(entry.if_interrupted)} DICOM audit messages" if entry.if_interrupted else ""),
        ("Act ID", entry.act_id),
        ("Hash", record.hash.hex()),
        ("Follows", record.previous_hash.hex()),
        ("Source", f"{record.source.source_id} {record.source.enterprise_site_id}".strip()),
    )
    for place, message in enumerate(entry.messages, 1):
        yield "", ""
        yield "DICOM audit message", f"{place} of {len(entry.messages)} (PS3.15 A.5)"
        yield from _message(message)


def _message(message: AuditMessage) -> Iterator[tuple[str, str]]:
    yield from _filled(
        ("EventID", _code_text(message.event_id)),
        *(("EventTypeCode", _code_text(code)) for code in message.event_types),
        ("EventActionCode", f"{message.action} {ACTIONS.get(message.action, '')}"),
        ("EventOutcome", OUTCOME_WORDS[message.outcome]),
        ("OutcomeDescription", message.outcome_description),
    )
    for participant in message.participants:
        yield from _participant(participant)
    for item in message.objects:
        yield from _object(item)


def _participant(participant: ActiveParticipant) -> Iterator[tuple[str, str]]:
    yield from _filled(
        ("ActiveParticipant", participant.user_id + (" (requestor)" if participant.is_requestor else "")),
        (f"{MORE}UserName", participant.user_name),
        (f"{MORE}AlternativeUserID", participant.alternative_user_id),
        *((f"{MORE}RoleIDCode", _code_text(role)) for role in participant.roles),
        (f"{MORE}NetworkAccessPoint", participant.network_access_point),
        (f"{MORE}MediaType", _code_text(participant.media) if participant.media else ""),
    )


def _object(item: ParticipantObject) -> Iterator[tuple[str, str]]:
    yield from _filled(
        ("ParticipantObject", item.object_id),
        (f"{MORE}IDTypeCode", _code_text(item.id_type)),
        (f"{MORE}Role", f"{item.role}{' (patient)' if item.role == ROLE_PATIENT else ''}"),
        (f"{MORE}Name", item.name),
        (f"{MORE}Query", f"{len(item.query)} octets" if item.query is not None else ""),
        *((f"{MORE}{kind}", value.decode("utf-8", "replace")) for kind, value in item.details),
        *((f"{MORE}Accession", number) for number in item.accession_numbers),
        *((f"{MORE}SOPClass", f"{count.uid}, {count.instances} instances") for count in item.sop_classes),
        *((f"{MORE}Study", uid) for uid in item.studies),
    )


def _filled(*pairs: tuple[str, str]) -> Iterator[tuple[str, str]]:
    return (pair for pair in pairs if pair[1])


def _code_text(code: Code) -> str:
    return f"{code.value} {code.meaning} ({code.system})"
