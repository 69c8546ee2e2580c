"""The site's key that turns account numbers into identifiers: whoever lacks it can neither reverse nor compare them."""

from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from readers.credentials.keys import KeyStore
from readers.errors import ReaderError

KEY_NAME = "emv"
PURPOSE = b"emv identifier"
NO_KEY = "This site has no key for bank cards and wallets."


class IdentifierKeyMissing(ReaderError):
    """The site has no key for bank cards and wallets, or none that may be used."""


class IdentifierKey(Protocol):
    """Makes identifiers; the key itself never comes out, so that a secure module can stand behind it."""

    def keyed_hash(self, message: bytearray) -> bytes:
        """HMAC-SHA-256 of `message`, 32 bytes; raises IdentifierKeyMissing."""


class StoredIdentifierKey:
    """The key that the site's store derives for this one purpose from its key of that name (AES-CMAC, AN10922)."""

    def __init__(self, keys: KeyStore, name: str = KEY_NAME) -> None:
        self._keys = keys
        self._name = name

    def keyed_hash(self, message: bytearray) -> bytes:
        """HMAC-SHA-256 of `message` under the derived key of 128 bits; raises IdentifierKeyMissing."""
        authentication = self._authentication()
        authentication.update(message)
        return authentication.finalize()

    def _authentication(self) -> HMAC:
        try:
            return HMAC(self._keys.diversified(self._name, PURPOSE), hashes.SHA256())
        except KeyError:
            raise IdentifierKeyMissing(NO_KEY) from None

    def __repr__(self) -> str:
        return "StoredIdentifierKey()"
