"""Makes the site's card keys: a file each, out of the operating system's randomness, and never one in place of another.

A key that is overwritten takes every card with it that was issued under it.
"""

import os
import secrets
from pathlib import Path

from readers.credentials.aes import KEY_SIZE
from readers.credentials.aes_keys import SUFFIX
from readers.errors import ReaderError


def make_key(folder: Path, name: str) -> bool:
    """ "<name>.key" in `folder`, which is made when absent; False where it is there already, whatever it holds.

    The file is its owner's alone, whole or not there at all, and on the disk when this returns. Raises ReaderError.
    """
    path = folder / (name + SUFFIX)
    draft = folder / f".{path.name}.{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.path.lexists(path):
            return False
        try:
            _write(draft, os.urandom(KEY_SIZE))
            os.link(draft, path)
        except FileExistsError:  # somebody else was quicker
            return False
        finally:
            draft.unlink(missing_ok=True)
        _settle(folder)
    except OSError as error:
        raise ReaderError(f"{path} cannot be made: {error.strerror}") from None
    return True


def _write(path: Path, key: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(key.hex().encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
