"""What the demo archive holds, as plain values: everything but the pixels, which are drawn when somebody asks."""

from dataclasses import dataclass, replace
from datetime import date, time
from uuid import UUID, uuid5

from kiosk.demo.people import DemoPatient
from kiosk.imaging.studies.geometry import Plane

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
CR_IMAGE = "1.2.840.10008.5.1.4.1.1.1"
US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
US_MULTIFRAME_IMAGE = "1.2.840.10008.5.1.4.1.1.3.1"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"

_NAMESPACE = UUID("6f0c6a52-7a55-5b1e-9d7b-0f6f4f1d2c11")


def demo_uid(*parts: object) -> str:
    """A UID that is always the same for the same parts: 2.25 and a name-based UUID (PS3.5 B.2)."""
    return f"2.25.{uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}"


@dataclass(frozen=True)
class InstancePlan:
    """One instance. `subject` names the phantom; `phase` is the part of the heart beat from 0 to 1."""

    sop_instance_uid: str
    sop_class_uid: str
    subject: str
    number: int | None
    plane: Plane | None = None
    rows: int = 256
    columns: int = 256
    frames: int = 1
    phase: float = 0.0
    trigger_time: float | None = None
    localiser: bool = False
    patient_orientation: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesPlan:
    """One series; instances in the order in which the archive keeps them, which is not the order of slices."""

    series_instance_uid: str
    number: int
    modality: str
    description: str
    body_part: str
    instances: tuple[InstancePlan, ...]
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class StudyPlan:
    """One study of one patient. `severity` scales the lesion, which grows from prior to prior; `remarks` are further
    attributes of every instance, by keyword."""

    patient: DemoPatient
    study_instance_uid: str
    study_id: str
    date: date
    time: time
    accession_number: str
    description: str
    series: tuple[SeriesPlan, ...]
    severity: float = 1.0
    remarks: tuple[tuple[str, str], ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """Each modality once, in order of series."""
        return tuple(dict.fromkeys(series.modality for series in self.series))

    @property
    def instance_count(self) -> int:
        """Instances of all series."""
        return sum(len(series.instances) for series in self.series)

    def with_series(self, *series: SeriesPlan) -> "StudyPlan":
        """The same study with further series."""
        return replace(self, series=(*self.series, *series))
