"""The UIDs at the front of a data set: what an object says it is, without decoding it."""

import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.elements import BrokenDataSet, Walk
from kiosk.imaging.studies.syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

SOP_CLASS_UID: Final = 0x00080016
SOP_INSTANCE_UID: Final = 0x00080018
STUDY_INSTANCE_UID: Final = 0x0020000D
SERIES_INSTANCE_UID: Final = 0x0020000E
INFLATED_FRONT: Final = 1 << 20

_UIDS: Final = frozenset({SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID})
_VALID_UID: Final = re.compile(r"[0-9.]{1,64}\Z")


@dataclass(frozen=True)
class Identity:
    """The UIDs of an object as its data set has them; empty where it has none."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


def is_uid(text: str) -> bool:
    """True for digits and dots, at most 64 (PS3.5 9.1); leading zeros are let pass, archives hold such."""
    return _VALID_UID.match(text) is not None


def read_identity(stream: BinaryIO, start: int, transfer_syntax_uid: str) -> Identity:
    """Reads up to Series Instance UID (0020,000E) of the data set at `start`; raises UnreadableObject."""
    if transfer_syntax_uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        stream, start = _inflated_front(stream, start), 0
    uids = dict.fromkeys(_UIDS, "")
    walk = Walk(
        stream,
        start,
        stream.seek(0, 2),
        explicit=transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN,
        little=transfer_syntax_uid != EXPLICIT_VR_BIG_ENDIAN,
        wanted=lambda tag, depth: depth == 0 and tag in _UIDS,
        value_limit=256,
    )
    for element in walk:
        if element.depth:
            continue
        if element.tag > SERIES_INSTANCE_UID:
            break
        if element.tag in _UIDS and element.value is not None:
            uids[element.tag] = element.value.decode("latin-1").strip("\0 ")
    return Identity(uids[SOP_CLASS_UID], uids[SOP_INSTANCE_UID], uids[STUDY_INSTANCE_UID], uids[SERIES_INSTANCE_UID])


def _inflated_front(stream: BinaryIO, start: int) -> BytesIO:
    """The first megabyte of a deflated data set: enough for its UIDs, too little for a bomb."""
    stream.seek(start)
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        return BytesIO(inflater.decompress(stream.read(INFLATED_FRONT), INFLATED_FRONT))
    except zlib.error as error:
        raise UnreadableObject("The object says it is deflated and is not.") from error


__all__ = ["BrokenDataSet", "Identity", "is_uid", "read_identity"]
