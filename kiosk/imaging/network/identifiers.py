"""Identifiers of C-FIND and C-GET (PS3.4 C.2.2): keys into bytes, bytes into the values of flat elements."""

import re
import struct
from dataclasses import dataclass
from datetime import date, time
from io import BytesIO
from typing import Final

from pydicom.charset import encode_string

from kiosk.errors import ImagingError
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.elements import CHARACTER_SET, Walk
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

# Delimiters and wildcards reset code extensions (PS3.5 6.1.2.5.3): every other run of characters is encoded by itself.
_RUNS: Final = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")


@dataclass(frozen=True)
class Key:
    """One key attribute: what is matched, empty for "tell me"; `word` names it to the person."""

    tag: int
    vr: str
    value: str = ""
    word: str = ""


def encode_identifier(peer: Peer, level: str, keys: tuple[Key, ...], transfer_syntax_uid: str) -> bytes:
    """The identifier as bytes. Raises ImagingError when a key does not fit the peer's character set.

    Specific Character Set is always there, empty when every key is ASCII: some archives answer without it otherwise.
    """
    plain = all(key.value.isascii() for key in keys)
    character_set = "" if plain else peer.character_set
    everything = [
        *((key.tag, key.vr, _encode(peer, key, character_set)) for key in keys),
        (CHARACTER_SET, "CS", character_set.encode("ascii")),
        (LEVEL, "CS", level.encode("ascii")),
    ]
    implicit = transfer_syntax_uid == IMPLICIT_VR_LITTLE_ENDIAN
    return b"".join(_element(tag, vr, value, implicit) for tag, vr, value in sorted(everything))


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
    return head + vr.encode("ascii") + struct.pack("<H", len(value)) + value


class Answer:
    """The flat elements of one C-FIND identifier; sequences in it are walked over.

    `undeclared` is True when text beyond ASCII came without a character set. Raises BrokenDataSet.
    """

    def __init__(self, peer: Peer, data: bytes, transfer_syntax_uid: str) -> None:
        walk = Walk(
            BytesIO(data),
            0,
            len(data),
            explicit=transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN,
            little=True,
            wanted=lambda tag, depth: depth == 0,
            value_limit=VALUE_LIMIT,
        )
        self._values: dict[int, tuple[str, bytes]] = {}
        self._encodings: tuple[str, ...] = ()
        for element in walk:
            if element.depth == 0 and element.value is not None:
                self._values[element.tag] = (element.vr, element.value)
                if element.tag == CHARACTER_SET and element.value.strip(b"\0 "):
                    self._encodings = encodings_of(element.value[:256])
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

    def __contains__(self, tag: int) -> bool:
        return tag in self._values

    def texts(self, tag: int) -> tuple[str, ...]:
        """Every value, safe to show."""
        vr, value = self._values.get(tag, ("LO", b""))
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
