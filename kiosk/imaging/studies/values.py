"""Bytes of data elements as text, numbers, dates and names (PS3.5 6.1 and 6.2), forgiving what archives get wrong."""

import math
import re
import struct
from datetime import date, time
from typing import Final

from pydicom.charset import decode_bytes, python_encoding

from kiosk.imaging.studies.lenient import lenient
from kiosk.imaging.studies.model import PersonName
from readers.text import safe_text

DEFAULT_ENCODINGS: Final = ("iso8859",)
ESCAPE: Final = b"\x1b"

CHARACTER_SET_VRS: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
ASCII_VRS: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
UNSPLIT_VRS: Final = frozenset({"LT", "ST", "UT", "UR"})
NUMBER_FORMATS: Final = {
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d",
}  # fmt: skip

# Encodings that may not be switched away from by escape sequences (PS3.3 C.12.1.1.2).
_STANDALONE: Final = frozenset({"ISO_IR 192", "GB18030", "GBK"})
_PERSON_NAME_DELIMITERS: Final = set(b"\\^=")
_TEXT_DELIMITERS: Final = set(b"\\\r\n\t\f")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,12}(\.0*)?\Z")
_DATE: Final = re.compile(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})\Z", re.ASCII)
_TIME: Final = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6})\d*)?)?)?\Z", re.ASCII)


def encodings_of(character_set: bytes) -> tuple[str, ...]:
    """Python's encodings for a value of Specific Character Set (0008,0005).

    Only terms that PS3.3 C.12.1.1.2 defines count: any other name would let a file choose one of Python's own codecs.
    """
    terms = [term.strip(" \0").upper() for term in character_set.decode("latin-1").split("\\")]
    if terms[0] in _STANDALONE:
        terms = terms[:1]
    return tuple(python_encoding.get(term, DEFAULT_ENCODINGS[0]) for term in terms)


def decode_text(value: bytes, vr: str, encodings: tuple[str, ...]) -> str:
    """The text of a value as it came, padding removed; undecodable bytes become replacement characters.

    Decoding comes before splitting: in several character sets a multi-byte character holds a backslash byte.
    """
    if value.isascii() and ESCAPE not in value:
        text = value.decode("ascii")  # alike in every character set that DICOM has, and most of what comes
    elif vr in CHARACTER_SET_VRS:
        delimiters = _PERSON_NAME_DELIMITERS if vr == "PN" else _TEXT_DELIMITERS
        try:
            with lenient():
                text = str(decode_bytes(value, encodings, delimiters))
        except UnicodeError:
            text = value.decode("latin-1")
    else:
        text = value.decode("latin-1")
    return text.rstrip("\0 ") if vr in UNSPLIT_VRS else text.strip("\0 ")


def text_values(value: bytes, vr: str, encodings: tuple[str, ...]) -> list[str]:
    """Every value of a text element, as it came."""
    text = decode_text(value, vr, encodings)
    if vr in UNSPLIT_VRS:
        return [text] if text else []
    return [part.strip("\0 ") for part in text.split("\\")] if text else []


def person_name(text: str) -> PersonName:
    """A PN value in its three component groups (PS3.5 6.2.1.2), each made safe to show."""
    groups = [*(safe_text(group).rstrip("^ ") for group in text.split("=")[:3]), "", ""]
    return PersonName(groups[0], groups[1], groups[2])


def numbers(value: bytes, vr: str, little: bool) -> list[float]:
    """Every number of a numeric element; text that is no finite number is left out."""
    if vr in ("DS", "IS"):
        parsed = (decimal(part) for part in value.decode("latin-1").split("\\"))
        return [number for number in parsed if number is not None]
    code = NUMBER_FORMATS.get(vr)
    if code is None:
        return []
    count = len(value) // struct.calcsize("<" + code)
    values = struct.unpack_from(f"{'<' if little else '>'}{count}{code}", value)
    return [number for number in values if math.isfinite(number)]


def decimal(text: str) -> float | None:
    """A DS value, None when it is no finite number."""
    stripped = text.strip("\0 ")
    if not stripped or len(stripped) > 64 or "_" in stripped or not stripped.isascii():
        return None
    try:
        number = float(stripped)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def integer(text: str) -> int | None:
    """An IS value, None when it is no whole number of at most twelve digits (PS3.5 6.2)."""
    stripped = text.strip("\0 ")
    return int(stripped.split(".")[0]) if _INTEGER.match(stripped) else None


def parse_date(text: str) -> date | None:
    """A DA value, None when there is no such day; the dots of ACR-NEMA are allowed."""
    match = _DATE.match(text.strip("\0 "))
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def parse_time(text: str) -> time | None:
    """A TM value, None when there is no such time; a leap second counts as the second before."""
    match = _TIME.match(text.strip("\0 "))
    if match is None:
        return None
    hour, minute, second, fraction = match.groups(default="0")
    try:
        return time(int(hour), int(minute), min(int(second), 59), int(fraction.ljust(6, "0")))
    except ValueError:
        return None


def seconds_of_day(text: str) -> float | None:
    """A TM or DT value as seconds since midnight (of day one, for DT), None when it is neither."""
    stripped = text.strip("\0 ")
    day = 0
    digits = re.split(r"[+\-]", stripped, maxsplit=1)[0]
    whole = digits.split(".")[0]
    if len(whole) > 6 and ":" not in whole:
        calendar_day = parse_date(whole[:8])
        if calendar_day is None:
            return None
        day = calendar_day.toordinal()
        digits = digits[8:] or "00"
    clock = parse_time(digits)
    if clock is None:
        return None
    return day * 86_400 + clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6
