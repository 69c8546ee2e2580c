"""Instances come in the order of the anatomy, whatever their numbers say, and what is odd is said."""

import random
import time
from dataclasses import replace

import pytest

from kiosk.imaging.studies.header import Header
from kiosk.imaging.studies.model import OrderRule, SeriesContents
from kiosk.imaging.studies.order import order_headers
from tests.kiosk.imaging.studies.files import CORONAL, SERIES, header


def _ordered(headers: list[Header]) -> SeriesContents:
    shuffled = list(headers)
    random.Random(7).shuffle(shuffled)
    return order_headers(SERIES, shuffled)


def _heights(contents: SeriesContents) -> list[float]:
    return [instance.position[2] for instance in contents.instances if instance.position]


def test_slices_ascend_along_the_normal_though_their_numbers_descend() -> None:
    contents = _ordered([header(n, 10 - n, 5.0 * n) for n in range(10)])
    assert _heights(contents) == [5.0 * n for n in range(10)]
    assert contents.rule is OrderRule.GEOMETRY
    assert contents.notes == ()


def test_coronal_slices_ascend_from_front_to_back() -> None:
    contents = _ordered([header(n, n, (0.0, 4.0 * n, 0.0), CORONAL) for n in range(6)])
    assert [instance.position[1] for instance in contents.instances if instance.position] == [4.0 * n for n in range(6)]


def test_random_numbers_do_not_matter() -> None:
    numbers = random.Random(3).sample(range(1, 100), 12)
    contents = _ordered([header(n, numbers[n], 2.5 * n) for n in range(12)])
    assert _heights(contents) == [2.5 * n for n in range(12)]


def test_the_same_instances_come_in_the_same_order_however_they_arrive() -> None:
    headers = [header(n, 1, None) for n in range(20)] + [header(100 + n, None, 3.0) for n in range(5)]
    orders = set()
    for seed in range(10):
        random.Random(seed).shuffle(headers)
        orders.add(tuple(instance.file for instance in order_headers(SERIES, headers).instances))
    assert len(orders) == 1


def test_a_missing_slice_is_named_with_its_neighbours() -> None:
    contents = _ordered([header(n, n, 5.0 * n) for n in range(10) if n != 4])
    assert contents.notes == ("1 slice seems to be missing, between 15.0 and 25.0 mm.",)


def test_several_missing_slices_are_counted() -> None:
    contents = _ordered([header(n, n, 5.0 * n) for n in range(20) if n not in (4, 5, 11)])
    assert contents.notes == ("3 slices seem to be missing, the first between 15.0 and 30.0 mm.",)


def test_uneven_spacing_is_said() -> None:
    contents = _ordered([header(n, n, place) for n, place in enumerate((0, 5, 10, 13.1, 18, 23))])
    assert contents.notes == ("Slices are unevenly spaced: 3.10 to 5.00 mm apart.",)


def test_rounded_positions_are_not_called_uneven() -> None:
    assert _ordered([header(n, n, round(n * 0.625, 1)) for n in range(40)]).notes == ()


def test_two_instances_at_one_position_are_said() -> None:
    contents = _ordered([*(header(n, n, 5.0 * n) for n in range(6)), header(50, 50, 15.0)])
    assert contents.notes == ("2 instances share the position 15.0 mm, ordered by Instance Number there.",)
    assert _heights(contents) == [0, 5, 10, 15, 15, 20, 25]


def test_instances_without_numbers_are_ordered_by_position() -> None:
    contents = _ordered([header(n, None, 5.0 * n) for n in range(8)])
    assert contents.rule is OrderRule.GEOMETRY
    assert _heights(contents) == [5.0 * n for n in range(8)]
    assert contents.notes == ("8 instances have no Instance Number.",)


def test_every_number_being_one_does_not_matter_with_positions() -> None:
    contents = _ordered([header(n, 1, 5.0 * n) for n in range(8)])
    assert _heights(contents) == [5.0 * n for n in range(8)]
    assert contents.notes == ("8 instances share Instance Number 1.",)


def test_without_positions_numbers_decide_as_numbers_and_not_as_text() -> None:
    contents = _ordered([header(n, n, None) for n in (1, 2, 10, 11, 100)])
    assert contents.rule is OrderRule.INSTANCE_NUMBER
    assert [instance.number for instance in contents.instances] == [1, 2, 10, 11, 100]


