"""The trail as operations use it: one failed append takes the kiosk out of service until the trail is whole again."""

import hashlib
import secrets
from collections.abc import Callable

from kiosk.audit import Entry, Receipt, Trail
from kiosk.errors import TrailError
from readers.credentials.claim import Nonce

NONCE_SIZE = 16


class TrailLedger:
    """Appends to the trail; `on_fault` hears the sentence of the first failure."""

    def __init__(self, trail: Trail, on_fault: Callable[[str], None]) -> None:
        self._trail = trail
        self._on_fault = on_fault

    def append(self, entry: Entry) -> Receipt:
        """Durable when it returns; raises TrailError."""
        try:
            return self._trail.append(entry)
        except TrailError as error:
            self._on_fault(str(error))
            raise


class TrailNonces:
    """Challenges made from the trail's head and randomness: what signs them signs the chain as it stood."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    def fresh(self) -> Nonce:
        """The first 16 bytes of SHA-256(head hash ‖ 32 random bytes); the binding is what was hashed."""
        binding = self._trail.head().hash + secrets.token_bytes(32)
        return Nonce(hashlib.sha256(binding).digest()[:NONCE_SIZE], binding)
