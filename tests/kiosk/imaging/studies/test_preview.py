"""A picture shows what the pixels mean, whatever way they are written, or says why there is none."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    BasicTextSRStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.model import Picture
from kiosk.imaging.studies.preview import render
from tests.kiosk.imaging.studies.files import bundled, element, image, part_10, save

RAMP = np.linspace(0, 200, 64, dtype=np.uint8).reshape(8, 8)


def _render(dataset: Dataset, path: Path, frame: int = 0, size: int = 512) -> Picture:
    return render(save(dataset, path / "image"), frame, size, size)


def _array(picture: Picture) -> NDArray[np.int64]:
    shape = (picture.height, picture.width, 3) if picture.mode == "RGB" else (picture.height, picture.width)
    return np.frombuffer(picture.pixels, np.uint8).reshape(shape).astype(np.int64)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i1", "u4", "i4"])
def test_every_integer_width_and_sign_shows_the_same_ramp(tmp_path: Path, dtype: str) -> None:
    offset = -100 if dtype.startswith("i") else 0
    stored = (RAMP.astype(np.int64) // 2 + offset).astype(dtype)
    shown = _array(_render(image(stored, WindowCenter="50", WindowWidth="100", RescaleSlope="1",
                                 RescaleIntercept=str(-offset), VOILUTFunction="LINEAR_EXACT"), tmp_path))  # fmt: skip
    expected = np.rint((RAMP.astype(np.int64) // 2) / 100 * 255)
    assert np.abs(shown - expected).max() <= 1


def test_twelve_bits_in_sixteen_are_read_signed(tmp_path: Path) -> None:
    stored = np.array([[-1000, 0], [40, 3000]], np.int16)
    dataset = image(
        stored & 0x0FFF, BitsStored=12, HighBit=11, PixelRepresentation=1, WindowCenter="40", WindowWidth="80"
    )
    dataset.PixelData = (stored & 0x0FFF).astype("<i2").tobytes()
    shown = _array(_render(dataset, tmp_path))
    assert shown[0, 0] == 0
    assert 0 <= shown[0, 1] <= 2
    assert 120 <= shown[1, 0] <= 135


def test_the_linear_window_is_the_standards(tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2.1: with centre 2048 and width 4096, 0 is darkest and 4095 brightest."""
    stored = np.array([[0, 4095], [2047, 2048]], np.uint16)
    shown = _array(_render(image(stored, WindowCenter="2048", WindowWidth="4096"), tmp_path))
    assert shown.tolist() == [[0, 255], [127, 128]]


def test_a_window_of_width_one_is_a_threshold(tmp_path: Path) -> None:
    stored = np.array([[99, 100, 101]], np.uint16)
    assert _array(_render(image(stored, WindowCenter="100", WindowWidth="1"), tmp_path)).tolist() == [[0, 255, 255]]


def test_the_exact_window_and_the_sigmoid_are_the_standards(tmp_path: Path) -> None:
    stored = np.array([[0, 50, 100]], np.uint16)
    window = {"WindowCenter": "50", "WindowWidth": "100"}
    exact = _array(_render(image(stored, VOILUTFunction="LINEAR_EXACT", **window), tmp_path))
    assert exact.tolist() == [[0, 128, 255]]
    sigmoid = _array(_render(image(stored, VOILUTFunction="SIGMOID", **window), tmp_path))
    assert sigmoid.tolist() == [[round(255 / (1 + np.exp(2))), 128, round(255 / (1 + np.exp(-2)))]]


def test_the_first_of_several_windows_is_used(tmp_path: Path) -> None:
    stored = np.array([[0, 100, 1000]], np.uint16)
    picture = _render(image(stored, WindowCenter=["50", "500"], WindowWidth=["100", "1000"]), tmp_path)
    assert picture.window == (50.0, 100.0)
    assert _array(picture).tolist() == [[0, 255, 255]]


def test_without_a_window_the_values_fill_the_greys_and_outliers_do_not_count(tmp_path: Path) -> None:
    stored = np.tile(np.arange(1000, 1100, dtype=np.uint16), (100, 1))
    stored[0, 0] = 65535
    shown = _array(_render(image(stored), tmp_path))
    assert shown[50, 0] == 0
    assert shown[50, 99] == 255
    assert 120 < shown[50, 50] < 136


