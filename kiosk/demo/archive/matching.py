"""Matching of C-FIND keys against attribute values (PS3.4 C.2.2.2)."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

Value = str | tuple[str, ...]

_DATES = frozenset({"StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "PatientBirthDate"})
_TIMES = frozenset({"StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"})
_NAMES = frozenset({"PatientName", "ReferringPhysicianName"})


def matches(row: Mapping[str, Value], keys: Mapping[str, Sequence[str]]) -> bool:
    """True when every key that the row knows and that is not empty matches one of the row's values."""
    return all(_matches_one(name, wanted, row[name]) for name, wanted in keys.items() if name in row and any(wanted))


def _matches_one(name: str, wanted: Sequence[str], value: Value) -> bool:
    values = (value,) if isinstance(value, str) else value
    if name in _DATES:
        return any(_in_range(found, wanted[0]) for found in values)
    if name in _TIMES:
        return any(_in_range(found.ljust(6, "0"), wanted[0], "000000", "235959") for found in values)
    if name.endswith("UID") or name in ("SOPClassesInStudy",):
        return any(found in wanted for found in values)
    if name in _NAMES:
        values = tuple(group for found in values for group in (found, *found.split("=")))
        return any(_pattern(one, True).match(_folded(found)) for one in wanted for found in values)
    return any(_pattern(one, False).match(unicodedata.normalize("NFC", found)) for one in wanted for found in values)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


@lru_cache(256)
def _pattern(wanted: str, fold: bool) -> re.Pattern[str]:
    """The pattern of a key with wildcards * and ?; names are matched without regard to case."""
    text = _folded(wanted) if fold else unicodedata.normalize("NFC", wanted)
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in re.sub(r"\*+", "*", text))
    return re.compile("".join(parts) + r"\Z", re.DOTALL)


def _in_range(value: str, wanted: str, low_pad: str = "", high_pad: str = "") -> bool:
    """Single value or range first-last, either end open (PS3.4 C.2.2.2.5)."""
    if not value:
        return False
    if "-" not in wanted:
        return value.startswith(wanted)
    first, _, last = (part.strip() for part in wanted.partition("-"))
    if first and value < first + low_pad[len(first) :]:
        return False
    return not last or value <= last + high_pad[len(last) :]
