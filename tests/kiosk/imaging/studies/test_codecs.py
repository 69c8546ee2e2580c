"""Every compressed syntax comes out as the pixels that went in, by the library that ought to be asked first."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels import get_decoder
from pydicom.uid import (
    HTJ2K,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from kiosk.imaging.studies import codecs, jpeg_extended
from kiosk.imaging.studies.compress import COMPRESSIONS, compress
from kiosk.imaging.studies.preview import render
from tests.kiosk.imaging.studies.files import bundled, image, save

GREY = np.arange(48 * 64, dtype=np.int64).reshape(48, 64)


@pytest.mark.parametrize(
    "syntax",
    [
        JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2K,
        HTJ2KLossless, HTJ2KLosslessRPCL, RLELossless,
    ],
)  # fmt: skip
def test_there_is_a_library_for_each_syntax_and_gdcm_is_asked_only_where_no_safer_one_is(syntax: str) -> None:
    names = codecs.plugins(get_decoder(syntax))
    assert names
    assert names[0] != "gdcm" or syntax in (JPEGLossless, JPEGLosslessSV1)


def test_lossless_jpeg_shows_what_the_native_file_shows() -> None:
    compressed = render(bundled("SC_rgb_jpeg_gdcm.dcm"), 0, 100, 100)
    plain = render(bundled("SC_rgb_rle.dcm"), 0, 100, 100)
    assert compressed.pixels == plain.pixels


def test_twelve_bit_jpeg_extended_is_shown() -> None:
    picture = render(bundled("JPGExtended.dcm"), 0, 1024, 1024)
    assert (picture.width, picture.height) == (256, 1024)
    pixels = np.frombuffer(picture.pixels, np.uint8)
    assert (int(pixels.min()), int(pixels.max())) == (0, 255)


def test_the_size_of_a_jpeg_extended_frame_must_be_the_headers() -> None:
    dataset = dcmread(bundled("JPGExtended.dcm"))

    class Runner:
        samples_per_pixel, rows, columns, bits_allocated = 1, 4, 4, 16

    from pydicom.encaps import get_frame

    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    with pytest.raises(ValueError, match="size"):
        jpeg_extended.decode_pixel_data(frame, Runner())


def _with(pixels: NDArray[np.generic], **values: object) -> Dataset:
    return image(pixels, **values)


@pytest.mark.parametrize("syntax", COMPRESSIONS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
def test_htj2k_gives_back_every_value(tmp_path: Path, dtype: str, syntax: str) -> None:
    pixels = (GREY - (2000 if dtype == "i2" else 0)).astype(dtype)
    dataset = _with(pixels)
    compress(dataset, syntax)
    back = dcmread(save(dataset, tmp_path / "a"))
    assert back.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(back.pixel_array, pixels)


def test_htj2k_keeps_colours_and_frames(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (2, 40, 30, 3), dtype=np.uint8)
    dataset = _with(pixels[0])
    dataset.NumberOfFrames, dataset.PixelData = 2, pixels.tobytes()
    compress(dataset, COMPRESSIONS[0])
    back = dcmread(save(dataset, tmp_path / "a"))
    back.decompress(as_rgb=True)
    assert back.PhotometricInterpretation == "RGB"
    assert np.array_equal(back.pixel_array, pixels)


def test_what_htj2k_does_not_hold_stays_as_it_is() -> None:
    dataset = _with(GREY.astype("u4"))
    before = dataset.PixelData
    with pytest.raises(ValueError, match="8 or 16 bits"):
        compress(dataset, COMPRESSIONS[0])
    assert dataset.PixelData == before
