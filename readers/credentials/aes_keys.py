"""The site's AES keys for cards, as files with nobody else's eyes on them: one key a file, 32 hexadecimal digits.

"<name>.key" in a directory of mode 0600 files, or as credentials that the service manager hands over.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from readers.credentials.aes import KEY_SIZE, diversify
from readers.credentials.keys import KeyStore
from readers.errors import ReaderError

SUFFIX = ".key"
CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
MAX_FILE_SIZE = 4096
OTHERS = stat.S_IRWXO
GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyUnavailable(KeyError):
    """The site has no key of that name, or none that may be used; the message says why and holds no key."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class AesKeyStore(KeyStore, Protocol):
    """A key store with keys, too, that are the same on every card."""

    def shared(self, name: str) -> bytes:
        """The 16-byte site key `name` as it is; raises KeyError where there is none.

        Whoever opens one card has it: fit for reading a hidden UID, never for proving who a card is.
        """


class MemoryKeys:
    """Keys given in code: for the demo and for tests."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Raises ReaderError where one is not 16 bytes."""
        if any(len(key) != KEY_SIZE for key in keys.values()):
            raise ReaderError(f"An AES-128 key has {KEY_SIZE} bytes")
        self._keys = dict(keys)

    def shared(self, name: str) -> bytes:
        """The key as given; raises KeyUnavailable."""
        if name not in self._keys:
            raise KeyUnavailable(f'There is no key "{name}"')
        return self._keys[name]

    def diversified(self, name: str, diversification: bytes) -> bytes:
        """One card's key (AN10922); raises KeyUnavailable."""
        return diversify(self.shared(name), diversification)

    def __repr__(self) -> str:
        return f"MemoryKeys({', '.join(sorted(self._keys))})"


class KeyFiles:
    """Keys in a directory, read anew for each use so that a changed key counts at the next tap."""

    def __init__(self, directory: Path, *, forbidden: int = GROUP_AND_OTHERS) -> None:
        """`forbidden`: the permission bits that no key file may have."""
        self._directory = directory
        self._forbidden = forbidden

    @classmethod
    def from_credentials(cls, environment: Mapping[str, str] = os.environ) -> "KeyFiles":
        """The directory in $CREDENTIALS_DIRECTORY; raises KeyUnavailable where the variable is not set.

        Credentials may carry an access list for the service's user, whose mask shows as group permission.
        """
        directory = environment.get(CREDENTIALS_DIRECTORY, "")
        if not directory:
            raise KeyUnavailable(f"${CREDENTIALS_DIRECTORY} is not set")
        return cls(Path(directory), forbidden=OTHERS)

    def shared(self, name: str) -> bytes:
        """The key in "<name>.key"; raises KeyUnavailable for one that is missing, open to others, or no key."""
        if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise KeyUnavailable("A key's name is made of letters, digits, - and _")
        path = self._directory / (name + SUFFIX)
        try:
            return _read_key(path, self._forbidden)
        except OSError as error:
            raise KeyUnavailable(f"{path.name}: {error.strerror}") from None

    def diversified(self, name: str, diversification: bytes) -> bytes:
        """One card's key (AN10922); raises KeyUnavailable."""
        return diversify(self.shared(name), diversification)

    def __repr__(self) -> str:
        return f"KeyFiles({str(self._directory)!r})"


def _read_key(path: Path, forbidden: int) -> bytes:
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise KeyUnavailable(f"{path.name}: not a file")
        if status.st_mode & forbidden:
            raise KeyUnavailable(f"{path.name}: others may read it; set its mode to 0600")
        if status.st_uid not in (os.geteuid(), 0):
            raise KeyUnavailable(f"{path.name}: it belongs to somebody else")
        content = file.read(MAX_FILE_SIZE)
    key = _from_hexadecimal(content)
    # Raised out here, for an error of the decoder holds what it could not decode, and stays behind as the context.
    if key is None:
        raise KeyUnavailable(f"{path.name}: not hexadecimal")
    if len(key) != KEY_SIZE:
        raise KeyUnavailable(f"{path.name}: not {KEY_SIZE} bytes")
    if len(set(key)) == 1:
        raise KeyUnavailable(f"{path.name}: one byte over and over, as cards leave the factory; make a key of your own")
    return key


def _from_hexadecimal(content: bytes) -> bytes | None:
    try:
        return bytes.fromhex(content.decode("ascii"))
    except ValueError:
        return None
