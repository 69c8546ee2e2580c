"""Data elements as rows of a tree-like table, and the search in them."""

from collections.abc import Iterable

from kiosk.imaging.studies.model import TagRow
from kiosk.views.columns import Column
from kiosk.views.text import joined, one_line
from kiosk.views.words import _

TAG_COLUMNS = (
    Column("tag", _("Tag"), 15, weight=1),
    Column("keyword", _("Keyword"), 18, weight=2),
    Column("vr", _("VR"), 3),
    Column("vm", _("VM"), 4),
    Column("value", _("Value"), 20, weight=5),
    Column("name", _("Name"), 14, weight=2),
)
MAX_INDENT = 12
VALUE_LENGTH = 4096


def tag_cells(row: TagRow) -> tuple[str, ...]:
    """One text for each of TAG_COLUMNS; sequences are shown by indenting the tag (not deeper than MAX_INDENT)."""
    indent = "  " * min(row.depth, MAX_INDENT)
    texts = (row.keyword, row.vr, row.vm, row.value, row.name)
    return (indent + one_line(row.tag), *(one_line(text) for text in texts))


def tag_line(row: TagRow) -> str:
    """One element whole: tag, name, value."""
    return joined(one_line(row.tag), one_line(row.name), one_line(row.value, VALUE_LENGTH))


def matching(rows: Iterable[TagRow], words: str) -> list[TagRow]:
    """Rows that hold every word somewhere, each under the sequences and items it lies in; all rows for no words."""
    wanted = one_line(words).casefold().split()
    kept: list[TagRow] = []
    above: list[tuple[TagRow, bool]] = []
    for row in rows:
        del above[row.depth :]
        text = " ".join((row.tag, row.keyword, row.vr, row.value, row.name)).casefold()
        found = all(word in text for word in wanted)
        if found:
            kept.extend(parent for parent, shown in above if not shown)
            above = [(parent, True) for parent, _shown in above]
            kept.append(row)
        above.append((row, found))
    return kept
