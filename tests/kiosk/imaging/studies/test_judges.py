"""True order and gap report beside dcm2niix and highdicom, on series made for it; each difference is explained.

highdicom stacks against the normal: its first slice is our last. dcm2niix writes a second volume, interpolated to even
spacing, where slices are uneven or missing; we show what is there and say so.
"""

import copy
import random
from pathlib import Path

from pydicom.dataset import Dataset

from kiosk.imaging.studies.model import OrderRule
from tests.kiosk.imaging.studies.judges import (
    CORONAL,
    COUNT,
    SPACING,
    concatenation,
    judge,
    sentences,
    slice_of,
    straight,
)

ASCENDING = tuple(range(100, 100 + COUNT))
AGAINST_THE_NORMAL = (SPACING, list(reversed(range(COUNT))))
NUMBERS = random.Random(3).sample(range(1, 100), COUNT)


def test_reversed_numbers(tmp_path: Path) -> None:
    found = judge(straight(lambda place: COUNT - place), tmp_path)
    assert found.order == ASCENDING == found.niix_volumes[0]
    assert found.volume_positions == AGAINST_THE_NORMAL
    assert sentences(found) == "[]"


def test_random_numbers(tmp_path: Path) -> None:
    """dcm2niix too says that the numbers are not spatial; we only say that they leave numbers out."""
    found = judge(straight(lambda place: NUMBERS[place]), tmp_path)
    assert found.order == ASCENDING == found.niix_volumes[0]
    assert found.volume_positions == AGAINST_THE_NORMAL
    assert "order is not spatial" in found.niix_said
    assert "Instance numbers run 9 to 81, 10 images" in sentences(found)


def test_random_numbers_of_a_vendor_whose_files_dcm2niix_treats_apart(tmp_path: Path) -> None:
    """It takes images of Siemens in the order of their numbers and leaves out those that go back: slices are lost.
    Here and in highdicom all ten are there."""
    found = judge(straight(lambda place: NUMBERS[place], Manufacturer="SIEMENS"), tmp_path)
    assert found.order == ASCENDING
    assert found.volume_positions == AGAINST_THE_NORMAL
    assert "Slices skipped" in found.niix_said
    assert len(found.niix_volumes[0]) < COUNT


def test_a_missing_slice(tmp_path: Path) -> None:
    """All three see it. highdicom has a volume only where gaps are allowed; dcm2niix writes an even one as well."""
    found = judge([one for place, one in enumerate(straight()) if place != 4], tmp_path)
    left = tuple(value for value in ASCENDING if value != 104)
    assert found.order == left == found.niix_volumes[0]
    assert found.niix_volumes[1] == ASCENDING
    assert "Interslice distance varies" in found.niix_said
    assert "Missing images? Expected 9 images" in found.niix_said
    assert (found.volume_positions, found.missing_allowed) == (None, (SPACING, [9, 8, 7, 6, 4, 3, 2, 1, 0]))
    assert "1 slice seems to be missing, between 6.0 and 10.0 mm." in sentences(found)
    assert "Instance numbers run 1 to 10, 9 images; not there: 5." in sentences(found)
    assert found.ours.gaps is not None
    assert found.ours.gaps.stacks[0].missing == (8.0,)


def test_uneven_spacing(tmp_path: Path) -> None:
    """highdicom refuses it whatever is allowed; dcm2niix warns and interpolates; we say how far apart they are."""
    slices = straight()
    slices[4].ImagePositionPatient = [0, 0, 8.9]
    found = judge(slices, tmp_path)
    assert found.order == ASCENDING == found.niix_volumes[0]
    assert "Interslice distance varies" in found.niix_said
    assert found.missing_allowed is found.duplicates_allowed is None
    assert "Slices are unevenly spaced: 1.10 to 2.90 mm apart." in sentences(found)


def test_a_file_that_is_there_twice(tmp_path: Path) -> None:
    """dcm2niix and we leave the copy out and say so; highdicom is given both and knows their place."""
    slices = straight()
    found = judge([*slices, copy.deepcopy(slices[3])], tmp_path)
    assert found.order == ASCENDING == found.niix_volumes[0]
    assert "DUPLICATES REMOVED" in found.niix_said
    assert found.duplicates_allowed == (SPACING, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 6])
    assert "1 identical copy of an instance was left out." in sentences(found)


def test_two_images_at_one_position_with_one_number(tmp_path: Path) -> None:
    """Another SOP Instance UID is another image: nobody drops it. dcm2niix takes it for a slice of its own, we for a
    second one at the same place; which of the two comes first neither can know."""
    found = judge([*straight(), slice_of(6.0, 4, 150)], tmp_path)
    assert sorted(found.order) == sorted(found.niix_volumes[0]) == sorted((*ASCENDING, 150))
    assert set(found.order[3:5]) == set(found.niix_volumes[0][3:5]) == {103, 150}
    assert found.volume_positions is None
    assert found.duplicates_allowed == (SPACING, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 6])
    assert "2 instances share the position 6.0 mm, nothing tells which came first." in sentences(found)
    assert "The position 6.0 mm holds more images than others." in sentences(found)


