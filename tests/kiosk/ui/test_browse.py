"""Gaps, priors and points in the patient, as a person meets them on the study screen."""

from dataclasses import replace

from kiosk.imaging.studies.gaps import Finding, FindingKind, GapReport, places_of
from kiosk.imaging.studies.model import FramePlace, OrderRule, Series, SeriesContents
from kiosk.ui.screens.gaps import GapsScreen
from kiosk.ui.screens.priors import PriorsScreen
from kiosk.ui.screens.study import StudyScreen
from tests import phantoms
from tests.fakes import Script
from tests.kiosk.ui.kit import terminal


def _with_a_gap(series: Series) -> SeriesContents:
    """Slices 5 mm apart of which the fourth is missing; all in one frame of reference."""
    every = phantoms.instances_of(series, 10)
    there = tuple(
        replace(one, spacing=(1.0, 1.0), frame_of_reference_uid="1.9", frames=1)
        for place, one in enumerate(every)
        if place != 4
    )
    places = places_of([5.0 * place for place in range(10) if place != 4], [1] * 9)
    finding = Finding(FindingKind.MISSING, "1 slice seems to be missing, between 15.0 and 25.0 mm.")
    return SeriesContents(
        series, there, OrderRule.GEOMETRY, (finding.sentence,), GapReport(9, 10, (finding,), (places,))
    )


async def test_a_gap_is_said_and_drawn_and_g_shows_the_whole_report() -> None:
    async with terminal(Script(contents=_with_a_gap)) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.press("enter")
        await kiosk.until(lambda: "1 slice seems to be missing" in kiosk.words("#instances-state"))
        await kiosk.until(lambda: "×" in kiosk.words("#strip"))
        await kiosk.press("g")
        await kiosk.until(lambda: kiosk.shows(GapsScreen))
        await kiosk.sees("Berg, Ingrid M", "9 instances are here. · The archive counts 10.", "│ slice · × missing")
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(StudyScreen))


async def test_without_an_open_series_there_is_no_report_and_that_is_said() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.sees("Axial 5 mm")
        await kiosk.press("g")
        await kiosk.sees("Open a series first")


async def test_b_shows_the_patients_other_studies_newest_first_and_opens_one_on_top() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.press("b")
        await kiosk.until(lambda: kiosk.shows(PriorsScreen) and "of this patient" in kiosk.words("#state"))
        assert kiosk.words("#state").startswith(
            "4 other studies of this patient · 5 studies with this Patient ID are left"
        )
        assert list(kiosk.table("#priors").keys) == [phantoms.study(6 * n).study_instance_uid for n in range(1, 5)]
        assert kiosk.fake.queries[-1][0].patient_id == "P-1001"
        await kiosk.press("enter")
        await kiosk.until(lambda: kiosk.shows(StudyScreen) and kiosk.table("#series").row_count > 0)
        assert kiosk.fake.called("open_study")[-1][-1] == phantoms.study(6).study_instance_uid
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(PriorsScreen))
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(StudyScreen))


async def test_a_marked_point_leads_to_the_nearest_slice_of_another_series() -> None:
    async with terminal(Script(contents=_with_a_gap)) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series(0)
        await kiosk.press("down", "down", "down")
        await kiosk.until(lambda: kiosk.words("#about").startswith("4/9"))
        await kiosk.press("m")
        await kiosk.sees("Point L 127.5 P 127.5 H 15.0 mm marked.")
        await kiosk.press("tab")
        await kiosk.open_series(1)
        await kiosk.until(lambda: kiosk.words("#about").startswith("1/9"))
        await kiosk.press("n")
        await kiosk.until(lambda: kiosk.words("#about").startswith("4/9"))


async def test_frames_are_gone_through_in_their_true_order() -> None:
    def contents(series: Series) -> SeriesContents:
        (one,) = phantoms.instances_of(series, 1)
        places = tuple(FramePlace(frame, (0.0, 0.0, float(place))) for place, frame in enumerate((2, 0, 3, 1)))
        return SeriesContents(series, (replace(one, frames=4, frame_places=places),), OrderRule.GEOMETRY)

    async with terminal(Script(contents=contents)) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series(0)

        def shown() -> list[int]:
            return list(dict.fromkeys(frame for *_, frame, _width, _height in kiosk.fake.called("picture")))

        await kiosk.until(lambda: shown() == [2])
        await kiosk.press("right")
        await kiosk.until(lambda: shown() == [2, 0])
        await kiosk.press("right")
        await kiosk.until(lambda: shown() == [2, 0, 3])
        await kiosk.press("right")
        await kiosk.until(lambda: shown() == [2, 0, 3, 1])
