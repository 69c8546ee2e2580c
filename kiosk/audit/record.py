"""One entry of the trail, and the record it becomes."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal

from kiosk.audit.message import AuditMessage, AuditSource, Outcome, PatientRef

ActorKind = Literal["session", "delegation", "system", "unix"]


class Phase(Enum):
    """An INTENT is durable before the act; its OUTCOME follows under the same `act_id`. An EVENT stands alone."""

    EVENT = "event"
    INTENT = "intent"
    OUTCOME = "outcome"


@dataclass(frozen=True)
class Actor:
    """Who acted. `badge` are the tokens of the credential in hand, empty where there was none."""

    kind: ActorKind
    user_id: str
    user_name: str
    badge: tuple[str, ...] = field(default=(), repr=False)
    session_id: str = ""
    role: str = ""


@dataclass(frozen=True)
class RecordedProof:
    """What a credential signed, so that anyone can check it again.

    `kiosk.audit.proofs` says what each `algorithm` keeps; a `binding` that is not empty shows what the nonce's first 16
    bytes were made from: its SHA-256, cut.
    """

    algorithm: str
    nonce: bytes
    signature: bytes
    public_key: bytes
    binding: bytes = b""


@dataclass(frozen=True)
class Entry:
    """What is appended. `summary` is one sentence for people and names no patient: `patient` does.

    `details` are (key, value) pairs in the writer's order; keys that begin with "key." hold what somebody searched for
    and are masked like a patient. `if_interrupted` are the messages that an INTENT leaves to its outcome in case that a
    crash keeps the act from having one of its own; nothing is delivered of them before. Raises ValueError for an
    outcome without its indicator.
    """

    act: str
    act_id: str
    phase: Phase
    actor: Actor
    summary: str
    outcome: Outcome | None = None
    messages: tuple[AuditMessage, ...] = ()
    proof: RecordedProof | None = None
    details: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    patient: PatientRef | None = None
    if_interrupted: tuple[AuditMessage, ...] = ()

    def __post_init__(self) -> None:
        if self.phase is Phase.OUTCOME and self.outcome is None:
            raise ValueError("An outcome says how the act ended")


@dataclass(frozen=True)
class Record:
    """An entry in its place: `sequence` counts from 1 without gaps, `time` is UTC, hashes are 32 bytes.

    `source` is the audit source as it was configured when the record was made.
    """

    sequence: int
    time: datetime
    entry: Entry
    previous_hash: bytes
    hash: bytes
    source: AuditSource


@dataclass(frozen=True)
class Receipt:
    """The entry is durable, and where it stands."""

    sequence: int
    hash: bytes
    time: datetime


@dataclass(frozen=True)
class Head:
    """The last record's place and hash; sequence 0 and the genesis hash for a trail without records."""

    sequence: int
    hash: bytes
