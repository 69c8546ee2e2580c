"""Identifiers of C-FIND and C-GET (PS3.4 C.2.2): keys into bytes, bytes into the values of flat elements."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from io import BytesIO
from typing import Final

from pydicom.charset import encode_string

from kiosk.errors import ImagingError
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.elements import CHARACTER_SET, ITEM, Walk, flat_elements
from kiosk.imaging.studies.lenient import lenient
from kiosk.imaging.studies.model import PersonName
from kiosk.imaging.studies.syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from kiosk.imaging.studies.values import (
    CHARACTER_SET_VRS,
    decode_text,
    encodings_of,
    integer,
    parse_date,
    parse_time,
    person_name,
    text_values,
)
from readers.text import safe_text

LEVEL: Final = 0x00080052
VALUE_LIMIT: Final = 1 << 20
DEFAULT_REPERTOIRE: Final = "ISO_IR 6"
_ITEM: Final = struct.pack("<HH", 0xFFFE, 0xE000)
_MULTI_BYTE: Final = frozenset({"ISO 2022 IR 87", "ISO 2022 IR 159", "ISO 2022 IR 149", "ISO 2022 IR 58"})

# Delimiters and wildcards reset code extensions (PS3.5 6.1.2.5.3): every other run of characters is encoded by itself.
_RUNS: Final = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")


@dataclass(frozen=True)
class Key:
    """One key attribute: what is matched, empty for "tell me"; `word` names it to the person.

    One with `keys` is a sequence with one item of these, matched as a whole (PS3.4 C.2.2.2.6).
    """

    tag: int
    vr: str
    value: str = ""
    word: str = ""
    keys: tuple["Key", ...] = ()

    @property
    def is_ascii(self) -> bool:
        """True when it needs no character set."""
        return self.value.isascii() and all(key.is_ascii for key in self.keys)


def encode_identifier(peer: Peer, level: str, keys: tuple[Key, ...], transfer_syntax_uid: str) -> bytes:
    """The identifier as bytes. Raises ImagingError when a key does not fit the peer's character set.

    Specific Character Set is always there, empty when every key is ASCII: some archives answer without it otherwise.
    """
    plain = all(key.is_ascii for key in keys)
    character_set = "" if plain else _declared(peer.character_set)
    implicit = transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN
    everything = [
        *keys,
        Key(CHARACTER_SET, "CS", character_set),
        *([Key(LEVEL, "CS", level)] if level else []),
    ]
    return _elements(peer, everything, character_set, implicit)


def _declared(character_set: str) -> str:
    """A code extension that stands alone comes second: the first term is what text begins in (PS3.3 C.12.1.1.2)."""
    return f"\\{character_set}" if character_set in _MULTI_BYTE else character_set


def _elements(peer: Peer, keys: list[Key], character_set: str, implicit: bool) -> bytes:
    return b"".join(
        _element(key.tag, key.vr, _encoded(peer, key, character_set, implicit), implicit)
        for key in sorted(keys, key=lambda key: key.tag)
    )


def _encoded(peer: Peer, key: Key, character_set: str, implicit: bool) -> bytes:
    if not key.keys:
        return _encode(peer, key, character_set)
    item = _elements(peer, list(key.keys), character_set, implicit)
    return _ITEM + struct.pack("<I", len(item)) + item


def _encode(peer: Peer, key: Key, character_set: str) -> bytes:
    if key.value.isascii():
        return key.value.encode("ascii")
    encodings = encodings_of(character_set.encode("ascii"))
    with lenient():
        raw = b"".join(
            part.encode("ascii") if part.isascii() else encode_string(part, encodings)
            for part in _RUNS.findall(key.value)
        )
    # pydicom writes a question mark for what it cannot: only reading it back tells.
    if decode_text(raw, key.vr, encodings) != key.value.strip():
        raise _lossy(peer, key)
    return raw


def _lossy(peer: Peer, key: Key) -> ImagingError:
    terms = peer.character_set.replace("\\", " + ") or "ASCII"
    return ImagingError(f"The {key.word or 'key'} cannot be written in the character set of {peer} ({terms}).")


def _element(tag: int, vr: str, value: bytes, implicit: bool) -> bytes:
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack("<I", len(value)) + value
    if vr in ("SQ", "UT"):
        return head + vr.encode("ascii") + struct.pack("<HI", 0, len(value)) + value
    return head + vr.encode("ascii") + struct.pack("<H", len(value)) + value


def _top_values(data: bytes, *, explicit: bool) -> Iterator[tuple[int, str, bytes]]:
    """Tag, VR and value of what stands outside of sequences or in the first item of one (see `nested`), at most
    VALUE_LIMIT of each. Raises BrokenDataSet."""
    flat = flat_elements(data) if explicit else None
    if flat is not None and all(vr not in (b"SQ", b"UN") for _, vr, _, _ in flat):
        for tag, short_vr, start, length in flat:
            yield tag, short_vr.decode("ascii"), data[start : start + min(length, VALUE_LIMIT)]
        return
    walk = Walk(
        BytesIO(data),
        0,
        len(data),
        explicit=explicit,
        little=True,
        wanted=lambda tag, depth: depth <= 1,
        value_limit=VALUE_LIMIT,
    )
    sequence, item = 0, 0
    for element in walk:
        if element.depth == 0:
            sequence, item = element.tag, 0
            if element.value is not None:
                yield element.tag, element.vr, element.value
        elif element.depth == 1 and element.tag == ITEM:
            item += 1
        elif element.depth == 1 and item == 1 and element.value is not None and element.tag != CHARACTER_SET:
            yield nested(sequence, element.tag), element.vr, element.value


def nested(sequence: int, tag: int) -> int:
    """What an `Answer` calls an element of the first item of a sequence."""
    return sequence << 32 | tag


class Answer:
    """The elements of one C-FIND identifier; of the sequences in it, those of the first item, as `nested` calls them.

    `undeclared` is True when text beyond ASCII came without a character set. Raises BrokenDataSet.
    """

    def __init__(self, peer: Peer, data: bytes, transfer_syntax_uid: str) -> None:
        self._values: dict[int, tuple[str, bytes]] = {}
        self._encodings: tuple[str, ...] = ()
        for tag, vr, value in _top_values(data, explicit=transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN):
            self._values[tag] = (vr, value)
            if tag == CHARACTER_SET and value.strip(b"\0 "):
                self._encodings = encodings_of(value[:256])
        self.undeclared = False
        if not self._encodings:
            self._encodings = self._assumed(peer)

    def _assumed(self, peer: Peer) -> tuple[str, ...]:
        """How to read text that came without a character set: as configured, or as UTF-8 where it can only be that."""
        texts = [value for vr, value in self._values.values() if vr in CHARACTER_SET_VRS and not value.isascii()]
        self.undeclared = bool(texts)
        if texts and peer.assumed_character_set == DEFAULT_REPERTOIRE:
            try:
                b"\n".join(texts).decode("utf-8")
            except UnicodeDecodeError:
                pass
            else:
                return ("utf_8",)
        return encodings_of(peer.assumed_character_set.encode("ascii"))

    @property
    def tags(self) -> tuple[int, ...]:
        """What it holds, in order."""
        return tuple(self._values)

    def __contains__(self, tag: int) -> bool:
        return tag in self._values

    def texts(self, tag: int) -> tuple[str, ...]:
        """Every value, safe to show."""
        vr, value = self._values.get(tag, ("LO", b""))
        if not value:
            return ()
        return tuple(text for text in map(safe_text, text_values(value, vr, self._encodings)) if text)

    def text(self, tag: int) -> str:
        """The first value, safe to show; empty when there is none."""
        return next(iter(self.texts(tag)), "")

    def uid(self, tag: int) -> str:
        """The value as a UID is written; it may still be none."""
        return self._raw(tag).split("\\")[0]

    def person_name(self, tag: int) -> PersonName:
        """The value as a person's name."""
        value = self._values.get(tag, ("PN", b""))[1]
        return person_name(decode_text(value, "PN", self._encodings))

    def date(self, tag: int) -> date | None:
        """The value as a day."""
        return parse_date(self._raw(tag))

    def time(self, tag: int) -> time | None:
        """The value as a time of day."""
        return parse_time(self._raw(tag))

    def number(self, tag: int) -> int | None:
        """The value as a whole number."""
        return integer(self._raw(tag))

    def count(self, tag: int) -> int | None:
        """A count of what exists: an archive that answers 0 or less does not know."""
        number = self.number(tag)
        return number if number is not None and number > 0 else None

    def _raw(self, tag: int) -> str:
        return self._values.get(tag, ("", b""))[1][:256].decode("latin-1").strip("\0 ")
