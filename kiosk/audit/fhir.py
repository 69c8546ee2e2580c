"""Audit messages as FHIR R4 AuditEvent resources (hl7.org/fhir/R4/auditevent.html), after IHE BALP's patterns.

BALP (profiles.ihe.net/ITI/BALP) speaks of RESTful acts; those of a kiosk are DICOM's. So `type` is the DICOM EventID,
and what else its profiles Query, PatientRead and PatientCreate require is there: the interaction among the subtypes,
client and server by their DICOM roles, each with its network address, the person as the requestor with a role from
v3-ParticipationType, patient, query and data entities by FHIR's own codes. One resource for each message.

None claims a profile of BALP (1.1.5) in `meta.profile`, for none is one: those of queries, reads and creates want the
type "rest", an operation as FHIR defines it, which is all that ours lack; that of a disclosure at its source wants a
recipient on the network, which a stick or a disc is not; the others are about consents, tokens and deletions by REST.
"""

import json
from base64 import b64encode
from datetime import UTC
from typing import Final

from kiosk.audit import codes
from kiosk.audit.message import ActiveParticipant, AuditMessage, AuditSource, Code, ParticipantObject
from kiosk.audit.record import Entry, Record
from kiosk.audit.xml import NOT_XML, REPLACEMENT

Json = dict[str, object]

DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
INTERACTION: Final = "http://hl7.org/fhir/restful-interaction"
PARTICIPATION: Final = TERMINOLOGY + "v3-ParticipationType"
SITE_ROLES: Final = "urn:kiosk:role"
RECORD: Final = "urn:kiosk:audit:record"
QUERY_ROLE: Final = 24
DOMAIN_RESOURCE: Final = 4
NOBODY: Final = "unknown"
NOTHING: Final[tuple[object, ...]] = (None, "", [], {})

INTERACTIONS: Final = {
    codes.QUERY: Code("search", INTERACTION, "search"),
    codes.INSTANCES_ACCESSED: Code("read", INTERACTION, "read"),
    codes.BEGIN_TRANSFERRING: Code("create", INTERACTION, "create"),
    codes.INSTANCES_TRANSFERRED: Code("create", INTERACTION, "create"),
}
"""What each message about patients' data would be called if it were RESTful: BALP asks for it among the subtypes."""

RECIPIENT: Final = Code("IRCP", PARTICIPATION, "information recipient")
AUTHOR: Final = Code("AUT", PARTICIPATION, "author (originator)")
HUMAN: Final = Code("humanuser", TERMINOLOGY + "extra-security-role-type", "human user")
PEOPLE: Final = {
    codes.QUERY: RECIPIENT,
    codes.INSTANCES_ACCESSED: RECIPIENT,
    codes.BEGIN_TRANSFERRING: AUTHOR,
    codes.INSTANCES_TRANSFERRED: AUTHOR,
}
ENTITY_TYPES: Final = {1: "Person", 2: "System Object", 3: "Organization", 4: "Other"}


def audit_events(record: Record) -> tuple[str, ...]:
    """A line of JSON in ASCII for each message of the record; `id` is made from the record's hash."""
    return tuple(
        json.dumps(audit_event(record, place), ensure_ascii=True, separators=(",", ":"))
        for place in range(len(record.entry.messages))
    )


def audit_event(record: Record, place: int = 0) -> Json:
    """The resource of one message of the record, as JSON values."""
    entry, message = record.entry, record.entry.messages[place]
    return _filled(
        resourceType="AuditEvent",
        id=f"{record.hash.hex()[:48]}-{place}",
        extension=[
            {"url": f"{RECORD}:sequence", "valueString": str(record.sequence)},
            {"url": f"{RECORD}:hash", "valueString": record.hash.hex()},
        ],
        type=_coding(message.event_id) or {"display": NOBODY},
        subtype=[_coding(code) for code in (*_interaction(message), *message.event_types)],
        action=message.action,
        recorded=record.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        outcome=str(int(message.outcome)),
        outcomeDesc=_text(message.outcome_description),
        agent=_agents(entry, message),
        source=_source(record.source),
        entity=[_entity(item) for item in message.objects],
    )


def _interaction(message: AuditMessage) -> tuple[Code, ...]:
    found = INTERACTIONS.get(message.event_id)
    return (found,) if found else ()


def _agents(entry: Entry, message: AuditMessage) -> list[Json]:
    agents = [_agent(message, participant) for participant in message.participants]
    archive = next((value for key, value in entry.details if key == "archive"), "")
    if message.event_id == codes.INSTANCES_ACCESSED and archive:
        # The message names who looked; BALP's Read asks for whence it came, too, which the record knows.
        agents.append(
            _filled(
                type=_concept(codes.SOURCE),
                who=_who(archive),
                requestor=False,
                network={"address": _text(archive) or NOBODY, "type": str(codes.MACHINE_NAME)},
            )
        )
    return agents


