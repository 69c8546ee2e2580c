"""The gap report in words and as a strip, and points in the patient."""

from dataclasses import replace

from kiosk.imaging.calls import Found
from kiosk.imaging.studies.gaps import Finding, FindingKind, GapReport, StackPlaces, places_of
from kiosk.imaging.studies.model import OrderRule, SeriesContents
from kiosk.imaging.studies.priors import Priors
from kiosk.views.gaps import DOUBLE, MISSING, SLICE, first_strip, report_lines, strip
from kiosk.views.instances import order_line
from kiosk.views.points import nearest_slice, pixel_of, point_at, point_line
from kiosk.views.priors import prior_cells, priors_line, priors_query
from tests import phantoms

SERIES = phantoms.series_of(phantoms.study(0))[1]


def _contents(report: GapReport | None, count: int = 5) -> SeriesContents:
    placed = tuple(
        replace(instance, spacing=(0.5, 0.5), frame_of_reference_uid="1.9", frames=1)
        for instance in phantoms.instances_of(SERIES, count)
    )
    return SeriesContents(SERIES, placed, OrderRule.GEOMETRY, (), report)


def test_each_slice_has_its_stroke_and_each_missing_one_its_cross() -> None:
    places = places_of([0.0, 5.0, 10.0, 20.0, 25.0], [1, 1, 2, 1, 1])
    assert strip(places, 12) == f"{SLICE} {SLICE} {DOUBLE} {MISSING} {SLICE} {SLICE}"
    assert strip(places, 80) == f"{SLICE}  {SLICE}  {DOUBLE}  {MISSING}  {SLICE}  {SLICE}"


def test_thousands_of_slices_fit_into_the_width_and_no_cross_is_lost() -> None:
    places = places_of([0.5 * n for n in range(5000) if n != 2500], [1] * 4999)
    line = strip(places, 100)
    assert len(line) == 100
    assert line.count(MISSING) == 1


def test_a_stack_of_one_slice_and_hostile_distances_have_a_strip_too() -> None:
    assert strip(places_of([7.0], [1]), 40) == SLICE
    assert len(strip(places_of([0.0, 1.0, 2.0, 1e15], [1] * 4), 40)) == 40
    assert strip(StackPlaces((), ()), 40) == ""


def test_the_report_says_what_is_here_what_is_odd_and_what_the_marks_mean() -> None:
    report = GapReport(
        5, 6, (Finding(FindingKind.MISSING, "1 slice seems to be missing."),), (places_of([0, 5, 10, 20, 25], [1] * 5),)
    )
    lines = report_lines(_contents(report), 80)
    assert lines[0] == "5 instances are here. · The archive counts 6."
    assert lines[1] == "• 1 slice seems to be missing."
    assert "5 positions · 0.0 to 25.0 mm · 5.00 mm apart · 1 missing" in lines
    assert lines[-1] == f"{SLICE} slice · {MISSING} missing"
    assert first_strip(_contents(report), 80).count(MISSING) == 1


def test_a_report_without_findings_does_not_call_the_series_complete() -> None:
    lines = report_lines(_contents(GapReport(5, None, (), (places_of([0, 5, 10], [1] * 3),))), 80)
    assert lines[0] == "5 instances are here. · The archive does not say how many it has."
    assert lines[1] == "Nothing odd was found among them. More may still arrive at the archive."
    assert "complete" not in " ".join(lines).casefold()
    assert first_strip(_contents(GapReport(5, None)), 80) == ""


def test_what_is_a_note_and_a_finding_is_said_once() -> None:
    report = GapReport(5, 5, (Finding(FindingKind.MISSING, "One is missing."),))
    assert order_line(replace(_contents(report), notes=("One is missing.",))).count("One is missing.") == 1


def test_a_spot_of_the_picture_is_a_point_of_the_patient_and_leads_to_its_slice() -> None:
    contents = _contents(None)
    instance = contents.instances[3]
    picture = phantoms.picture_of(instance, 0)
    row, column = pixel_of(instance, picture, 0.5, 0.25)
    assert (row, column) == (63.5, 127.5)
    point = point_at(instance, 0, row, column)
    assert point == (63.75, 31.75, 15.0)
    assert point_line(point) == "L 63.8 P 31.8 H 15.0 mm"
    assert nearest_slice(contents, (0.0, 0.0, 16.9), "1.9") == (instance, 0)


def test_coordinates_of_another_frame_of_reference_lead_nowhere() -> None:
    assert nearest_slice(_contents(None), (0.0, 0.0, 16.9), "1.8") is None
    assert point_at(replace(_contents(None).instances[0], spacing=None), 0, 1, 1) is None


def test_priors_are_asked_for_by_an_id_that_matches_one_patient_only() -> None:
    study = phantoms.study(0)
    assert getattr(priors_query(study), "patient_id", None) == study.patient.patient_id
    for hostile in ("", "*", "P?", "A\\B"):
        assert isinstance(priors_query(replace(study, patient=replace(study.patient, patient_id=hostile))), str)


def test_a_prior_says_how_long_before_it_was_and_what_was_left_out_is_said() -> None:
    study, prior = phantoms.study(0), phantoms.study(12)
    assert prior_cells(prior, study)[2] == "12 days"
    assert prior_cells(study, prior)[2] == "later: 12 days"
    line = priors_line(Priors((prior,), (), 2), Found(3, False))
    assert line.startswith("1 other study of this patient · 2 studies with this Patient ID are left out")
