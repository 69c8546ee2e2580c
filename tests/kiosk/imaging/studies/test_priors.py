"""Series stand in the order in which they are read, a patient's studies newest first, and no bare ID is a patient."""

import random
from dataclasses import replace
from datetime import date, time

from kiosk.imaging.studies.model import Series, Study
from kiosk.imaging.studies.priors import priors_of, reading_order
from tests import phantoms

STUDY = phantoms.study(5)


def _series(name: str, number: int | None, modality: str = "CT", day: int | None = None, hour: int = 8) -> Series:
    when = None if day is None else date(2026, 3, day)
    return Series("1.2", name, number, modality, "", "", None, when, None if day is None else time(hour))


def test_series_stand_by_number_then_date_and_time_and_documents_last() -> None:
    wanted = [
        _series("9", 1), _series("8", 2, day=1, hour=7), _series("7", 2, day=1), _series("6", 2, day=2),
        _series("5", 2), _series("4", None, day=1), _series("3", None), _series("2", 1, "SR"), _series("1", 900, "KO"),
    ]  # fmt: skip
    shuffled = random.Random(2).sample(wanted, len(wanted))
    assert sorted(shuffled, key=reading_order) == wanted


def _of_same_patient(number: int, days: int | None, issuer: str = "Hospital A", archive: str = "Main archive") -> Study:
    patient = replace(STUDY.patient, patient_id="P-1", issuer=issuer)
    when = None if days is None or STUDY.study_date is None else date.fromordinal(STUDY.study_date.toordinal() + days)
    return replace(STUDY, study_instance_uid=f"1.9.{number}", patient=patient, study_date=when, archive=archive)


def test_priors_are_newest_first_and_later_studies_apart() -> None:
    study = _of_same_patient(0, 0)
    others = [_of_same_patient(1, -400), _of_same_patient(2, -3), _of_same_patient(3, 2), _of_same_patient(4, None)]
    found = priors_of(study, [*others, study, others[0]])
    assert [one.study_instance_uid for one in found.earlier] == ["1.9.2", "1.9.1", "1.9.4"]
    assert [one.study_instance_uid for one in found.later] == ["1.9.3"]
    assert found.doubtful == 0


def test_the_same_id_of_another_or_of_no_issuer_is_another_patient() -> None:
    study = _of_same_patient(0, 0)
    found = priors_of(study, [_of_same_patient(1, -1, "Hospital B"), _of_same_patient(2, -2, "")])
    assert (found.earlier, found.later, found.doubtful) == ((), (), 2)


def test_without_issuers_an_id_counts_within_one_archive() -> None:
    study = _of_same_patient(0, 0, "")
    here, elsewhere = _of_same_patient(1, -1, ""), _of_same_patient(2, -2, "", "Other archive")
    found = priors_of(study, [here, elsewhere])
    assert (found.earlier, found.doubtful) == ((here,), 1)


def test_a_study_without_patient_id_has_no_priors() -> None:
    nobody = replace(STUDY, patient=replace(STUDY.patient, patient_id=""))
    assert priors_of(nobody, [replace(nobody, study_instance_uid="1.9.9")]).earlier == ()
