"""What the kiosk does, as PS3.15 A.5.3 messages: one function an act, plain values in, messages out.

An act of which some went well and some did not is two calls, one an outcome; a message is about one patient.
"""

from typing import Final

from kiosk.audit import codes
from kiosk.audit.alerts import (
    AUDIT_LOG_NAME,
    Messages,
    audit_recording,
    configuration_changed,
    emergency_override,
    node_refused,
    reader_failed,
    restricted_function,
    roles_changed,
    security_alert,
    trail_changed,
    user_changed,
)
from kiosk.audit.message import ActiveParticipant, AuditMessage, Code, Outcome, ParticipantObject, PatientRef
from kiosk.audit.participants import Medium, Node, Process, StudyRef, Who, patient_object, study_object

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"

__all__ = [
    "IMPLICIT_VR_LITTLE_ENDIAN",
    "Messages",
    "application_started",
    "application_stopped",
    "audit_log_used",
    "audit_recording",
    "begin_transfer",
    "configuration_changed",
    "emergency_override",
    "exported",
    "imported",
    "instances_accessed",
    "login",
    "logout",
    "node_refused",
    "query",
    "reader_failed",
    "restricted_function",
    "roles_changed",
    "security_alert",
    "study_deleted",
    "trail_changed",
    "transferred",
    "user_changed",
]


def application_started(
    who: Who, process: Process, outcome: Outcome = Outcome.SUCCESS, description: str = ""
) -> Messages:
    """Application Activity, Application Start (A.5.3.1); `who` launched it."""
    return _application(codes.APPLICATION_START, who, process, outcome, description)


def application_stopped(
    who: Who, process: Process, outcome: Outcome = Outcome.SUCCESS, description: str = ""
) -> Messages:
    """Application Activity, Application Stop (A.5.3.1); `who` stopped it."""
    return _application(codes.APPLICATION_STOP, who, process, outcome, description)


def login(who: Who, node: Node, outcome: Outcome, description: str = "") -> Messages:
    """User Authentication, Login (A.5.3.12), tried at `node`: granted, or refused with 4, 8 or 12."""
    return _authentication(codes.LOGIN, who, node, outcome, description)


def logout(who: Who, node: Node, description: str = "", outcome: Outcome = Outcome.SUCCESS) -> Messages:
    """User Authentication, Logout (A.5.3.12). Idle or displaced: `who.is_requestor` is False."""
    return _authentication(codes.LOGOUT, who, node, outcome, description)


def query(
    who: Who,
    source: Node,
    destination: Node,
    sop_class_uid: str,
    identifier: bytes,
    outcome: Outcome,
    description: str = "",
    transfer_syntax_uid: str = IMPLICIT_VR_LITTLE_ENDIAN,
) -> Messages:
    """Query (A.5.3.10): `identifier` is the C-FIND's data set in `transfer_syntax_uid`; answers are not recorded."""
    asked = ParticipantObject(
        object_id=sop_class_uid,
        id_type=codes.SOP_CLASS_UID,
        type_code=codes.SYSTEM,
        role=codes.ROLE_REPORT,
        query=identifier,
        details=(("TransferSyntax", transfer_syntax_uid.encode("utf-8", "replace")),),
    )
    participants = (source.participant(codes.SOURCE), destination.participant(codes.DESTINATION), who.participant())
    return (AuditMessage(codes.QUERY, "E", outcome, (), description, participants, (asked,)),)


def instances_accessed(
    who: Who,
    process: Process,
    studies: tuple[StudyRef, ...],
    patient: PatientRef,
    outcome: Outcome,
    description: str = "",
) -> Messages:
    """DICOM Instances Accessed, read (A.5.3.6): a person looked at studies of one patient."""
    _require_studies(studies)
    objects = (*(study_object(study, life_cycle=codes.LIFE_CYCLE_ACCESS) for study in studies), patient_object(patient))
    participants = (who.participant(), process.participant())
    return (AuditMessage(codes.INSTANCES_ACCESSED, "R", outcome, (), description, participants, objects),)


def begin_transfer(
    who: Who,
    source: Node,
    destination: Node,
    studies: tuple[StudyRef, ...],
    patient: PatientRef,
    outcome: Outcome = Outcome.SUCCESS,
    description: str = "",
) -> Messages:
    """Begin Transferring DICOM Instances (A.5.3.3): what is meant to go, for one patient."""
    _require_studies(studies)
    objects = tuple(
        study_object(
            study,
            details=tuple(("ContainsSOPClass", count.uid.encode("utf-8", "replace")) for count in study.sop_classes),
        )
        for study in studies
    )
    return _transfer(
        codes.BEGIN_TRANSFERRING,
        "E",
        who,
        source,
        destination,
        (*objects, patient_object(patient)),
        outcome,
        description,
    )


