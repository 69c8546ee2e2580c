"""Frames of an enhanced multi-frame image come in the order of the anatomy, not in that of the file."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from kiosk.imaging.studies.frames import MAX_FRAMES, with_frames
from kiosk.imaging.studies.header import read_header
from kiosk.imaging.studies.model import Instance, SeriesContents
from kiosk.imaging.studies.order import read_series
from tests.kiosk.imaging.studies.files import SERIES, image, save
from tests.kiosk.imaging.studies.judges import AXIAL, frame_group

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"


def _enhanced(groups: list[Dataset], path: Path) -> Path:
    dataset = image(
        np.zeros((len(groups), 4, 4), np.uint16), NumberOfFrames=len(groups), SOPClassUID=ENHANCED_MR, InstanceNumber=1,
        FrameOfReferenceUID="1.2.3.99",
    )  # fmt: skip
    shared, direction, measures = Dataset(), Dataset(), Dataset()
    direction.ImageOrientationPatient = AXIAL
    measures.PixelSpacing = [0.5, 0.75]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [direction], [measures]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = groups
    return save(dataset, path)


def _read(groups: list[Dataset], folder: Path) -> tuple[Instance, SeriesContents]:
    contents = read_series(SERIES, [_enhanced(groups, folder / "a")])
    return contents.instances[0], contents


def _stored(instance: Instance) -> list[int]:
    return [instance.stored_frame(place) for place in range(instance.frames)]


def test_frames_stand_by_their_position_whatever_the_file_has_first(tmp_path: Path) -> None:
    heights = random.Random(5).sample(range(12), 12)
    instance, contents = _read([frame_group(3.0 * height, height + 1) for height in heights], tmp_path)
    assert [heights[frame] for frame in _stored(instance)] == list(range(12))
    assert "Frames are ordered by position along the slice normal." in contents.notes
    assert [place.position for place in instance.frame_places][:2] == [(0.0, 0.0, 0.0), (0.0, 0.0, 3.0)]


def test_a_pixel_of_any_frame_has_its_place_in_the_patient(tmp_path: Path) -> None:
    instance, _ = _read([frame_group(9.0 - 3.0 * place, place + 1) for place in range(4)], tmp_path)
    plane = instance.plane(1)
    assert plane is not None
    assert plane.to_patient(2, 4) == (3.0, 1.0, 3.0)
    assert plane.to_pixel((3.0, 1.0, 3.0)) == (2.0, 4.0)


def test_a_missing_frame_is_found_between_frames(tmp_path: Path) -> None:
    _, contents = _read([frame_group(3.0 * place, place + 1) for place in range(8) if place != 5], tmp_path)
    assert "1 slice seems to be missing, between 12.0 and 18.0 mm." in contents.notes


def test_time_points_are_volumes_of_frames(tmp_path: Path) -> None:
    groups = [
        frame_group(3.0 * place, place + 1, TemporalPositionIndex=time)
        for place in range(4)
        for time in (2, 1)
    ]  # fmt: skip
    instance, contents = _read(groups, tmp_path)
    assert _stored(instance) == [1, 3, 5, 7, 0, 2, 4, 6]
    assert "2 volumes told apart by Temporal Position." in contents.notes


def test_stacks_of_frames_stay_apart(tmp_path: Path) -> None:
    groups = [frame_group(3.0 * place, place + 1, stack) for place in range(3) for stack in ("A", "B")]
    instance, contents = _read(groups, tmp_path)
    assert _stored(instance) == [0, 2, 4, 1, 3, 5]
    assert "2 stacks of frames." in contents.notes


def test_without_positions_the_in_stack_position_decides(tmp_path: Path) -> None:
    instance, contents = _read([frame_group(None, place) for place in (3, 1, 4, 2)], tmp_path)
    assert _stored(instance) == [1, 3, 0, 2]
    assert "Frames are ordered by In-Stack Position." in contents.notes


def test_without_that_the_dimensions_decide(tmp_path: Path) -> None:
    groups = [frame_group(None, 1, DimensionIndexValues=[1, value]) for value in (2, 3, 1)]
    instance, contents = _read(groups, tmp_path)
    assert _stored(instance) == [2, 0, 1]
    assert "Frames are ordered by Dimension Index Values." in contents.notes


def test_what_nothing_orders_stays_as_it_is_stored(tmp_path: Path) -> None:
    instance, contents = _read([frame_group(None, 1) for _ in range(3)], tmp_path)
    assert _stored(instance) == [0, 1, 2]
    assert "Frames are ordered by place in the file." in contents.notes


@pytest.mark.parametrize("lie", [1, 7, MAX_FRAMES + 1, 10**9])
def test_a_count_of_frames_that_is_a_lie_leaves_them_as_they_are_stored(tmp_path: Path, lie: int) -> None:
    path = _enhanced([frame_group(3.0 * place, place + 1) for place in range(4)], tmp_path / "a")
    header = read_header(path)
    assert with_frames(replace(header, instance=replace(header.instance, frames=lie)), path).frames == ()


def test_functional_groups_that_break_off_leave_the_image_readable(tmp_path: Path) -> None:
    path = _enhanced([frame_group(3.0 * place, place + 1) for place in range(40)], tmp_path / "a")
    before, after = path.read_bytes().rsplit(b"\xfe\xff\x00\xe0", 1)
    path.write_bytes(before + b"\x01\x02\x03\x04" + after)
    (instance,) = read_series(SERIES, [path]).instances
    assert instance.readable
    assert instance.frame_places == ()
