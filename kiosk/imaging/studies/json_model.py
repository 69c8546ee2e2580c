"""An object in the DICOM JSON Model (PS3.18 Annex F), as far as it parses."""

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.elements import CHARACTER_SET, ITEM, PIXEL_DATA, Element, Walk, implicit_vr
from kiosk.imaging.studies.source import Source, open_object
from kiosk.imaging.studies.values import (
    ASCII_VRS,
    CHARACTER_SET_VRS,
    NUMBER_FORMATS,
    decimal,
    integer,
    numbers,
    text_values,
)

INLINE_BYTES: Final = 64 << 10
MAX_ELEMENTS: Final = 200_000
_PIECE: Final = 64 << 10
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_VALUE_LIMIT: Final = INLINE_BYTES + 1
_UTF_8: Final = '["ISO_IR 192"]'  # F.2.1: what JSON is in, whatever the object was in
_WORDS: Final = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


class _Level:
    """An open data set or item: its attributes by tag, written; and the items of the sequence open in it."""

    def __init__(self) -> None:
        self.attributes: dict[int, str] = {}
        self.sequence: int | None = None
        self.items: list[_Level] = []

    def close(self) -> None:
        """Writes the sequence that is open down."""
        if self.sequence is not None:
            body = {"vr": '"SQ"'}
            if self.items:
                body["Value"] = f"[{','.join(item.text() for item in self.items)}]"
            self.attributes.setdefault(self.sequence, _object(body))
            self.sequence, self.items = None, []

    def text(self) -> str:
        """The whole level as a JSON object, attributes ascending by tag."""
        self.close()
        return "{" + ",".join(f'"{tag:08X}":{self.attributes[tag]}' for tag in sorted(self.attributes)) + "}"


def json_pieces(path: Path, *, meta: bool = False) -> Iterator[str]:
    """The object as one JSON object in ASCII, in pieces; with its file meta information only where `meta` is asked for.

    Pixel data and values of more than INLINE_BYTES are a BulkDataURI "?offset=O&length=L", bytes of the file (of the
    inflated data set where that is deflated). Raises UnreadableObject before the first piece when the file is no DICOM,
    and after the last, the JSON being whole, when it breaks.
    """
    with open_object(path, cut_allowed=True, broken_allowed=True) as source:
        root, reason = _read(source, meta)
        text = root.text()
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]
    if reason:
        raise UnreadableObject(reason)


def _read(source: Source, meta: bool) -> tuple[_Level, str]:
    root = _Level()
    try:
        if meta and source.meta_end > source.meta_start:
            _gather(source.walk_meta(_VALUE_LIMIT), root)
        _gather(source.walk(value_limit=_VALUE_LIMIT), root)
    except UnreadableObject as error:
        return root, source.breaks or str(error)
    return root, source.breaks or ("The inflated data set was not read to its end." if source.cut else "")


def _gather(walk: Walk, root: _Level) -> None:
    levels = [root]
    for count, element in enumerate(walk):
        if count >= MAX_ELEMENTS:
            raise UnreadableObject(f"Only the first {MAX_ELEMENTS} data elements were read.")
        depth = element.depth
        if element.tag == ITEM:
            item = _Level()
            levels[depth - 1].items.append(item)
            del levels[depth:]
            levels.append(item)
            continue
        level = levels[depth]
        level.close()
        if element.vr == "SQ":
            level.sequence = element.tag
        elif element.tag & 0xFFFF:  # F.2.2: no group lengths
            level.attributes.setdefault(element.tag, _object(_attribute(element)))


def _object(members: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"


def _attribute(element: Element) -> dict[str, str]:
    vr = implicit_vr(element.tag, 0) if element.vr == "UN" else element.vr
    if vr not in _WRITTEN:
        vr = "UN"
    members = {"vr": f'"{vr}"'}
    if element.tag in PIXEL_DATA or element.value is None or element.length > INLINE_BYTES:
        if element.length:
            members["BulkDataURI"] = f'"?offset={element.offset}&length={element.length}"'
        return members
    if not element.value:
        return members
    values = _values(element, vr)
    if element.tag == CHARACTER_SET:
        members["Value"] = _UTF_8
    elif values is None:
        members["InlineBinary"] = f'"{base64.b64encode(_little(element)).decode()}"'
    elif any(value != "null" for value in values):
        members["Value"] = f"[{','.join(values)}]"
    return members


_WRITTEN: Final = CHARACTER_SET_VRS | ASCII_VRS | frozenset(NUMBER_FORMATS) | frozenset(_WORDS) | {"AT", "OB", "UN"}


def _values(element: Element, vr: str) -> list[str] | None:
    """The values written, None for what is written as binary."""
    value, little = element.value or b"", element.little or element.vr == "UN"  # PS3.5 6.2.2
    if vr == "PN":
        return [_name(text) for text in text_values(value, vr, element.encodings)]
    if vr in ("DS", "IS"):
        return [_number(text, vr) for text in text_values(value, vr, element.encodings)]
    if vr in CHARACTER_SET_VRS or vr in ASCII_VRS:
        return [json.dumps(text) if text else "null" for text in text_values(value, vr, element.encodings)]
    if vr == "AT":
        tags = struct.iter_unpack("<HH" if little else ">HH", value[: len(value) // 4 * 4])
        return [f'"{group:04X}{number:04X}"' for group, number in tags]
    if vr in NUMBER_FORMATS:
        found = numbers(value, vr, little)
        # Not a number and infinity have no place in JSON: such a value is written as bytes, that nothing is lost.
        whole = len(found) == len(value) // struct.calcsize(NUMBER_FORMATS[vr])
        return [repr(number) for number in found] if whole else None
    return None


def _name(text: str) -> str:
    groups = text.split("=")[:3]
    members = {name: json.dumps(group) for name, group in zip(_GROUPS, groups, strict=False) if group.strip("^ ")}
    return _object(members) if members else "null"


def _number(text: str, vr: str) -> str:
    """A DS or IS as a number where it is one, as the text that it is where not (F.2.3.1)."""
    if not text:
        return "null"
    number = integer(text) if vr == "IS" else decimal(text)
    return json.dumps(text) if number is None else repr(number)


def _little(element: Element) -> bytes:
    """The bytes of a binary value in Little Endian (F.2.7)."""
    value, size = element.value or b"", _WORDS.get(element.vr, 1)
    if element.little or size == 1:
        return value
    whole = len(value) // size * size
    return b"".join(value[at : at + size][::-1] for at in range(0, whole, size)) + value[whole:]
