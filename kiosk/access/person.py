"""People and their credentials as plain values."""

from dataclasses import dataclass
from datetime import datetime

from kiosk.access.policy import Role
from readers.credentials.claim import Assurance


@dataclass(frozen=True)
class Person:
    """Somebody the directory knows. Text has passed `safe_text`."""

    person_id: str
    user_id: str
    display_name: str
    role: Role
    active: bool


@dataclass(frozen=True)
class Credential:
    """A badge or phone of a person. Times are UTC; `valid_to` and `revoked_at` None: not foreseen, not revoked.

    `masked` tells two badges apart on a screen; `fingerprint` is empty for a bare UID.
    """

    credential_id: str
    person_id: str
    kind: str
    assurance: Assurance
    masked: str
    fingerprint: str
    valid_from: datetime
    valid_to: datetime | None = None
    revoked_at: datetime | None = None
    revoked_reason: str = ""
