"""Gaps, priors and points at the line front end."""

from dataclasses import replace

from kiosk.imaging.studies.gaps import GapReport, places_of
from kiosk.imaging.studies.model import OrderRule, Series, SeriesContents
from tests import phantoms
from tests.fakes import Script
from tests.kiosk.plain.kit import line


def _contents(series: Series) -> SeriesContents:
    placed = tuple(
        replace(one, spacing=(1.0, 1.0), frame_of_reference_uid="1.9", frames=1)
        for one in phantoms.instances_of(series, 6)
    )
    places = places_of([0, 5, 10, 20, 25], [1] * 5)
    return SeriesContents(series, placed, OrderRule.GEOMETRY, (), GapReport(6, None, (), (places,)))


def test_gaps_points_and_the_nearest_slice() -> None:
    with line(Script(contents=_contents)) as person:
        person.sign_in()
        person.type("gaps")
        person.until("No series is open.")
        person.type("query")
        person.until("30 studies")
        person.type("open 1", "series 1")
        person.until("ordered by position along the slice normal")
        person.type("gaps")
        person.until("5 positions · 0.0 to 25.0 mm · 5.00 mm apart · 1 missing")
        person.until("│  │  │  ×  │  │")
        person.type("point 3 20 30")
        person.until("L 30.0 P 20.0 H 10.0 mm")
        person.type("nearest")
        person.until("3/6 · no. 4")
        person.until("row 20.0, column 30.0 · 0.0 mm away")
        since = person.type("nearest 1 2 -11.5")
        person.until("1/6 · no. 6", since)
        person.until("11.5 mm away", since)
        since = person.type("nearest 1 2", "point 99 1 1", "point 1 nan 1")
        person.until("Mark a point first, or give one", since)
        person.until("Numbers from 1 to 6, please.", since)
        person.until("An instance, a row and a column, please", since)


def test_priors_are_listed_and_can_be_opened() -> None:
    with line() as person:
        person.sign_in()
        person.type("priors")
        person.until("Open a study first.")
        person.type("query")
        person.until("30 studies")
        since = person.type("open 1", "priors")
        person.until("4 other studies of this patient", since)
        person.until("1. 2026-02-23", since)
        person.type("open 1")
        person.until("2026-02-23 · 14:06", since)
        assert person.fake.called("open_study")[-1][-1] == phantoms.study(6).study_instance_uid