def test_a_doubled_number_is_named() -> None:
    contents = _ordered([header(n, 7 if n in (2, 5) else n + 1, None) for n in range(6)])
    assert contents.notes == ("2 instances share Instance Number 7.",)


def test_without_position_and_number_the_uid_decides_and_that_is_said() -> None:
    contents = _ordered([header(n, None, None) for n in range(5)])
    assert contents.rule is OrderRule.SOP_INSTANCE_UID
    assert contents.notes[-1].startswith("Nothing tells the order of these instances")


def test_a_number_that_is_no_number_is_said() -> None:
    odd = replace(header(9, None, 25.0), number_is_malformed=True)
    contents = _ordered([*(header(n, n + 1, 5.0 * n) for n in range(5)), odd])
    assert contents.notes == ("1 instance has an Instance Number that is no number.",)


def test_an_instance_without_position_comes_last() -> None:
    contents = _ordered([*(header(n, n + 1, 5.0 * n) for n in range(5)), header(9, 0, None)])
    assert contents.instances[-1].file == "f00009"
    assert contents.notes == ("1 instance has no position and comes last.",)


def test_a_localiser_inside_the_series_is_kept_apart() -> None:
    scout = header(90, 1, (0.0, 0.0, 0.0), CORONAL, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    contents = _ordered([*(header(n, n + 2, 5.0 * n) for n in range(5)), scout])
    assert contents.instances[-1].file == "f00090"
    assert contents.notes == ("1 instance is a localiser and kept apart.",)


def test_a_localiser_of_the_same_orientation_is_not_a_slice_of_the_stack() -> None:
    scout = header(90, 1, 11.0, image_type=("DERIVED", "SECONDARY", "LOCALIZER"))
    contents = _ordered([*(header(n, n + 2, 5.0 * n) for n in range(5)), scout])
    assert contents.instances[-1].file == "f00090"
    assert not any("unevenly" in note for note in contents.notes)


def test_two_orientations_make_two_stacks_the_larger_first() -> None:
    axial = [header(n, n, 5.0 * n) for n in range(8)]
    coronal = [header(100 + n, n, (0.0, 5.0 * n, 0.0), CORONAL) for n in range(4)]
    contents = _ordered([*coronal, *axial])
    assert [instance.file for instance in contents.instances] == [h.instance.file for h in (*axial, *coronal)]
    assert contents.notes[0] == "2 stacks of different orientation or size, the largest first."


def test_orientations_that_differ_by_rounding_are_one_stack() -> None:
    nearly = (0.99999, 0.0012, 0.0, -0.0012, 0.99999, 0.0)
    contents = _ordered([header(n, n, 5.0 * n, nearly if n % 2 else (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)) for n in range(8)])
    assert _heights(contents) == [5.0 * n for n in range(8)]
    assert contents.notes == ()


def test_phases_are_ordered_by_position_and_then_by_trigger_time() -> None:
    headers = [
        header(10 * place + phase, 100 - 10 * place - phase, 8.0 * place, trigger_time=50.0 * phase)
        for place in range(3)
        for phase in range(4)
    ]
    contents = _ordered(headers)
    assert contents.rule is OrderRule.TEMPORAL
    assert [instance.file for instance in contents.instances] == [h.instance.file for h in headers]
    assert contents.notes == ("3 positions with 4 instances each, ordered by Trigger Time there.",)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("stack_id", ("1", "2")),
        ("temporal_position", (1, 2)),
        ("echo_number", (1, 2)),
        ("echo_time", (4.6, 9.2)),
        ("b_value", (None, 1000.0)),
        ("gradient", ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))),
        ("image_type", (("ORIGINAL", "PRIMARY", "M"), ("ORIGINAL", "PRIMARY", "P"))),
        ("acquisition_number", (1, 2)),
        ("acquisition_time", (36000.0, 36030.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_tells_two_volumes_apart_puts_one_after_the_other(key: str, values: tuple[object, ...]) -> None:
    headers = [
        header(10 * volume + place, None, 3.0 * place, **{key: values[volume]})
        for volume in range(2)
        for place in range(5)
    ]
    contents = _ordered(headers)
    assert [instance.file for instance in contents.instances] == [h.instance.file for h in headers]
    assert contents.rule is OrderRule.VOLUMES
    assert contents.notes[0].startswith("2 volumes told apart by ")


def test_volumes_in_volumes_are_told_apart_by_both() -> None:
    headers = [
        header(100 * b + 10 * g + place, None, 3.0 * place, b_value=1000.0 * b, gradient=(float(g), 0.0, 0.0))
        for b in range(3)
        for g in range(1 if b == 0 else 4)
        for place in range(5)
    ]
    contents = _ordered(headers)
    assert [instance.file for instance in contents.instances] == [h.instance.file for h in headers]
    assert contents.notes[0] == "9 volumes told apart by b-value and gradient direction."


def test_acquisitions_that_follow_each_other_along_the_table_stay_one_stack() -> None:
    contents = _ordered([header(n, n, 5.0 * n, acquisition_number=1 + n // 5) for n in range(10)])
    assert contents.rule is OrderRule.GEOMETRY
    assert contents.notes == ()


def test_acquisitions_side_by_side_that_are_even_each_for_itself_are_two_volumes() -> None:
    headers = [
        header(10 * a + n, 10 * a + n, 5.0 * n + 1.3 * a, acquisition_number=a + 1) for a in range(2) for n in range(6)
    ]
    contents = _ordered(headers)
    assert [instance.file for instance in contents.instances] == [h.instance.file for h in headers]
    assert contents.notes == ("2 volumes told apart by Acquisition Number.",)


def test_a_time_that_is_the_same_for_all_is_not_believed() -> None:
    headers = [header(n, n, 0.0, trigger_time=0.0, content_time=10.0 * (9 - n)) for n in range(9)]
    contents = _ordered(headers)
    assert [instance.number for instance in contents.instances] == list(reversed(range(9)))
    assert contents.notes == ("9 instances at one position, ordered by Content Time there.",)


def test_gantry_tilt_keeps_the_order_and_is_said() -> None:
    contents = _ordered([header(n, 99 - n, (0.0, 1.0 * n, 5.0 * n)) for n in range(10)])
    assert _heights(contents) == [5.0 * n for n in range(10)]
    assert contents.notes == ("The stack is aslant by 11.3 degrees (gantry tilt).",)


def test_a_rotational_series_goes_by_number() -> None:
    headers = []
    for n in range(12):
        turned = (1.0, 0.0, 0.0, 0.0, round(0.99 - 0.01 * n, 4), round((1 - (0.99 - 0.01 * n) ** 2) ** 0.5, 4))
        headers.append(header(n, n, (float(n), 0.0, 0.0), turned))
    contents = _ordered(headers)
    assert contents.rule is OrderRule.INSTANCE_NUMBER
    assert [instance.number for instance in contents.instances] == list(range(12))


def test_instances_of_another_series_are_said() -> None:
    stranger = header(9, 6, 25.0)
    stranger = replace(stranger, instance=replace(stranger.instance, series_instance_uid="9.9"))
    contents = _ordered([*(header(n, n + 1, 5.0 * n) for n in range(5)), stranger])
    assert contents.notes == ("1 instance names another series.",)


def _seconds_to_order(count: int) -> float:
    headers = [header(n, (n * 37) % count, 0.5 * ((n * 3571) % count)) for n in range(count)]
    spent = []
    for _ in range(3):
        start = time.process_time()
        contents = order_headers(SERIES, headers)
        spent.append(time.process_time() - start)
    assert _heights(contents) == [0.5 * n for n in range(count)]
    return min(spent)


def test_five_thousand_slices_cost_ten_times_five_hundred_and_not_a_hundred_times() -> None:
    assert _seconds_to_order(5000) < 40 * _seconds_to_order(500)


def test_five_thousand_orientations_do_not_take_forever() -> None:
    headers = []
    for n in range(5000):
        cosine = 1 - n * 1e-4
        headers.append(header(n, n, 1.0, (1.0, 0.0, 0.0, 0.0, cosine, (1 - cosine * cosine) ** 0.5)))
    contents = order_headers(SERIES, headers)
    assert len(contents.instances) == 5000
