"""The acts that have begun and not ended, told from the chained bodies alone.

What the trail's file notes of them beside the chain only says where to look: each checkpoint signs for the digest of
those that were open when it was made, and whoever opens or verifies the trail compares.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, NamedTuple

from kiosk.audit.decode import RecordError

# In canonical JSON a quotation mark inside a string is escaped, and keys are sorted: these octets are the fields of the
# entry itself, and what comes after its phase holds no other.
PHASE: Final = b'"phase":"'
EVENT: Final = b'"phase":"ev'
ACT_ID: Final = b'","act_id":"'
TEXT: Final = re.compile(rb'((?:[^"\\]|\\.)*+)"')
DIGEST_PREFIX: Final = b"\x06"


class Intent(NamedTuple):
    """The record with which an act began: its place, its hash, and the act's ID as it stands in the body."""

    sequence: int
    hash: bytes
    act_id: bytes


class OpenIntents:
    """Intents that no outcome has followed, record by record.

    `noted` are the places of those that were open at the last checkpoint and of all that came since: what the file has
    to note, so that the chain need not be read from its beginning.
    """

    def __init__(self, known: Iterable[Intent] = ()) -> None:
        self._of: dict[bytes, tuple[Intent, ...]] = {}
        self.noted: set[int] = set()
        for intent in known:
            self._open(intent)

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def copy(self) -> "OpenIntents":
        """One that goes its own way."""
        other = OpenIntents()
        other._of, other.noted = dict(self._of), set(self.noted)
        return other

    @property
    def all(self) -> tuple[Intent, ...]:
        """They, oldest first."""
        return tuple(sorted(intent for intents in self._of.values() for intent in intents))

    @property
    def digest(self) -> bytes:
        """SHA-256(0x06 ‖ of each, oldest first, its sequence as 64 bits ‖ its hash)."""
        parts = (intent.sequence.to_bytes(8, "big") + intent.hash for intent in self.all)
        return sha256(DIGEST_PREFIX + b"".join(parts)).digest()

    def take(self, sequence: int, body: bytes, value: bytes) -> None:
        """The next record, whose hash is `value`; raises RecordError when it does not say which act it is of."""
        at = body.rfind(PHASE) + len(PHASE)
        phase = body[at : at + 2] if at >= len(PHASE) else b""
        if phase == b"ev":
            return
        if phase == b"in":
            self._open(Intent(sequence, value, _act_id(sequence, body)))
        elif phase == b"ou":
            self._of.pop(_act_id(sequence, body), None)
        else:
            raise RecordError(f"record {sequence}: in no phase")

    def seal(self) -> set[int]:
        """A checkpoint is made: returns the places that need not be noted any longer."""
        kept = {intent.sequence for intent in self.all}
        over, self.noted = self.noted - kept, kept
        return over

    def _open(self, intent: Intent) -> None:
        self._of[intent.act_id] = (*self._of.get(intent.act_id, ()), intent)
        self.noted.add(intent.sequence)


def _act_id(sequence: int, body: bytes) -> bytes:
    start = body.find(ACT_ID) + len(ACT_ID)
    act_id = body[start : body.find(b'"', start)]
    if start >= len(ACT_ID) and b"\\" not in act_id:
        return act_id
    found = TEXT.match(body, start) if start >= len(ACT_ID) else None
    if found is None:
        raise RecordError(f"record {sequence}: of no act")
    return found[1]
