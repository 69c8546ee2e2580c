"""A file that grows by a line a message. Whoever reads it rotates it by renaming: the next message makes a new one."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kiosk.audit.disk import sync_directory
from kiosk.audit.forward.sink import Sink

MODE: Final = 0o640


class FileChannel:
    """Implements `Channel`; what is on the disk has arrived."""

    proves_at_close = False

    def __init__(self, sink: Sink, path: Path) -> None:
        self._sink = sink
        self._path = path
        self._ended = threading.Event()
        self.confirmed = 0

    @classmethod
    def open(cls, sink: Sink) -> "FileChannel":
        """Nothing is opened yet: each batch opens the file anew, so that a rename is noticed."""
        if sink.path is None:
            raise sink.error("it has no path. Name one in the configuration.")
        return cls(sink, sink.path)

    def send(self, messages: Sequence[bytes]) -> None:
        """Appends and syncs; on failure nothing of the batch stays."""
        try:
            self._append(b"".join(message + b"\n" for message in messages))
        except OSError as error:
            raise self._sink.error(
                f"{self._path} cannot be written: {error.strerror}. Make room, or mend it."
            ) from None
        self.confirmed += len(messages)

    def attend(self, seconds: float) -> None:
        """A file says nothing."""
        self._ended.wait(seconds)

    def close(self) -> None:
        """Nothing is open."""

    def abort(self) -> None:
        """Ends a waiting."""
        self._ended.set()

    def _append(self, lines: bytes) -> None:
        is_new = not self._path.exists()
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # what a power cut tore stays a line of its own
            try:
                rest = memoryview(lines)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        if is_new:
            sync_directory(self._path.parent)
