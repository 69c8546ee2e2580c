"""The order in which a study's series are read, and which studies of a patient stand beside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from kiosk.imaging.studies.model import Series, Study

DOCUMENT_MODALITIES: Final = frozenset(
    {"SR", "PR", "KO", "SEG", "REG", "DOC", "OT", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "AU", "PLAN"}
)


def reading_order(series: Series) -> tuple[bool, bool, int, bool, date, time, str]:
    """A sort key: documents last, then Series Number, then date and time; what is unknown comes after what is known."""
    number, day = series.number, series.series_date
    return (
        series.modality in DOCUMENT_MODALITIES,
        number is None,
        number or 0,
        day is None,
        day or date.min,
        series.series_time or time.max,
        series.series_instance_uid,
    )


@dataclass(frozen=True)
class Priors:
    """The other studies of a patient, newest first: `earlier` than the study or of unknown date, and `later` ones.

    `doubtful` counts studies with the same Patient ID whose issuer is another or unknown: a bare ID is no patient.
    """

    earlier: tuple[Study, ...]
    later: tuple[Study, ...]
    doubtful: int = 0


def newest_first(study: Study) -> tuple[bool, int, float, str]:
    """A sort key: the newest study first, those without a date last."""
    day, at = study.study_date, study.study_time or time.min
    seconds = at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6
    return (day is None, -day.toordinal() if day else 0, -seconds, study.study_instance_uid)


def priors_of(study: Study, found: Iterable[Study]) -> Priors:
    """Of the studies found those of the same patient, (Patient ID, Issuer), each once and the study itself not.

    Where no issuer is known an ID counts within one archive only. Of a study that came twice the later row counts.
    """
    others: dict[str, Study] = {}
    doubtful: set[str] = set()
    for other in found:
        uid = other.study_instance_uid
        if uid == study.study_instance_uid or not study.patient.patient_id:
            continue
        if other.patient.patient_id != study.patient.patient_id:
            continue
        if _same_issuer(study, other):
            others[uid] = other
        else:
            doubtful.add(uid)
    ordered = sorted(others.values(), key=newest_first)
    later = tuple(other for other in ordered if newest_first(other)[:3] < newest_first(study)[:3])
    earlier = tuple(other for other in ordered if other not in later)
    return Priors(earlier, later, len(doubtful - others.keys()))


def _same_issuer(study: Study, other: Study) -> bool:
    if study.patient.issuer or other.patient.issuer:
        return study.patient.issuer == other.patient.issuer
    return study.archive == other.archive
