"""Walks the data elements of a data set without trusting a single length in it (PS3.5 7.1 to 7.5, A.4)."""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from pydicom.datadict import dictionary_VR

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.values import DEFAULT_ENCODINGS, encodings_of

ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
CHARACTER_SET: Final = 0x00080005
PIXEL_DATA: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})

MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 1_000_000
UNDEFINED: Final = 0xFFFFFFFF

LONG_VRS: Final = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS: Final = frozenset(
    {
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT",
        b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
    }
)  # fmt: skip
KNOWN_VRS: Final = LONG_VRS | _SHORT_VRS


_SHORT: Final = struct.Struct("<HH2sH")
_LONG: Final = struct.Struct("<I")


class BrokenDataSet(UnreadableObject):
    """The structure stops making sense; `offset` is the byte where."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"The object breaks off at byte {offset}: {reason}.")
        self.offset = offset


class Element(NamedTuple):
    """One data element, or one item of a sequence (`tag` is ITEM, `ordinal` its number from 1).

    `depth` counts the sequences around it. `length` is the value's, `value` at most the first `value_limit`
    bytes of it; None for sequences, for what was not wanted and for pixel data in fragments (`ordinal`: how many).
    """

    depth: int
    tag: int
    vr: str
    length: int
    offset: int
    value: bytes | None
    encodings: tuple[str, ...]
    little: bool
    ordinal: int = 0


def flat_elements(
    data: bytes, *, explicit: bool = True, last: int | None = None
) -> list[tuple[int, bytes, int, int]] | None:
    """Tag, VR (explicit only), offset and length of little-endian elements, up to tag `last` or to the end.

    Many times as fast as a walk, and only for what is plain: elements in order, nothing of undefined length, nothing
    that is no element. None for anything else, which a walk has to judge. Sequences are passed over.
    """
    found: list[tuple[int, bytes, int, int]] = []
    position, end, previous = 0, len(data), -1
    while position + 8 <= end:
        group, number, vr, length = _SHORT.unpack_from(data, position)
        tag, start = group << 16 | number, position + 8
        if tag <= previous or group == 0xFFFE:
            return None
        if last is not None and tag > last:
            return found
        if not explicit:
            (length,) = _LONG.unpack_from(data, position + 4)
        elif vr in LONG_VRS:
            if start + 4 > end:
                return None
            (length,) = _LONG.unpack_from(data, start)
            start += 4
        elif vr not in KNOWN_VRS:
            return None
        if length == UNDEFINED:
            return None
        found.append((tag, vr, start, length))
        previous, position = tag, start + length
    return found if last is None and position == end else None


class _Level:
    """An open sequence or item: where it ends (None: at its delimiter) and how what is inside is written."""

    __slots__ = ("count", "encodings", "end", "explicit", "is_item", "little")

    def __init__(
        self, is_item: bool, end: int | None, explicit: bool, little: bool, encodings: tuple[str, ...]
    ) -> None:
        self.is_item = is_item
        self.end = end
        self.explicit = explicit
        self.little = little
        self.encodings = encodings
        self.count = 0


def implicit_vr(tag: int, pixel_representation: int) -> str:
    """The VR the dictionary of PS3.6 gives a tag, UN for what it does not know."""
    group, element = tag >> 16, tag & 0xFFFF
    if element == 0:
        return "UL"
    if group % 2:
        return "LO" if 0x10 <= element <= 0xFF else "UN"
    try:
        vr = str(dictionary_VR(tag))
    except KeyError:
        return "UN"
    if vr in ("US or SS", "US or SS or OW"):
        return "SS" if pixel_representation else "US"
    return "OW" if " or " in vr else vr


def everything(tag: int, depth: int) -> bool:
    """Wants every value."""
    return True


class Walk:
    """Iterates over the elements between `start` and `end` of a stream, in file order.

    Values that `wanted(tag, depth)` declines are skipped, sequences of defined length as a whole.
    A tag of `stop_at` outside any sequence is yielded without its value and ends the walk.
    Raises BrokenDataSet where the structure breaks; everything yielded before stands.
    """

    def __init__(
        self,
        stream: BinaryIO,
        start: int,
        end: int,
        *,
        explicit: bool,
        little: bool,
        wanted: Callable[[int, int], bool] = everything,
        value_limit: int = 1 << 20,
        stop_at: frozenset[int] = frozenset(),
        group: int | None = None,
    ) -> None:
        self._stream = stream
        self._end = end
        self._wanted = wanted
        self._value_limit = value_limit
        self._stop_at = stop_at
        self._group = group
        self._levels = [_Level(True, end, explicit, little, DEFAULT_ENCODINGS)]
        self._pixel_representation = 0
        self.position = start

    def __iter__(self) -> Iterator[Element]:
        for _ in range(MAX_ELEMENTS):
            element = self._next()
            if element is None:
                return
            yield element
            if element.depth == 0 and element.tag in self._stop_at:
                return
        raise BrokenDataSet(self.position, f"more than {MAX_ELEMENTS} elements")

    def _read(self, offset: int, count: int) -> bytes:
        self._stream.seek(offset)
        data = self._stream.read(count)
        if len(data) < count:
            raise BrokenDataSet(offset, "it ends in the middle of an element")
        return data

    def _next(self) -> Element | None:
        while True:
            level = self._levels[-1]
            if level.end is not None and self.position >= level.end:
                if len(self._levels) == 1:
                    return None
                self._levels.pop()
                continue
            if self.position >= self._end:
                raise BrokenDataSet(self.position, "it ends inside a sequence")
            if level.is_item:
                element, more = self._element(level)
            else:
                element, more = self._item(level)
            if element is not None or not more:
                return element

    def _item(self, level: _Level) -> tuple[Element | None, bool]:
        offset = self.position
        tag, length = self._short_header(offset, level.little)
        self.position = offset + 8
        if tag == SEQUENCE_END:
            self._levels.pop()
            return None, True
        if tag != ITEM:
            raise BrokenDataSet(offset, f"an item was expected, ({tag >> 16:04X},{tag & 0xFFFF:04X}) is there")
        level.count += 1
        end = None if length == UNDEFINED else self._bounded(offset, self.position, length, level)
        self._levels.append(_Level(True, end, level.explicit, level.little, level.encodings))
        depth = len(self._levels) // 2
        return Element(depth, ITEM, "", length, self.position, None, level.encodings, level.little, level.count), True

    def _short_header(self, offset: int, little: bool) -> tuple[int, int]:
        group, number, length = struct.unpack("<HHI" if little else ">HHI", self._read(offset, 8))
        return group << 16 | number, length

    def _bounded(self, offset: int, start: int, length: int, level: _Level) -> int:
        limit = level.end if level.end is not None else self._end
        if start + length > limit:
            raise BrokenDataSet(offset, f"{length} bytes are announced, {max(0, limit - start)} are there")
        return start + length

    def _header(self, level: _Level) -> tuple[int, str, int]:
        """Tag, VR and length of the element at the position, which moves to its value."""
        offset = self.position
        head = self._read(offset, 8)
        order = "<" if level.little else ">"
        group, number = struct.unpack_from(order + "HH", head)
        tag = group << 16 | number
        vr = head[4:6]
        # Some writers fall back to implicit VR inside sequences: two bytes that are no VR are a length.
        if level.explicit and group != 0xFFFE and (vr in KNOWN_VRS or (vr.isalpha() and vr.isupper())):
            if vr in LONG_VRS:
                self.position = offset + 12
                return tag, vr.decode("ascii"), struct.unpack(order + "I", self._read(offset + 8, 4))[0]
            self.position = offset + 8
            return tag, vr.decode("ascii"), struct.unpack_from(order + "H", head, 6)[0]
        self.position = offset + 8
        return tag, implicit_vr(tag, self._pixel_representation), struct.unpack_from(order + "I", head, 4)[0]

    def _element(self, level: _Level) -> tuple[Element | None, bool]:
        offset = self.position
        tag, vr, length = self._header(level)
        depth = len(self._levels) // 2
        if self._group is not None and tag >> 16 != self._group:
            self.position = offset
            return None, False
        if tag == ITEM_END and depth:
            self._levels.pop()
            return None, True
        if tag >> 16 == 0xFFFE:
            raise BrokenDataSet(offset, "a delimiter stands where an element should")
        if depth == 0 and tag in self._stop_at:
            return Element(depth, tag, vr, length, self.position, None, level.encodings, level.little), True
        if self._is_sequence(tag, vr, length, level):
            return self._sequence(offset, tag, vr, length, level, depth), True
        if length == UNDEFINED:
            return self._fragments(tag, vr, level, depth), True
        start = self.position
        self.position = self._bounded(offset, start, length, level)
        value = None
        if tag == CHARACTER_SET or tag == 0x00280103 or self._wanted(tag, depth):
            value = self._read(start, min(length, self._value_limit))
        element = Element(depth, tag, vr, length, start, value, level.encodings, level.little)
        if value is not None:
            if tag == CHARACTER_SET:
                level.encodings = encodings_of(value[:256])
            elif tag == 0x00280103 and depth == 0:
                self._pixel_representation = int.from_bytes(value[:2], "little" if level.little else "big")
        return element, True

    def _is_sequence(self, tag: int, vr: str, length: int, level: _Level) -> bool:
        if vr == "SQ":
            return True
        if vr != "UN":
            return False
        if length == UNDEFINED:
            return True  # PS3.5 6.2.2: UN of undefined length is a sequence in implicit VR
        return length >= 8 and implicit_vr(tag, 0) == "SQ"

    def _sequence(self, offset: int, tag: int, vr: str, length: int, level: _Level, depth: int) -> Element:
        start = self.position
        end = None if length == UNDEFINED else self._bounded(offset, start, length, level)
        if end is not None and not self._wanted(tag, depth):
            self.position = end
        else:
            if depth >= MAX_DEPTH:
                raise BrokenDataSet(offset, f"sequences are nested deeper than {MAX_DEPTH}")
            explicit = level.explicit and vr == "SQ"
            little = level.little or vr == "UN"
            self._levels.append(_Level(False, end, explicit, little, level.encodings))
        return Element(depth, tag, "SQ", length, start, None, level.encodings, level.little)

    def _fragments(self, tag: int, vr: str, level: _Level, depth: int) -> Element:
        start = self.position
        total = 0
        for count in range(MAX_ELEMENTS):
            offset = self.position
            fragment, length = self._short_header(offset, level.little)
            self.position = offset + 8
            if fragment == SEQUENCE_END:
                return Element(depth, tag, vr, total, start, None, level.encodings, level.little, count)
            if fragment != ITEM:
                raise BrokenDataSet(offset, "a fragment was expected")
            self.position = self._bounded(offset, self.position, length, level)
            total += length
        raise BrokenDataSet(self.position, f"more than {MAX_ELEMENTS} fragments")
