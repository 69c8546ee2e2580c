"""Data elements as rows of a tree-like table, and the search in them."""

from collections.abc import Collection, Iterable, Sequence

from kiosk.imaging.studies.model import TagRow
from kiosk.views.columns import Column
from kiosk.views.text import joined, one_line
from kiosk.views.words import _

TAG_COLUMNS = (
    Column("tag", _("Tag"), 17, weight=1),
    Column("keyword", _("Keyword"), 18, weight=2),
    Column("vr", _("VR"), 3),
    Column("vm", _("VM"), 4),
    Column("type", _("Type"), 4),
    Column("value", _("Value"), 20, weight=5),
    Column("name", _("Name"), 14, weight=2),
)
OPEN, CLOSED, LEAF = "▾ ", "▸ ", "  "
MAX_INDENT = 12
VALUE_LENGTH = 4096


def tag_cells(row: TagRow, mark: str = "") -> tuple[str, ...]:
    """One text for each of TAG_COLUMNS; sequences are shown by indenting the tag (not deeper than MAX_INDENT).

    `mark` stands before the tag: one of OPEN, CLOSED and LEAF where rows fold.
    """
    indent = "  " * min(row.depth, MAX_INDENT)
    texts = (row.keyword, row.vr, row.vm, row.type, row.value, row.name)
    return (indent + mark + one_line(row.tag), *(one_line(text) for text in texts))


def tag_line(row: TagRow) -> str:
    """One element whole: tag, name, module and Type, value."""
    about = row.module
    if row.module and row.type:
        about = _("{module}, Type {type}").format(module=row.module, type=row.type)
    return joined(one_line(row.tag), one_line(row.name), one_line(about), one_line(row.value, VALUE_LENGTH))


def folds(rows: Sequence[TagRow], place: int) -> bool:
    """Whether the row has others under it: a sequence with items, or an item with elements."""
    return place + 1 < len(rows) and _level(rows[place + 1]) > _level(rows[place])


def unfolded(rows: Sequence[TagRow], closed: Collection[int]) -> list[int]:
    """The places of the rows to be seen when those at the places `closed` are folded."""
    seen: list[int] = []
    hidden_under: int | None = None
    for place, row in enumerate(rows):
        level = _level(row)
        if hidden_under is not None and level > hidden_under:
            continue
        hidden_under = level if place in closed else None
        seen.append(place)
    return seen


def parent(rows: Sequence[TagRow], place: int) -> int | None:
    """The place of the item or sequence around a row; None at the top."""
    level = _level(rows[place])
    return next((above for above in range(place - 1, -1, -1) if _level(rows[above]) < level), None)


def _level(row: TagRow) -> int:
    """How deep in the tree: an item is under its sequence, and its elements are under it though no deeper."""
    return 2 * row.depth - (not row.vr and row.tag.startswith("Item "))


def matching(rows: Iterable[TagRow], words: str) -> list[TagRow]:
    """Rows that hold every word somewhere, each under the sequences and items it lies in; all rows for no words."""
    listed = list(rows)
    return [listed[place] for place in matching_places(listed, words)]


def matching_places(rows: Sequence[TagRow], words: str) -> list[int]:
    """The places of what `matching` keeps."""
    wanted = one_line(words).casefold().split()
    kept: list[int] = []
    above: list[tuple[int, int]] = []
    for place, row in enumerate(rows):
        level = _level(row)
        while above and above[-1][1] >= level:
            above.pop()
        text = " ".join((row.tag, row.keyword, row.vr, row.value, row.name, row.module)).casefold()
        if all(word in text for word in wanted):
            last = kept[-1] if kept else -1
            kept.extend(parent for parent, _above in above if parent > last)
            kept.append(place)
        above.append((place, level))
    return kept
