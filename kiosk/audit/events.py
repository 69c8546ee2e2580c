"""What the kiosk does, as PS3.15 A.5.3 messages: one function an act, plain values in, messages out."""

from typing import Final

from kiosk.audit import codes
from kiosk.audit.message import AuditMessage, Code, Outcome, ParticipantObject, PatientRef
from kiosk.audit.participants import Node, Process, StudyRef, Who, patient_object, study_object

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
AUDIT_LOG_NAME: Final = "Security Audit Log"
ALERT_DESCRIPTION: Final = "Alert Description"

Messages = tuple[AuditMessage, ...]

ALERT_SUBJECTS: Final = {
    codes.USER_SECURITY_CHANGED: (codes.USER_IDENTIFIER, codes.ROLE_SECURITY_USER),
    codes.NODE_AUTHENTICATION: (codes.NODE_ID, codes.ROLE_SECURITY_RESOURCE),
    codes.HARDWARE_CONFIGURATION: (codes.NODE_ID, codes.ROLE_SECURITY_RESOURCE),
    codes.NETWORK_CONFIGURATION: (codes.URI, codes.ROLE_MASTER_FILE),
    codes.SECURITY_CONFIGURATION: (codes.URI, codes.ROLE_MASTER_FILE),
    codes.SOFTWARE_CONFIGURATION: (codes.URI, codes.ROLE_MASTER_FILE),
    codes.RESTRICTED_FUNCTION: (codes.URI, codes.ROLE_SECURITY_RESOURCE),
    codes.OBJECT_SECURITY_CHANGED: (codes.URI, codes.ROLE_SECURITY_RESOURCE),
    codes.SECURITY_ROLES_CHANGED: (codes.URI, codes.ROLE_SECURITY_RESOURCE),
    codes.AUDIT_RECORDING_STOPPED: (codes.URI, codes.ROLE_SECURITY_RESOURCE),
    codes.AUDIT_RECORDING_STARTED: (codes.URI, codes.ROLE_SECURITY_RESOURCE),
}


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


def security_alert(
    who: Who,
    event_type: Code,
    object_id: str,
    description: str,
    outcome: Outcome = Outcome.SUCCESS,
    object_name: str = "",
    process: Process | None = None,
) -> Messages:
    """Security Alert (A.5.3.11): what changed, failed or was refused, about one object.

    What `object_id` identifies follows from `event_type`: a user for USER_SECURITY_CHANGED, a node for
    HARDWARE_CONFIGURATION and NODE_AUTHENTICATION, a resource (URI) for the others. Raises ValueError for a type that
    is no alert.
    """
    try:
        id_type, role = ALERT_SUBJECTS[event_type]
    except KeyError:
        raise ValueError(f"{event_type.meaning} is not a security alert") from None
    subject = ParticipantObject(
        object_id=object_id,
        id_type=id_type,
        type_code=codes.SYSTEM,
        role=role,
        name=object_name,
        details=((ALERT_DESCRIPTION, description.encode("utf-8", "replace")),),
    )
    participants = (who.participant(), *((process.participant(),) if process else ()))
    return (AuditMessage(codes.SECURITY_ALERT, "E", outcome, (event_type,), description, participants, (subject,)),)


def restricted_function(who: Who, act: str, description: str, outcome: Outcome = Outcome.SERIOUS) -> Messages:
    """Security Alert, Use of Restricted Function: somebody tried an act that they may not do; it was refused."""
    return security_alert(who, codes.RESTRICTED_FUNCTION, f"urn:kiosk:act:{act}", description, outcome, act)


def audit_log_used(
    who: Who, process: Process, log_uri: str, outcome: Outcome = Outcome.SUCCESS, description: str = ""
) -> Messages:
    """Audit Log Used (A.5.3.2): somebody read the trail."""
    log = ParticipantObject(log_uri, codes.URI, codes.SYSTEM, codes.ROLE_SECURITY_RESOURCE, name=AUDIT_LOG_NAME)
    participants = (who.participant(), process.participant())
    return (AuditMessage(codes.AUDIT_LOG_USED, "R", outcome, (), description, participants, (log,)),)


def audit_recording(
    who: Who, stopped: bool, log_uri: str, description: str, process: Process | None = None
) -> Messages:
    """Security Alert, Audit Recording Stopped (12) or, when it works again, Started (0)."""
    event_type = codes.AUDIT_RECORDING_STOPPED if stopped else codes.AUDIT_RECORDING_STARTED
    outcome = Outcome.MAJOR if stopped else Outcome.SUCCESS
    return security_alert(who, event_type, log_uri, description, outcome, AUDIT_LOG_NAME, process)


def _application(event_type: Code, who: Who, process: Process, outcome: Outcome, description: str) -> Messages:
    participants = (process.participant(codes.APPLICATION), who.participant(codes.APPLICATION_LAUNCHER))
    return (AuditMessage(codes.APPLICATION_ACTIVITY, "E", outcome, (event_type,), description, participants),)


def _authentication(event_type: Code, who: Who, node: Node, outcome: Outcome, description: str) -> Messages:
    participants = (who.participant(node=node), node.participant())
    return (AuditMessage(codes.USER_AUTHENTICATION, "E", outcome, (event_type,), description, participants),)


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
