"""What happened, for whoever shows it: frozen values that the agent posts and front ends render."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from kiosk.audit.forward import SinkStatus
from kiosk.imaging.studies.model import Patient


@dataclass(frozen=True)
class PersonView:
    """A person as the screen may show them."""

    user_id: str
    display_name: str
    role: str


@dataclass(frozen=True)
class BadgeView:
    """A credential as the screen may show it: its kind in words ("badge", "phone", "tag", ...), and UID or fingerprint
    masked."""

    word: str
    masked: str


class EndReason(Enum):
    """Why a session ended."""

    TAPPED_OUT = "tapped out"
    SIGNED_OUT = "signed out"
    DISPLACED = "another badge took over"
    IDLE = "idle"
    EXPIRED = "time limit"
    WITHDRAWN = "badge revoked or person disabled"
    OUT_OF_SERVICE = "out of service"
    SHUTDOWN = "shut down"


@dataclass(frozen=True)
class ReaderHealth:
    """The reader came or went; `sentence` is for the lock screen, empty when all is well."""

    available: bool
    name: str
    sentence: str = ""


@dataclass(frozen=True)
class TapSeen:
    """A card came into the field and is being asked who it is."""


@dataclass(frozen=True)
class PinAsked:
    """A claim needs a PIN. The box belongs to `claim_id` and closes on any other card event."""

    claim_id: str
    person: PersonView
    badge: BadgeView
    attempts_left: int
    sentence: str = ""


@dataclass(frozen=True)
class PinClosed:
    """The PIN box of that claim is void; take it off the screen."""

    claim_id: str
    sentence: str = ""


@dataclass(frozen=True)
class AccessDenied:
    """A tap or a PIN was refused; `sentence` reveals nothing about the directory."""

    sentence: str


@dataclass(frozen=True)
class SessionOpened:
    """A session is open. `permissions` are the names of acts this person may do."""

    session_id: str
    person: PersonView
    badge: BadgeView
    permissions: frozenset[str]
    idle_seconds: float
    warning_seconds: float
    ends_at: datetime


@dataclass(frozen=True)
class IdleWarning:
    """Nobody touched anything; the session locks in `seconds` unless someone does."""

    session_id: str
    seconds: int


@dataclass(frozen=True)
class IdleOver:
    """Somebody touched something after an IdleWarning."""

    session_id: str


@dataclass(frozen=True)
class TimeLeft:
    """Posted about once a second while a session is open."""

    session_id: str
    idle_seconds: int
    session_seconds: int


@dataclass(frozen=True)
class SessionEnded:
    """The session is over: forget everything it showed."""

    session_id: str
    reason: EndReason
    sentence: str


@dataclass(frozen=True)
class Notice:
    """Something the person at the open session should know; it changes nothing."""

    session_id: str
    sentence: str


@dataclass(frozen=True)
class OutOfService:
    """The kiosk may not be used, and why; `sentence` empty when it may be used again."""

    sentence: str


@dataclass(frozen=True)
class AuditDelivery:
    """The repositories that do not get the audit trail, or in `fault` why that cannot be told; both empty when all is
    well. Nothing is lost by it, and the kiosk can be used."""

    sinks: tuple[SinkStatus, ...] = ()
    fault: str = ""


class TransferState(Enum):
    """Where a push stands. CONFIRMING: everything went, and the destination is asked whether it keeps it. SENT is the
    end where it cannot be asked, DELIVERED once it said so."""

    WAITING = "queued"
    FETCHING = "fetching"
    SENDING = "sending"
    CONFIRMING = "confirming"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_done(self) -> bool:
        """True when everything went."""
        return self in (TransferState.SENT, TransferState.DELIVERED)

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen by itself."""
        return self.is_done or self in (TransferState.FAILED, TransferState.CANCELLED)


@dataclass(frozen=True)
class FailedInstance:
    """An instance that the destination did not take, with the destination's reason."""

    sop_instance_uid: str
    reason: str


@dataclass(frozen=True)
class TransferProgress:
    """A push of one study to one destination. `rate` is bytes a second now; `seconds_left` None when unknown."""

    session_id: str
    job_id: str
    state: TransferState
    patient: Patient
    study_description: str
    destination: str
    instances_total: int
    instances_fetched: int
    instances_done: int
    instances_failed: int
    bytes_total: int
    bytes_done: int
    rate: float = 0.0
    seconds_left: float | None = None
    sentence: str = ""
    failures: tuple[FailedInstance, ...] = ()


Fact = (
    ReaderHealth
    | TapSeen
    | PinAsked
    | PinClosed
    | AccessDenied
    | SessionOpened
    | IdleWarning
    | IdleOver
    | TimeLeft
    | SessionEnded
    | Notice
    | OutOfService
    | AuditDelivery
    | TransferProgress
)
