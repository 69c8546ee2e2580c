"""Which front end shows the kiosk."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from kiosk.cli.typed_ahead import put_aside
from kiosk.errors import ConfigError

if TYPE_CHECKING:  # a demo's archive is on its way sooner without them
    from kiosk.operations.operations import Operations

Show = Callable[["Operations"], int]

KEYS, DRAWING = 0, 2
"""Where Textual reads, and where it draws: standard error."""


def front_end(*, plain: bool) -> Show:
    """What shows the kiosk until its end; only the one that was asked for is imported. Raises ConfigError.

    Importing the screen asks the terminal what it can draw, and a key that is typed meanwhile spoils the answer and is
    lost. Call this early: what is typed later waits in the terminal until the screen is there.
    """
    if plain:
        from kiosk.plain.app import run as run_plain

        return run_plain
    if not os.isatty(KEYS) or not os.isatty(DRAWING):
        raise ConfigError("The screen needs a terminal. Without one, --plain prints lines and reads commands.")
    import kiosk.ui.host  # takes longest, and asks nothing

    with put_aside():
        import kiosk.ui.widgets.preview  # noqa: F401 - asks
    from kiosk.ui.app import run as run_screen

    return run_screen


def until_told(show: Show, operations: "Operations") -> int:
    """Shows the kiosk until somebody ends it; a signal or Ctrl+C is how that is done, and no failure."""
    try:
        return show(operations)
    except KeyboardInterrupt:
        return 0
