"""A file beside the trail on which its writers lock: who makes it, who moves the key, who is alive.

Open file description locks (fcntl(2), Linux): the kernel lets them go when their holder dies, however it dies, and
closing another descriptor of the same file does not.
"""

import fcntl
import os
import secrets
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kiosk.errors import TrailError

MAKING: Final = 0
KEY: Final = 1
DAEMON: Final = 2
FIRST_WRITER: Final = 1 << 20
LAST_WRITER: Final = 1 << 53
PATIENCE: Final = 10.0
RETRY: Final = 0.01
FLOCK: Final = "hhqqi4x"  # struct flock: type, whence, start, length, pid


def new_writer() -> int:
    """A number that no other writer has."""
    return FIRST_WRITER + secrets.randbelow(LAST_WRITER - FIRST_WRITER)


class LockFile:
    """Locks on single octets of one file. `take` waits for seconds at most; `try_take` does not wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def open(self) -> None:
        """Opens the file, making it (0600) when there is none; raises OSError."""
        if self._handle is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._handle = os.open(self._path, flags, 0o600)

    def close(self) -> None:
        """Lets every lock go."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def try_take(self, place: int) -> bool:
        """Locks one octet until it is let go or the file is closed; False when somebody else has it. Raises OSError."""
        try:
            fcntl.fcntl(self._opened(), fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK, place))
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, as fcntl(2) has it
            return False
        return True

    def let_go(self, place: int) -> None:
        """Ends the lock of one octet."""
        fcntl.fcntl(self._opened(), fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, place))

    @contextmanager
    def held(self, place: int) -> Iterator[None]:
        """Waits until one octet is ours, for the block; raises TrailError when that takes too long."""
        deadline = time.monotonic() + PATIENCE
        while not self.try_take(place):
            if time.monotonic() > deadline:
                raise TrailError("Another process holds the audit trail.")
            time.sleep(RETRY)
        try:
            yield
        finally:
            self.let_go(place)

    def is_held_elsewhere(self, place: int) -> bool:
        """Whether somebody else holds that octet now."""
        asked = fcntl.fcntl(self._opened(), fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, place))
        return bool(struct.unpack(FLOCK, asked)[0] != fcntl.F_UNLCK)

    def _opened(self) -> int:
        if self._handle is None:
            raise TrailError("The audit trail is not open.")
        return self._handle


def _flock(kind: int, place: int) -> bytes:
    return struct.pack(FLOCK, kind, os.SEEK_SET, place, 1, 0)
