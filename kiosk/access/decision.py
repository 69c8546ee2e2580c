"""What the gate answers: a union, so that nobody can mistake a refusal for a pass."""

from dataclasses import dataclass
from enum import StrEnum

from kiosk.access.person import Credential, Person


class DenialReason(StrEnum):
    """Why, for the record. The screen says less."""

    UNKNOWN_BADGE = "unknown badge"
    UNFIT_CLAIM = "no fixed identifier and no proof"
    DOWNGRADED = "proved less than it was enrolled with"
    PERSON_DISABLED = "person disabled"
    NOT_YET_VALID = "not yet valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NO_PIN = "no PIN set"
    BLOCKED = "blocked after wrong PINs"
    LOCKED_OUT = "disabled after wrong PINs"
    ROLE = "role may not sign in"
    DIRECTORY_UNAVAILABLE = "directory unavailable"
    AUDIT_UNAVAILABLE = "audit trail unavailable"


UNKNOWN_SENTENCE = "This badge is not known here"
UNFIT_SENTENCE = "This cannot be used here: use the phone app or a card."
UNUSABLE_SENTENCE = "This badge cannot be used here. Ask the help desk."
BLOCKED_SENTENCE = "This badge is blocked for now. Ask the help desk."
UNAVAILABLE_SENTENCE = "Badges cannot be checked at the moment. Nobody can sign in."
WRONG_PIN_SENTENCE = "That PIN is not right."


@dataclass(frozen=True)
class Granted:
    """The person may sign in. `by_grace`: no PIN was asked, one given earlier still holds."""

    person: Person
    credential: Credential
    by_grace: bool


@dataclass(frozen=True)
class PinRequired:
    """The person may sign in once the PIN is right; `attempts_left` wrong ones until a block."""

    person: Person
    credential: Credential
    attempts_left: int


@dataclass(frozen=True)
class WrongPin:
    """The PIN was wrong and another may be tried."""

    attempts_left: int
    sentence: str = WRONG_PIN_SENTENCE


@dataclass(frozen=True)
class Denied:
    """Nobody signs in. `sentence` is for the screen; who it was about, where known, is for the record alone."""

    reason: DenialReason
    sentence: str
    person: Person | None = None
    credential: Credential | None = None


Decision = Granted | PinRequired | Denied
PinAnswer = Granted | WrongPin | Denied
