"""Which library decodes which transfer syntax, in the order in which they are asked.

pydicom would ask GDCM first for all that it knows. GDCM is asked last here: it reads most, and has had most holes.
"""

import struct
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import JPEGExtended12Bit

T = TypeVar("T")

_IMAGECODECS: Final = "imagecodecs"
_ORDER: Final = ("pillow", "pyjpegls", "pylibjpeg", "pydicom", "gdcm", _IMAGECODECS)
# Pillow gives JPEG 2000 in 8 bits only.
_DEEP: Final = frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"})

# What the decoders of pydicom, Pillow and GDCM raise on bad pixel data.
DECODING_ERRORS: Final = (
    ValueError, RuntimeError, AttributeError, TypeError, KeyError, IndexError, OSError, EOFError, MemoryError,
    ArithmeticError, AssertionError, struct.error, Image.DecompressionBombError,
)  # fmt: skip

_extended = get_decoder(JPEGExtended12Bit)
if _IMAGECODECS not in _extended.available_plugins:
    _extended.add_plugin(_IMAGECODECS, ("kiosk.imaging.studies.jpeg_extended", "decode_pixel_data"))


def plugins(decoder: Decoder) -> tuple[str, ...]:
    """The libraries that are here for that syntax, the one to be asked first first; none for native ones."""
    left_out = {"pillow"} if str(decoder.UID) in _DEEP else set()
    return tuple(name for name in _ORDER if name in decoder.available_plugins and name not in left_out)


def decode_frame(decoder: Decoder, frame: bytes, options: dict[str, Any]) -> tuple[NDArray[np.generic], dict[str, Any]]:
    """The values of the one frame of that encapsulated pixel data, and what pydicom says of them.

    Raises one of DECODING_ERRORS when none can.
    """

    def decode(name: str) -> tuple[NDArray[np.generic], dict[str, Any]]:
        result: tuple[NDArray[np.generic], dict[str, Any]] = decoder.as_array(
            frame, index=0, number_of_frames=1, decoding_plugin=name, **options
        )
        return result

    return _first_that_can(decoder, decode)


def decompress(dataset: Dataset) -> None:
    """Makes encapsulated pixel data native in place, colours as they were stored.

    Raises one of DECODING_ERRORS when no library can, and leaves the data set as it was.
    """

    def decode(name: str) -> None:
        dataset.decompress(as_rgb=False, generate_instance_uid=False, decoding_plugin=name)

    _first_that_can(get_decoder(dataset.file_meta.TransferSyntaxUID), decode)


def _first_that_can(decoder: Decoder, decode: Callable[[str], T]) -> T:
    wrong: BaseException = ValueError("no library decodes it")
    for name in plugins(decoder):
        try:
            return decode(name)
        except DECODING_ERRORS as error:
            wrong = error
        except BaseException as panic:
            # The RLE decoder is written in Rust; its panics are no Exception, and their type cannot be imported.
            # What makes it panic is broken: another library must not be asked to make something of it.
            if type(panic).__name__ != "PanicException":
                raise
            raise ValueError("the decoder gave up") from None
    raise wrong
