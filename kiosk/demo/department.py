"""Everything the demo archive holds on a given day: who was examined when, priors over several years included."""

from collections.abc import Callable
from datetime import date, time, timedelta
from random import Random
from typing import Final, NamedTuple

from kiosk.demo.examinations import cr_chest, ct_head, mr_heart, us_abdomen, with_report
from kiosk.demo.people import PATIENTS, DemoPatient
from kiosk.demo.plans import StudyPlan, demo_uid

DEFAULT_SEED: Final = 2207


class _Examination(NamedTuple):
    build: Callable[[StudyPlan], StudyPlan]
    descriptions: tuple[str, ...]
    reported_after_days: int | None


_KINDS: Final = {
    "CT": _Examination(ct_head, ("CT head without contrast", "CT head stroke protocol", "CT head follow-up"), 1),
    "MR": _Examination(mr_heart, ("MR heart function", "MR heart cine follow-up"), None),
    "CR": _Examination(cr_chest, ("Chest PA and lateral", "Chest PA and lateral, pre-operative"), None),
    "US": _Examination(us_abdomen, ("US abdomen complete", "US kidneys"), None),
}

# For each patient of people.PATIENTS: what was done, and how many days ago.
_HISTORIES: Final[tuple[tuple[tuple[str, int], ...], ...]] = (
    (("CT", 0), ("CT", 5), ("CT", 186), ("CR", 5), ("CR", 401), ("US", 1130)),
    (("US", 0), ("US", 3), ("CR", 92), ("US", 377), ("MR", 800)),
    (("MR", 0), ("MR", 204), ("CR", 204), ("CR", 580), ("MR", 960)),
    (("CT", 1), ("CT", 33), ("CT", 410), ("CR", 1), ("CR", 33), ("CR", 1525)),
    (("CR", 0), ("US", 61), ("CR", 366), ("US", 730), ("US", 1100)),
    (("MR", 2), ("CR", 2), ("MR", 371), ("US", 371), ("MR", 1204)),
    (("CT", 0), ("CT", 95), ("CR", 95), ("CT", 733), ("US", 1500)),
    (("US", 4), ("CR", 40), ("US", 221), ("CT", 221), ("US", 590)),
    (("CR", 0), ("CT", 6), ("CR", 6), ("MR", 300), ("CT", 800), ("CR", 1800)),
    (("CT", 7), ("CR", 15), ("CT", 390), ("US", 600), ("CR", 1001)),
    (("MR", 0), ("US", 13), ("MR", 180), ("CR", 545), ("MR", 1460)),
    (("CR", 3), ("CR", 48), ("US", 48), ("CT", 700), ("CR", 1090)),
)


def studies_on(today: date, seed: int = DEFAULT_SEED) -> tuple[StudyPlan, ...]:
    """All studies; the same for the same day and seed."""
    chance = Random(seed)  # noqa: S311 - made-up patients need no secrets
    found: list[StudyPlan] = []
    for patient, history in zip(PATIENTS, _HISTORIES, strict=True):
        newest = max(1, sum(kind == "CT" for kind, _ in history))
        scans = 0
        for kind, days in history:
            scans += kind == "CT"
            severity = 1.15 - 0.15 * (scans - 1) * 3 / newest
            found.append(_study(patient, kind, today - timedelta(days=days), days, severity, chance, len(found)))
    return tuple(found)


def _study(
    patient: DemoPatient, kind: str, day: date, days: int, severity: float, chance: Random, index: int
) -> StudyPlan:
    examination = _KINDS[kind]
    hour = chance.randrange(6, 8) if days == 0 else chance.randrange(7, 19)
    empty = StudyPlan(
        patient=patient,
        study_instance_uid=demo_uid(patient.patient_id, kind, day.isoformat(), index),
        study_id=f"{day:%y%m}{index:03d}",
        date=day,
        time=time(hour, chance.randrange(60), chance.randrange(60)),
        accession_number=f"A{day:%y%m%d}{1000 + index}",
        description=chance.choice(examination.descriptions),
        series=(),
        severity=severity,
    )
    study = examination.build(empty)
    reported = examination.reported_after_days is not None and days >= examination.reported_after_days
    return with_report(study) if reported else study
