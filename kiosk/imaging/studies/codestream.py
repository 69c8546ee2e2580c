"""The size a compressed frame claims for itself, read before a decoder allocates memory for it.

JPEG and JPEG-LS: ISO/IEC 10918-1 B.2.2, ISO/IEC 14495-1 C.2.2. JPEG 2000 and HTJ2K: ISO/IEC 15444-1 A.5.1.
"""

import struct
from typing import Final

_JPEG_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7})
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_MAX_SEGMENTS: Final = 1000


def claimed_size(frame: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components a JPEG family codestream claims; None when it is none or is broken."""
    if frame[:4] == b"\xff\x4f\xff\x51":
        return _jpeg_2000(frame)
    if frame[:2] == b"\xff\xd8":
        return _jpeg(frame)
    at = frame.find(b"\xff\x4f\xff\x51", 0, 512)
    return _jpeg_2000(frame[at:]) if at > 0 else None


def _jpeg_2000(frame: bytes) -> tuple[int, int, int] | None:
    if len(frame) < 42:
        return None
    width, height, left, top = struct.unpack_from(">IIII", frame, 8)
    (components,) = struct.unpack_from(">H", frame, 40)
    return max(0, height - top), max(0, width - left), components


def _jpeg(frame: bytes) -> tuple[int, int, int] | None:
    at = 2
    for _ in range(_MAX_SEGMENTS):
        while frame[at : at + 2] == b"\xff\xff":
            at += 1
        if len(frame) < at + 4 or frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker in _JPEG_BARE:
            at += 2
            continue
        if marker in _JPEG_FRAMES:
            if len(frame) < at + 10:
                return None
            rows, columns, components = struct.unpack_from(">HHB", frame, at + 5)
            return rows, columns, components
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None
