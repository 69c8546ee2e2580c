"""The durable queue of what is to be pushed: every step is on the disk before it counts as done.

After a crash nothing that was sent is sent again and nothing that was fetched is fetched again.
"""

import json
import secrets
from collections.abc import Container, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection

from kiosk.clock import Clock, SystemClock
from kiosk.errors import KioskError
from kiosk.imaging.calls import Received, Transcoded
from kiosk.imaging.outbox_file import OutboxFile
from kiosk.imaging.outbox_job import LISTED, ItemState, JobState, OutboxCounts, OutboxFailure, OutboxItem, OutboxJob
from kiosk.imaging.outbox_rows import ITEM, JOB, item_from, item_row, job_from, job_row, known


class Outbox:
    """The queue in one SQLite file, mode 0600. Methods may be called from any thread.

    They raise StorageFull when the disk takes no more and KioskError for a job that is not there.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._file = OutboxFile(path)

    def open(self) -> None:
        """Opens or makes the file; what an earlier run was in the middle of waits to be taken up again."""
        self._file.open()
        try:
            with self._change() as database:
                database.execute(
                    "UPDATE job SET state = ?, due = NULL WHERE state IN (?, ?)",
                    (JobState.WAITING.value, JobState.FETCHING.value, JobState.SENDING.value),
                )
        except KioskError:
            self._file.close()
            raise

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()

    def new_job_id(self) -> str:
        """An id that no other job has."""
        return secrets.token_hex(8)

    def add(self, job: OutboxJob) -> None:
        """A new job; durable when this returns."""
        now = self._clock.now()
        with self._change() as database:
            database.execute(
                f"INSERT INTO job ({JOB}, created) VALUES ({_marks(JOB)}, ?)",  # noqa: S608 # our own column names
                (*job_row(job, now), now.timestamp()),
            )

    def plan(self, job_id: str, items: Sequence[OutboxItem]) -> None:
        """The instances of a job; those it has already stay as they are."""
        with self._change() as database:
            known(database, job_id)
            database.executemany(
                f"INSERT OR IGNORE INTO item ({ITEM}) VALUES ({_marks(ITEM)})",  # noqa: S608 # our own column names
                [item_row(job_id, item) for item in items],
            )

    def job(self, job_id: str) -> OutboxJob:
        """One job; raises KioskError when there is none of that id."""
        with self._file.read() as database:
            return known(database, job_id)

    def jobs(self, states: Sequence[JobState] = ()) -> tuple[OutboxJob, ...]:
        """Jobs in these states, all when none are named, oldest first."""
        wanted = states or tuple(JobState)
        with self._file.read() as database:
            rows = database.execute(f"SELECT {JOB} FROM job ORDER BY number").fetchall()  # noqa: S608 # our own column names
        return tuple(job for job in map(job_from, rows) if job.state in wanted)

    def job_of(self, transaction_uid: str) -> OutboxJob | None:
        """The job for which that storage commitment was asked; None when it is not, or no longer, known."""
        with self._file.read() as database:
            row = database.execute(
                f"SELECT {JOB} FROM job WHERE transaction_uid = ? AND transaction_uid <> ''",  # noqa: S608 # our own column names
                (transaction_uid,),
            ).fetchone()
        return job_from(row) if row is not None else None

    def due(self, now: datetime) -> tuple[OutboxJob, ...]:
        """Jobs that wait, to be sent or to be confirmed, and whose pause is over: the one that moved longest ago first,
        so that one which gave way to others comes after them."""
        with self._file.read() as database:
            rows = database.execute(
                f"SELECT {JOB} FROM job WHERE state IN (?, ?) AND (due IS NULL OR due <= ?) ORDER BY changed, number",  # noqa: S608 # our own column names
                (JobState.WAITING.value, JobState.CONFIRMING.value, now.timestamp()),
            ).fetchall()
        return tuple(map(job_from, rows))

    def next_due(self, now: datetime, busy: Container[str] = ()) -> OutboxJob | None:
        """The first job that is due and does not go to a destination that is `busy`."""
        return next((job for job in self.due(now) if job.destination not in busy), None)

    def items(self, job_id: str) -> tuple[OutboxItem, ...]:
        """The instances of a job in the order they were planned."""
        with self._file.read() as database:
            rows = database.execute(f"SELECT {ITEM} FROM item WHERE job_id = ? ORDER BY number", (job_id,)).fetchall()  # noqa: S608 # our own column names
        return tuple(map(item_from, rows))

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
            delivered=sum(item.state is ItemState.DELIVERED for item in items),
        )

    def set_state(self, job_id: str, state: JobState, sentence: str = "", due: datetime | None = None) -> None:
        """Where the job stands now; one that waits is taken up when it is `due`."""
        self._update(
            job_id,
            "state = ?, sentence = ?, due = ?",
            state.value,
            sentence,
            due.timestamp() if due is not None else None,
        )

    def put_off(
        self, job_id: str, due: datetime, sentence: str, state: JobState = JobState.WAITING, *, moved: bool = False
    ) -> None:
        """Waits until `due`; counts as one more attempt, as the first when something `moved` in it."""
        self._update(
            job_id,
            "state = ?, sentence = ?, due = ?, attempts = CASE ? WHEN 1 THEN 1 ELSE attempts + 1 END",
            state.value,
            sentence,
            due.timestamp(),
            int(moved),
        )

    def ask_commitment(self, job_id: str, transaction_uid: str) -> None:
        """This storage commitment is about to be asked for; durable before it is."""
        asked = self._clock.now().timestamp()
        self._update(job_id, "transaction_uid = ?, asked = ?", transaction_uid, asked)

    def mark_told(self, job_id: str, listener: str) -> None:
        """That listener knows that the instances are available."""
        self._update(job_id, "told = ?", json.dumps((*self.job(job_id).told, listener)))

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
            [received.sop_instance_uid],
        )

    def mark_transcoded(self, job_id: str, sop_instance_uid: str, written: Transcoded) -> None:
        """The instance lies in the spool in another transfer syntax; the file it had is needed no longer."""
        self._mark(
            "state = ?, transfer_syntax_uid = ?, file = ?, size = ?",
            (ItemState.FETCHED.value, written.transfer_syntax_uid, written.file, written.size),
            job_id,
            [sop_instance_uid],
        )

    def mark_sending(self, job_id: str, sop_instance_uids: Iterable[str]) -> None:
        """From now on the destination may have these instances, whatever becomes of us."""
        self._mark("state = ?", (ItemState.SENDING.value,), job_id, sop_instance_uids)

    def mark_left(self, job_id: str, sop_instance_uids: Iterable[str]) -> None:
        """The destination does not have these instances after all: nothing was tried with them."""
        self._mark(
            "state = CASE file WHEN '' THEN ? ELSE ? END",
            (ItemState.WANTED.value, ItemState.FETCHED.value),
            job_id,
            sop_instance_uids,
        )

    def mark_unanswered(self, job_id: str, sop_instance_uid: str, reason: str) -> None:
        """Nobody knows whether the destination has the instance; it will be asked, and others go before it."""
        values = ItemState.SENDING.value, reason
        self._mark("state = ?, reason = ?, attempts = attempts + 1", values, job_id, [sop_instance_uid])

    def mark_unsent(self, job_id: str, sop_instance_uid: str, reason: str) -> None:
        """The destination did not take the instance for now; others go before it the next time."""
        self._mark(
            "state = CASE file WHEN '' THEN ? ELSE ? END, reason = ?, attempts = attempts + 1",
            (ItemState.WANTED.value, ItemState.FETCHED.value, reason),
            job_id,
            [sop_instance_uid],
        )

    def mark_sent(self, job_id: str, sop_instance_uid: str, reason: str = "") -> None:
        """The destination took the instance; `reason` is its warning."""
        state = ItemState.WARNED if reason else ItemState.SENT
        values = state.value, reason
        self._mark("state = ?, reason = ?, attempts = attempts + 1", values, job_id, [sop_instance_uid])

    def mark_delivered(self, job_id: str, sop_instance_uids: Iterable[str], answer: str = LISTED) -> None:
        """The destination said in that `answer` that it keeps these instances; warnings stay."""
        self._mark("state = ?, answer = ?", (ItemState.DELIVERED.value, answer), job_id, sop_instance_uids)

    def mark_failed(self, job_id: str, sop_instance_uid: str, reason: str, answer: str = "") -> None:
        """The instance could not be fetched, was not taken, or, as the destination said in `answer`, is not kept."""
        values = ItemState.FAILED.value, reason, answer
        self._mark("state = ?, reason = ?, answer = ?, attempts = attempts + 1", values, job_id, [sop_instance_uid])

    def retry(self, job_id: str) -> None:
        """What failed is wanted again, from where it got to; a job that is done stays done."""
        if self.job(job_id).state.is_done:
            return
        with self._change() as database:
            database.execute(
                "UPDATE item SET state = CASE file WHEN '' THEN ? ELSE ? END, reason = '', answer = ''"
                " WHERE job_id = ? AND state = ?",
                (ItemState.WANTED.value, ItemState.FETCHED.value, job_id, ItemState.FAILED.value),
            )
        self._update(
            job_id, "state = ?, sentence = '', attempts = 0, due = NULL, transaction_uid = ''", JobState.WAITING.value
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
        with self._file.read() as database:
            rows = database.execute("SELECT file FROM item WHERE file <> ''").fetchall()
        return frozenset(file for (file,) in rows)

    def _update(self, job_id: str, assignments: str, *values: object) -> None:
        with self._change() as database:
            known(database, job_id)
            database.execute(
                f"UPDATE job SET {assignments}, changed = ? WHERE job_id = ?",  # noqa: S608 # our own column names
                (*values, self._clock.now().timestamp(), job_id),
            )

    def _mark(self, assignments: str, values: tuple[object, ...], job_id: str, instances: Iterable[str]) -> None:
        statement = f"UPDATE item SET {assignments} WHERE job_id = ? AND sop_instance_uid = ?"  # noqa: S608 # our own column names
        with self._change() as database:
            for sop_instance_uid in instances:
                if database.execute(statement, (*values, job_id, sop_instance_uid)).rowcount != 1:
                    raise KioskError("This instance is not part of the transfer.")

    def _change(self) -> AbstractContextManager[Connection]:
        return self._file.change()


def _marks(columns: str) -> str:
    return ", ".join("?" for _ in columns.split(","))


__all__ = ["LISTED", "ItemState", "JobState", "Outbox", "OutboxCounts", "OutboxFailure", "OutboxItem", "OutboxJob"]
