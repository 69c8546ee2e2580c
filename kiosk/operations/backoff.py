"""How long a push waits before it is tried again, by what was in its way."""

from datetime import timedelta
from typing import Final

from kiosk.errors import KioskError, PeerBusy, StorageFull

BUSY: Final = (10, 30, 60, 300, 900, 1800)
"""The peer, or the disk, has no room for it now: that takes a while to pass."""
BROKEN_OFF: Final = (2, 5, 15, 60, 300, 900)
"""No connection, or one that ended too soon; also what was sent and is not listed yet."""
MOST_ATTEMPTS: Final = 100
"""Without any progress for about a day, a person decides."""


def pause(error: KioskError, attempts: int) -> timedelta | None:
    """The pause after so many attempts without progress; None when there is no sense in another."""
    if attempts >= MOST_ATTEMPTS:
        return None
    pauses = BUSY if isinstance(error, PeerBusy | StorageFull) else BROKEN_OFF
    return timedelta(seconds=pauses[min(attempts, len(pauses) - 1)])
