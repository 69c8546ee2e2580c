"""One DICOM audit message (PS3.15 A.5) as plain values. Patients and badges stay out of every `repr`."""

from dataclasses import dataclass, field
from enum import IntEnum

ACTIONS = ("C", "R", "U", "D", "E")


@dataclass(frozen=True)
class Code:
    """A coded value: `value` (csd-code) in coding scheme `system` (codeSystemName), `meaning` (originalText)."""

    value: str
    system: str
    meaning: str


class Outcome(IntEnum):
    """EventOutcomeIndicator (PS3.15 A.5.2): how an event ended."""

    SUCCESS = 0
    MINOR = 4
    SERIOUS = 8
    MAJOR = 12


@dataclass(frozen=True)
class ActiveParticipant:
    """A person, process, node or medium that took part.

    `alternative_user_id` carries a person's badge ("uid:04A1...;pkoc:9f2c...") or AE titles ("AETITLES=A;B").
    `network_access_point_type`: 1 machine name, 2 IP address, 3 telephone, 4 e-mail, 5 URI. `media` is the media type.
    """

    user_id: str
    alternative_user_id: str = field(default="", repr=False)
    user_name: str = ""
    is_requestor: bool = False
    roles: tuple[Code, ...] = ()
    network_access_point: str = ""
    network_access_point_type: int | None = None
    media: Code | None = None


@dataclass(frozen=True)
class SopClassCount:
    """How many instances of one SOP class a study object stands for."""

    uid: str
    instances: int


@dataclass(frozen=True)
class ParticipantObject:
    """What an event was about. `type_code`, `role` and `life_cycle` are those of PS3.15 A.5.2.

    An object has a `query` or a `name`; without either its `object_id` stands as its name. `details` are
    (type, value) pairs. `studies` are Study Instance UIDs that an object other than a study contains.
    """

    object_id: str = field(repr=False)
    id_type: Code
    type_code: int
    role: int
    life_cycle: int | None = None
    name: str = field(default="", repr=False)
    query: bytes | None = field(default=None, repr=False)
    details: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    accession_numbers: tuple[str, ...] = field(default=(), repr=False)
    sop_classes: tuple[SopClassCount, ...] = ()
    studies: tuple[str, ...] = ()


@dataclass(frozen=True)
class AuditMessage:
    """One event. Its time is the time of the record that holds it.

    Raises ValueError without a participant, with more than one requestor (PS3.15 A.5.2) or an unknown action.
    """

    event_id: Code
    action: str
    outcome: Outcome
    event_types: tuple[Code, ...] = ()
    outcome_description: str = field(default="", repr=False)
    participants: tuple[ActiveParticipant, ...] = ()
    objects: tuple[ParticipantObject, ...] = ()

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError("The action of an audit message is one of C, R, U, D, E")
        if not self.participants:
            raise ValueError("An audit message names at least one participant")
        if sum(participant.is_requestor for participant in self.participants) > 1:
            raise ValueError("An audit message has at most one requestor")


@dataclass(frozen=True)
class AuditSource:
    """Who detected and recorded the events. `type` 1 is an end-user interface (PS3.15 A.5.1.2.1)."""

    source_id: str
    enterprise_site_id: str = ""
    type: str = "1"


@dataclass(frozen=True, repr=False)
class PatientRef:
    """The patient an event concerned: (Patient ID, Issuer) and the name as it was shown."""

    patient_id: str
    issuer: str = ""
    name: str = ""

    def __repr__(self) -> str:
        return "PatientRef(masked)"
