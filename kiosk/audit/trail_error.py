"""What goes wrong with a trail's file, as a sentence for the screen."""

from collections.abc import Iterator
from contextlib import contextmanager

from kiosk.audit.store import DATABASE_ERRORS
from kiosk.errors import TrailError


@contextmanager
def as_trail_error(verb: str) -> Iterator[None]:
    """Raises what goes wrong in the block as a TrailError: the trail cannot be `verb`."""
    try:
        yield
    except (*DATABASE_ERRORS, OSError) as error:
        raise TrailError(sentence(verb, error)) from error


def sentence(verb: str, error: Exception) -> str:
    """Why the trail cannot be `verb`; a TrailError says so itself."""
    if isinstance(error, TrailError):
        return str(error)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"The audit trail cannot be {verb}: {reason}."