def transferred(
    who: Who,
    source: Node,
    destination: Node,
    studies: tuple[StudyRef, ...],
    patient: PatientRef,
    outcome: Outcome,
    description: str = "",
    action: str = "R",
) -> Messages:
    """DICOM Instances Transferred (A.5.3.7): what did go, for one patient.

    `action` is R unless this system received: then C (not held before), U (held before). A transfer of which some
    went and some failed is two calls, each with its own counts.
    """
    if action not in ("C", "R", "U"):
        raise ValueError("A transfer creates (C), reads (R) or updates (U)")
    _require_studies(studies)
    objects = (*(study_object(study) for study in studies), patient_object(patient))
    return _transfer(codes.INSTANCES_TRANSFERRED, action, who, source, destination, objects, outcome, description)


def exported(
    who: Who,
    process: Process,
    media: tuple[Medium, ...],
    studies: tuple[StudyRef, ...],
    patient: PatientRef,
    outcome: Outcome,
    description: str = "",
) -> Messages:
    """Export (A.5.3.4): studies of one patient left the system, onto media, film or paper."""
    sources = (who.participant(codes.SOURCE), process.participant(codes.SOURCE))
    destinations = tuple(medium.participant(codes.DESTINATION_MEDIA) for medium in media)
    return _carried(
        codes.EXPORT,
        "R",
        (*sources, *destinations),
        studies,
        patient,
        codes.LIFE_CYCLE_EXPORT,
        outcome,
        description,
    )


def imported(
    who: Who,
    process: Process,
    media: tuple[Medium, ...],
    studies: tuple[StudyRef, ...],
    patient: PatientRef,
    outcome: Outcome,
    description: str = "",
) -> Messages:
    """Import (A.5.3.5): studies of one patient came in from media."""
    destinations = (who.participant(codes.DESTINATION), process.participant(codes.DESTINATION))
    sources = tuple(medium.participant(codes.SOURCE_MEDIA) for medium in media)
    return _carried(
        codes.IMPORT,
        "C",
        (*destinations, *sources),
        studies,
        patient,
        codes.LIFE_CYCLE_IMPORT,
        outcome,
        description,
    )


def study_deleted(
    who: Who,
    process: Process,
    studies: tuple[StudyRef, ...],
    patient: PatientRef,
    outcome: Outcome = Outcome.SUCCESS,
    description: str = "",
) -> Messages:
    """DICOM Study Deleted (A.5.3.8): whole studies of one patient are gone from this system for good."""
    participants = (who.participant(), process.participant())
    return _carried(
        codes.STUDY_DELETED, "D", participants, studies, patient, codes.LIFE_CYCLE_ERASURE, outcome, description
    )


def audit_log_used(
    who: Who, process: Process, log_uri: str, outcome: Outcome = Outcome.SUCCESS, description: str = ""
) -> Messages:
    """Audit Log Used (A.5.3.2): somebody read the trail."""
    log = ParticipantObject(log_uri, codes.URI, codes.SYSTEM, codes.ROLE_SECURITY_RESOURCE, name=AUDIT_LOG_NAME)
    participants = (who.participant(), process.participant())
    return (AuditMessage(codes.AUDIT_LOG_USED, "R", outcome, (), description, participants, (log,)),)


def _application(event_type: Code, who: Who, process: Process, outcome: Outcome, description: str) -> Messages:
    participants = (process.participant(codes.APPLICATION), who.participant(codes.APPLICATION_LAUNCHER))
    return (AuditMessage(codes.APPLICATION_ACTIVITY, "E", outcome, (event_type,), description, participants),)


def _authentication(event_type: Code, who: Who, node: Node, outcome: Outcome, description: str) -> Messages:
    participants = (who.participant(node=node), node.participant())
    return (AuditMessage(codes.USER_AUTHENTICATION, "E", outcome, (event_type,), description, participants),)


def _carried(
    event_id: Code,
    action: str,
    participants: tuple[ActiveParticipant, ...],
    studies: tuple[StudyRef, ...],
    patient: PatientRef,
    life_cycle: int,
    outcome: Outcome,
    description: str,
) -> Messages:
    _require_studies(studies)
    objects = (*(study_object(study, life_cycle=life_cycle) for study in studies), patient_object(patient))
    return (AuditMessage(event_id, action, outcome, (), description, participants, objects),)


def _transfer(
    event_id: Code,
    action: str,
    who: Who,
    source: Node,
    destination: Node,
    objects: tuple[ParticipantObject, ...],
    outcome: Outcome,
    description: str,
) -> Messages:
    participants = (source.participant(codes.SOURCE), destination.participant(codes.DESTINATION), who.participant())
    return (AuditMessage(event_id, action, outcome, (), description, participants, objects),)


def _require_studies(studies: tuple[StudyRef, ...]) -> None:
    if not studies:
        raise ValueError("The message names at least one study")
