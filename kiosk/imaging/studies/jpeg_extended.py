"""JPEG Extended in 12 bits (ISO/IEC 10918-1 process 4) for pydicom, by imagecodecs: none of pydicom's own reads it.

The names and shapes in here are what `pydicom.pixels` asks of a decoding plugin.
"""

from typing import Any, Final

from pydicom.uid import JPEGExtended12Bit

DECODER_DEPENDENCIES: Final = {JPEGExtended12Bit: ("imagecodecs>=2024.1",)}


def is_available(uid: str) -> bool:
    """True for the one syntax that this plugin reads."""
    return str(uid) == str(JPEGExtended12Bit)


def decode_pixel_data(source: bytes, runner: Any) -> bytes:  # noqa: ANN401 # pydicom.pixels' DecodeRunner
    """The frame's values, 8 or 16 bits each, little endian; raises ValueError for more than one sample a pixel."""
    if runner.samples_per_pixel != 1:
        raise ValueError("only one sample a pixel is read here")
    # A large library that few objects need.
    import imagecodecs

    array = imagecodecs.jpeg8_decode(source)
    if array.ndim != 2 or array.shape != (runner.rows, runner.columns):
        raise ValueError("the frame's size is not what its header says")
    return bytes(array.astype("<u2" if runner.bits_allocated > 8 else "u1").tobytes())
