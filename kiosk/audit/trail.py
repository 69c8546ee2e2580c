"""The trail: one chained, append-only file, whose writers take turns."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Final

from kiosk.audit import reading, store
from kiosk.audit.canonical import encode_body
from kiosk.audit.chain import link
from kiosk.audit.disk import free_bytes, make_private, sync_directory
from kiosk.audit.message import AuditSource
from kiosk.audit.read_only import ReadOnlyTrail
from kiosk.audit.record import Entry, Head, Phase, Receipt, Record
from kiosk.clock import Clock
from kiosk.errors import TrailError

RESERVE_BYTES: Final = 64 * 1024 * 1024
TAIL: Final = 256
BUSY_SECONDS: Final = 2.0
CLOCK_TOLERANCE: Final = timedelta(seconds=60)
PRIVATE_DIRECTORY: Final = 0o700


class Trail:
    """Appends entries durably and in one order. Any thread may use it, and several processes that know its kiosk id:
    each takes the lock for one append, and chains what others appended meanwhile before it adds its own.

    Whatever fails while appending raises TrailError with a sentence for the screen; from then on every append is
    refused until `reopen()` has gone through.
    """

    def __init__(
        self,
        path: Path | str,
        kiosk_id: str,
        source: AuditSource,
        clock: Clock,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._path = Path(path).absolute()
        self._kiosk_id = kiosk_id
        self._source = source
        self._clock = clock
        self._reserve_bytes = reserve_bytes
        self._mutex = RLock()
        self._connection: sqlite3.Connection | None = None
        self._head: Head | None = None
        self._last_time: datetime | None = None
        self._failure = "The audit trail is not open."

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @staticmethod
    def read_only(path: Path | str) -> ReadOnlyTrail:
        """A trail to read, open: a copy on another machine, or the kiosk's own while it runs. Raises TrailError."""
        trail = ReadOnlyTrail(path)
        trail.open()
        return trail

    def open(self) -> None:
        """Takes the file, making it (0600, in a directory 0700) when there is none.

        Raises TrailError when it belongs to another kiosk, when its last records do not chain up to its head, when the
        disk is under its reserve, or when the clock stands before the last record.
        """
        with self._mutex:
            if self._connection is not None:
                return
            try:
                self._take()
            except (*store.DATABASE_ERRORS, OSError, TrailError) as error:
                self._let_go()
                self._failure = _sentence("opened", error)
                raise TrailError(self._failure) from error
            self._failure = ""

    def reopen(self) -> None:
        """Opens the file anew after a failure; raises TrailError as `open` does, and the trail stays failed."""
        with self._mutex:
            self.close()
            self.open()

    def close(self) -> None:
        """Lets the file go."""
        with self._mutex:
            self._let_go()
            self._failure = "The audit trail is not open."

    def __enter__(self) -> "Trail":
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def append(self, entry: Entry) -> Receipt:
        """Makes the entry the next record; it is on the disk when this returns. Raises TrailError."""
        with self._mutex:
            if self._failure or self._connection is None or self._head is None:
                raise TrailError(self._failure)
            now = self._clock.now()
            body = encode_body(entry, now, self._source)
            try:
                self._require_room()
                with _transaction(self._connection):
                    head = self._catch_up(self._connection, self._head)
                    self._require_time(now)
                    sequence = head.sequence + 1
                    row = store.Row(sequence, body, link(head.hash, sequence, body))
                    _write(self._connection, row, entry)
            except (*store.DATABASE_ERRORS, OSError, TrailError) as error:
                self._failure = _sentence("written", error)
                raise TrailError(self._failure) from error
            self._head = Head(row.sequence, row.hash)
            self._last_time = now
            return Receipt(row.sequence, row.hash, now)

    def head(self) -> Head:
        """Place and hash of the last record seen from here; raises TrailError when the trail is not open."""
        with self._mutex:
            if self._head is None:
                raise TrailError(self._failure)
            return self._head

    def read(self, first: int = 1, last: int | None = None) -> Iterator[Record]:
        """Records `first` to `last`, or to the one that is last when the reading begins. Raises TrailError.

        Appending goes on while somebody reads.
        """
        end = self.head().sequence
        for start, stop in store.stretches(max(first, 1), end if last is None else min(last, end)):
            with self._mutex, _as_trail_error("read"):
                stretch = tuple(reading.records(self._opened(), start, stop))
            yield from stretch

    def open_intents(self) -> tuple[Record, ...]:
        """Intents that no outcome followed, oldest first: what a crash left open. Raises TrailError."""
        with self._mutex, _as_trail_error("read"):
            return reading.open_intents(self._opened())

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise TrailError(self._failure)
        return self._connection

    def _take(self) -> None:
        self._path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        make_private(self._path)
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=32
        )
        self._connection = connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        if store.is_empty(connection):
            store.create(connection, store.Identity(self._kiosk_id, secrets.token_bytes(store.NONCE_SIZE)))
            sync_directory(self._path.parent)
        identity = store.identity(connection)
        if identity.kiosk_id != self._kiosk_id:
            raise TrailError(f"The audit trail belongs to the kiosk {identity.kiosk_id}, not to {self._kiosk_id}.")
        if not store.schema_is_whole(connection):
            raise TrailError("The audit trail has lost what keeps it from being changed.")
        self._head = store.head(connection)
        self._last_time = self._check_tail(connection, self._head)
        self._require_room()
        self._require_time(self._clock.now())

    def _check_tail(self, connection: sqlite3.Connection, head: Head) -> datetime | None:
        """Chains the last records up to the head; gives the last one's time."""
        if connection.execute("SELECT max(sequence) FROM record").fetchone() != (head.sequence or None,):
            raise TrailError(f"The audit trail does not end where its head says, at record {head.sequence}.")
        start = max(head.sequence - TAIL + 1, 1)
        value, time = store.hash_before(connection, start), None
        for row in store.rows(connection, start, head.sequence):
            if link(value, row.sequence, row.body) != row.hash:
                raise TrailError(f"The audit trail is broken at record {row.sequence}.")
            if row.sequence == head.sequence:
                time = reading.record_of(row, value).time
            value = row.hash
        if value != head.hash:
            raise TrailError(f"The audit trail's head does not match record {head.sequence}.")
        return time

    def _require_room(self) -> None:
        free = free_bytes(self._path.parent)
        if free < self._reserve_bytes:
            raise TrailError(
                f"The disk of the audit trail is nearly full: {free >> 20} MiB left, {self._reserve_bytes >> 20} kept."
            )

    def _require_time(self, now: datetime) -> None:
        if self._last_time is not None and now < self._last_time - CLOCK_TOLERANCE:
            behind = int((self._last_time - now).total_seconds())
            raise TrailError(f"The clock stands {behind} s before the last record of the audit trail.")

    def _catch_up(self, connection: sqlite3.Connection, known: Head) -> Head:
        """The head as it is now, reached link by link from the one we knew: another writer's records, or a forgery."""
        now = store.head(connection)
        value = known.hash
        for start, stop in store.stretches(known.sequence + 1, now.sequence):
            for row in store.rows(connection, start, stop):
                if link(value, row.sequence, row.body) != row.hash:
                    raise TrailError(f"Something else has written to the audit trail, at record {row.sequence}.")
                self._last_time = reading.record_of(row, value).time
                value = row.hash
        if now.sequence < known.sequence or value != now.hash:
            raise TrailError("Something else has written to the audit trail.")
        return now

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        self._head = self._last_time = None
        if connection is not None:
            connection.close()


def _write(connection: sqlite3.Connection, row: store.Row, entry: Entry) -> None:
    store.insert(connection, row)
    if entry.phase is Phase.INTENT:
        store.open_intent(connection, row.sequence, entry.act_id)
    elif entry.phase is Phase.OUTCOME:
        store.close_intent(connection, entry.act_id)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _as_trail_error(verb: str) -> Iterator[None]:
    try:
        yield
    except (*store.DATABASE_ERRORS, OSError) as error:
        raise TrailError(_sentence(verb, error)) from error


def _sentence(verb: str, error: Exception) -> str:
    if isinstance(error, TrailError):
        return str(error)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"The audit trail cannot be {verb}: {reason}."
