"""Answers of a lookup as lines."""

from kiosk.imaging.calls import Found
from kiosk.imaging.lookups import Match
from kiosk.views.text import joined, one_line
from kiosk.views.words import _, plural


def match_line(match: Match) -> str:
    """What the archive told, by keyword; a count that it did not tell is "?"."""
    told = (
        f"{keyword} {one_line(value) or '?'}"
        for keyword, value in match.values
        if value or keyword.startswith("NumberOf")
    )
    return ", ".join(told)


def matches_line(found: Found) -> str:
    """How a lookup ended."""
    line = plural("{count} match", "{count} matches", found.count) if found.count else _("Nothing matches.")
    more = _("There are more: narrow the query.") if found.more else ""
    return joined(line, more, *(one_line(note) for note in found.notes))
