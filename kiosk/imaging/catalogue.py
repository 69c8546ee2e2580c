"""The local catalogue: which instances of which series lie in a session's spool, until the session ends.

It is SQL in memory: what it says of patients is never on a disk and does not outlive the process.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Final

import msgspec

from kiosk.imaging.studies.model import Series, Study

_TABLES: Final = (
    """
    CREATE TABLE series (
        session TEXT NOT NULL,
        series_instance_uid TEXT NOT NULL,
        study_instance_uid TEXT NOT NULL,
        study BLOB NOT NULL,
        series BLOB NOT NULL,
        came REAL NOT NULL,
        used REAL NOT NULL,
        PRIMARY KEY (session, series_instance_uid)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE instance (
        session TEXT NOT NULL,
        series_instance_uid TEXT NOT NULL,
        file TEXT NOT NULL,
        sop_instance_uid TEXT NOT NULL,
        sop_class_uid TEXT NOT NULL,
        transfer_syntax_uid TEXT NOT NULL,
        size INTEGER NOT NULL,
        PRIMARY KEY (session, series_instance_uid, file),
        FOREIGN KEY (session, series_instance_uid) REFERENCES series ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID
    """,
)


@dataclass(frozen=True)
class Keep:
    """How long a series that nobody looks at is kept in a session, and how many bytes a session may keep."""

    seconds: float = 8 * 3600.0
    size: int = 50 * 10**9


@dataclass(frozen=True)
class KeptInstance:
    """One instance in the session's spool, under `file`."""

    file: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    size: int


@dataclass(frozen=True)
class KeptSeries:
    """A series of which something is here: how many files, and how many bytes they are."""

    study: Study
    series: Series
    instances: int
    size: int


class Catalogue:
    """Thread-safe. Sessions do not see each other. `monotonic` gives seconds; ages are measured by it."""

    def __init__(self, monotonic: Callable[[], float], keep: Keep | None = None) -> None:
        self._monotonic = monotonic
        self._keep = keep or Keep()
        self._lock = RLock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        for statement in (
            "PRAGMA foreign_keys = ON",
            "PRAGMA secure_delete = ON",
            "PRAGMA temp_store = MEMORY",
            *_TABLES,
        ):
            self._database.execute(statement)

    def close(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._database.close()

    def add(self, session: str, study: Study, series: Series, instance: KeptInstance) -> None:
        """An instance of the series lies in the session's spool."""
        now, uid = self._monotonic(), series.series_instance_uid
        with self._change() as database:
            database.execute(
                "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET used = excluded.used, series = excluded.series",
                (session, uid, study.study_instance_uid, _packed(study), _packed(series), now, now),
            )
            database.execute(
                "INSERT OR REPLACE INTO instance VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    session, uid, instance.file, instance.sop_instance_uid, instance.sop_class_uid,
                    instance.transfer_syntax_uid, instance.size,
                ),
            )  # fmt: skip

    def instances(self, session: str, series_instance_uid: str) -> tuple[KeptInstance, ...]:
        """What is here of a series; it counts as used."""
        with self._lock:
            self.use(session, series_instance_uid)
            rows = self._database.execute(
                "SELECT file, sop_instance_uid, sop_class_uid, transfer_syntax_uid, size FROM instance"
                " WHERE session = ? AND series_instance_uid = ? ORDER BY file",
                (session, series_instance_uid),
            )
            return tuple(KeptInstance(*row) for row in rows)

    def use(self, session: str, series_instance_uid: str) -> None:
        """Somebody looks at the series: its age begins anew."""
        with self._lock:
            self._database.execute(
                "UPDATE series SET used = ? WHERE session = ? AND series_instance_uid = ?",
                (self._monotonic(), session, series_instance_uid),
            )

    def series(self, session: str) -> tuple[KeptSeries, ...]:
        """Every series of which something is here, in the order in which they came."""
        with self._lock:
            rows = self._database.execute(
                "SELECT study, series, count(*), sum(size)"
                " FROM series JOIN instance USING (session, series_instance_uid)"
                " WHERE session = ? GROUP BY series_instance_uid ORDER BY came, series_instance_uid",
                (session,),
            )
            return tuple(
                KeptSeries(
                    msgspec.msgpack.decode(study, type=Study), msgspec.msgpack.decode(one, type=Series), *counted
                )
                for study, one, *counted in rows
            )

    def forget(self, session: str, series_instance_uid: str) -> tuple[str, ...]:
        """Takes a series out; the files that its owner has to remove."""
        with self._change() as database:
            key = (session, series_instance_uid)
            rows = database.execute("SELECT file FROM instance WHERE session = ? AND series_instance_uid = ?", key)
            files = tuple(file for (file,) in rows)
            database.execute("DELETE FROM series WHERE session = ? AND series_instance_uid = ?", key)
            return files

    def overdue(self, session: str, current: str = "") -> tuple[str, ...]:
        """The series to be forgotten: not used for too long, and those used longest ago while all are too large.

        The `current` one, which is being looked at, stays.
        """
        with self._lock:
            rows = self._database.execute(
                "SELECT series_instance_uid, used, coalesce(sum(size), 0) FROM series"
                " LEFT JOIN instance USING (session, series_instance_uid)"
                " WHERE session = ? GROUP BY series_instance_uid ORDER BY used, series_instance_uid",
                (session,),
            ).fetchall()
        total = sum(size for _, _, size in rows)
        oldest = self._monotonic() - self._keep.seconds
        due: list[str] = []
        for uid, used, size in rows:
            if uid != current and (used < oldest or total > self._keep.size):
                due.append(uid)
                total -= size
        return tuple(due)

    def sessions(self) -> tuple[str, ...]:
        """The sessions of which something is here."""
        with self._lock:
            return tuple(name for (name,) in self._database.execute("SELECT DISTINCT session FROM series"))

    def end(self, session: str) -> None:
        """The session is over: nothing of it stays."""
        with self._change() as database:
            database.execute("DELETE FROM series WHERE session = ?", (session,))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _packed(value: Study | Series) -> bytes:
    return msgspec.msgpack.encode(value)
