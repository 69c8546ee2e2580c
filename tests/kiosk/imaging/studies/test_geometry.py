"""Letters and places follow from direction cosines alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.imaging.studies.geometry import (
    NO_LETTERS,
    Orientation,
    Plane,
    direction_letters,
    is_sound,
    nearest,
    normal,
    opposite,
    orientation_letters,
    patient_orientation_letters,
    projection,
)
from tests.kiosk.imaging.studies.files import AXIAL, CORONAL, SAGITTAL


@pytest.mark.parametrize(
    ("orientation", "letters"),
    [
        (AXIAL, ("R", "L", "A", "P")),
        (CORONAL, ("R", "L", "H", "F")),
        (SAGITTAL, ("A", "P", "H", "F")),
        ((-1.0, 0.0, 0.0, 0.0, 1.0, 0.0), ("L", "R", "A", "P")),
        ((1.0, 0.0, 0.0, 0.0, -1.0, 0.0), ("R", "L", "P", "A")),
    ],
)
def test_upright_planes_have_one_letter_at_each_edge(orientation: Orientation, letters: tuple[str, ...]) -> None:
    assert orientation_letters(orientation) == letters


def test_an_oblique_plane_has_two_letters_the_stronger_first() -> None:
    angle = math.radians(30)
    tilted = (math.cos(angle), math.sin(angle), 0.0, 0.0, 0.0, -1.0)
    assert orientation_letters(tilted) == ("RA", "LP", "H", "F")


def test_a_few_degrees_do_not_make_a_plane_oblique() -> None:
    angle = math.radians(4)
    assert direction_letters((math.cos(angle), math.sin(angle), 0)) == "L"


def test_no_more_than_two_letters_are_shown() -> None:
    assert sorted(direction_letters((0.6, 0.58, 0.55))) == ["L", "P"]


def test_opposites_turn_every_letter_round() -> None:
    assert [opposite(letters) for letters in ("L", "AH", "RF", "")] == ["R", "PF", "LH", ""]


def test_radiographs_take_letters_from_patient_orientation() -> None:
    assert patient_orientation_letters(["L", "F"]) == ("R", "L", "H", "F")
    assert patient_orientation_letters(["A", "F"]) == ("P", "A", "H", "F")


@pytest.mark.parametrize("values", [[], ["L"], ["L", ""], ["X", "F"], ["\x1b[1", "F"]])
def test_patient_orientation_that_makes_no_sense_gives_no_letters(values: list[str]) -> None:
    assert patient_orientation_letters(values) == NO_LETTERS


def test_slices_ascend_along_row_cross_column() -> None:
    assert normal(AXIAL) == (0, 0, 1)
    assert normal(CORONAL) == (0, 1, 0)
    assert normal(SAGITTAL) == (-1, 0, 0)
    assert projection((3.0, 4.0, 5.0), SAGITTAL) == -3.0


@pytest.mark.parametrize(
    "orientation", [(1, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 0), (2, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0.5, 0)]
)
def test_cosines_that_are_no_plane_are_not_sound(orientation: Orientation) -> None:
    assert not is_sound(orientation)


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0.1, 3), st.floats(0.1, 3), st.floats(0, 6.28))
def test_pixels_and_patient_places_are_inverse(
    row: float, column: float, down: float, right: float, turn: float
) -> None:
    plane = Plane((-12.5, 40.0, 7.0), (math.cos(turn), math.sin(turn), 0.0, 0.0, 0.0, -1.0), spacing=(down, right))
    point = plane.to_patient(row, column)
    assert plane.to_pixel(point) == pytest.approx((row, column), abs=1e-6)
    assert plane.distance(point) == pytest.approx(0, abs=1e-6)


def test_pixel_spacing_is_between_rows_first() -> None:
    plane = Plane((0.0, 0.0, 0.0), AXIAL, spacing=(2.0, 3.0))
    assert plane.to_patient(1, 0) == (0.0, 2.0, 0.0)
    assert plane.to_patient(0, 1) == (3.0, 0.0, 0.0)


def test_the_nearest_slice_to_a_point_is_found() -> None:
    planes = [Plane((0.0, 0.0, 5.0 * n), AXIAL) for n in range(10)]
    assert nearest(planes, (100.0, 3.0, 22.0)) == 4
    assert nearest([], (0.0, 0.0, 0.0)) is None
