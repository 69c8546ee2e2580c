"""The identifier of a query as a data set, for the message that records it."""

import struct
from collections.abc import Mapping
from typing import Final

SPECIFIC_CHARACTER_SET: Final = 0x00080005
UTF_8: Final = "ISO_IR 192"
UID_TAGS: Final = frozenset((0x00080016, 0x00080018, 0x00080062, 0x0020000D, 0x0020000E))


def encode_identifier(keys: Mapping[int, str]) -> bytes:
    """A flat data set of text keys in Implicit VR Little Endian (PS3.5 A.1), tags ascending, text in UTF-8.

    `keys` maps tags such as 0x00100010 to values, several values separated by backslashes; Specific Character Set is
    put in. Odd lengths are padded with a space, UIDs with a null (PS3.5 6.2).
    """
    elements = {**keys, SPECIFIC_CHARACTER_SET: UTF_8}
    pieces = []
    for tag in sorted(elements):
        value = elements[tag].encode("utf-8", "replace")
        if len(value) % 2:
            value += b"\0" if tag in UID_TAGS else b" "
        pieces.append(struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value)
    return b"".join(pieces)
