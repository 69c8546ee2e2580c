"""Security alerts (PS3.15 A.5.3.11): what changed, failed or was refused; one function a cause."""

from typing import Final

from kiosk.audit import codes
from kiosk.audit.message import AuditMessage, Code, Outcome, ParticipantObject, PatientRef
from kiosk.audit.participants import Process, StudyRef, Who, patient_object, study_object

AUDIT_LOG_NAME: Final = "Security Audit Log"
ALERT_DESCRIPTION: Final = "Alert Description"
CARD_URN: Final = "urn:kiosk:card:"
PERSON_URN: Final = "urn:kiosk:person:"

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


def security_alert(
    who: Who,
    event_type: Code,
    object_id: str,
    description: str,
    outcome: Outcome = Outcome.SUCCESS,
    object_name: str = "",
    process: Process | None = None,
    card: str = "",
) -> Messages:
    """Security Alert (A.5.3.11): what changed, failed or was refused, about one object.

    What `object_id` identifies follows from `event_type`: a user for USER_SECURITY_CHANGED, a node for
    HARDWARE_CONFIGURATION and NODE_AUTHENTICATION, a resource (URI) for the others. `card` is the UID, in hexadecimal,
    of a card that it is about as well. Raises ValueError for a type that is no alert.
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
        details=_described(description),
    )
    cards = (_card(card),) if card else ()
    return _alert(who, event_type, (subject, *cards), description, outcome, process)


def restricted_function(who: Who, act: str, description: str, outcome: Outcome = Outcome.SERIOUS) -> Messages:
    """Security Alert, Use of Restricted Function: somebody tried an act that they may not do; it was refused."""
    return security_alert(who, codes.RESTRICTED_FUNCTION, f"urn:kiosk:act:{act}", description, outcome, act)


def audit_recording(
    who: Who, stopped: bool, log_uri: str, description: str, process: Process | None = None
) -> Messages:
    """Security Alert, Audit Recording Stopped (12) or, when it works again, Started (0)."""
    event_type = codes.AUDIT_RECORDING_STOPPED if stopped else codes.AUDIT_RECORDING_STARTED
    outcome = Outcome.MAJOR if stopped else Outcome.SUCCESS
    return security_alert(who, event_type, log_uri, description, outcome, AUDIT_LOG_NAME, process)


def user_changed(who: Who, user_id: str, description: str, outcome: Outcome = Outcome.SUCCESS) -> Messages:
    """User Security Attributes Changed: a badge enrolled or revoked, a PIN changed, a person added or disabled."""
    return security_alert(who, codes.USER_SECURITY_CHANGED, user_id, description, outcome)


def roles_changed(who: Who, user_id: str, description: str, outcome: Outcome = Outcome.SUCCESS) -> Messages:
    """Security Roles Changed: what a person may do is another thing now."""
    return security_alert(who, codes.SECURITY_ROLES_CHANGED, f"{PERSON_URN}{user_id}", description, outcome, user_id)


def configuration_changed(
    who: Who,
    uri: str,
    description: str,
    outcome: Outcome = Outcome.SUCCESS,
    kind: Code = codes.SECURITY_CONFIGURATION,
) -> Messages:
    """Security (or by `kind` Network, Software) Configuration: the settings at `uri` are others now."""
    return security_alert(who, kind, uri, description, outcome)


def reader_failed(who: Who, reader: str, description: str, outcome: Outcome = Outcome.SERIOUS) -> Messages:
    """Hardware Configuration: a reader went away, came back or does not work."""
    return security_alert(who, codes.HARDWARE_CONFIGURATION, reader, description, outcome)


def node_refused(
    who: Who, node: str, description: str, process: Process | None = None, outcome: Outcome = Outcome.SERIOUS
) -> Messages:
    """Node Authentication: the other end of a TLS connection did not prove to be `node`, or did not believe us."""
    return security_alert(who, codes.NODE_AUTHENTICATION, node, description, outcome, process=process)


def trail_changed(who: Who, log_uri: str, description: str, outcome: Outcome = Outcome.SUCCESS) -> Messages:
    """Object Security Attributes Changed, about the audit log: old records were deleted from it by rule."""
    return security_alert(who, codes.OBJECT_SECURITY_CHANGED, log_uri, description, outcome, AUDIT_LOG_NAME)


def emergency_override(
    who: Who,
    stopped: bool,
    patient: PatientRef,
    description: str,
    studies: tuple[StudyRef, ...] = (),
    outcome: Outcome = Outcome.SUCCESS,
) -> Messages:
    """Emergency Override Started or Stopped: somebody takes, or gives back, access to a patient beyond their role."""
    event_type = codes.EMERGENCY_OVERRIDE_STOPPED if stopped else codes.EMERGENCY_OVERRIDE_STARTED
    objects = (*(study_object(study) for study in studies), patient_object(patient, _described(description)))
    return _alert(who, event_type, objects, description, outcome, None)


def _card(uid: str) -> ParticipantObject:
    urn = CARD_URN + uid
    return ParticipantObject(urn, codes.URI, codes.SYSTEM, codes.ROLE_SECURITY_RESOURCE, name="Badge")


def _described(description: str) -> tuple[tuple[str, bytes], ...]:
    return ((ALERT_DESCRIPTION, description.encode("utf-8", "replace")),)


def _alert(
    who: Who,
    event_type: Code,
    objects: tuple[ParticipantObject, ...],
    description: str,
    outcome: Outcome,
    process: Process | None,
) -> Messages:
    participants = (who.participant(), *((process.participant(),) if process else ()))
    return (AuditMessage(codes.SECURITY_ALERT, "E", outcome, (event_type,), description, participants, objects),)
