"""The department is large enough, always the same, and its pictures agree with their geometry."""

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pytest

from kiosk.demo.department import studies_on
from kiosk.demo.phantoms.head import LESION_RANGE
from kiosk.demo.phantoms.heart import BLOOD_RANGE
from kiosk.demo.pictures import pixels
from kiosk.demo.plans import SeriesPlan, StudyPlan

TODAY = date(2026, 3, 17)
STUDIES = studies_on(TODAY)


def _series(description: str) -> tuple[StudyPlan, SeriesPlan]:
    return next((study, series) for study in STUDIES for series in study.series if series.description == description)


def test_there_are_sixty_studies_of_twelve_patients_in_every_modality() -> None:
    assert len(STUDIES) >= 60
    assert len({(study.patient.patient_id, study.patient.issuer) for study in STUDIES}) == 12
    modalities = Counter(modality for study in STUDIES for modality in study.modalities)
    assert set(modalities) == {"CT", "MR", "CR", "US", "SR"}
    assert all(len(study.series) >= 2 for study in STUDIES)


def test_there_are_studies_of_today_of_this_week_and_of_years_ago() -> None:
    days = [(TODAY - study.date).days for study in STUDIES]
    assert days.count(0) >= 5
    assert sum(0 < day <= 7 for day in days) >= 8
    assert sum(day > 730 for day in days) >= 8
    assert min(days) == 0


def test_every_patient_has_priors() -> None:
    assert min(Counter(study.patient.patient_id for study in STUDIES).values()) >= 5


def test_character_sets_cover_the_four_scripts() -> None:
    used = {term for study in STUDIES for term in study.patient.character_set}
    assert {"ISO_IR 100", "ISO_IR 144", "GB18030", "ISO 2022 IR 87", "ISO 2022 IR 13", "ISO_IR 192"} <= used


def test_no_uid_is_used_twice_and_all_are_valid() -> None:
    uids = [study.study_instance_uid for study in STUDIES]
    uids += [series.series_instance_uid for study in STUDIES for series in study.series]
    uids += [item.sop_instance_uid for study in STUDIES for series in study.series for item in series.instances]
    assert len(uids) == len(set(uids))
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in uids)


def test_the_same_day_gives_the_same_department() -> None:
    assert studies_on(TODAY) == STUDIES
    assert studies_on(TODAY + timedelta(days=1)) != STUDIES


def test_instances_are_not_kept_in_the_order_of_their_slices() -> None:
    _, series = _series("Head axial 5 mm")
    heights = [item.plane.position[2] for item in series.instances if item.plane]
    assert heights != sorted(heights)


def test_numbers_of_the_bone_series_run_against_the_slices() -> None:
    _, series = _series("Head axial bone")
    by_height = sorted((item.plane.position[2], item.number) for item in series.instances if item.plane)
    assert [number for _, number in by_height] == list(range(20, 0, -1))


def _centroid(
    study: StudyPlan, series: SeriesPlan, low: float, high: float, phase: float | None = None
) -> tuple[float, float, float]:
    """The mean place, in LPS mm, of all pixels with values in a range."""
    places = []
    for item in series.instances:
        if item.plane is None or (phase is not None and item.phase != phase):
            continue
        values = pixels(item, study.severity)
        for row, column in np.argwhere((values >= low) & (values <= high)):
            places.append(item.plane.to_patient(float(row), float(column)))
    x, y, z = np.mean(places, axis=0)
    return float(x), float(y), float(z)


@pytest.mark.parametrize("description", ["Head axial 5 mm", "Head axial bone", "Coronal MPR", "Sagittal MPR"])
def test_the_lesion_lies_on_the_patients_left_by_pixels_and_geometry(description: str) -> None:
    x, y, z = _centroid(*_series(description), *LESION_RANGE)
    assert x == pytest.approx(36, abs=3)
    assert y == pytest.approx(-14, abs=3)
    assert z == pytest.approx(12, abs=3)


@pytest.mark.parametrize("description", ["Cine axial", "Cine short axis"])
def test_the_left_ventricle_lies_on_the_patients_left(description: str) -> None:
    x, y, z = _centroid(*_series(description), *BLOOD_RANGE)
    assert x == pytest.approx(34, abs=5)
    assert y == pytest.approx(-22, abs=5)
    assert z == pytest.approx(-6, abs=5)


def test_the_apex_points_to_the_left_and_to_the_front() -> None:
    study, series = _series("Cine axial")
    item = series.instances[0]
    assert item.plane is not None
    values = pixels(item, study.severity)
    found = np.argwhere((values >= BLOOD_RANGE[0]) & (values <= BLOOD_RANGE[1]))
    places = np.array([item.plane.to_patient(float(row), float(column)) for row, column in found])
    centred = places[:, :2] - places[:, :2].mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    long_axis = directions[0] * np.sign(directions[0][0])
    assert long_axis[0] > 0.5
    assert long_axis[1] < -0.4


def test_the_heart_beats() -> None:
    study, series = _series("Cine axial")
    areas = {}
    for item in series.instances:
        values = pixels(item, study.severity)
        areas[item.trigger_time] = int(((values >= BLOOD_RANGE[0]) & (values <= BLOOD_RANGE[1])).sum())
    in_time = [areas[time] for time in sorted(areas, key=lambda time: time or 0)]
    assert in_time.index(min(in_time)) in range(4, 9)
    assert min(in_time) < 0.7 * max(in_time)


@pytest.mark.parametrize("description", ["Head axial 5 mm", "Coronal MPR", "Sagittal MPR"])
def test_every_slice_shows_which_way_it_lies(description: str) -> None:
    """Rods outside the head: left and front, front and above, left and above; each slice cuts one across."""
    study, series = _series(description)
    for item in series.instances:
        assert item.plane is not None
        bright = np.argwhere(pixels(item, study.severity) > 2200)
        places = np.array([item.plane.to_patient(float(row), float(column)) for row, column in bright])
        x, y, z = places.mean(axis=0)
        if description == "Head axial 5 mm":
            assert x > 50 or y < -90
        elif description == "Coronal MPR":
            assert x > 70
            assert z > 50
        else:
            assert y < -90
            assert z > 40


def test_the_lesion_grows_over_the_years() -> None:
    patient = STUDIES[0].patient
    scans = [study for study in STUDIES if study.patient == patient and "CT" in study.modalities]
    scans.sort(key=lambda study: study.date)
    assert [study.severity for study in scans] == sorted(study.severity for study in scans)
    assert scans[0].severity < scans[-1].severity


def test_the_heart_is_on_the_left_of_the_radiograph() -> None:
    study, series = _series("Chest PA")
    (item,) = series.instances
    assert item.patient_orientation == ("L", "F"), "columns run towards the patient's left"
    values = pixels(item, study.severity).astype(float)
    middle = item.columns // 2
    low_chest = values[item.rows * 5 // 9 : item.rows * 2 // 3]
    assert low_chest[:, middle + 30 : middle + 60].mean() > low_chest[:, middle - 60 : middle - 30].mean() + 200
    marker = np.argwhere(values == 4095)
    assert marker[:, 1].mean() > middle, "the marker L lies on the left"


def test_ultrasound_clips_move() -> None:
    study, series = _series("Right kidney clips")
    clip = pixels(series.instances[0], study.severity)
    assert clip.shape == (12, 240, 320)
    assert not np.array_equal(clip[0], clip[6])
