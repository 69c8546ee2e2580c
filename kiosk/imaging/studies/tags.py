"""Every data element of a file as rows for a reader, as far as the file parses."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydicom.datadict import dictionary_description, dictionary_keyword, private_dictionary_description

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.elements import ITEM, Element, Walk, implicit_vr
from kiosk.imaging.studies.model import TagRow
from kiosk.imaging.studies.modules import definitions
from kiosk.imaging.studies.source import Source, open_object
from kiosk.imaging.studies.syntaxes import sop_class_name, transfer_syntax_name
from kiosk.imaging.studies.values import ASCII_VRS, CHARACTER_SET_VRS, NUMBER_FORMATS, decode_text, numbers, text_values
from readers.text import safe_text

MAX_ROWS: Final = 50_000
VALUE_LIMIT: Final = 2048
CLIPPED_TEXT: Final = 256
_HEX_BYTES: Final = 8
_SHOWN_VALUES: Final = 32
_SOP_CLASS: Final = 0x00080016
_META_SOP_CLASS: Final = 0x00020002
_TEXT_VRS: Final = CHARACTER_SET_VRS | ASCII_VRS


def tag_rows(path: Path, clip: int = CLIPPED_TEXT) -> Iterator[TagRow]:
    """Rows in file order, file meta information first; the last row of a broken file says where it breaks.

    Values are shown with at most `clip` characters. Raises UnreadableObject before the first row when the file is no
    DICOM at all.
    """
    with open_object(path, cut_allowed=True, broken_allowed=True) as source:
        rows = _Rows(source, clip)
        try:
            yield from rows
            if source.breaks:
                yield _note_row("broken", source.breaks)
        except UnreadableObject as error:
            yield _note_row("broken", source.breaks or str(error))
        if source.cut:
            yield _note_row("more", f"Only the first {source.end >> 20} MiB of the inflated data set were read.")


def _note_row(word: str, sentence: str) -> TagRow:
    return TagRow(0, word, "", "", "", safe_text(sentence), "")


def _sop_class_uid(source: Source) -> str:
    """The SOP class of the data set, else of the meta information, also where either breaks; empty for none."""
    for elements, tag in (
        (source.walk(lambda tag, _depth: tag == _SOP_CLASS, 64), _SOP_CLASS),
        (source.walk_meta(64), _META_SOP_CLASS),
    ):
        found = next(_until(elements, tag), None)
        if found is not None and found.tag == tag and found.value:
            return decode_text(found.value, "UI", ())
    return ""


def _until(elements: Walk, tag: int) -> Iterator[Element]:
    """The first element outside any sequence with that tag or a higher one, if the walk comes so far."""
    try:
        for element in elements:
            if element.depth == 0 and element.tag >= tag:
                yield element
                return
    except UnreadableObject:
        return


class _Rows:
    """Rows of the elements of one object, each with the creators and sequences around it in mind."""

    def __init__(self, source: Source, clip: int) -> None:
        self._source = source
        self._clip = clip
        self._definitions = definitions(_sop_class_uid(source))
        self._creators: dict[tuple[int, int, int], str] = {}
        self._around: list[int] = []

    def __iter__(self) -> Iterator[TagRow]:
        rows = 0
        for walk in _walks(self._source):
            self._creators.clear()
            for element in walk:
                rows += 1
                if rows > MAX_ROWS:
                    yield _note_row("more", f"Only the first {MAX_ROWS} data elements are listed.")
                    return
                yield self._row(element)

    def _row(self, element: Element) -> TagRow:
        depth, tag = element.depth, element.tag
        if tag == ITEM:
            for key in [key for key in self._creators if key[0] >= depth]:
                del self._creators[key]
            return TagRow(depth, f"Item {element.ordinal}", "", "", "", "", "")
        del self._around[depth:]
        if element.vr == "SQ":
            self._around.append(tag)
        group, number = tag >> 16, tag & 0xFFFF
        vm, value = _value(element, self._clip)
        if group % 2 and 0x10 <= number <= 0xFF:
            self._creators[depth, group, number] = value
        creator = self._creators.get((depth, group, number >> 8), "") if group % 2 and number > 0xFF else ""
        keyword, name = _names(tag, creator)
        place = self._definitions.of((*self._around[:depth], tag))
        return TagRow(
            depth, f"({group:04X},{number:04X})", keyword, element.vr, vm, value, name, place.module, place.type
        )


def _walks(source: Source) -> Iterator[Walk]:
    if source.meta_end > source.meta_start:
        yield source.walk_meta(VALUE_LIMIT)
    yield source.walk(value_limit=VALUE_LIMIT)


def _names(tag: int, creator: str) -> tuple[str, str]:
    group, number = tag >> 16, tag & 0xFFFF
    if group % 2 == 0:
        try:
            return str(dictionary_keyword(tag)), str(dictionary_description(tag)) + _repetition(group)
        except KeyError:
            return "", "Unknown" if number else "Group Length"
    if number == 0:
        return "", "Group Length"
    if 0x10 <= number <= 0xFF:
        return "", "Private Creator"
    if not creator:
        return "", "Private, no creator"
    try:
        known = str(private_dictionary_description(tag, creator))
    except KeyError:
        return "", f"Private of {creator}"
    return "", f"{safe_text(known)} (private of {creator})"


def _repetition(group: int) -> str:
    """Which of the repeating groups it is (PS3.5 7.6), where it is not the first."""
    word = {0x50: "curve", 0x60: "overlay"}.get(group >> 8, "")
    return f" ({word} {(group & 0xFF) // 2 + 1})" if word and group & 0xFF else ""


def _value(element: Element, clip: int) -> tuple[str, str]:
    """VM and value as shown."""
    if element.vr == "SQ":
        return "1", ""
    if element.value is None:
        return "1", f"{element.length} bytes in {element.ordinal} fragments"
    if not element.value:
        return "0", ""
    vr = implicit_vr(element.tag, 0) if element.vr == "UN" else element.vr
    little = element.little or element.vr == "UN"  # PS3.5 6.2.2
    cut = element.length > len(element.value)
    if vr in _TEXT_VRS:
        texts = text_values(element.value, vr, element.encodings)
        shown = _clipped("\\".join(texts[:_SHOWN_VALUES]), cut or len(texts) > _SHOWN_VALUES, clip)
        return f"{len(texts)}+" if cut else str(len(texts)), _with_uid_name(shown, texts) if vr == "UI" else shown
    if vr == "AT":
        step = "<HH" if little else ">HH"
        whole = element.value[: len(element.value) // 4 * 4]
        tags = [f"({group:04X},{number:04X})" for group, number in struct.iter_unpack(step, whole)]
        return str(element.length // 4), _clipped("\\".join(tags[:_SHOWN_VALUES]), len(tags) > _SHOWN_VALUES, clip)
    if vr in NUMBER_FORMATS:
        count = element.length // struct.calcsize("<" + NUMBER_FORMATS[vr])
        found = numbers(element.value, vr, little)[:_SHOWN_VALUES]
        return str(count), _clipped("\\".join(_shown(number) for number in found), count > len(found), clip)
    return "1", _binary(element)


def _shown(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.10g}"


def _binary(element: Element) -> str:
    head = (element.value or b"")[:_HEX_BYTES].hex(" ")
    more = " ..." if element.length > _HEX_BYTES else ""
    return f"{element.length} bytes: {head}{more}"


def _clipped(text: str, more: bool, clip: int) -> str:
    safe = safe_text(text, clip)
    return safe + " ..." if more else safe


def _with_uid_name(shown: str, values: list[str]) -> str:
    if len(values) != 1:
        return shown
    for naming in (sop_class_name, transfer_syntax_name):
        name = naming(values[0])
        if name != values[0]:
            return f"{shown} ({name})"
    return shown