def test_padding_does_not_spoil_the_contrast(tmp_path: Path) -> None:
    stored = np.full((20, 20), -2000, np.int16)
    stored[5:15, 5:15] = np.arange(100, dtype=np.int16).reshape(10, 10)
    dataset = image(stored)
    dataset.add_new(0x00280120, "SS", -2000)
    shown = _array(_render(dataset, tmp_path))
    assert shown[14, 14] - shown[5, 5] > 240


def test_the_image_that_is_all_one_value_is_shown(tmp_path: Path) -> None:
    assert _render(image(np.full((4, 4), 7, np.uint16)), tmp_path).width == 4


def test_monochrome_1_is_shown_inverted(tmp_path: Path) -> None:
    window = {"WindowCenter": "128", "WindowWidth": "256"}
    upright = _array(_render(image(RAMP, **window), tmp_path))
    inverted = _array(_render(image(RAMP, PhotometricInterpretation="MONOCHROME1", **window), tmp_path))
    assert (upright + inverted == 255).all()


def _lut(data: list[int], first: int, bits: int = 16) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(data), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.add_new(0x00283006, "OW", np.array(data, "<u2").tobytes())
    return item


def test_a_modality_table_comes_before_the_window(tmp_path: Path) -> None:
    stored = np.array([[10, 11, 12]], np.uint16)
    dataset = image(stored, ModalityLUTSequence=[_lut([0, 50, 100], 10)], WindowCenter="50", WindowWidth="100",
                    VOILUTFunction="LINEAR_EXACT")  # fmt: skip
    assert _array(_render(dataset, tmp_path)).tolist() == [[0, 128, 255]]


