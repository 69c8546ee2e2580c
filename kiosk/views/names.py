"""Person names as a reader expects them (PS3.5 6.2.1)."""

from kiosk.imaging.studies.model import PersonName
from kiosk.views.text import joined, one_line
from kiosk.views.words import _


def _alphabetic(group: str) -> str:
    family, given, middle, prefix, suffix = (one_line(part) for part in (group.split("^") + [""] * 5)[:5])
    rest = " ".join(part for part in (prefix, given, middle) if part)
    return ", ".join(part for part in (family, rest, suffix) if part)


def _ideographic(group: str) -> str:
    return " ".join(part for part in (one_line(part) for part in group.split("^")) if part)


def full_name(name: PersonName) -> str:
    """Every component group that is there: alphabetic, ideographic, phonetic."""
    groups = (_alphabetic(name.alphabetic), _ideographic(name.ideographic), _ideographic(name.phonetic))
    return joined(*groups) or _("(no name)")


def short_name(name: PersonName) -> str:
    """Alphabetic and ideographic groups, for a table's cell; the phonetic one only when it is alone."""
    groups = (_alphabetic(name.alphabetic), _ideographic(name.ideographic))
    return joined(*groups) or full_name(name)
