"""All targets by name, and one that must be found out."""

from tests.fuzz import cards, parsers
from tests.fuzz.files import files
from tests.fuzz.links import LINKS
from tests.fuzz.target import Target

FILES = "files"
NAMES = (*parsers.PARSERS, *LINKS, FILES, *cards.CARDS)
PLANTED = "planted"


def target(name: str) -> Target:
    """The target of that name, made anew; raises KeyError."""
    if name == PLANTED:
        return parsers.planted()
    if name == FILES:
        return files()
    if name in cards.CARDS:
        return cards.target(name)
    return parsers.PARSERS[name] if name in parsers.PARSERS else LINKS[name]
