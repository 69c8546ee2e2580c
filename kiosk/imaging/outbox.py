"""The durable queue of what is to be pushed: every step is on the disk before it counts as done.

After a crash nothing that was sent is sent again and nothing that was fetched is fetched again.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Final

from kiosk.clock import Clock, SystemClock
from kiosk.errors import KioskError, StorageFull
from kiosk.imaging.calls import Received
from kiosk.imaging.outbox_job import ItemState, JobState, OutboxCounts, OutboxFailure, OutboxItem, OutboxJob
from kiosk.imaging.outbox_schema import PRAGMAS, TABLES, VERSION

_JOB: Final = (
    "job_id, owner, errand, archive, destination, study_instance_uid, series_instance_uids,"
    " state, sentence, attempts, due"
)
_ITEM: Final = (
    "job_id, sop_instance_uid, sop_class_uid, series_instance_uid, transfer_syntax_uid, file, size,"
    " state, reason, attempts"
)


class Outbox:
    """The queue in one SQLite file, mode 0600. Methods may be called from any thread.

    They raise StorageFull when the disk takes no more and KioskError for a job that is not there.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._lock = RLock()
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Opens or makes the file; what an earlier run was in the middle of waits to be taken up again."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        try:
            self._database = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            for pragma in PRAGMAS:
                self._database.execute(pragma)
        except sqlite3.Error as error:
            raise _trouble(error) from error
        with self._change() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise KioskError("The outbox was written by a newer version of the kiosk.")
            if version == 0:
                for table in TABLES:
                    database.execute(table)
                database.execute(f"PRAGMA user_version = {VERSION}")
            database.execute(
                "UPDATE job SET state = ?, due = NULL WHERE state IN (?, ?)",
                (JobState.WAITING.value, JobState.FETCHING.value, JobState.SENDING.value),
            )

    def close(self) -> None:
        """Lets the file go."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def new_job_id(self) -> str:
        """An id that no other job has."""
        return secrets.token_hex(8)

    def add(self, job: OutboxJob) -> None:
        """A new job; durable when this returns."""
        now = self._clock.now().timestamp()
        values = (
            job.job_id,
            job.owner,
            job.errand,
            job.archive,
            job.destination,
            job.study_instance_uid,
            json.dumps(job.series_instance_uids),
            job.state.value,
            job.sentence,
            job.attempts,
            job.due.timestamp() if job.due is not None else None,
        )
        with self._change() as database:
            database.execute(
                f"INSERT INTO job ({_JOB}, created, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 # our own column names
                (*values, now, now),
            )

    def plan(self, job_id: str, items: Sequence[OutboxItem]) -> None:
        """The instances of a job; those it has already stay as they are."""
        rows = [
            (
                job_id,
                item.sop_instance_uid,
                item.sop_class_uid,
                item.series_instance_uid,
                item.transfer_syntax_uid,
                item.file,
                item.size,
                item.state.value,
                item.reason,
                item.attempts,
            )
            for item in items
        ]
        with self._change() as database:
            _known(database, job_id)
            database.executemany(
                f"INSERT OR IGNORE INTO item ({_ITEM}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 # our own column names
                rows,
            )

    def job(self, job_id: str) -> OutboxJob:
        """One job; raises KioskError when there is none of that id."""
        with self._lock:
            return _job(_known(self._open(), job_id))

    def jobs(self, states: Sequence[JobState] = ()) -> tuple[OutboxJob, ...]:
        """Jobs in these states, all when none are named, oldest first."""
        wanted = {state.value for state in states or JobState}
        with self._lock:
            rows = self._open().execute(f"SELECT {_JOB} FROM job ORDER BY number").fetchall()  # noqa: S608 # our own column names
        return tuple(job for job in map(_job, rows) if job.state.value in wanted)

    def next_due(self, now: datetime) -> OutboxJob | None:
        """The oldest job that waits and whose pause is over."""
        with self._lock:
            row = (
                self._open()
                .execute(
                    f"SELECT {_JOB} FROM job WHERE state = ? AND (due IS NULL OR due <= ?) ORDER BY number LIMIT 1",  # noqa: S608 # our own column names
                    (JobState.WAITING.value, now.timestamp()),
                )
                .fetchone()
            )
        return _job(row) if row is not None else None

    def items(self, job_id: str) -> tuple[OutboxItem, ...]:
        """The instances of a job in the order they were planned."""
        with self._lock:
            rows = self._open().execute(
                f"SELECT {_ITEM} FROM item WHERE job_id = ? ORDER BY number",  # noqa: S608 # our own column names
                (job_id,),
            )
            return tuple(_item(row) for row in rows.fetchall())

    def counts(self, job_id: str) -> OutboxCounts:
        """How far a job is."""
        items = self.items(job_id)
        there = [item for item in items if item.state.is_there]
        failures = [item for item in items if item.state is ItemState.FAILED]
        return OutboxCounts(
            total=len(items),
            fetched=sum(bool(item.file) or item.state.is_there for item in items),
            sent=len(there),
            failed=len(failures),
            bytes_total=sum(item.size for item in items),
            bytes_sent=sum(item.size for item in there),
            failures=tuple(OutboxFailure(item.sop_instance_uid, item.reason) for item in failures),
        )

    def set_state(self, job_id: str, state: JobState, sentence: str = "") -> None:
        """Where the job stands now."""
        with self._change() as database:
            _known(database, job_id)
            database.execute(
                "UPDATE job SET state = ?, sentence = ?, due = NULL, changed = ? WHERE job_id = ?",
                (state.value, sentence, self._clock.now().timestamp(), job_id),
            )

    def put_off(self, job_id: str, due: datetime, sentence: str) -> None:
        """Waits until `due`; counts as one more attempt."""
        with self._change() as database:
            _known(database, job_id)
            database.execute(
                "UPDATE job SET state = ?, sentence = ?, due = ?, attempts = attempts + 1, changed = ?"
                " WHERE job_id = ?",
                (JobState.WAITING.value, sentence, due.timestamp(), self._clock.now().timestamp(), job_id),
            )

    def mark_fetched(self, job_id: str, received: Received) -> None:
        """The instance lies in the spool; what it is of is known now even where the archive's list did not say."""
        self._mark(
            "state = ?, reason = '', sop_class_uid = ?, transfer_syntax_uid = ?, file = ?, size = ?",
            (
                ItemState.FETCHED.value,
                received.sop_class_uid,
                received.transfer_syntax_uid,
                received.file,
                received.size,
            ),
            job_id,
            received.sop_instance_uid,
        )

    def mark_sent(self, job_id: str, sop_instance_uid: str, reason: str = "") -> None:
        """The destination has the instance; `reason` is its warning."""
        state = ItemState.WARNED if reason else ItemState.SENT
        self._mark("state = ?, reason = ?, attempts = attempts + 1", (state.value, reason), job_id, sop_instance_uid)

    def mark_failed(self, job_id: str, sop_instance_uid: str, reason: str) -> None:
        """The instance could not be fetched or was not taken."""
        self._mark(
            "state = ?, reason = ?, attempts = attempts + 1",
            (ItemState.FAILED.value, reason),
            job_id,
            sop_instance_uid,
        )

    def retry(self, job_id: str) -> None:
        """What failed is wanted again, from where it got to; a job that is done stays done."""
        with self._change() as database:
            job = _job(_known(database, job_id))
            if job.state is JobState.DONE:
                return
            database.execute(
                "UPDATE item SET state = CASE file WHEN '' THEN ? ELSE ? END, reason = ''"
                " WHERE job_id = ? AND state = ?",
                (ItemState.WANTED.value, ItemState.FETCHED.value, job_id, ItemState.FAILED.value),
            )
            database.execute(
                "UPDATE job SET state = ?, sentence = '', attempts = 0, due = NULL, changed = ? WHERE job_id = ?",
                (JobState.WAITING.value, self._clock.now().timestamp(), job_id),
            )

    def cancel(self, job_id: str) -> None:
        """Nothing more is to be done for it, unless it is over already."""
        if not self.job(job_id).state.is_final:
            self.set_state(job_id, JobState.CANCELLED, "Cancelled.")

    def forget_files(self, job_id: str) -> tuple[str, ...]:
        """Forgets where the job's files lie and returns their names, for the caller to remove from the spool.

        Instances that were fetched but not sent will be fetched again.
        """
        with self._change() as database:
            rows = database.execute("SELECT file FROM item WHERE job_id = ? AND file <> ''", (job_id,)).fetchall()
            database.execute(
                "UPDATE item SET file = '', state = CASE state WHEN ? THEN ? ELSE state END WHERE job_id = ?",
                (ItemState.FETCHED.value, ItemState.WANTED.value, job_id),
            )
        return tuple(file for (file,) in rows)

    def forget(self, job_id: str) -> tuple[str, ...]:
        """Removes a job with everything about it; returns the names of its files, for the caller to remove."""
        files = self.forget_files(job_id)
        with self._change() as database:
            database.execute("DELETE FROM job WHERE job_id = ?", (job_id,))
        return files

    def files(self) -> frozenset[str]:
        """Every file that some job needs: anything else in the spool was left behind by a crash."""
        with self._lock:
            rows = self._open().execute("SELECT file FROM item WHERE file <> ''").fetchall()
        return frozenset(file for (file,) in rows)

    def _mark(self, assignments: str, values: tuple[object, ...], job_id: str, sop_instance_uid: str) -> None:
        with self._change() as database:
            changed = database.execute(
                f"UPDATE item SET {assignments} WHERE job_id = ? AND sop_instance_uid = ?",  # noqa: S608 # our own column names
                (*values, job_id, sop_instance_uid),
            )
            if changed.rowcount != 1:
                raise KioskError("This instance is not part of the transfer.")

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            raise KioskError("The outbox is closed.")
        return self._database

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: on the disk when it ends, or not at all."""
        with self._lock:
            database = self._open()
            try:
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                    database.execute("COMMIT")
                except BaseException:
                    if database.in_transaction:
                        database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise _trouble(error) from error


def _trouble(error: sqlite3.Error) -> KioskError:
    if getattr(error, "sqlite_errorcode", 0) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return StorageFull("The disk is full: the outbox takes nothing more.")
    return KioskError(f"The outbox cannot be used ({getattr(error, 'sqlite_errorname', type(error).__name__)}).")


def _known(database: sqlite3.Connection, job_id: str) -> tuple[object, ...]:
    row: tuple[object, ...] | None = database.execute(
        f"SELECT {_JOB} FROM job WHERE job_id = ?",  # noqa: S608 # our own column names
        (job_id,),
    ).fetchone()
    if row is None:
        raise KioskError("This transfer is not known any more.")
    return row


def _job(row: Sequence[object]) -> OutboxJob:
    job_id, owner, errand, archive, destination, study, series, state, sentence, attempts, due = row
    return OutboxJob(
        str(job_id),
        str(owner),
        bytes(errand) if isinstance(errand, bytes) else b"",
        str(archive),
        str(destination),
        str(study),
        tuple(json.loads(str(series))),
        JobState(state),
        str(sentence),
        int(str(attempts)),
        datetime.fromtimestamp(due, UTC) if isinstance(due, float) else None,
    )


def _item(row: Sequence[object]) -> OutboxItem:
    job_id, instance, sop_class, series, syntax, file, size, state, reason, attempts = row
    return OutboxItem(
        str(job_id),
        str(instance),
        str(sop_class),
        str(series),
        str(syntax),
        str(file),
        int(str(size)),
        ItemState(state),
        str(reason),
        int(str(attempts)),
    )


__all__ = ["ItemState", "JobState", "Outbox", "OutboxCounts", "OutboxFailure", "OutboxItem", "OutboxJob"]