def test_no_numbers_at_all(tmp_path: Path) -> None:
    found = judge(straight(lambda place: None), tmp_path)
    assert found.order == ASCENDING == found.niix_volumes[0]
    assert found.volume_positions == AGAINST_THE_NORMAL
    assert "Instance number (0020,0013) not found" in found.niix_said
    assert "10 instances have no Instance Number." in sentences(found)


def test_every_number_one(tmp_path: Path) -> None:
    found = judge(straight(lambda place: 1), tmp_path)
    assert found.order == ASCENDING == found.niix_volumes[0]
    assert found.volume_positions == AGAINST_THE_NORMAL
    assert "10 instances share Instance Number 1." in sentences(found)


def test_a_localiser_inside(tmp_path: Path) -> None:
    """dcm2niix and we keep it apart, after the stack; highdicom wants it taken out first."""
    scout = slice_of(0, 11, 190, ImageOrientationPatient=CORONAL, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    found = judge([scout, *straight()], tmp_path)
    assert found.order == (*ASCENDING, 190)
    assert found.niix_volumes == (ASCENDING, (190,))
    assert "orientation varies" in found.niix_said
    assert found.volume_positions is None
    assert "1 instance is a localiser and kept apart." in sentences(found)


def _phases() -> list[Dataset]:
    return [
        slice_of(
            SPACING * place, 1 + place + COUNT * phase, 100 + place + 20 * phase,
            AcquisitionNumber=phase + 1, AcquisitionTime=f"0800{30 * phase:02}", ContentTime=f"0800{30 * phase:02}",
        )
        for phase in range(2)
        for place in range(COUNT)
    ]  # fmt: skip


def test_two_phases(tmp_path: Path) -> None:
    """dcm2niix writes four dimensions without a word, the second phase after the first: our two volumes. highdicom
    knows the places where doubles are allowed, and not which phase is which."""
    found = judge(random.Random(1).sample(_phases(), 2 * COUNT), tmp_path)
    assert found.order == (*ASCENDING, *range(120, 120 + COUNT)) == found.niix_volumes[0]
    assert found.ours.rule is OrderRule.VOLUMES
    assert found.volume_positions is None
    assert found.duplicates_allowed is not None
    assert "2 volumes told apart by Acquisition Number." in sentences(found)


def test_gantry_tilt(tmp_path: Path) -> None:
    """dcm2niix finds the same angle and writes a corrected volume too; to highdicom it is no volume."""
    slices = straight()
    for place, one in enumerate(slices):
        one.ImagePositionPatient = [0, 0.2 * SPACING * place, SPACING * place]
    found = judge(slices, tmp_path)
    assert found.order == ASCENDING == found.niix_volumes[0]
    assert "gantry tilt of -11.3099 degrees" in found.niix_said
    assert found.volume_positions is None
    assert "The stack is aslant by 11.3 degrees (gantry tilt)." in sentences(found)


def test_interleaved_acquisitions(tmp_path: Path) -> None:
    """One even stack to all three; only we say that two acquisitions alternate in it."""
    slices = [
        slice_of(SPACING * place, 1 + place, 100 + place, AcquisitionNumber=1 + place % 2) for place in range(COUNT)
    ]
    found = judge(slices, tmp_path)
    assert found.order == ASCENDING == found.niix_volumes[0]
    assert found.volume_positions == AGAINST_THE_NORMAL
    assert "The slices of acquisitions 1, 2 alternate along the stack." in sentences(found)


def test_mixed_orientation(tmp_path: Path) -> None:
    """dcm2niix writes two volumes, as we show two stacks; highdicom wants them apart."""
    across = [
        slice_of(0, 20 + place, 200 + place, ImageOrientationPatient=CORONAL, ImagePositionPatient=[0, 3.0 * place, 0])
        for place in range(4)
    ]
    found = judge([*across, *straight()], tmp_path)
    assert found.order == (*ASCENDING, 200, 201, 202, 203)
    assert sorted(map(len, found.niix_volumes)) == [4, COUNT]
    assert found.volume_positions is None
    assert "The series mixes 2 orientations (10, 4 instances)." in sentences(found)


def test_a_concatenation(tmp_path: Path) -> None:
    """Neither judge puts the parts together: highdicom judges single frames, dcm2niix takes each for itself. We show
    them in the order of their frames, whatever their numbers or names are."""
    parts = concatenation([(0, 5), (5, 5), (10, 5), (15, 5)])
    found = judge([parts[place] for place in (2, 0, 3, 1)], tmp_path)
    assert found.order == (104, 109, 114, 119)
    assert found.ours.rule is OrderRule.CONCATENATION
    assert found.ours.gaps is not None
    (stack,) = found.ours.gaps.stacks
    assert stack.positions == tuple(SPACING * frame for frame in range(20))
    assert "4 instances are parts of one image, put together by frame offset." in sentences(found)
    assert found.volume_positions is None


def test_a_concatenation_with_a_part_missing_and_one_too_long(tmp_path: Path) -> None:
    parts = concatenation([(0, 6), (5, 5), (10, 5), (15, 5)])
    found = judge([parts[place] for place in (3, 0, 1)], tmp_path)
    assert "3 of 4 parts of the concatenation are here." in sentences(found)
    assert "Frame 6 of the concatenation is there more than once." in sentences(found)
    assert "Frames 11 to 15 of the concatenation are missing." in sentences(found)
    assert "5 slices seem to be missing, the first between 18.0 and 30.0 mm." in sentences(found)
