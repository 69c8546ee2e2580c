"""Which module of its IOD an attribute belongs to, and its Type there: 1, 1C, 2, 2C or 3 (PS3.3, PS3.5 7.4).

The table in `modules.xz` is made by `tests/bench/module_table.py` from what highdicom carries of PS3.3;
`modules.LICENSE` goes with it. Retired classes, and those that its edition did not know, have neither module nor Type.
"""

import lzma
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("modules.xz")
_META_MODULE: Final = "File Meta Information"
# PS3.10 Table 7.1-1.
_META_TYPES: Final = {
    0x00020000: "1", 0x00020001: "1", 0x00020002: "1", 0x00020003: "1", 0x00020010: "1", 0x00020012: "1",
    0x00020013: "3", 0x00020016: "3", 0x00020017: "3", 0x00020018: "3", 0x00020026: "3", 0x00020027: "3",
    0x00020028: "3", 0x00020031: "3", 0x00020032: "3", 0x00020033: "3", 0x00020035: "3", 0x00020036: "3",
    0x00020037: "3", 0x00020038: "3", 0x00020100: "3", 0x00020102: "1C",
}  # fmt: skip
_STRICTNESS: Final = ("1", "1C", "2", "2C", "3", "")
_USAGES: Final = "MCU"
_CACHED: Final = 8

Place = tuple[int, ...]


@dataclass(frozen=True)
class Definition:
    """The module an attribute belongs to, and its Type there; both empty where the standard's tables do not say."""

    module: str = ""
    type: str = ""


NOTHING: Final = Definition()


@dataclass(frozen=True)
class Definitions:
    """The attributes of one IOD by their place: the tags of the sequences around one, then its own."""

    by_place: dict[Place, Definition] = field(default_factory=dict, repr=False)

    def of(self, place: Place) -> Definition:
        """What the IOD says of the attribute there; a sequence that nests in itself counts once."""
        if len(place) == 1 and place[0] >> 16 == 0x0002:
            kind = _META_TYPES.get(place[0])
            return Definition(_META_MODULE, kind) if kind else NOTHING
        normal = tuple(map(_first_group, place))
        found = self.by_place.get(normal)
        if found is None and len(normal) > 2:
            once = tuple(tag for index, tag in enumerate(normal) if index == 0 or tag != normal[index - 1])
            found = self.by_place.get(once)
        return found or NOTHING


def _first_group(tag: int) -> int:
    """A repeating group (PS3.5 7.6), such as an overlay's, as the first of its kind."""
    return tag & 0xFF00FFFF if tag >> 24 in (0x50, 0x60) and not tag >> 16 & 1 else tag


@lru_cache(maxsize=_CACHED)
def definitions(sop_class_uid: str) -> Definitions:
    """What the standard says of the attributes of that SOP class; of file meta information only for an unknown one.

    An attribute of several modules is given with a mandatory one before others, and then with the strictest Type.
    """
    lines = _lines()
    iod = next((line[2] for line in lines if line[0] == "S" and line[1] == sop_class_uid), None)
    if iod is None:
        return Definitions()
    uses = next(line[2].split() for line in lines if line[0] == "I" and line[1] == iod)
    wanted = {key: _USAGES.index(usage) for usage, _, key in (use.partition(":") for use in uses)}
    best: dict[Place, tuple[int, int]] = {}
    found: dict[Place, Definition] = {}
    for line in lines:
        if line[0] != "M" or line[1] not in wanted:
            continue
        for place, kind in _attributes(line[3]):
            rank = (wanted[line[1]], _STRICTNESS.index(kind))
            if place not in best or rank < best[place]:
                best[place] = rank
                found[place] = Definition(line[2], kind)
    return Definitions(found)


def _lines() -> list[list[str]]:
    """The table: S class iod, I iod usage:module..., M module title attribute...; a dot for each sequence around."""
    text = lzma.decompress(_FILE.read_bytes()).decode("ascii")
    return [line.split("\t") for line in text.splitlines()]


def _attributes(text: str) -> list[tuple[Place, str]]:
    found: list[tuple[Place, str]] = []
    around: list[int] = []
    for entry in text.split():
        bare = entry.lstrip(".")
        del around[len(entry) - len(bare) :]
        around.append(int(bare[:8], 16))
        found.append((tuple(around), bare[8:]))
    return found
