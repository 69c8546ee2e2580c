"""A file that only takes room: what is let go when the disk is full, so that one more record fits."""

import os
from pathlib import Path


class Ballast:
    """`size` octets of disk that nobody else can have; 0 for none."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def fill(self) -> None:
        """Takes the room, unless it is taken; raises OSError when there is none."""
        if not self._size:
            return
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(handle).st_blocks * 512 < self._size:
                os.posix_fallocate(handle, 0, self._size)
        except OSError:
            os.ftruncate(handle, 0)
            raise
        finally:
            os.close(handle)

    def drop(self) -> None:
        """Gives the room back; raises OSError."""
        if self._size and self._path.exists():
            os.truncate(self._path, 0)
