"""Ledgers for tests: one that keeps entries in memory, one whose disk is full."""

import hashlib
from datetime import UTC, datetime

from kiosk.audit import Entry, Phase, Receipt
from kiosk.errors import TrailError


class MemoryLedger:
    """Keeps what is appended."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def append(self, entry: Entry) -> Receipt:
        """In memory only."""
        self.entries.append(entry)
        return Receipt(len(self.entries), hashlib.sha256(bytes(len(self.entries))).digest(), datetime.now(UTC))

    def phases(self, act: str) -> list[Phase]:
        """What was recorded of that act, in order."""
        return [entry.phase for entry in self.entries if entry.act == act]


class FullDisk(MemoryLedger):
    """Takes `room` entries, then fails for good."""

    def __init__(self, room: int = 0) -> None:
        super().__init__()
        self._room = room

    def append(self, entry: Entry) -> Receipt:
        """Raises TrailError when there is no room."""
        if len(self.entries) >= self._room:
            raise TrailError("The disk of the audit trail is nearly full.")
        return super().append(entry)
