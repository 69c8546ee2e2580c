"""A trail that is only read: a copy on another machine, or the kiosk's own while it runs."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from kiosk.audit import reading, retained, store
from kiosk.audit.boundary import Beginning
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.record import Head, Record
from kiosk.audit.segment import Segment
from kiosk.errors import TrailError

Answer = TypeVar("Answer")

BUSY_SECONDS: Final = 5.0


class ReadOnlyTrail:
    """Implements `TrailReader`: reads a trail without changing it or the directory it lies in. Every method may
    raise TrailError.

    A file without a write-ahead log is read as it is; one whose log a kiosk has open is read beside the kiosk;
    a copied file with a copied log is read from a private copy of both.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path).absolute()
        self._connection: sqlite3.Connection | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def connection(self) -> sqlite3.Connection:
        """The open file, for the verifier."""
        if self._connection is None:
            raise TrailError("The audit trail is not open.")
        return self._connection

    def open(self) -> None:
        """Opens the file and reads whose trail it is; raises TrailError when it is none or cannot be read."""
        try:
            self._connection = self._connect()
            store.identity(self._connection)
        except (*store.DATABASE_ERRORS, OSError) as error:
            self.close()
            raise TrailError(f"The audit trail {self._path.name} cannot be read: {_reason(error)}.") from error
        except TrailError:
            self.close()
            raise

    def close(self) -> None:
        """Lets the file go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.cleanup()

    def __enter__(self) -> "ReadOnlyTrail":
        if self._connection is None:
            self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def identity(self) -> store.Identity:
        """Whose trail this is."""
        return self._read(store.identity)

    def beginning(self) -> Beginning:
        """What comes before its first record."""
        return self._read(store.beginning)

    def head(self) -> Head:
        """The last record's place and hash as the file gives them."""
        return self._read(store.head)

    def read(self, first: int = 1, last: int | None = None) -> Iterator[Record]:
        """Records `first` to `last`, or to the one that is last when the reading begins."""
        end, first = self.head().sequence, max(first, self.beginning().sequence + 1)
        for start, stop in store.stretches(first, end if last is None else min(last, end)):
            yield from self._stretch(start, stop)

    @property
    def uri(self) -> str:
        """The file's address."""
        return self._path.as_uri()

    def page(self, first: int, limit: int = store.BATCH) -> tuple[Record, ...]:
        """At most `limit` records from `first` on."""
        return self._read(lambda connection: reading.page(connection, first, limit))

    def rows(self, first: int, limit: int = store.BATCH) -> tuple[store.Row, ...]:
        """As `page`, as they are stored."""
        return self._read(lambda connection: tuple(store.page(connection, first, limit)))

    def checkpoints(self, first: int = 1) -> Iterator[Checkpoint]:
        """Checkpoints from number `first` on."""
        while found := self.checkpoint_rows(first):
            yield from map(reading.checkpoint_of, found)
            first = found[-1].number + 1

    def checkpoint_rows(self, first: int, limit: int = store.BATCH) -> tuple[store.CheckpointRow, ...]:
        """At most `limit` checkpoints from number `first` on, as they are stored."""
        return self._read(lambda connection: tuple(store.checkpoint_rows(connection, first, min(limit, store.BATCH))))

    def segments(self) -> tuple[Segment, ...]:
        """Every segment that was ever sealed."""
        return self._read(lambda connection: tuple(map(reading.segment_of, retained.segments(connection))))

    def open_intents(self) -> tuple[Record, ...]:
        """Intents that no outcome followed, oldest first."""

        def question(connection: sqlite3.Connection) -> tuple[Record, ...]:
            connection.execute("BEGIN")  # notes and records of one moment, whatever a kiosk appends meanwhile
            try:
                return reading.open_intents(connection)
            finally:
                connection.execute("ROLLBACK")

        return self._read(question)

    def _stretch(self, start: int, stop: int) -> tuple[Record, ...]:
        return self._read(lambda connection: tuple(reading.records(connection, start, stop)))

    def _connect(self) -> sqlite3.Connection:
        log, index = self._beside("-wal"), self._beside("-shm")
        if not self._path.is_file():
            raise TrailError(f"There is no audit trail at {self._path}.")
        if not log.exists() or log.stat().st_size == 0:
            # Without a log nothing is pending in the file, so it may be read without locks, which leaves no trace.
            if not index.exists():
                return _open(self._path, "mode=ro&immutable=1")
        elif not index.exists():
            return self._connect_copy(log)
        try:
            return _open(self._path, "mode=ro")
        except sqlite3.OperationalError:
            return self._connect_copy(log)

    def _connect_copy(self, log: Path) -> sqlite3.Connection:
        self._copy = tempfile.TemporaryDirectory(prefix="trail-")
        copied = Path(self._copy.name) / self._path.name
        shutil.copyfile(self._path, copied)
        if log.exists():
            shutil.copyfile(log, copied.with_name(log.name))
        return _open(copied, "mode=rw")

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    def _read(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            return question(self.connection)
        except store.DATABASE_ERRORS as error:
            raise TrailError(f"The audit trail {self._path.name} cannot be read: {_reason(error)}.") from error


def _open(path: Path, parameters: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?{parameters}", uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except store.DATABASE_ERRORS:
        connection.close()
        raise
    return connection


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
