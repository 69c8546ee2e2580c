"""Jobs and instances as the outbox's tables have them: one page of columns."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from kiosk.errors import KioskError
from kiosk.imaging.outbox_job import ItemState, JobState, OutboxItem, OutboxJob

JOB: Final = (
    "job_id, owner, errand, archive, destination, study_instance_uid, series_instance_uids, state, sentence,"
    " attempts, due, transaction_uid, asked, told, changed"
)
ITEM: Final = (
    "job_id, sop_instance_uid, sop_class_uid, series_instance_uid, transfer_syntax_uid, file, size, state, reason,"
    " attempts, answer"
)

Row = Sequence[object]


def known(database: sqlite3.Connection, job_id: str) -> OutboxJob:
    """One job; raises KioskError when there is none of that id."""
    row = database.execute(f"SELECT {JOB} FROM job WHERE job_id = ?", (job_id,)).fetchone()  # noqa: S608 # our own column names
    if row is None:
        raise KioskError("This transfer is not known any more.")
    return job_from(row)


def job_row(job: OutboxJob, now: datetime) -> Row:
    """The values of JOB."""
    return (
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
        job.transaction_uid,
        job.asked.timestamp() if job.asked is not None else None,
        json.dumps(job.told),
        now.timestamp(),
    )


def job_from(row: Row) -> OutboxJob:
    """A job from the values of JOB."""
    job_id, owner, errand, archive, destination, study, series, state, sentence, *rest = row
    attempts, due, transaction, asked, told, changed = rest
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
        _time(due),
        str(transaction),
        _time(asked),
        tuple(json.loads(str(told))),
        _time(changed),
    )


def item_row(job_id: str, item: OutboxItem) -> Row:
    """The values of ITEM."""
    return (
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
        item.answer,
    )


def item_from(row: Row) -> OutboxItem:
    """An instance from the values of ITEM."""
    job_id, instance, sop_class, series, syntax, file, size, state, reason, attempts, answer = row
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
        str(answer),
    )


def _time(value: object) -> datetime | None:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, float) else None
