"""Records as canonical JSON: keys sorted, no spaces, ASCII only, no floats, fields at their default left out.

The same record always gives the same bytes; the chain is made over them, and the DICOM messages are rendered from them.
"""

import json
import re
from datetime import UTC, datetime
from typing import Final

from kiosk.audit.decode import Fields, RecordError, fields_of, loads
from kiosk.audit.message import (
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    Code,
    Outcome,
    ParticipantObject,
    PatientRef,
    SopClassCount,
)
from kiosk.audit.record import Actor, ActorKind, Entry, Phase, Record, RecordedProof

TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
SURROGATE: Final = re.compile("[\ud800-\udfff]")
REPLACEMENT: Final = "\ufffd"

ACTOR_KINDS: Final[dict[str, ActorKind]] = {
    "session": "session",
    "delegation": "delegation",
    "system": "system",
    "unix": "unix",
}

ENCODER: Final = json.JSONEncoder(ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))

Json = dict[str, object]


def encode_body(entry: Entry, time: datetime, source: AuditSource) -> bytes:
    """The body of a record, as it is chained; lone surrogates become U+FFFD. Raises ValueError for a naive time."""
    return dumps(body_fields(entry, time, source))


def decode_body(body: bytes) -> tuple[Entry, datetime, AuditSource]:
    """What `encode_body` was given; raises RecordError with the path of what does not fit."""
    top = fields_of(loads(body), "")
    entry = _entry(top)
    time = parse_time(top.text("time"))
    source = _source(top.child("source"))
    top.end()
    return entry, time, source


def decode_entry(value: object) -> Entry:
    """The entry whose JSON values `entry_fields` gave; raises RecordError."""
    top = fields_of(value, "entry")
    entry = _entry(top)
    top.end()
    return entry


def encode_record(record: Record, **more: object) -> bytes:
    """The whole record as one line: its body's fields beside sequence, previous_hash and hash (hexadecimal).

    Without `sequence`, `previous_hash` and `hash`, the same canonical JSON is the body that was chained.
    """
    return dumps(
        {
            **body_fields(record.entry, record.time, record.source),
            "sequence": record.sequence,
            "previous_hash": record.previous_hash.hex(),
            "hash": record.hash.hex(),
            **more,
        }
    )


def decode_record(line: bytes) -> Record:
    """A record from the line that `encode_record` made of it; raises RecordError."""
    value = loads(line)
    if not isinstance(value, dict):
        raise RecordError("expected an object")
    place = fields_of({key: value.pop(key) for key in ("sequence", "previous_hash", "hash") if key in value}, "")
    entry, time, source = decode_body(dumps(value))
    return Record(place.integer("sequence"), time, entry, place.octets("previous_hash"), place.octets("hash"), source)


def dumps(value: object) -> bytes:
    """Canonical JSON."""
    return ENCODER.encode(value).encode("ascii")


def time_text(time: datetime) -> str:
    """A time with a zone, in UTC with microseconds."""
    return time.astimezone(UTC).strftime(TIME_FORMAT)


def parse_time(text: str) -> datetime:
    """The time that `time_text` wrote; raises RecordError."""
    try:
        if TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:  # no such day
        pass
    raise RecordError("time: expected UTC with microseconds")


def body_fields(entry: Entry, time: datetime, source: AuditSource) -> Json:
    """The body as JSON values."""
    if time.tzinfo is None:
        raise ValueError("The time of a record has a zone")
    return {
        **entry_fields(entry),
        "time": time_text(time),
        "source": {
            "id": _text(source.source_id),
            "type": _text(source.type),
            **_filled(site=_text(source.enterprise_site_id)),
        },
    }


def entry_fields(entry: Entry) -> Json:
    """The entry as JSON values: the body without what the writer of the trail adds."""
    actor, proof, patient = entry.actor, entry.proof, entry.patient
    return _filled(
        act=_text(entry.act),
        act_id=_text(entry.act_id),
        phase=entry.phase.value,
        actor={
            "kind": actor.kind,
            "user_id": _text(actor.user_id),
            **_filled(
                user_name=_text(actor.user_name),
                badge=[_text(token) for token in actor.badge],
                session_id=_text(actor.session_id),
                role=_text(actor.role),
            ),
        },
        summary=_text(entry.summary),
        outcome=None if entry.outcome is None else int(entry.outcome),
        messages=[_message_json(message) for message in entry.messages],
        proof=None
        if proof is None
        else {
            "algorithm": _text(proof.algorithm),
            "nonce": proof.nonce.hex(),
            "signature": proof.signature.hex(),
            "public_key": proof.public_key.hex(),
            "binding": proof.binding.hex(),
        },
        details=[[_text(key), _text(value)] for key, value in entry.details],
        patient=None
        if patient is None
        else {"id": _text(patient.patient_id), "issuer": _text(patient.issuer), "name": _text(patient.name)},
        if_interrupted=[_message_json(message) for message in entry.if_interrupted],
    )


def _filled(**values: object) -> Json:
    return {key: value for key, value in values.items() if value not in (None, "", [], ()) or key in REQUIRED}


REQUIRED: Final = frozenset(("act", "act_id", "summary"))


def _text(value: str) -> str:
    return value if value.isascii() else SURROGATE.sub(REPLACEMENT, value)


