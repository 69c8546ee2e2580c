"""How far a sink has come for good: what retention asks before anything is deleted."""

from collections.abc import Callable
from pathlib import Path

from kiosk.audit.forward.cursor import CursorFile


class CursorDelivery:
    """Implements `kiosk.audit.retention.Delivery` by a sink's cursor. `genesis` is the trail's: a cursor of another
    trail says nothing of this one."""

    def __init__(self, directory: Path, name: str, genesis: Callable[[], bytes]) -> None:
        self.name = name
        self._cursor = CursorFile(directory, name)
        self._genesis = genesis

    def delivered_up_to(self) -> int:
        """The last record that never needs to be sent again; raises TrailError when the cursor cannot be read."""
        standing = self._cursor.read()
        return standing.settled.sequence if standing.trail == self._genesis() else 0
