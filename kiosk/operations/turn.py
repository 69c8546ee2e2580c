"""How long a push keeps its lane while others wait: a small one must not stand for hours behind one of thousands."""

from collections.abc import Callable
from typing import Final

from kiosk.errors import ImagingError

TURN_SECONDS: Final = 30.0


class TurnOver(ImagingError):
    """Others go first; the push is taken up again after them, where it stopped."""

    def __init__(self) -> None:
        super().__init__("Others go first; it goes on by itself.")


class Turn:
    """From now on. `others_wait` tells whether there is another push that could go if this one stopped.

    Whoever works on the push looks at `is_over` where it can stop without losing anything, and then does.
    """

    def __init__(self, monotonic: Callable[[], float], others_wait: Callable[[], bool]) -> None:
        self._monotonic = monotonic
        self._others_wait = others_wait
        self._began = monotonic()
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """True once the time has passed and others wait; from then on it stays over."""
        if not self._is_over and self._monotonic() - self._began >= TURN_SECONDS:
            self._is_over = self._others_wait()
        return self._is_over


def no_others() -> bool:
    """Nobody waits."""
    return False