def _message_json(message: AuditMessage) -> Json:
    return {
        "event_id": _code_json(message.event_id),
        "action": message.action,
        "outcome": int(message.outcome),
        **_filled(
            event_types=[_code_json(code) for code in message.event_types],
            outcome_description=_text(message.outcome_description),
            participants=[_participant_json(participant) for participant in message.participants],
            objects=[_object_json(item) for item in message.objects],
        ),
    }


def _participant_json(participant: ActiveParticipant) -> Json:
    return {
        "user_id": _text(participant.user_id),
        "is_requestor": participant.is_requestor,
        **_filled(
            alternative_user_id=_text(participant.alternative_user_id),
            user_name=_text(participant.user_name),
            roles=[_code_json(role) for role in participant.roles],
            network_access_point=_text(participant.network_access_point),
            network_access_point_type=participant.network_access_point_type,
            media=None if participant.media is None else _code_json(participant.media),
        ),
    }


def _object_json(item: ParticipantObject) -> Json:
    return {
        "object_id": _text(item.object_id),
        "id_type": _code_json(item.id_type),
        "type_code": item.type_code,
        "role": item.role,
        **({} if item.query is None else {"query": item.query.hex()}),
        **_filled(
            life_cycle=item.life_cycle,
            name=_text(item.name),
            details=[[_text(kind), value.hex()] for kind, value in item.details],
            accession_numbers=[_text(number) for number in item.accession_numbers],
            sop_classes=[[_text(count.uid), count.instances] for count in item.sop_classes],
            studies=[_text(uid) for uid in item.studies],
        ),
    }


def _code_json(code: Code) -> list[str]:
    return [_text(code.value), _text(code.system), _text(code.meaning)]


def _entry(top: Fields) -> Entry:
    act, act_id = top.text("act"), top.text("act_id")
    phase, outcome = top.choice("phase", Phase), top.optional_choice("outcome", Outcome)
    if phase is Phase.OUTCOME and outcome is None:
        raise top.wrong("outcome", "how the act ended")
    return Entry(
        act=act,
        act_id=act_id,
        phase=phase,
        actor=_actor(top.child("actor")),
        summary=top.text("summary"),
        outcome=outcome,
        messages=tuple(_message(item) for item in top.children("messages")),
        proof=_proof(top.child("proof")) if "proof" in top else None,
        details=tuple(top.pairs("details")),
        patient=_patient(top.child("patient")) if "patient" in top else None,
        if_interrupted=tuple(_message(item) for item in top.children("if_interrupted")),
    )


def _actor(fields: Fields) -> Actor:
    kind = fields.text("kind")
    if kind not in ACTOR_KINDS:
        raise fields.wrong("kind", "session, delegation, system or unix")
    actor = Actor(
        ACTOR_KINDS[kind],
        fields.text("user_id"),
        fields.text("user_name", ""),
        fields.texts("badge"),
        fields.text("session_id", ""),
        fields.text("role", ""),
    )
    fields.end()
    return actor


def _proof(fields: Fields) -> RecordedProof:
    proof = RecordedProof(
        fields.text("algorithm"),
        fields.octets("nonce"),
        fields.octets("signature"),
        fields.octets("public_key"),
        fields.octets("binding"),
    )
    fields.end()
    return proof


def _patient(fields: Fields) -> PatientRef:
    patient = PatientRef(fields.text("id"), fields.text("issuer"), fields.text("name"))
    fields.end()
    return patient


def _source(fields: Fields) -> AuditSource:
    source = AuditSource(fields.text("id"), fields.text("site", ""), fields.text("type"))
    fields.end()
    return source


def _message(fields: Fields) -> AuditMessage:
    try:
        message = AuditMessage(
            _code(fields.texts("event_id"), fields),
            fields.text("action"),
            fields.choice("outcome", Outcome),
            tuple(_code(code, fields) for code in fields.lists("event_types")),
            fields.text("outcome_description", ""),
            tuple(_participant(item) for item in fields.children("participants")),
            tuple(_object(item) for item in fields.children("objects")),
        )
    except ValueError as error:
        raise RecordError(f"{fields.path}: {error}") from None
    fields.end()
    return message


def _participant(fields: Fields) -> ActiveParticipant:
    participant = ActiveParticipant(
        fields.text("user_id"),
        fields.text("alternative_user_id", ""),
        fields.text("user_name", ""),
        fields.boolean("is_requestor"),
        tuple(_code(code, fields) for code in fields.lists("roles")),
        fields.text("network_access_point", ""),
        fields.optional_integer("network_access_point_type"),
        _code(fields.texts("media"), fields) if "media" in fields else None,
    )
    fields.end()
    return participant


def _object(fields: Fields) -> ParticipantObject:
    item = ParticipantObject(
        object_id=fields.text("object_id"),
        id_type=_code(fields.texts("id_type"), fields),
        type_code=fields.integer("type_code"),
        role=fields.integer("role"),
        life_cycle=fields.optional_integer("life_cycle"),
        name=fields.text("name", ""),
        query=fields.octets("query") if "query" in fields else None,
        details=tuple((kind, fields.unhex("details", value)) for kind, value in fields.pairs("details")),
        accession_numbers=fields.texts("accession_numbers"),
        sop_classes=tuple(SopClassCount(uid, number) for uid, number in fields.counts("sop_classes")),
        studies=fields.texts("studies"),
    )
    fields.end()
    return item


def _code(parts: tuple[str, ...], fields: Fields) -> Code:
    if len(parts) != 3:
        raise RecordError(f"{fields.path}: expected a code of value, system and meaning")
    return Code(*parts)
