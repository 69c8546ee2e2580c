"""A folder of received objects under names of our own: what a peer or a file says never becomes a path."""

import errno
import fcntl
import os
import re
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from kiosk.errors import KioskError, StorageFull, UnreadableObject

RESERVE_BYTES: Final = 256 * 1024 * 1024
CHECK_EVERY: Final = 16 * 1024 * 1024

_NAME: Final = re.compile(r"[0-9a-f]{32}\Z")
_PARTIAL: Final = re.compile(r"[0-9a-f]{32}\.part\Z")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


class Spool:
    """Files in one folder, mode 0600, named by 32 random hexadecimal digits. `reserve` bytes of the disk stay free.

    Methods raise StorageFull when the reserve is reached and UnreadableObject for a name that is not in the spool.
    """

    def __init__(self, folder: Path, reserve: int = RESERVE_BYTES, durable: bool = False) -> None:
        self.folder = folder
        self.reserve = reserve
        self.durable = durable

    def prepare(self) -> None:
        """Makes the folder, mode 0700. Its owner does this; a spool that was wiped does not come back by itself."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self) -> "SpoolFile":
        """A new file to write to: `with spool.create() as file: file.write(...); name = file.commit()`."""
        return SpoolFile(self)

    def open(self, name: str) -> BinaryIO:
        """A spooled file for reading."""
        with _Folder(self) as folder:
            return os.fdopen(folder.open_file(_checked(name), os.O_RDONLY), "rb")

    def path(self, name: str) -> Path:
        """The path of a spooled file, for readers that need one; it is a regular file of this folder."""
        with _Folder(self) as folder:
            os.close(folder.open_file(_checked(name), os.O_RDONLY))
        return self.folder / name

    def size(self, name: str) -> int:
        """Bytes of a spooled file."""
        with self.open(name) as file:
            return os.fstat(file.fileno()).st_size

    def remove(self, name: str) -> None:
        """Forgets a file; one that is gone already is no error."""
        with _Folder(self) as folder:
            folder.unlink(_checked(name))

    def names(self) -> tuple[str, ...]:
        """What lies in the spool, unfinished files not counted."""
        try:
            return tuple(sorted(name for name in os.listdir(self.folder) if _NAME.match(name)))
        except FileNotFoundError:
            return ()

    def sweep(self) -> None:
        """Removes unfinished files that nobody writes any more: what a killed worker was in the middle of."""
        try:
            with _Folder(self) as folder:
                for name in os.listdir(folder.descriptor):
                    if _PARTIAL.match(name):
                        folder.unlink_unless_held(name)
        except UnreadableObject:
            return

    def wipe(self) -> None:
        """Removes every file of the spool and the folder, unless something else lies in it."""
        try:
            with _Folder(self) as folder:
                for name in os.listdir(folder.descriptor):
                    if _NAME.match(name) or _PARTIAL.match(name):
                        folder.unlink(name)
            self.folder.rmdir()
        except (FileNotFoundError, UnreadableObject):
            return
        except OSError:
            return

    def check_room(self, size: int = 0) -> None:
        """Raises StorageFull when `size` more bytes would touch the reserve."""
        try:
            disk = os.statvfs(self.folder)
        except OSError as error:
            raise UnreadableObject("The spool is gone.") from error
        if disk.f_bavail * disk.f_frsize < self.reserve + size:
            raise StorageFull("The disk is nearly full: nothing more can be received.")


class SpoolFile:
    """A file in the making, locked for as long. Leaving the `with` without `commit` removes it."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._name = secrets.token_hex(16)
        self._folder = _Folder(spool)
        self._file: BinaryIO | None = None
        self._unchecked = 0
        self.size = 0

    def __enter__(self) -> "SpoolFile":
        self._spool.check_room()
        self._folder.open()
        try:
            self._file = os.fdopen(self._folder.make_file(self._partial), "w+b", buffering=0)
        except BaseException:
            self._folder.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._folder.unlink(self._partial)
        self._folder.close()

    @property
    def _partial(self) -> str:
        return self._name + ".part"

    @property
    def stream(self) -> BinaryIO:
        """The file itself, for a look at what was written."""
        if self._file is None:
            raise ValueError("the spool file is not open")
        return self._file

    def write(self, data: bytes | memoryview) -> None:
        """Appends; raises StorageFull when the disk comes under its reserve."""
        self._unchecked += len(data)
        if self._unchecked >= CHECK_EVERY:
            self._spool.check_room(len(data))
            self._unchecked = 0
        view = memoryview(data)
        try:
            while view:
                written = self.stream.write(view)
                self.size += written
                view = view[written:]
        except OSError as error:
            raise StorageFull("The disk did not take what was received.") from error

    def write_all(self, pieces: list[memoryview]) -> None:
        """Appends them one after the other, at once: large writes cost less."""
        count = sum(len(piece) for piece in pieces)
        try:
            written = os.writev(self.stream.fileno(), pieces)
        except OSError as error:
            raise StorageFull("The disk did not take what was received.") from error
        if written < count:
            self.size += written
            self.write(b"".join(pieces)[written:])
            return
        self.size += written
        self._unchecked += written
        if self._unchecked >= CHECK_EVERY:
            self._unchecked = 0
            self._spool.check_room()

    def commit(self) -> str:
        """Makes the file appear under its name, whole, and on the disk if the spool is durable; returns the name."""
        try:
            if self._spool.durable:
                os.fsync(self.stream.fileno())
            self._folder.rename(self._partial, self._name)
            if self._spool.durable:
                os.fsync(self._folder.descriptor)
        except OSError as error:
            raise _trouble(error, "The spool is gone.") from error
        self.stream.close()
        self._file = None
        return self._name


class _Folder:
    """The spool's folder, opened: every name is taken relative to it, and links are not followed."""

    def __init__(self, spool: Spool) -> None:
        self._path = spool.folder
        self.descriptor = -1

    def open(self) -> None:
        try:
            self.descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise UnreadableObject("The spool is gone.") from error

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> "_Folder":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open_file(self, name: str, flags: int) -> int:
        try:
            descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self.descriptor)
        except OSError as error:
            raise UnreadableObject("The file is not in the spool any more.") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise UnreadableObject("The spool holds something that is no file.")
        return descriptor

    def make_file(self, name: str) -> int:
        """A new one. The lock says that somebody writes it, until the descriptor is closed or its process has died."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            try:
                descriptor = os.open(name, flags, 0o600, dir_fd=self.descriptor)
            except OSError as error:
                raise _trouble(error, "The spool is gone.") from error
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor
            # Somebody swept it away before it was locked.
            os.close(descriptor)

    def unlink_unless_held(self, name: str) -> None:
        """Removes an unfinished file that nobody writes."""
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.descriptor)
        except OSError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.unlink(name)
        except BlockingIOError:
            return
        finally:
            os.close(descriptor)

    def unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)


def _trouble(error: OSError, otherwise: str) -> KioskError:
    """A disk that takes no more is told apart from whatever else keeps a file from being there."""
    if error.errno in _FULL:
        return StorageFull("The disk did not take what was received.")
    return UnreadableObject(otherwise)


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise UnreadableObject("That is no name of a spooled file.")
    return name
