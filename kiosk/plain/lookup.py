"""`find`: what an archive holds at a level, for whoever knows what they ask for."""

from threading import Event

from kiosk.imaging.calls import Found
from kiosk.imaging.lookups import Level, Lookup, Root
from kiosk.operations.operations import Operations
from kiosk.plain.console import Console
from kiosk.plain.desk import Desk
from kiosk.views.lookup import match_line, matches_line
from kiosk.views.words import _

ROOTS = {"study": Root.STUDY, "patient": Root.PATIENT}


def lookup_of(words: list[str]) -> tuple[str, Lookup] | str:
    """Reads "LEVEL [root=patient] [archive=NAME] KEYWORD=VALUE …": the archive, empty for the first, and the lookup; or
    a sentence."""
    level = next((one for one in Level if words and words[0].upper() == one.value), None)
    if level is None:
        return _("Levels are: {levels}").format(levels=", ".join(one.value.casefold() for one in Level))
    archive, root, keys = "", Root.PATIENT if level is Level.PATIENT else Root.STUDY, []
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or (name == "root" and value not in ROOTS):
            return _("Keys are written KEYWORD=VALUE; root=study or root=patient, archive=NAME")
        if name == "root":
            root = ROOTS[value]
        elif name == "archive":
            archive = value
        else:
            keys.append((name, value))
    lookup = Lookup(root, level, tuple(keys))
    return lookup.fault or (archive, lookup)


class LookupActs:
    """Runs in a thread of its own and may raise KioskError."""

    def __init__(self, operations: Operations, console: Console) -> None:
        self._operations = operations
        self._console = console

    def find(self, desk: Desk, words: list[str], cancel: Event) -> None:
        """Asks and lists what comes."""
        asked = lookup_of(words)
        if isinstance(asked, str):
            self._console.say(asked, unless=desk.closed)
            return
        stream = self._operations.look_up(desk.session.session_id, *asked, cancel)
        found: Found | None = None
        count = 0
        while found is None:
            try:
                match = next(stream)
            except StopIteration as end:
                found = end.value
            else:
                count += 1
                self._console.say(f"{count}. {match_line(match)}", unless=desk.closed)
        self._console.say(matches_line(found), unless=desk.closed)
