"""An instance written anew in another transfer syntax, for a peer that does not take its own.

Nothing is compressed for that; an export may ask for HTJ2K without loss. What was compressed without loss comes out as
it went in; what was compressed with loss keeps the pixel values that its decoder gives, and goes on saying so in Lossy
Image Compression (0028,2110).
"""

import struct
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import numpy as np
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID

from kiosk.errors import UnreadableObject
from kiosk.imaging.spool import SpoolFile
from kiosk.imaging.studies.codecs import decompress
from kiosk.imaging.studies.compress import COMPRESSIONS, compress
from kiosk.imaging.studies.elements import PIXEL_DATA, UNDEFINED
from kiosk.imaging.studies.lenient import lenient
from kiosk.imaging.studies.source import open_object
from kiosk.imaging.studies.syntaxes import (
    ALTERNATIVES,
    EXPLICIT_VR_BIG_ENDIAN,
    is_encapsulated,
    is_lossy,
    transfer_syntax_name,
)

_WORDS: Final = {"OW": "u2", "OF": "u4", "OL": "u4", "OD": "u8", "OV": "u8"}

# What pydicom and its decoders raise on objects that are not what they claim to be.
_ERRORS: Final = (
    ValueError, RuntimeError, AttributeError, TypeError, KeyError, IndexError, EOFError, ArithmeticError,
    AssertionError, NotImplementedError, struct.error, InvalidDicomError, BytesLengthException,
)  # fmt: skip


class _Target(BufferedIOBase):
    """The spool file as pydicom writes to it: from front to back."""

    def __init__(self, file: SpoolFile) -> None:
        super().__init__()
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # pydicom writes bytes
        self._file.write(data)
        return len(data)

    def tell(self) -> int:
        return self._file.size


def transcode(path: Path, transfer_syntax_uid: str, target: SpoolFile) -> None:
    """Writes the object at `path` into `target` in one of ALTERNATIVES or COMPRESSIONS; its SOP Instance UID stays.

    Raises UnreadableObject with a sentence, and StorageFull.
    """
    if transfer_syntax_uid not in (*ALTERNATIVES, *COMPRESSIONS):
        raise UnreadableObject("Objects are only ever written anew without compression, or as HTJ2K without loss.")
    own = ""
    _check(path)
    try:
        with lenient():
            dataset = dcmread(path)
            own = str(dataset.file_meta.TransferSyntaxUID)
            _decode(dataset, own)
            if transfer_syntax_uid in COMPRESSIONS and "PixelData" in dataset:
                compress(dataset, transfer_syntax_uid)
            dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
            dcmwrite(_Target(target), dataset, enforce_file_format=True)
    except OSError as error:
        if error.errno is not None:  # the disk's; pydicom's own have none
            raise
        raise UnreadableObject("It cannot be written anew: it ends early.") from error
    except _ERRORS as error:
        names = transfer_syntax_name(own), transfer_syntax_name(transfer_syntax_uid)
        raise UnreadableObject(f"It cannot be written anew: {names[0]} to {names[1]}.") from error


def _check(path: Path) -> None:
    """Raises UnreadableObject for what would cost a reader without limits its time or memory, or break in it."""
    with open_object(path) as source:
        if source.breaks:
            raise UnreadableObject(source.breaks)
        for element in source.walk(value_limit=0, stop_at=PIXEL_DATA):
            missing = element.offset + element.length - source.end
            if element.tag in PIXEL_DATA and element.length != UNDEFINED and missing > 0:
                raise UnreadableObject(f"The pixel data end early: {missing} bytes are missing.")


def _decode(dataset: Dataset, own: str) -> None:
    if is_encapsulated(own):
        if "PixelData" in dataset:
            decompress(dataset)
        if is_lossy(own):
            dataset.LossyImageCompression = "01"
    elif own == EXPLICIT_VR_BIG_ENDIAN:
        for element in dataset.iterall():
            word = _WORDS.get(element.VR)
            if word is not None and element.value:
                element.value = np.frombuffer(element.value, f">{word}").astype(f"<{word}").tobytes()
