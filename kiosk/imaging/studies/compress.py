"""Pixel data compressed as HTJ2K without loss (ISO/IEC 15444-15), the form in which large archives keep them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels import get_decoder, iter_pixels
from pydicom.uid import UID

from kiosk.imaging.studies.codecs import decode_frame

HTJ2K_LOSSLESS: Final = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSLESS_RPCL: Final = "1.2.840.10008.1.2.4.202"
COMPRESSIONS: Final = (HTJ2K_LOSSLESS_RPCL, HTJ2K_LOSSLESS)

_GREY: Final = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})


def compress(dataset: Dataset, transfer_syntax_uid: str) -> None:
    """Compresses native pixel data in place to one of COMPRESSIONS; every frame is decoded again and compared.

    Raises ValueError for pixels that the syntax does not hold (PS3.5 8.2.4, A.4.4), or that do not come back as they
    were; the data set is as it was then.
    """
    # A large library that few calls need.
    import imagecodecs

    photometric = str(dataset.PhotometricInterpretation)
    colour = photometric == "RGB"
    if not colour and photometric not in _GREY:
        raise ValueError("only grey, palette and RGB pixels are compressed")
    if dataset.BitsAllocated not in (8, 16):
        raise ValueError("only pixels of 8 or 16 bits are compressed")
    frames: list[bytes] = []
    for pixels in iter_pixels(dataset, raw=True):
        frame = bytes(imagecodecs.htj2k_encode(pixels, reversible=True, rgb=colour))
        _check(frame, pixels, dataset, transfer_syntax_uid)
        frames.append(frame)
    data, offsets, lengths = encapsulate_extended(frames)
    dataset.PixelData = data
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
    if colour:
        dataset.PhotometricInterpretation = "YBR_RCT"
        dataset.PlanarConfiguration = 0
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)


def _check(frame: bytes, pixels: NDArray[np.generic], dataset: Dataset, transfer_syntax_uid: str) -> None:
    options = {
        "rows": dataset.Rows,
        "columns": dataset.Columns,
        "samples_per_pixel": dataset.SamplesPerPixel,
        "bits_allocated": dataset.BitsAllocated,
        "bits_stored": dataset.BitsStored,
        "pixel_representation": dataset.PixelRepresentation,
        "photometric_interpretation": "YBR_RCT" if dataset.SamplesPerPixel == 3 else dataset.PhotometricInterpretation,
        "pixel_keyword": "PixelData",
    }
    if dataset.SamplesPerPixel == 3:
        options["planar_configuration"] = 0
    whole = bytes(encapsulate([frame], has_bot=False))
    back, _ = decode_frame(get_decoder(UID(transfer_syntax_uid)), whole, options)
    if not np.array_equal(back, pixels):
        raise ValueError("the compressed pixels are not those that went in")
