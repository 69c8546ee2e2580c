"""The trail as operations use it: one failed append takes the kiosk out of service until the trail is whole again."""

import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from threading import Lock

from kiosk.audit import BadgeNaming, Entry, Outcome, Phase, Receipt, Record, TrailPort
from kiosk.errors import TrailError
from readers.credentials.claim import Nonce

NONCE_SIZE = 16
APPEND_NONCE_SIZE = 16


class TrailLedger:
    """Appends to the trail; `on_fault` hears the sentence of every failure.

    What could not be recorded, or nobody knows whether it was, is remembered: `settle` puts it in order once the trail
    takes records again. `naming` is how badges are named in everything that goes through here.
    """

    def __init__(self, trail: TrailPort, on_fault: Callable[[str], None], naming: BadgeNaming | None = None) -> None:
        self._trail = trail
        self._naming = naming or BadgeNaming()
        self._on_fault = on_fault
        self._lock = Lock()
        self._owed: deque[tuple[Entry, bytes]] = deque()
        self._not_begun: set[str] = set()

    def append(self, entry: Entry) -> Receipt:
        """Durable when it returns; raises TrailError."""
        entry = self._naming.entry(entry)
        nonce = secrets.token_bytes(APPEND_NONCE_SIZE)
        try:
            return self._trail.append(entry, nonce)
        except TrailError as error:
            with self._lock:
                if entry.phase is Phase.OUTCOME:
                    self._owed.append((entry, nonce))
                elif entry.phase is Phase.INTENT:
                    self._not_begun.add(entry.act_id)
            self._on_fault(str(error))
            raise

    def settle(self) -> None:
        """Records the outcomes that are owed, and closes intents that were recorded after all, though nobody learned of
        it and so nothing was done. Raises TrailError; what is left then is settled the next time."""
        with self._lock:
            while self._owed:
                self._trail.append(*self._owed[0])
                self._owed.popleft()
            if self._not_begun:
                for record in self._trail.open_intents():
                    if record.entry.act_id in self._not_begun:
                        self._trail.append(interrupted(record))
                self._not_begun.clear()


def interrupted(record: Record) -> Entry:
    """The outcome of an act that was begun, or meant to be, and never ended, with the messages it left for that."""
    entry = record.entry
    said = f"Interrupted: {entry.summary}"
    return Entry(
        entry.act,
        entry.act_id,
        Phase.OUTCOME,
        entry.actor,
        said,
        Outcome.SERIOUS,
        entry.if_interrupted,
        details=entry.details,
        patient=entry.patient,
    )


class TrailNonces:
    """Challenges made from the trail's head and randomness: what signs them signs the chain as it stood."""

    def __init__(self, trail: TrailPort) -> None:
        self._trail = trail

    def fresh(self) -> Nonce:
        """The first 16 bytes of SHA-256(head hash ‖ 32 random bytes); the binding is what was hashed."""
        binding = self._trail.head().hash + secrets.token_bytes(32)
        return Nonce(hashlib.sha256(binding).digest()[:NONCE_SIZE], binding)
