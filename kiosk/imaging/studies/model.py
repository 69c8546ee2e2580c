"""Patients, studies, series and instances as plain values. Text in them has passed `safe_text` already."""

import re
from dataclasses import dataclass, field
from datetime import date, time
from enum import Enum


@dataclass(frozen=True)
class PersonName:
    """A PN value (PS3.5 6.2.1.2): its three component groups, each family^given^middle^prefix^suffix."""

    alphabetic: str = ""
    ideographic: str = ""
    phonetic: str = ""


@dataclass(frozen=True)
class PatientKey:
    """Which patient, and nothing else of them: (Patient ID, Issuer). Empty is unknown."""

    patient_id: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)

    def contradicts(self, other: "PatientKey") -> bool:
        """True when they cannot be the same patient: the IDs where this has one, the issuers where both have one."""
        if not self.patient_id:
            return False
        issuers_differ = self.issuer and other.issuer and _folded(self.issuer) != _folded(other.issuer)
        return _folded(self.patient_id) != _folded(other.patient_id) or bool(issuers_differ)


def _folded(text: str) -> str:
    """Archives answer in one character set, files are in another and may not say in which: ASCII is what compares."""
    return re.sub(r"[^\x00-\x7f]+", "?", text)


@dataclass(frozen=True)
class Patient:
    """A patient is (Patient ID, Issuer); never match on the bare ID. Unknown dates are None, unknown text is empty."""

    patient_id: str
    issuer: str
    name: PersonName
    birth_date: date | None
    sex: str

    @property
    def key(self) -> PatientKey:
        """Which patient this is."""
        return PatientKey(self.patient_id, self.issuer)


@dataclass(frozen=True)
class StudyQuery:
    """Matching keys of a study root C-FIND at STUDY level (PS3.4 C.6.2). Empty means: any.

    Wildcards * and ? are allowed in name, ID, accession number and description. `modalities` are alternatives.
    """

    patient_name: str = ""
    patient_id: str = ""
    accession_number: str = ""
    date_from: date | None = None
    date_to: date | None = None
    modalities: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class Study:
    """One row of a query's answer. Counts that the archive did not give are None: unknown, not 0."""

    study_instance_uid: str
    patient: Patient
    study_date: date | None
    study_time: time | None
    accession_number: str
    description: str
    modalities: tuple[str, ...]
    referring_physician: PersonName
    study_id: str
    series_count: int | None
    instance_count: int | None
    archive: str


@dataclass(frozen=True)
class Series:
    """One series of a study."""

    study_instance_uid: str
    series_instance_uid: str
    number: int | None
    modality: str
    description: str
    body_part: str
    instance_count: int | None


@dataclass(frozen=True)
class Instance:
    """One SOP instance that lies in the session's spool, with what ordering and showing it needs.

    `position` and `orientation` are Image Position and Image Orientation (Patient), mm in LPS, or None.
    `file` is the worker's name for it in the spool, never a path made from a UID.
    """

    sop_instance_uid: str
    sop_class_uid: str
    sop_class_name: str
    series_instance_uid: str
    transfer_syntax_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int
    position: tuple[float, float, float] | None
    orientation: tuple[float, float, float, float, float, float] | None
    file: str
    size: int
    readable: bool = True
    note: str = ""


class OrderRule(Enum):
    """Which rule put the instances of a series into order."""

    GEOMETRY = "position along the slice normal"
    TEMPORAL = "position along the slice normal, then time"
    INSTANCE_NUMBER = "instance number"
    SOP_INSTANCE_UID = "SOP Instance UID"


@dataclass(frozen=True)
class SeriesContents:
    """The instances of one series in true order, with what a reader should know about that order."""

    series: Series
    instances: tuple[Instance, ...]
    rule: OrderRule
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """8-bit pixels of one frame, ready to draw: `mode` "L" or "RGB", rows from the top, no padding.

    `letters` are the patient directions at left, right, top and bottom edges (PS3.3 C.7.6.1.1.1), empty where unknown.
    `aspect` is the height of a pixel divided by its width.
    """

    width: int
    height: int
    mode: str
    pixels: bytes
    letters: tuple[str, str, str, str] = ("", "", "", "")
    aspect: float = 1.0
    window: tuple[float, float] | None = None
    frame: int = 0
    frames: int = 1


@dataclass(frozen=True)
class TagRow:
    """One data element: `depth` counts the sequences around it; a sequence's items follow as rows one deeper.

    `tag` is "(0010,0010)" (or "Item 1" for an item), `vm` the count of values, `name` the dictionary's words.
    """

    depth: int
    tag: str
    keyword: str
    vr: str
    vm: str
    value: str
    name: str
