"""BER-TLV data objects (ISO/IEC 7816-4 5.2.2, ISO/IEC 8825-1 8.1), with bounds on everything a card can choose."""

from collections.abc import Iterable
from dataclasses import dataclass

from readers.errors import TlvError

MAX_BYTES = 65536
MAX_DEPTH = 8
MAX_OBJECTS = 512
CONSTRUCTED = 0x20
LONG_TAG = 0x1F
MORE_TAG = 0x80


@dataclass(frozen=True, repr=False)
class Tlv:
    """One data object. `children` are the parsed contents of a constructed one; `value` always holds its raw bytes."""

    tag: int
    value: bytes
    children: tuple["Tlv", ...] = ()

    def __bytes__(self) -> bytes:
        return build(self.tag, self.value)

    def __repr__(self) -> str:
        return f"Tlv({self.tag:02X}, {len(self.value)} bytes)"


def parse(data: bytes) -> tuple[Tlv, ...]:
    """All data objects of `data` one after another; raises TlvError when lengths do not add up or bounds are passed.

    Zero bytes between objects are padding (EMV Book 3, Annex B).
    """
    if len(data) > MAX_BYTES:
        raise TlvError(f"More than {MAX_BYTES} bytes of TLV")
    return _Parser(data).objects(0, len(data), depth=0)


def parse_flat(data: bytes) -> tuple[Tlv, ...]:
    """As `parse`, without looking inside: for objects whose tags say "constructed" over plain bytes, as PIV's do."""
    if len(data) > MAX_BYTES:
        raise TlvError(f"More than {MAX_BYTES} bytes of TLV")
    return _Parser(data, nested=False).objects(0, len(data), depth=0)


def build(tag: int, value: bytes | Iterable[Tlv]) -> bytes:
    """One data object in the shortest form; raises TlvError for a tag that is none."""
    body = value if isinstance(value, bytes) else b"".join(map(bytes, value))
    if tag <= 0:
        raise TlvError("A tag is a positive number")
    head = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
    if _tag_end(head, 0, len(head)) != len(head):
        raise TlvError(f"{tag:X} is not a BER tag")
    if len(body) > MAX_BYTES:
        raise TlvError(f"More than {MAX_BYTES} bytes in one data object")
    if len(body) < 0x80:
        return head + bytes((len(body),)) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return head + bytes((0x80 | len(size),)) + size + body


def find(objects: Iterable[Tlv], tag: int) -> bytes | None:
    """The value of the first object with `tag`, looking inside constructed ones; None when there is none."""
    for item in objects:
        if item.tag == tag:
            return item.value
        inner = find(item.children, tag)
        if inner is not None:
            return inner
    return None


def _tag_end(data: bytes, start: int, stop: int) -> int:
    """Where the tag that starts at `start` ends; tags have one to three bytes."""
    end = start + 1
    if data[start] & LONG_TAG == LONG_TAG:
        while end < stop and end - start < 3 and data[end] & MORE_TAG:
            end += 1
        if end >= stop or end - start == 3:
            raise TlvError("A tag that does not end")
        end += 1
    return end


class _Parser:
    """One pass over `data`, counting objects across all depths."""

    def __init__(self, data: bytes, *, nested: bool = True) -> None:
        self._data = data
        self._nested = nested
        self._left = MAX_OBJECTS

    def objects(self, position: int, stop: int, depth: int) -> tuple[Tlv, ...]:
        if depth > MAX_DEPTH:
            raise TlvError(f"Data objects nested deeper than {MAX_DEPTH}")
        found: list[Tlv] = []
        while position < stop:
            if self._data[position] == 0:
                position += 1
                continue
            self._left -= 1
            if self._left < 0:
                raise TlvError(f"More than {MAX_OBJECTS} data objects")
            tag_end = _tag_end(self._data, position, stop)
            start, size = self._length(tag_end, stop)
            if start + size > stop:
                raise TlvError("A length that reaches past the end")
            inside: tuple[Tlv, ...] = ()
            if self._nested and self._data[position] & CONSTRUCTED:
                inside = self.objects(start, start + size, depth + 1)
            tag = int.from_bytes(self._data[position:tag_end], "big")
            found.append(Tlv(tag, self._data[start : start + size], inside))
            position = start + size
        return tuple(found)

    def _length(self, position: int, stop: int) -> tuple[int, int]:
        """Where the value starts, and its length."""
        if position >= stop:
            raise TlvError("A tag without a length")
        first = self._data[position]
        if first < 0x80:
            return position + 1, first
        count = first & 0x7F
        if count == 0:
            raise TlvError("Indefinite lengths have no place on a card")
        if count > 4 or position + 1 + count > stop:
            raise TlvError("A length that cannot be read")
        return position + 1 + count, int.from_bytes(self._data[position + 1 : position + 1 + count], "big")
