"""What the gap report says of made series, number by number."""

from dataclasses import replace

import pytest

from kiosk.imaging.studies.gaps import FindingKind, interleaving, number_findings, places_of
from kiosk.imaging.studies.header import Header
from kiosk.imaging.studies.model import OrderRule, SeriesContents
from kiosk.imaging.studies.order import order_headers
from tests.kiosk.imaging.studies.files import CORONAL, SERIES, header


def _report(headers: list[Header], expected: int | None = None) -> dict[FindingKind, str]:
    gaps = order_headers(replace(SERIES, instance_count=expected), headers).gaps
    assert gaps is not None
    return {finding.kind: finding.sentence for finding in gaps.findings}


def test_a_sound_series_has_nothing_to_say_and_never_calls_itself_complete() -> None:
    contents = order_headers(replace(SERIES, instance_count=10), [header(n, n, 5.0 * n) for n in range(10)])
    assert contents.gaps is not None
    assert contents.gaps.findings == ()
    assert (contents.gaps.found, contents.gaps.expected) == (10, 10)
    assert "complete" not in repr(contents)


def test_fewer_and_more_than_the_archive_counts_are_said() -> None:
    few = _report([header(n, n, 5.0 * n) for n in range(9)], 12)
    assert few[FindingKind.EXPECTED] == "9 of 12 instances that the archive counts are here."
    many = _report([header(n, n, 5.0 * n) for n in range(9)], 7)
    assert many[FindingKind.EXPECTED] == "9 instances are here, the archive counts 7."


def test_numbers_that_are_fewer_than_the_images_are_said() -> None:
    said = _report([header(n, 366 + n % 2, 1.0 * n) for n in range(469)])
    assert said[FindingKind.NUMBERS] == "Instance numbers run 366 to 367, 469 images."


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([1, 2, 4], "Instance numbers run 1 to 4, 3 images; not there: 3."),
        ([1, 5, 6, 9], "Instance numbers run 1 to 9, 4 images; not there: 2 to 4, 7 to 8."),
        ([1, 3, 5, 7, 9], "Instance numbers run 1 to 9, 5 images; 4 numbers are not there, the first 2."),
    ],
)
def test_numbers_left_out_are_named(numbers: list[int], words: str) -> None:
    assert [finding.sentence for finding in number_findings(numbers, len(numbers))] == [words]


def test_the_places_of_missing_slices_are_known() -> None:
    places = places_of([0.0, 2.0, 8.0, 10.0, 12.0], [1] * 5)
    assert places.missing == (4.0, 6.0)
    assert places.spacing == 2.0


def test_a_hostile_position_does_not_make_a_million_missing_slices() -> None:
    said = _report([header(n, n, 0.1 * n) for n in range(10)] + [header(99, 99, 1e12)])
    assert "10000 slices" not in said.get(FindingKind.MISSING, "")
    assert len(places_of([0.0, 1.0, 2.0, 1e9], [1] * 4).missing) < 10_001


def test_a_missing_slice_of_one_volume_is_said_of_that_volume() -> None:
    headers = [
        header(10 * echo + n, None, 4.0 * n, echo_number=echo)
        for echo in (1, 2)
        for n in range(8)
        if (echo, n) != (2, 5)
    ]
    said = _report(headers)
    assert said[FindingKind.MISSING] == "1 slice seems to be missing, between 16.0 and 24.0 mm (Echo Number 2)."


def test_orientations_are_counted_and_localisers_are_not_among_them() -> None:
    scout = header(90, 1, (0.0, 0.0, 0.0), CORONAL, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    axial = [header(n, n, 5.0 * n) for n in range(6)]
    assert FindingKind.ORIENTATION not in _report([*axial, scout])
    coronal = [header(50 + n, 50 + n, (0.0, 5.0 * n, 0.0), CORONAL) for n in range(3)]
    assert _report([*axial, *coronal])[FindingKind.ORIENTATION] == "The series mixes 2 orientations (6, 3 instances)."


def test_a_position_with_more_images_than_others_is_named() -> None:
    said = _report([*(header(n, n, 5.0 * n) for n in range(6)), header(50, 50, 15.0)])
    assert said[FindingKind.DUPLICATE] == "The position 15.0 mm holds more images than others."


def test_slices_acquired_every_second_one_first_are_said() -> None:
    times = [float(place // 2 if place % 2 == 0 else 10 + place // 2) for place in range(10)]
    (finding,) = interleaving([None] * 10, times)
    assert finding.sentence == "The slices were acquired interleaved, every second one in turn."
    assert interleaving([None] * 10, [float(place) for place in range(10)]) == []
    assert interleaving([None] * 10, [float(-place) for place in range(10)]) == []


def _loose(headers: list[Header]) -> SeriesContents:
    return order_headers(SERIES, headers)


def test_numbers_that_begin_anew_in_each_acquisition_follow_their_acquisition() -> None:
    headers = [header(10 * a + n, n, None, acquisition_number=a) for n in range(1, 5) for a in (2, 1)]
    contents = _loose(headers)
    assert [instance.file for instance in contents.instances] == [
        f"f{10 * a + n:05}" for a in (1, 2) for n in range(1, 5)
    ]
    assert contents.notes == (
        "Instance Numbers begin anew in each acquisition; acquisitions come one after the other.",
    )
    assert contents.rule is OrderRule.INSTANCE_NUMBER


def test_without_position_and_number_the_acquisition_time_decides() -> None:
    contents = _loose([header(n, None, None, acquisition_time=100.0 - n) for n in range(6)])
    assert contents.rule is OrderRule.ACQUISITION_TIME
    assert [instance.file for instance in contents.instances] == [f"f{n:05}" for n in reversed(range(6))]
