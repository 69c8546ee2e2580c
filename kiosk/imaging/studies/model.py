"""Patients, studies, series and instances as plain values. Text in them has passed `safe_text` already."""

import re
from dataclasses import dataclass, field
from datetime import date, time
from enum import Enum

from kiosk.imaging.studies.gaps import GapReport
from kiosk.imaging.studies.geometry import Orientation, Plane, Vector


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
    """Matching keys of a C-FIND at STUDY level (PS3.4 C.6.2). Empty means: any.

    Wildcards * and ? are allowed in names, IDs, accession number and description. `modalities` and
    `study_instance_uids` are alternatives. `issuer` is that of the Patient ID, `accession_issuer` the local namespace
    of the accession number's (0008,0051). Dates and times are matched each by itself, as archives do. `pages` is how
    many times the most that one query gives is wanted.
    """

    patient_name: str = ""
    patient_id: str = ""
    accession_number: str = ""
    date_from: date | None = None
    date_to: date | None = None
    modalities: tuple[str, ...] = ()
    description: str = ""
    issuer: str = ""
    accession_issuer: str = ""
    study_instance_uids: tuple[str, ...] = ()
    referring_physician: str = ""
    study_id: str = ""
    time_from: time | None = None
    time_to: time | None = None
    pages: int = 1


@dataclass(frozen=True)
class Study:
    """One row of a query's answer. Counts that the archive did not give are None: unknown, not 0.

    `counted` is True where counts or modalities are not what the archive said of the study: they were counted here,
    from its series and instances. `also_in` names the archives that hold the study besides `archive`.
    """

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
    accession_issuer: str = ""
    counted: bool = False
    also_in: tuple[str, ...] = ()

    @property
    def archives(self) -> tuple[str, ...]:
        """Everywhere it lies."""
        return self.archive, *self.also_in


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
    series_date: date | None = None
    series_time: time | None = None


@dataclass(frozen=True)
class FramePlace:
    """One frame of a multi-frame image, as stored from 0, and where it lies; mm in LPS, None where unknown."""

    frame: int
    position: Vector | None = None
    orientation: Orientation | None = None


@dataclass(frozen=True)
class Instance:
    """One SOP instance that lies in the session's spool, with what ordering and showing it needs.

    `position` and `orientation` are Image Position and Image Orientation (Patient), mm in LPS, or None.
    `file` is the worker's name for it in the spool, never a path made from a UID. `spacing` is Pixel Spacing in mm.
    `frame_places` are the frames in true order, empty where the order in which they are stored is all that is known.
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
    spacing: tuple[float, float] | None = None
    frame_of_reference_uid: str = ""
    frame_places: tuple[FramePlace, ...] = ()

    def stored_frame(self, place: int) -> int:
        """The frame, as stored from 0, that stands at `place` of the true order."""
        return self.frame_places[place].frame if place < len(self.frame_places) else place

    def plane(self, place: int = 0) -> Plane | None:
        """Where the frame at `place` lies in the patient, None where the file does not say."""
        position, orientation = self.position, self.orientation
        if self.frame_places:
            where = self.frame_places[min(place, len(self.frame_places) - 1)]
            position, orientation = where.position, where.orientation
        if position is None or orientation is None or self.spacing is None:
            return None
        return Plane(position, orientation, self.spacing)


class OrderRule(Enum):
    """Which rule put the instances of a series into order."""

    GEOMETRY = "position along the slice normal"
    TEMPORAL = "position along the slice normal, then time"
    VOLUMES = "volume, then position along the slice normal"
    CONCATENATION = "frame offset in the concatenation"
    IN_STACK_POSITION = "In-Stack Position"
    DIMENSIONS = "Dimension Index Values"
    INSTANCE_NUMBER = "instance number"
    ACQUISITION_TIME = "acquisition time"
    SOP_INSTANCE_UID = "SOP Instance UID"
    AS_STORED = "place in the file"


@dataclass(frozen=True)
class SeriesContents:
    """The instances of one series in true order, with what a reader should know about that order.

    `gaps` says what was found against what was expected; None where nobody looked.
    """

    series: Series
    instances: tuple[Instance, ...]
    rule: OrderRule
    notes: tuple[str, ...] = ()
    gaps: GapReport | None = None


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

    `tag` is "(0010,0010)" (or "Item 1" for an item), `vm` the count of values, `name` the dictionary's words;
    `module` and `type` (1, 1C, 2, 2C, 3) are those of its SOP class, empty where the standard's tables do not say.
    """

    depth: int
    tag: str
    keyword: str
    vr: str
    vm: str
    value: str
    name: str
    module: str = ""
    type: str = ""
