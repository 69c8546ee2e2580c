"""The codes of audit messages: PS3.16 CID 400 to 405 (coding scheme DCM) and those of RFC 3881."""

from typing import Final

from kiosk.audit.message import Code


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _rfc3881(value: str, meaning: str) -> Code:
    return Code(value, "RFC-3881", meaning)


# EventID (CID 400)
APPLICATION_ACTIVITY: Final = _dcm("110100", "Application Activity")
AUDIT_LOG_USED: Final = _dcm("110101", "Audit Log Used")
BEGIN_TRANSFERRING: Final = _dcm("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED: Final = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED: Final = _dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED: Final = _dcm("110105", "DICOM Study Deleted")
EXPORT: Final = _dcm("110106", "Export")
IMPORT: Final = _dcm("110107", "Import")
NETWORK_ENTRY: Final = _dcm("110108", "Network Entry")
QUERY: Final = _dcm("110112", "Query")
SECURITY_ALERT: Final = _dcm("110113", "Security Alert")
USER_AUTHENTICATION: Final = _dcm("110114", "User Authentication")

# EventTypeCode (CID 401, 403)
APPLICATION_START: Final = _dcm("110120", "Application Start")
APPLICATION_STOP: Final = _dcm("110121", "Application Stop")
LOGIN: Final = _dcm("110122", "Login")
LOGOUT: Final = _dcm("110123", "Logout")
NODE_AUTHENTICATION: Final = _dcm("110126", "Node Authentication")
EMERGENCY_OVERRIDE_STARTED: Final = _dcm("110127", "Emergency Override Started")
NETWORK_CONFIGURATION: Final = _dcm("110128", "Network Configuration")
SECURITY_CONFIGURATION: Final = _dcm("110129", "Security Configuration")
HARDWARE_CONFIGURATION: Final = _dcm("110130", "Hardware Configuration")
SOFTWARE_CONFIGURATION: Final = _dcm("110131", "Software Configuration")
RESTRICTED_FUNCTION: Final = _dcm("110132", "Use of Restricted Function")
AUDIT_RECORDING_STOPPED: Final = _dcm("110133", "Audit Recording Stopped")
AUDIT_RECORDING_STARTED: Final = _dcm("110134", "Audit Recording Started")
OBJECT_SECURITY_CHANGED: Final = _dcm("110135", "Object Security Attributes Changed")
SECURITY_ROLES_CHANGED: Final = _dcm("110136", "Security Roles Changed")
USER_SECURITY_CHANGED: Final = _dcm("110137", "User Security Attributes Changed")
EMERGENCY_OVERRIDE_STOPPED: Final = _dcm("110138", "Emergency Override Stopped")

# RoleIDCode (CID 402)
APPLICATION: Final = _dcm("110150", "Application")
APPLICATION_LAUNCHER: Final = _dcm("110151", "Application Launcher")
DESTINATION: Final = _dcm("110152", "Destination Role ID")
SOURCE: Final = _dcm("110153", "Source Role ID")
DESTINATION_MEDIA: Final = _dcm("110154", "Destination Media")
SOURCE_MEDIA: Final = _dcm("110155", "Source Media")

# MediaType (CID 405)
USB_DISK: Final = _dcm("110030", "USB Disk Emulation")
CD: Final = _dcm("110032", "CD")
DVD: Final = _dcm("110033", "DVD")
SECURE_DIGITAL: Final = _dcm("110036", "Secure Digital Card")
MEDIA_URI: Final = _dcm("110037", "URI")
FILM: Final = _dcm("110010", "Film")
PAPER: Final = _dcm("110038", "Paper Document")

# ParticipantObjectIDTypeCode (CID 404 and RFC 3881)
STUDY_INSTANCE_UID: Final = _dcm("110180", "Study Instance UID")
SOP_CLASS_UID: Final = _dcm("110181", "SOP Class UID")
NODE_ID: Final = _dcm("110182", "Node ID")
PATIENT_NUMBER: Final = _rfc3881("2", "Patient Number")
USER_IDENTIFIER: Final = _rfc3881("11", "User Identifier")
URI: Final = _rfc3881("12", "URI")

# ParticipantObjectTypeCode, ParticipantObjectTypeCodeRole, ParticipantObjectDataLifeCycle (PS3.15 A.5.1.2, A.5.2.6)
PERSON: Final = 1
SYSTEM: Final = 2
ROLE_PATIENT: Final = 1
ROLE_REPORT: Final = 3
ROLE_MASTER_FILE: Final = 5
ROLE_SECURITY_USER: Final = 11
ROLE_SECURITY_RESOURCE: Final = 13
LIFE_CYCLE_IMPORT: Final = 2
LIFE_CYCLE_ACCESS: Final = 6
LIFE_CYCLE_EXPORT: Final = 10
LIFE_CYCLE_LOGICAL_DELETION: Final = 14
LIFE_CYCLE_ERASURE: Final = 15

# NetworkAccessPointTypeCode
MACHINE_NAME: Final = 1
IP_ADDRESS: Final = 2
