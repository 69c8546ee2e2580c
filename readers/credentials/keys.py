"""What a scheme is given from outside: challenges, the site's keys, and counters that only go up."""

import secrets
from typing import Protocol

from readers.credentials.claim import Nonce, NonceSource
from readers.errors import ReaderError

NONCE_SIZE = 16

__all__ = ["NONCE_SIZE", "CounterStore", "CounterUnavailable", "KeyStore", "Nonce", "NonceSource", "RandomNonceSource"]


class KeyStore(Protocol):
    """The site's symmetric card keys. Only keys for one card come out, so that a secure module can stand behind it."""

    def diversified(self, name: str, diversification: bytes) -> bytes:
        """The 16-byte AES key of the card with that diversification input (AN10922) under the site key `name`.

        Raises KeyError where the site has no key of that name.
        """


class CounterUnavailable(ReaderError):
    """It cannot be known whether a counter was seen before, or not be kept that it is seen now."""


class CounterStore(Protocol):
    """The highest counter seen from each card that counts its taps."""

    def advance(self, subject: bytes, counter: int) -> bool:
        """Keeps `counter` durably and returns True when it is above every earlier one; False is a replay.

        Raises CounterUnavailable.
        """


class RandomNonceSource:
    """Challenges out of the operating system's randomness alone, bound to nothing."""

    def fresh(self) -> Nonce:
        """16 random bytes."""
        return Nonce(secrets.token_bytes(NONCE_SIZE))
