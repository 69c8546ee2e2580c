"""Headers come from any file there is, and a broken file is an instance with a reason."""

import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.header import read_header
from kiosk.imaging.studies.model import OrderRule
from kiosk.imaging.studies.order import read_series
from kiosk.imaging.studies.source import open_object
from kiosk.imaging.studies.tags import tag_rows
from tests.kiosk.imaging.studies.files import SERIES, bundled, element, image, part_10, save

DEFLATED = str(DeflatedExplicitVRLittleEndian)


def test_what_ordering_needs_is_read(tmp_path: Path) -> None:
    dataset = image(
        np.zeros((4, 6), np.uint16),
        InstanceNumber="12", ImagePositionPatient=[1, 2, 3.5], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        TriggerTime="120.5", AcquisitionTime="101500.5", TemporalPositionIdentifier="3", EchoNumbers="2",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], AcquisitionNumber="4",
    )  # fmt: skip
    found = read_header(save(dataset, tmp_path / "a"))
    instance = found.instance
    assert (instance.number, instance.rows, instance.columns, instance.frames) == (12, 4, 6, 1)
    assert instance.position == (1.0, 2.0, 3.5)
    assert instance.orientation == (1, 0, 0, 0, 1, 0)
    assert instance.sop_class_name == "CT Image"
    assert (instance.file, instance.readable) == ("a", True)
    assert (found.trigger_time, found.temporal_position, found.echo_number) == (120.5, 3, 2)
    assert found.acquisition_time == 10 * 3600 + 15 * 60 + 0.5
    assert found.acquisition_number == 4
    assert found.is_localiser


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_read_the_same(tmp_path: Path, syntax: str) -> None:
    dataset = image(np.zeros((4, 4), np.uint8), InstanceNumber="5")
    dataset.file_meta.TransferSyntaxUID = syntax
    assert read_header(save(dataset, tmp_path / "a")).instance.number == 5


@pytest.mark.parametrize(
    "name",
    ["MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small.dcm", "MR_small_padded.dcm", "MR_small_RLE.dcm"],
)
def test_bundled_files_read_the_same_in_every_syntax(name: str) -> None:
    instance = read_header(bundled(name)).instance
    assert (instance.readable, instance.number, instance.rows) == (True, 1, 64)
    assert instance.position is not None


def test_a_file_without_preamble_and_meta_is_read() -> None:
    instance = read_header(bundled("ExplVR_BigEndNoMeta.dcm")).instance
    assert instance.readable
    assert instance.transfer_syntax_uid == "1.2.840.10008.1.2.2"


def test_geometry_of_a_multi_frame_image_comes_from_its_functional_groups() -> None:
    instance = read_header(bundled("liver_1frame.dcm")).instance
    assert instance.position is not None
    assert instance.orientation is not None


def test_a_number_that_is_no_number_is_none_and_known_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(part_10(element(8, 0x18, "UI", b"1.2.3\0") + element(0x20, 0x13, "IS", b"seven ")))
    found = read_header(path)
    assert found.instance.number is None
    assert found.number_is_malformed


def test_cosines_that_are_no_plane_leave_the_instance_without_orientation(tmp_path: Path) -> None:
    dataset = image(
        np.zeros((2, 2), np.uint8), ImageOrientationPatient=[1, 0, 0, 1, 0, 0], ImagePositionPatient=[0, 0, 0]
    )
    assert read_header(save(dataset, tmp_path / "a")).instance.orientation is None


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\0" * 200, b"%PDF-1.7 not dicom at all", b"\0" * 128 + b"DICM", part_10(b"")]
)
def test_what_is_no_dicom_is_unreadable_with_a_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    instance = read_header(path).instance
    assert not instance.readable
    assert instance.note


def test_a_missing_file_is_unreadable_with_a_reason(tmp_path: Path) -> None:
    assert (
        read_header(tmp_path / "none").instance.note == "The object's file cannot be opened: No such file or directory."
    )


def test_a_value_longer_than_the_file_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(part_10(element(8, 0x18, "UI", b"1.2\0") + element(9, 0x1001, "UN", b"abc", length=0xFFFFFF00)))
    instance = read_header(path).instance
    assert not instance.readable
    assert "4294967040 bytes are announced, 3 are there" in instance.note


