"""When which card comes to a simulated reader, decided beforehand."""

from collections.abc import Callable
from dataclasses import dataclass, field

from readers.virtual.card import VirtualCard


@dataclass(frozen=True)
class Appearance:
    """One tap to come: `at` seconds after the reader was first opened, for `seconds`, or None until the next one.

    `card` is called when the time has come, and makes the card ready for this tap; `after` when the card has left.
    """

    at: float
    seconds: float | None
    card: Callable[[], VirtualCard]
    after: Callable[[], None] = field(default=lambda: None)


Timetable = tuple[Appearance, ...]
