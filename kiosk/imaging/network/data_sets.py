"""Small data sets of the DIMSE-N services: sequences of references, written and read without an object model."""

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from kiosk.imaging.studies.syntaxes import IMPLICIT_VR_LITTLE_ENDIAN

_ITEM: Final = struct.pack("<HH", 0xFFFE, 0xE000)
_LONG_VRS: Final = frozenset({"SQ", "UR"})


class DataSetWriter:
    """Writes elements in the transfer syntax of a context: Implicit or Explicit VR Little Endian."""

    def __init__(self, transfer_syntax_uid: str) -> None:
        self._implicit = transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN

    def text(self, tag: int, vr: str, value: str) -> bytes:
        """An element of ASCII text, padded as its VR wants (PS3.5 6.2)."""
        raw = value.encode("ascii")
        if len(raw) % 2:
            raw += b"\0" if vr == "UI" else b" "
        return self._element(tag, vr, raw)

    def sequence(self, tag: int, items: Iterable[Sequence[bytes]]) -> bytes:
        """A sequence of items of defined length, each made of encoded elements in the order of their tags."""
        encoded = [b"".join(item) for item in items]
        body = b"".join(_ITEM + struct.pack("<I", len(item)) + item for item in encoded)
        return self._element(tag, "SQ", body)

    def _element(self, tag: int, vr: str, value: bytes) -> bytes:
        head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        if self._implicit:
            return head + struct.pack("<I", len(value)) + value
        if vr in _LONG_VRS:
            return head + vr.encode("ascii") + struct.pack("<HI", 0, len(value)) + value
        return head + vr.encode("ascii") + struct.pack("<H", len(value)) + value
