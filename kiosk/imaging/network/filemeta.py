"""The head of a DICOM file (PS3.10 7.1): written before received bytes, read before bytes are sent."""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.network.association import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from kiosk.imaging.studies.elements import Walk, flat_elements

PREAMBLE: Final = b"\0" * 128 + b"DICM"
LONGEST: Final = 64 * 1024
FRONT: Final = 2048


@dataclass(frozen=True)
class FileMeta:
    """What the file meta group says. The data set starts at byte `data_set`."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    data_set: int


def _element(element: int, vr: bytes, value: bytes, padding: bytes = b"\0") -> bytes:
    value += padding * (len(value) % 2)
    if vr == b"OB":
        return struct.pack("<HH2sHI", 2, element, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value


def encode_file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source: str) -> bytes:
    """Preamble, prefix and file meta group; `source` is the AE title the object came from."""
    body = (
        _element(0x0001, b"OB", b"\0\1")
        + _element(0x0002, b"UI", sop_class_uid.encode("ascii"))
        + _element(0x0003, b"UI", sop_instance_uid.encode("ascii"))
        + _element(0x0010, b"UI", transfer_syntax_uid.encode("ascii"))
        + _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID.encode("ascii"))
        + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.encode("ascii"), b" ")
        + _element(0x0016, b"AE", source.encode("ascii", "replace")[:16], b" ")
    )
    return PREAMBLE + _element(0x0000, b"UL", struct.pack("<I", len(body))) + body


def read_file_meta(stream: BinaryIO) -> FileMeta:
    """Reads the head of a file; raises UnreadableObject when it is not a DICOM file."""
    stream.seek(0)
    front = stream.read(FRONT)
    if front[128:132] != b"DICM":
        raise UnreadableObject("The file is not a DICOM file.")
    meta = _plain_meta(front[132:])
    if meta is not None:
        return meta
    end = stream.seek(0, 2)
    walk = Walk(stream, 132, min(end, 132 + LONGEST), explicit=True, little=True, group=2, value_limit=256)
    uids = {
        element.tag & 0xFFFF: element.value.decode("latin-1").strip("\0 ")
        for element in walk
        if element.value is not None and element.vr == "UI"
    }
    if 0x0010 not in uids:
        raise UnreadableObject("The file does not say in which transfer syntax it is written.")
    return FileMeta(uids.get(0x0002, ""), uids.get(0x0003, ""), uids[0x0010], walk.position)


def _plain_meta(front: bytes) -> FileMeta | None:
    """What the group says, where it is as plain as nearly always; None where that needs a closer look."""
    found = flat_elements(front, last=0x0002FFFF)
    if not found or any(tag >> 16 != 2 for tag, _, _, _ in found):
        return None
    uids = {tag: front[at : at + min(length, 256)] for tag, vr, at, length in found if vr == b"UI"}
    texts = {tag & 0xFFFF: value.decode("latin-1").strip("\0 ") for tag, value in uids.items()}
    if 0x0010 not in texts:
        return None
    _, _, start, length = found[-1]
    return FileMeta(texts.get(0x0002, ""), texts.get(0x0003, ""), texts[0x0010], 132 + start + length)
