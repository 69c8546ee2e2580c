"""What the trail asks of the file system: room, no other readers, durability of names."""

import os
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600
OTHERS: Final = 0o077


def free_bytes(directory: Path) -> int:
    """What an ordinary user may still write on the file system of `directory`, in bytes; raises OSError."""
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def make_private(path: Path) -> None:
    """Makes the file when there is none, and takes it from group and others when they have it; raises OSError.

    Call it before SQLite opens the file: closing any descriptor of a file drops the POSIX locks a process has on it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        mode = os.fstat(descriptor).st_mode & 0o777
        if mode & OTHERS:
            os.fchmod(descriptor, mode & ~OTHERS)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Makes the names in a directory durable; raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
