"""Secrets: from systemd's credential directory, else from files that only the kiosk's user reads. Never from TOML."""

import os
import re
import secrets
import stat
from pathlib import Path

from kiosk.errors import ConfigError

SECRET_BYTES = 32
CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def load_or_create_secret(directory: Path, name: str) -> bytes:
    """The 32-byte secret of that name: $CREDENTIALS_DIRECTORY/name when that variable is set, else directory/name.

    `directory` is the folder of keys (state/keys); it and the file are made when absent. A file holds 32 raw bytes
    or 64 hexadecimal digits. Raises ConfigError, never with the contents, for anything that others could have read
    or changed; a credential directory without the file is an error too, not a reason to invent a new secret.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError("A secret's name has small letters, digits, dots, dashes and underscores.")
    credentials = os.environ.get(CREDENTIALS_DIRECTORY, "")
    try:
        if credentials:
            # systemd grants a service's user access by an ACL, whose mask shows as group bits: 0440 is right here.
            return _read(Path(credentials) / name, forbidden=0o027)
        _make_private_folder(directory)
        path = directory / name
        if not path.is_symlink() and not path.exists():
            _create(path)
        return _read(path, forbidden=0o077)
    except OSError as error:
        raise ConfigError(f"The secret {name} cannot be read: {error.strerror}.") from None


def _make_private_folder(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigError(f"{directory} is not a folder.")
    if status.st_mode & 0o022 or status.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{directory} can be changed by others; its mode must be 0700.")


def _create(path: Path) -> None:
    """Appears whole or not at all; of two that create it at once the first wins and both read the same."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.write(handle, secrets.token_bytes(SECRET_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path, forbidden: int) -> bytes:
    """Opens first and judges what was opened, so that nothing can be swapped in between."""
    if path.is_symlink():
        raise ConfigError(f"{path} is a symbolic link.")
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{path} is not a plain file.")
        if status.st_mode & forbidden:
            raise ConfigError(f"{path} is open to others; its mode must be 0600.")
        if status.st_uid not in (os.geteuid(), 0):
            raise ConfigError(f"{path} belongs to another user.")
        return _decoded(file.read(4 * SECRET_BYTES), path)


def _decoded(raw: bytes, path: Path) -> bytes:
    if len(raw) == SECRET_BYTES:
        return raw
    text = raw.rstrip(b"\r\n")
    if len(text) == 2 * SECRET_BYTES:
        try:
            return bytes.fromhex(text.decode("ascii"))
        except ValueError:
            pass
    raise ConfigError(f"{path} must hold {SECRET_BYTES} bytes, or {2 * SECRET_BYTES} hexadecimal digits.")
