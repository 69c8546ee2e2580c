"""Errors as sentences."""

from kiosk.errors import Cancelled, KioskError
from kiosk.views.text import one_line
from kiosk.views.words import _


def refusal(error: KioskError) -> str:
    """What to tell the person: the error's own sentence, on one line."""
    if isinstance(error, Cancelled):
        return _("Cancelled.")
    return one_line(str(error)) or _("This did not work, and no reason was given.")


BROKEN = _("Something went wrong inside this kiosk. Your session was closed. Tap again to go on.")
STOPPED = _("This screen had to stop, sorry. Nothing of your session was kept. It starts again by itself.")