def _agent(message: AuditMessage, participant: ActiveParticipant) -> Json:
    dicom = [role for role in participant.roles if role.system == "DCM"]
    others = [role for role in participant.roles if role.system != "DCM"]
    is_process = bool(dicom) or participant.alternative_user_id.startswith("AETITLES=")
    kind = dicom[0] if dicom else _process_role(message) if is_process else PEOPLE.get(message.event_id, HUMAN)
    network = {
        "address": _text(participant.network_access_point),
        "type": str(participant.network_access_point_type or codes.MACHINE_NAME),
    }
    return _filled(
        type=_concept(kind),
        role=[_concept(role) for role in (*dicom[1:], *others)],
        who=_who(participant.user_id, participant.user_name),
        altId=_text(participant.alternative_user_id),
        name=_text(participant.user_name),
        requestor=participant.is_requestor,
        media=_coding(participant.media) if participant.media else None,
        network=network if network["address"] else None,
    )


def _process_role(message: AuditMessage) -> Code:
    """What a process without a role of its own is: where instances were looked at, they came to it."""
    return codes.DESTINATION if message.event_id == codes.INSTANCES_ACCESSED else codes.APPLICATION


def _source(source: AuditSource) -> Json:
    kind = {"system": TERMINOLOGY + "security-source-type", "code": _code(source.type) or "9"}
    return _filled(site=_text(source.enterprise_site_id), observer=_who(source.source_id), type=[kind])


def _entity(item: ParticipantObject) -> Json:
    kind = {
        "system": TERMINOLOGY + "audit-entity-type",
        "code": str(item.type_code),
        "display": ENTITY_TYPES.get(item.type_code, "Other"),
    }
    if item.query is not None:
        # BALP's query: role 24, the query itself, and nothing beside it but a description.
        return _filled(
            type=kind,
            role=_role(QUERY_ROLE),
            description=_text(f"{item.id_type.meaning} {item.object_id}"),
            query=b64encode(item.query).decode("ascii"),
        )
    is_study = item.id_type == codes.STUDY_INSTANCE_UID
    return _filled(
        what=_what(item),
        type=kind,
        role=_role(DOMAIN_RESOURCE if is_study else item.role),
        lifecycle=_lifecycle(item.life_cycle),
        name=_text(item.name),
        description=_text(_description(item)),
        detail=[
            {"type": _text(name) or NOBODY, "valueBase64Binary": b64encode(value).decode("ascii")}
            for name, value in item.details
            if value
        ],
    )


def _what(item: ParticipantObject) -> Json:
    if item.role == codes.ROLE_PATIENT:
        patient_id, _, rest = item.object_id.partition("^^^")
        identifier = _filled(value=_text(patient_id) or NOBODY, assigner=_display(rest))
        return {"type": "Patient", "identifier": identifier}
    if item.id_type == codes.STUDY_INSTANCE_UID:
        uid = f"urn:oid:{_text(item.object_id) or NOBODY}"
        return {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": uid}}
    return {"identifier": {"value": _text(item.object_id) or NOBODY}}


def _description(item: ParticipantObject) -> str:
    accessions = [f"accession {number}" for number in item.accession_numbers]
    counts = [f"{count.instances} of SOP class {count.uid}" for count in item.sop_classes]
    return ", ".join((*accessions, *counts, *(f"study {uid}" for uid in item.studies)))


def _who(identifier: str, name: str = "") -> Json:
    return _filled(identifier={"value": _text(identifier) or NOBODY}, display=_text(name))


def _display(text: str) -> Json | None:
    return {"display": _text(text)} if _text(text) else None


def _role(code: int) -> Json:
    return {"system": TERMINOLOGY + "object-role", "code": str(code)}


def _lifecycle(code: int | None) -> Json | None:
    return None if code is None else {"system": TERMINOLOGY + "dicom-audit-lifecycle", "code": str(code)}


def _concept(code: Code) -> Json:
    return _filled(coding=[_coding(code)], text=_text(code.meaning))


def _coding(code: Code) -> Json:
    systems = {"DCM": DCM, "Site": SITE_ROLES}
    return _filled(
        system=_uri(systems.get(code.system, code.system)), code=_code(code.value), display=_text(code.meaning)
    )


def _code(text: str) -> str:
    """A token as FHIR's `code` has it: no blank at its ends, one between its words."""
    return " ".join(_text(text).split())


def _uri(text: str) -> str:
    return "".join(_text(text).split())


def _text(text: str) -> str:
    """What FHIR's `string` can hold; nothing for blanks alone."""
    plain = NOT_XML.sub(REPLACEMENT, text)
    return plain if plain.strip() else ""


def _filled(**fields: object) -> Json:
    """The fields that say something: FHIR has neither null nor anything empty."""
    told = {name: _told(value) if isinstance(value, list) else value for name, value in fields.items()}
    return {name: value for name, value in told.items() if value not in NOTHING}


def _told(values: list[object]) -> list[object]:
    return [value for value in values if value not in NOTHING]
