"""Palette Color Lookup Tables, plain and segmented (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6, C.7.9.2)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.attributes import Attributes

DESCRIPTORS: Final = (0x00281101, 0x00281102, 0x00281103)
TABLES: Final = (0x00281201, 0x00281202, 0x00281203)
SEGMENTED_TABLES: Final = (0x00281221, 0x00281222, 0x00281223)

_MAX_ENTRIES: Final = 65_536


def apply_palette(stored: NDArray[np.generic], attributes: Attributes) -> NDArray[np.uint8]:
    """RGB of shape (rows, columns, 3) for stored values of shape (rows, columns). Raises UnreadableObject."""
    tables = []
    first = 0
    for descriptor, plain, segmented in zip(DESCRIPTORS, TABLES, SEGMENTED_TABLES, strict=True):
        described = attributes.numbers(descriptor)
        if len(described) != 3:
            raise UnreadableObject("The colour table of this image is missing.")
        entries = int(described[0]) or _MAX_ENTRIES
        first = int(described[1])
        if data := attributes.raw(plain):
            table = _plain(data, entries)
        else:
            table = _expand(attributes.raw(segmented), int(described[2]), entries)
        tables.append(table)
    lengths = {len(table) for table in tables}
    if len(lengths) != 1 or 0 in lengths:
        raise UnreadableObject("The colour table of this image is broken.")
    index = np.clip(stored.astype(np.int64) - first, 0, lengths.pop() - 1)
    return np.stack([table[index] for table in tables], axis=-1)


def _plain(data: bytes, entries: int) -> NDArray[np.uint8]:
    """Entries as 8 bits. Tables of 8-bit entries come as bytes or padded to words, whatever the descriptor says."""
    if len(data) >= 2 * entries:
        words = np.frombuffer(data, "<u2", entries)
        return (words >> 8 if words.max(initial=0) > 255 else words).astype(np.uint8)
    return np.frombuffer(data, np.uint8, min(entries, len(data))).copy()


def _expand(data: bytes, bits: int, entries: int) -> NDArray[np.uint8]:
    """Segments: 0 discrete, 1 linear, 2 indirect (a copy of earlier segments)."""
    words = np.frombuffer(data[: len(data) // 2 * 2], "<u2") if bits > 8 else np.frombuffer(data, np.uint8)
    values: list[int] = []
    _segments([int(word) for word in words], 0, len(words), bits, values, entries, nested=False)
    table = np.array(values[:entries], np.int64)
    return (table >> 8 if bits > 8 else table).astype(np.uint8)


def _segments(
    words: list[int], at: int, stop: int, bits: int, values: list[int], entries: int, *, nested: bool
) -> None:
    seen = 0
    while at + 1 < stop and len(values) < entries and (not nested or seen < 1):
        opcode, length = words[at], words[at + 1]
        seen += 1
        if opcode == 0:
            values.extend(words[at + 2 : at + 2 + length])
            at += 2 + length
        elif opcode == 1 and values and at + 2 < stop:
            values.extend(int(value) for value in np.linspace(values[-1], words[at + 2], length + 1)[1:].round())
            at += 3
        elif opcode == 2 and not nested:
            parts = 2 if bits > 8 else 4
            offset = sum(word << (bits * place) for place, word in enumerate(words[at + 2 : at + 2 + parts]))
            for _ in range(length):
                if offset + 1 >= stop:
                    break
                _segments(words, offset, stop, bits, values, entries, nested=True)
                offset += 3 if words[offset] == 1 else 2 + words[offset + 1]
            at += 2 + parts
        else:
            raise UnreadableObject("The colour table of this image is broken.")
