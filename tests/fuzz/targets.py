"""All targets by name, and one that must be found out."""

from collections.abc import Callable
from functools import partial

from tests.fuzz import cards, parsers
from tests.fuzz.certificates import certificates
from tests.fuzz.files import files
from tests.fuzz.links import LINKS
from tests.fuzz.target import Target

MADE: dict[str, Callable[[], Target]] = {
    "files": files,
    "certificates": certificates,
    **{name: partial(cards.target, name) for name in cards.CARDS},
}
NAMES = (*parsers.PARSERS, *LINKS, *MADE)
PLANTED = "planted"


def target(name: str) -> Target:
    """The target of that name, made anew; raises KeyError."""
    if name == PLANTED:
        return parsers.planted()
    if name in MADE:
        return MADE[name]()
    return parsers.PARSERS[name] if name in parsers.PARSERS else LINKS[name]