def test_a_voi_table_is_used_where_there_is_no_window(tmp_path: Path) -> None:
    stored = np.array([[0, 1, 2, 9]], np.uint16)
    picture = _render(image(stored, VOILUTSequence=[_lut([0, 100, 200], 0)]), tmp_path)
    assert _array(picture).tolist() == [[0, 128, 255, 255]]
    assert picture.window is None


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_is_shown_whichever_way_it_is_interleaved(tmp_path: Path, planar: int) -> None:
    stored = np.zeros((2, 2, 3), np.uint8)
    stored[0, 0], stored[0, 1], stored[1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    dataset = image(stored, PlanarConfiguration=planar)
    if planar:
        dataset.PixelData = stored.transpose(2, 0, 1).tobytes()
    picture = _render(dataset, tmp_path)
    assert picture.mode == "RGB"
    assert (_array(picture) == stored).all()


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    stored = np.array([[[76, 85, 255], [150, 44, 21]]], np.uint8)
    shown = _array(_render(image(stored, PhotometricInterpretation="YBR_FULL"), tmp_path))
    assert np.abs(shown - [[[254, 0, 0], [0, 255, 1]]]).max() <= 2


@pytest.mark.parametrize("segmented", [False, True])
def test_palette_colour_is_looked_up(tmp_path: Path, segmented: bool) -> None:
    dataset = image(np.array([[0, 1, 2, 3]], np.uint8), PhotometricInterpretation="PALETTE COLOR")
    tables = {"Red": [0, 85, 170, 255], "Green": [255, 255, 0, 0], "Blue": [9, 9, 9, 9]}
    expansions = {"Red": [0, 1, 0, 1, 3, 255], "Green": [0, 2, 255, 255, 0, 2, 0, 0], "Blue": [0, 1, 9, 1, 3, 9]}
    for colour, values in tables.items():
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        dataset[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        if segmented:
            words = [word if place < 2 or word < 4 else word * 257 for place, word in enumerate(expansions[colour])]
            setattr(dataset, f"Segmented{colour}PaletteColorLookupTableData", np.array(words, "<u2").tobytes())
        else:
            setattr(dataset, f"{colour}PaletteColorLookupTableData", (np.array(values, "<u2") * 257).tobytes())
    shown = _array(_render(dataset, tmp_path))
    assert shown[0, :, 0].tolist() == [0, 85, 170, 255]
    assert shown[0, :, 1].tolist() == [255, 255, 0, 0]


def test_only_the_frame_asked_for_is_shown(tmp_path: Path) -> None:
    stored = np.stack([np.full((4, 4), value, np.uint8) for value in (10, 20, 30)])
    dataset = image(stored, NumberOfFrames=3, WindowCenter="128", WindowWidth="256")
    picture = _render(dataset, tmp_path, frame=2)
    assert (_array(picture) == 30).all()
    assert (picture.frame, picture.frames) == (2, 3)


@pytest.mark.parametrize("frame", [-1, 3, 10**9])
def test_a_frame_that_is_not_there_is_refused(tmp_path: Path, frame: int) -> None:
    dataset = image(np.zeros((3, 4, 4), np.uint8), NumberOfFrames=3)
    with pytest.raises(UnreadableObject, match="The object has 3 frames"):
        _render(dataset, tmp_path, frame=frame)


def test_binary_segmentations_are_shown() -> None:
    picture = render(bundled("liver_1frame.dcm"), 0, 512, 512)
    assert set(np.unique(_array(picture))) == {0, 255}


def test_a_large_image_is_averaged_down_to_fit(tmp_path: Path) -> None:
    stored = np.zeros((400, 200), np.uint8)
    stored[::2] = 200
    picture = _render(image(stored, WindowCenter="128", WindowWidth="256"), tmp_path, size=100)
    assert (picture.width, picture.height) == (50, 100)
    assert np.abs(_array(picture) - 100).max() <= 1, "nearest neighbours would show only dark or only bright lines"


def test_a_small_image_is_not_blown_up(tmp_path: Path) -> None:
    assert _render(image(RAMP), tmp_path).width == 8


@pytest.mark.parametrize(
    ("attributes", "aspect"),
    [
        ({"PixelSpacing": ["2.0", "0.5"]}, 4.0),
        ({"ImagerPixelSpacing": ["1.0", "2.0"]}, 0.5),
        ({"PixelAspectRatio": ["3", "2"]}, 1.5),
        ({"PixelSpacing": ["0", "0"]}, 1.0),
        ({}, 1.0),
    ],
)
def test_pixels_that_are_not_square_say_so(tmp_path: Path, attributes: dict[str, Any], aspect: float) -> None:
    assert _render(image(RAMP, **attributes), tmp_path).aspect == pytest.approx(aspect)


def test_scaling_keeps_the_shape_of_the_anatomy(tmp_path: Path) -> None:
    picture = _render(image(np.zeros((333, 77), np.uint8), PixelSpacing=["0.5", "1.0"]), tmp_path, size=50)
    assert picture.height * picture.aspect / picture.width == pytest.approx(333 * 0.5 / 77)


def test_letters_come_from_the_geometry_and_else_from_patient_orientation(tmp_path: Path) -> None:
    placed = image(RAMP, ImageOrientationPatient=[0, 1, 0, 0, 0, -1], ImagePositionPatient=[0, 0, 0])
    assert _render(placed, tmp_path).letters == ("A", "P", "H", "F")
    assert _render(image(RAMP, PatientOrientation=["L", "F"]), tmp_path).letters == ("R", "L", "H", "F")
    assert _render(image(RAMP), tmp_path).letters == ("", "", "", "")


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_native_syntaxes_show_the_same(tmp_path: Path, syntax: str) -> None:
    dataset = image(RAMP.astype(np.uint16), WindowCenter="128", WindowWidth="256")
    expected = _render(dataset, tmp_path).pixels
    dataset.file_meta.TransferSyntaxUID = syntax
    assert _render(dataset, tmp_path).pixels == expected


def test_big_endian_shows_the_same() -> None:
    little, big = (render(bundled(name), 0, 64, 64) for name in ("MR_small.dcm", "MR_small_bigendian.dcm"))
    assert little.pixels == big.pixels
    assert ExplicitVRBigEndian.is_little_endian is False


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_lossless_compression_shows_the_same(tmp_path: Path, syntax: str) -> None:
    dataset = image(np.arange(4096, dtype=np.uint16).reshape(64, 64), WindowCenter="2048", WindowWidth="4096")
    expected = _render(dataset, tmp_path).pixels
    dataset.compress(syntax, generate_instance_uid=False)
    assert _render(dataset, tmp_path).pixels == expected


def test_a_frame_of_a_compressed_clip_is_found(tmp_path: Path) -> None:
    stored = np.stack([np.full((32, 32), value, np.uint8) for value in (10, 90, 200)])
    dataset = image(stored, NumberOfFrames=3, WindowCenter="128", WindowWidth="256")
    dataset.compress(RLELossless, generate_instance_uid=False)
    assert [_array(_render(dataset, tmp_path, frame))[0, 0] for frame in range(3)] == [10, 90, 200]


def test_jpeg_is_shown() -> None:
    picture = render(bundled("SC_rgb_jpeg_dcmtk.dcm"), 0, 100, 100)
    red = _array(picture)[5, 50]
    assert red[0] > 240
    assert red[1:].max() < 20


def test_a_decoder_that_is_not_here_is_named(tmp_path: Path) -> None:
    path = save(image(RAMP), tmp_path / "a")
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.110\0", 1))
    with pytest.raises(UnreadableObject):
        render(path, 0, 100, 100)


def test_a_syntax_nobody_knows_is_named(tmp_path: Path) -> None:
    dataset = image(RAMP)
    path = save(dataset, tmp_path / "a")
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"))
    with pytest.raises(UnreadableObject, match=r"compressed as 1\.2\.840\.10008\.9\.9\.9 cannot be decoded"):
        render(path, 0, 10, 10)


@pytest.mark.parametrize(
    ("sop_class", "name"), [(BasicTextSRStorage, "Basic Text SR"), (EncapsulatedPDFStorage, "Encapsulated PDF")]
)
def test_objects_without_pixels_say_what_they_are(tmp_path: Path, sop_class: str, name: str) -> None:
    dataset = image(RAMP, SOPClassUID=sop_class)
    del dataset.PixelData
    with pytest.raises(UnreadableObject) as refused:
        _render(dataset, tmp_path)
    assert str(refused.value) == f"This object holds no image ({name}). Its tags can still be read."


def test_an_image_too_large_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    dataset = image(RAMP)
    dataset.Rows = dataset.Columns = 65535
    dataset.BitsAllocated = 32
    with pytest.raises(UnreadableObject, match="too large to be shown here: 65535 x 65535 pixels"):
        _render(dataset, tmp_path)


def test_a_compressed_frame_that_claims_more_than_its_header_is_refused(tmp_path: Path) -> None:
    dataset = image(np.zeros((64, 64), np.uint16))
    dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
    at = dataset.PixelData.index(b"\xff\x4f\xff\x51")
    data = bytearray(dataset.PixelData)
    data[at + 8 : at + 16] = (60000).to_bytes(4, "big") * 2
    dataset.PixelData = bytes(data)
    with pytest.raises(UnreadableObject, match="claims 60000 x 60000 pixels"):
        _render(dataset, tmp_path)


@pytest.mark.parametrize(
    "junk", [b"\0\0", b"\xff\xd8\xff", b"\xff\x4f\xff\x51" + b"\0" * 60, b"rubbish" * 9, zlib.compress(b"x")]
)
@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_rubbish_instead_of_a_frame_is_a_sentence(tmp_path: Path, junk: bytes, syntax: str) -> None:
    dataset = image(RAMP)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([junk])
    dataset["PixelData"].is_undefined_length = True
    with pytest.raises(UnreadableObject):
        _render(dataset, tmp_path)


def test_a_frame_that_makes_the_rust_decoder_panic_is_a_sentence(tmp_path: Path) -> None:
    segment = b"\x81\x00" * 100
    frame = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13) + segment * 2
    dataset = image(np.zeros((64, 64), np.uint16))
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    with pytest.raises(UnreadableObject, match="cannot be decoded"):
        _render(dataset, tmp_path)


def test_fewer_pixels_than_announced_is_a_sentence(tmp_path: Path) -> None:
    dataset = image(RAMP)
    dataset.PixelData = b"\0" * 30
    with pytest.raises(UnreadableObject, match="cannot be decoded"):
        _render(dataset, tmp_path)
    with pytest.raises(UnreadableObject, match="8192 bytes are announced, 8130 are there"):
        render(bundled("MR_truncated.dcm"), 0, 64, 64)


@pytest.mark.parametrize("rows", [b"", b"\0\0", b"\xff"])
def test_a_description_without_sense_is_a_sentence(tmp_path: Path, rows: bytes) -> None:
    path = tmp_path / "a"
    body = element(0x28, 0x10, "US", rows) + element(0x7FE0, 0x10, "OW", b"\0" * 8)
    path.write_bytes(part_10(body))
    with pytest.raises(UnreadableObject, match="makes no sense"):
        render(path, 0, 10, 10)