@pytest.mark.parametrize("depth", [60, 2000])
def test_deep_nesting_does_not_exhaust_the_stack(tmp_path: Path, depth: int) -> None:
    nested = b"".join(
        element(0x40, 0xA730, "SQ", b"", length=0xFFFFFFFF) + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" for _ in range(depth)
    )
    closing = (b"\xfe\xff\x0d\xe0" + b"\0" * 4 + b"\xfe\xff\xdd\xe0" + b"\0" * 4) * depth
    path = tmp_path / "a"
    path.write_bytes(part_10(element(8, 0x18, "UI", b"1.2\0") + nested + closing))
    instance = read_header(path).instance
    assert instance.readable is (depth < 64)
    if not instance.readable:
        assert "nested deeper than 64" in instance.note


def _bomb(megabytes: int) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = element(8, 0x18, "UI", b"1.2.3\0") + element(0x20, 0x13, "IS", b"9 ")
    bomb = deflater.compress(head + element(9, 0x1001, "UN", b"", length=megabytes << 20))
    for _ in range(megabytes):
        bomb += deflater.compress(bytes(1 << 20))
    return bomb + deflater.flush()


def test_a_deflate_bomb_is_inflated_to_the_limit_and_no_further(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(part_10(_bomb(64), DEFLATED))
    assert path.stat().st_size < 1 << 20
    with (
        pytest.raises(UnreadableObject, match="larger than 8 MiB when inflated"),
        open_object(path, inflate_limit=8 << 20),
    ):
        pass
    with open_object(path, inflate_limit=8 << 20, cut_allowed=True) as source:
        assert source.cut
        assert source.end == 8 << 20
    assert not read_header(path).instance.readable


def test_broken_deflate_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(part_10(b"\xff" * 64, DEFLATED))
    assert read_header(path).instance.note == "The deflated data set of this object cannot be inflated."


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_damaged_files_end_in_a_note_and_never_in_another_error(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(["reportsi.dcm", "UN_sequence.dcm", "MR_small_implicit.dcm", "nested_priv_SQ.dcm"])
    )
    content = bytearray(bundled(name).read_bytes()[:6000])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    read_header(path)
    with suppress(UnreadableObject):
        list(tag_rows(path))


def test_reading_a_series_orders_it_and_keeps_unreadable_files_last(tmp_path: Path) -> None:
    paths = []
    for index in range(6):
        dataset = image(
            np.zeros((4, 4), np.uint8), InstanceNumber=str(6 - index),
            ImagePositionPatient=[0, 0, 5.0 * ((index * 5) % 6)], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        )  # fmt: skip
        paths.append(save(dataset, tmp_path / f"f{index}"))
    broken = tmp_path / "broken"
    broken.write_bytes(b"nothing")
    contents = read_series(SERIES, [broken, *paths])
    assert [i.position[2] for i in contents.instances if i.position] == [0, 5, 10, 15, 20, 25]
    assert contents.instances[-1].file == "broken"
    assert contents.notes == ("1 instance cannot be read.",)
    assert contents.rule is OrderRule.GEOMETRY


def _twin(path: Path, uid: str, comment: str) -> Path:
    dataset = image(np.zeros((4, 4), np.uint8), InstanceNumber="1", SOPInstanceUID=uid, ImageComments=comment)
    return save(dataset, path)


def test_an_identical_copy_is_left_out_and_said(tmp_path: Path) -> None:
    uid = generate_uid()
    contents = read_series(SERIES, [_twin(tmp_path / name, uid, "same") for name in "ab"])
    assert len(contents.instances) == 1
    assert contents.notes == ("1 identical copy of an instance was left out.",)


def test_two_objects_with_one_uid_are_both_shown_and_said(tmp_path: Path) -> None:
    uid = generate_uid()
    contents = read_series(SERIES, [_twin(tmp_path / name, uid, name) for name in "ab"])
    assert len(contents.instances) == 2
    assert contents.notes[0] == "1 SOP Instance UID belongs to differing instances, all shown."
