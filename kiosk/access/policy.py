"""What each role may do. The names are the acts of `kiosk.operations`."""

from enum import StrEnum


class Permission(StrEnum):
    """One act; its value is the name that the record and the front ends use."""

    SIGN_IN = "sign_in"
    QUERY = "query"
    OPEN_STUDY = "open_study"
    OPEN_SERIES = "open_series"
    VIEW = "picture"
    READ_TAGS = "tags"
    PUSH = "push"
    CANCEL_PUSH = "cancel_push"
    RETRY_PUSH = "retry_push"
    SEE_AUDIT = "see_audit"
    ADMINISTER_STAFF = "administer_staff"
    PRESENT = "present"  # a demo's virtual cards: no role holds it, the demo's System does


class Role(StrEnum):
    """A person's one role."""

    RADIOLOGIST = "radiologist"
    TECHNOLOGIST = "technologist"
    REFERRING = "referring"
    SERVICE = "service"
    ENROLMENT_OFFICER = "enrolment_officer"
    AUDITOR = "auditor"


Permissions = frozenset[Permission]

PATIENT_ACTS: Permissions = frozenset(
    {
        Permission.QUERY,
        Permission.OPEN_STUDY,
        Permission.OPEN_SERIES,
        Permission.VIEW,
        Permission.READ_TAGS,
        Permission.PUSH,
        Permission.CANCEL_PUSH,
        Permission.RETRY_PUSH,
    }
)
"""Acts that show a patient or move a patient's images."""

_READING: Permissions = frozenset({Permission.QUERY, Permission.OPEN_STUDY, Permission.OPEN_SERIES, Permission.VIEW})
_SIGN_IN: Permissions = frozenset({Permission.SIGN_IN})

_ROLES: dict[Role, Permissions] = {
    Role.RADIOLOGIST: _SIGN_IN | PATIENT_ACTS,
    Role.TECHNOLOGIST: _SIGN_IN | PATIENT_ACTS,
    Role.REFERRING: _SIGN_IN | _READING,
    Role.SERVICE: _SIGN_IN,
    Role.ENROLMENT_OFFICER: _SIGN_IN | {Permission.ADMINISTER_STAFF},
    Role.AUDITOR: _SIGN_IN | {Permission.SEE_AUDIT},
}


def permissions_of(role: Role) -> Permissions:
    """Everything the role may do.

    Whoever administers staff never sees the trail, whoever sees the trail sees no images, service sees no patients
    (45 CFR 164.312; separation of duties).
    """
    return _ROLES[role]
