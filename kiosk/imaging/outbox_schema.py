"""Tables of the outbox: jobs in the order they were asked for, and the instances of each."""

from typing import Final

PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA busy_timeout = 5000",
)

_FIRST: Final = (
    """
    CREATE TABLE job (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        errand BLOB NOT NULL,
        archive TEXT NOT NULL,
        destination TEXT NOT NULL,
        study_instance_uid TEXT NOT NULL,
        series_instance_uids TEXT NOT NULL,
        state TEXT NOT NULL,
        sentence TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        due REAL,
        created REAL NOT NULL,
        changed REAL NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE item (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT NOT NULL REFERENCES job (job_id) ON DELETE CASCADE,
        sop_instance_uid TEXT NOT NULL,
        sop_class_uid TEXT NOT NULL,
        series_instance_uid TEXT NOT NULL,
        transfer_syntax_uid TEXT NOT NULL DEFAULT '',
        file TEXT NOT NULL DEFAULT '',
        size INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        UNIQUE (job_id, sop_instance_uid)
    ) STRICT
    """,
    "CREATE INDEX job_state ON job (state)",
)
_CONFIRMED: Final = (
    "ALTER TABLE job ADD COLUMN transaction_uid TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE job ADD COLUMN asked REAL",
    "ALTER TABLE job ADD COLUMN told TEXT NOT NULL DEFAULT '[]'",
    "UPDATE job SET state = CASE state WHEN 'waiting' THEN 'queued' WHEN 'done' THEN 'sent' ELSE state END",
)

_ANSWERED: Final = ("ALTER TABLE item ADD COLUMN answer TEXT NOT NULL DEFAULT ''",)

STEPS: Final = (_FIRST, _CONFIRMED, _ANSWERED)
"""What makes each version out of the one before it; the first makes version 1 out of an empty file."""
