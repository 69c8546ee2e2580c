"""Taps written down beforehand, for tests and demonstrations: "simulated:scenario=FILE".

deck = "deck.toml"       # cards by name, in a file beside this one; or [[card]] tables here, as in a deck; or both

[[step]]
card = "badge"
at = 1.0                 # seconds after the reader was first opened
for = 0.5                # seconds on the reader; half a second where nothing is said
faults = ["dropped"]     # as `readers.virtual.faults` names them; none where nothing is said
repeat = 3               # this many taps in all,
every = 2.0              # each so many seconds after the one before

There is place for one card: steps may not overlap. A card keeps its faults to the step that names them.
"""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from itertools import pairwise
from pathlib import Path

from readers.errors import ReaderError, ReaderSpecError
from readers.text import safe_text
from readers.virtual.card import VirtualCard
from readers.virtual.deck import Deck, Table, tables
from readers.virtual.faults import Fault, FaultyCard
from readers.virtual.timetable import Appearance, Timetable

KEYS = ("deck", "card", "step")
STEP_KEYS = ("card", "at", "for", "faults", "repeat", "every")
USUAL_SECONDS = 0.5
LONGEST_DAY = 86_400.0
MOST_TAPS = 10_000


@dataclass(frozen=True)
class Step:
    """One [[step]], checked: `taps` of one card, `every` seconds, each for `seconds`."""

    number: int
    card: str
    at: float
    seconds: float
    faults: tuple[Fault, ...]
    taps: int
    every: float

    def times(self) -> Iterator[tuple[float, float, "Step"]]:
        """Start and end of each tap."""
        for tap in range(self.taps):
            start = self.at + tap * self.every
            yield start, start + self.seconds, self


@dataclass(frozen=True)
class Scenario:
    """The cards there are and the steps in their order."""

    deck: Deck
    steps: tuple[Step, ...]

    @classmethod
    def load(cls, path: Path, deck: Deck | None = None) -> "Scenario":
        """Reads a scenario; `deck` are cards there are besides its own.

        Raises ReaderSpecError naming the file, the step and what is wrong in it.
        """
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            _only(content, KEYS, "a scenario")
            cards = (deck or Deck()).and_those_of(_deck(content, path.parent)).and_those_of(Deck.of(content))
            steps = tuple(_step(table, number, cards) for number, table in enumerate(tables(content, "step"), start=1))
            _apart(steps)
        except OSError as error:
            raise ReaderSpecError(f"The scenario {path} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):  # not only TOMLDecodeError: a number of 5,000 digits, a thousand brackets
            raise ReaderSpecError(f"{path.name}: not TOML") from None
        except ReaderError as error:
            raise ReaderSpecError(f"{path.name}: {error}") from None
        return cls(cards, steps)

    def timetable(self, sleep: Callable[[float], None]) -> Timetable:
        """Every tap in its order; `sleep` is how cards are slow. One card is the same card in all its steps."""
        cards = {name: FaultyCard(self.deck[name], sleep=sleep) for name in {step.card for step in self.steps}}
        taps = sorted((tap for step in self.steps for tap in step.times()), key=lambda tap: tap[:2])
        return tuple(
            Appearance(start, step.seconds, partial(_ready, cards[step.card], step.faults), cards[step.card].plant)
            for start, _, step in taps
        )


def _ready(card: FaultyCard, faults: tuple[Fault, ...]) -> VirtualCard:
    card.plant(*faults)
    return card


def _deck(content: Table, folder: Path) -> Deck:
    if "deck" not in content:
        return Deck()
    name = content["deck"]
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ReaderSpecError('"deck" is the name of a file')
    try:
        return Deck.load(folder / name)
    except OSError as error:
        raise ReaderSpecError(f"the deck {safe_text(name)} cannot be read: {error.strerror}") from None


def _step(table: Table, number: int, deck: Deck) -> Step:
    try:
        _only(table, STEP_KEYS, "a step")
        card = table.get("card")
        if not isinstance(card, str):
            raise ReaderSpecError('a step needs "card", a name')
        seconds, every = _seconds(table, "for", USUAL_SECONDS), _seconds(table, "every", 0.0)
        step = Step(number, card, _seconds(table, "at", None), seconds, _faults(table), _taps(table), every)
        if not step.seconds:
            raise ReaderSpecError('"for" is more than 0 seconds')
        if step.taps > 1 and step.every < step.seconds:
            raise ReaderSpecError('"repeat" needs "every", as many seconds as the tap lasts or more')
        if step.taps == 1 and "every" in table:
            raise ReaderSpecError('"every" needs "repeat", 2 or more')
        virtual = deck.card(card)
        FaultyCard(virtual, *step.faults).plant()
    except ReaderError as error:
        raise ReaderSpecError(f"step {number}: {error}") from None
    return step


def _seconds(table: Table, key: str, usual: float | None) -> float:
    value = table.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ReaderSpecError(f'"{key}" is a number of seconds')
    if not 0 <= value <= LONGEST_DAY:
        raise ReaderSpecError(f'"{key}" is from 0 to {LONGEST_DAY:.0f} seconds')
    return float(value)


def _taps(table: Table) -> int:
    value = table.get("repeat", 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_TAPS:
        raise ReaderSpecError(f'"repeat" is a whole number from 1 to {MOST_TAPS}')
    return value


def _faults(table: Table) -> tuple[Fault, ...]:
    names = table.get("faults", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ReaderSpecError('"faults" is a list of names')
    known = {fault.value: fault for fault in Fault}
    for name in names:
        if name not in known:
            raise ReaderSpecError(f'there is no fault "{safe_text(name)}"; did you mean "{_nearest(name, known)}"?')
    return tuple(known[name] for name in names)


def _apart(steps: Sequence[Step]) -> None:
    taps = sorted((tap for step in steps for tap in step.times()), key=lambda tap: tap[:2])
    for (_, end, first), (start, _, second) in pairwise(taps):
        if start < end:
            raise ReaderSpecError(
                f'step {second.number} lays "{safe_text(second.card)}" on at {start:g} s, where '
                f'"{safe_text(first.card)}" of step {first.number} lies until {end:g} s'
            )


def _only(table: Table, keys: Sequence[str], what: str) -> None:
    for key in table:
        if key not in keys:
            raise ReaderSpecError(f'{what} has no "{safe_text(key)}"; did you mean "{_nearest(key, keys)}"?')


def _nearest(name: str, known: Sequence[str] | dict[str, Fault]) -> str:
    return get_close_matches(name, known, n=1, cutoff=0.0)[0]
