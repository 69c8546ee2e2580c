"""The SQLite file under the outbox: opened, brought up to date, and every failure of it named."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Final

from kiosk.errors import KioskError, StorageFull
from kiosk.imaging.outbox_schema import PRAGMAS, STEPS

_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


class OutboxFile:
    """One SQLite file, mode 0600. Methods may be called from any thread; they raise StorageFull when the disk takes no
    more and KioskError for whatever else is wrong with the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Opens or makes the file, with the tables of this version of the kiosk."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise KioskError(f"The outbox cannot be opened: {error.strerror}.") from error
        with self._lock:
            try:
                self._database = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
                for pragma in PRAGMAS:
                    self._database.execute(pragma)
            except sqlite3.Error as error:
                self.close()
                raise _trouble(error) from error
        try:
            self._bring_up_to_date()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets the file go."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """For looking; nobody changes anything meanwhile."""
        with self._lock:
            database = self._opened()
            try:
                yield database
            except sqlite3.Error as error:
                raise _trouble(error) from error

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: on the disk when it ends, or not at all."""
        with self.read() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    def _bring_up_to_date(self) -> None:
        with self.change() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > len(STEPS):
                raise KioskError("The outbox was written by a newer version of the kiosk.")
            for step in STEPS[version:]:
                for statement in step:
                    database.execute(statement)
            database.execute(f"PRAGMA user_version = {len(STEPS)}")

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise KioskError("The outbox is closed.")
        return self._database


def _trouble(error: sqlite3.Error) -> KioskError:
    # The lowest byte is the primary code of an extended one.
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _FULL:
        return StorageFull("The disk is full: the outbox takes nothing more.")
    return KioskError(f"The outbox cannot be used ({getattr(error, 'sqlite_errorname', type(error).__name__)}).")
