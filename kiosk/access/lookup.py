"""How a credential is found without being stored: an HMAC under a key that is not in the database."""

import hashlib
import hmac

from kiosk.errors import ConfigError, DirectoryError
from readers.credentials.claim import Claim

KEY_BYTES = 32


def can_be_looked_up(claim: Claim) -> bool:
    """True when subject and kind are there and the kind is printable ASCII: no NUL in it shifts their border."""
    return claim.kind.isascii() and claim.kind.isprintable() and bool(claim.kind) and bool(claim.subject)


class LookupKey:
    """A 32-byte pepper. A 4-byte UID can be guessed from a bare hash in minutes, not from an HMAC."""

    def __init__(self, value: bytes) -> None:
        """Raises ConfigError for a key of another length."""
        if len(value) != KEY_BYTES:
            raise ConfigError(f"A lookup key has {KEY_BYTES} bytes, not {len(value)}.")
        self._value = value

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits that name the key and tell nothing about it."""
        return self.derived("kiosk lookup key id").hex()[:16]

    def derived(self, purpose: str) -> bytes:
        """A key for another purpose. `purpose` has no NUL, so no credential's lookup value can equal it."""
        return hmac.new(self._value, purpose.encode(), hashlib.sha256).digest()

    def of(self, claim: Claim) -> bytes:
        """HMAC-SHA256(pepper, kind || 0 || subject): 32 bytes. Raises DirectoryError for a claim about nothing."""
        if not can_be_looked_up(claim):
            raise DirectoryError("This credential says nothing that could be looked up.")
        return hmac.new(self._value, claim.kind.encode() + b"\0" + claim.subject, hashlib.sha256).digest()
