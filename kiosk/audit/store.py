"""The SQLite file of a trail: its schema, which refuses changes of what is written, and the few statements it takes."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from kiosk.audit.chain import FORMAT_VERSION, HASH_SIZE, genesis
from kiosk.audit.record import Head
from kiosk.errors import TrailError

APPLICATION_ID: Final = 0x4B544149
NONCE_SIZE: Final = 32
BATCH: Final = 256

# sqlite3 decodes SQLite's own messages as UTF-8: a damaged schema, quoted in one, raises UnicodeDecodeError instead.
DATABASE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)

SCHEMA: Final = (
    "CREATE TABLE meta (kiosk_id TEXT NOT NULL, install_nonce BLOB NOT NULL, format_version INTEGER NOT NULL)",
    "CREATE TABLE record (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL)",
    "CREATE TABLE head (sequence INTEGER NOT NULL, hash BLOB NOT NULL)",
    # Which intents wait for their outcome: found by their place, not by reading the whole trail.
    "CREATE TABLE open_intent (sequence INTEGER PRIMARY KEY, act_id TEXT NOT NULL)",
    "CREATE INDEX open_intent_act ON open_intent (act_id)",
    """CREATE TRIGGER record_is_next BEFORE INSERT ON record
       WHEN NEW.sequence IS NOT (SELECT sequence + 1 FROM head)
       BEGIN SELECT RAISE(ABORT, 'records follow each other without gaps'); END""",
    "CREATE TRIGGER record_stays BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    "CREATE TRIGGER record_is_fixed BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    "CREATE TRIGGER meta_stays BEFORE DELETE ON meta BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    "CREATE TRIGGER meta_is_fixed BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    "CREATE TRIGGER head_stays BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    """CREATE TRIGGER head_moves_on BEFORE UPDATE ON head WHEN NEW.sequence IS NOT OLD.sequence + 1
       BEGIN SELECT RAISE(ABORT, 'the head moves on by one'); END""",
)


@dataclass(frozen=True)
class Identity:
    """What the chain begins with."""

    kiosk_id: str
    install_nonce: bytes

    @property
    def genesis(self) -> bytes:
        """h(0)."""
        return genesis(self.kiosk_id, self.install_nonce)


class Row(NamedTuple):
    """A record as it is stored; a tuple because the verifier makes one for every record."""

    sequence: int
    body: bytes
    hash: bytes


def is_empty(connection: sqlite3.Connection) -> bool:
    """True for a file in which nothing was ever made."""
    return not connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()


def create(connection: sqlite3.Connection, identity: Identity) -> None:
    """Makes the schema and the genesis in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    if not is_empty(connection):  # two processes found it empty, and the other was first
        connection.execute("ROLLBACK")
        return
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?, ?, ?)", (identity.kiosk_id, identity.install_nonce, FORMAT_VERSION))
    connection.execute("INSERT INTO head VALUES (0, ?)", (identity.genesis,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("COMMIT")


def schema_is_whole(connection: sqlite3.Connection) -> bool:
    """False when a table, index or trigger is missing, changed or foreign: then changes might not have been refused."""
    found = {_one_line(str(text)) for (text,) in connection.execute("SELECT sql FROM sqlite_master")}
    return found == {_one_line(statement) for statement in SCHEMA}


def identity(connection: sqlite3.Connection) -> Identity:
    """Whose trail this is; raises TrailError for a file that is no trail, or one of another format."""
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise TrailError("The file is not an audit trail.")
    rows = connection.execute("SELECT kiosk_id, install_nonce, format_version FROM meta").fetchall()
    match rows:
        case [(str() as kiosk_id, bytes() as nonce, int() as version)]:
            if version != FORMAT_VERSION:
                raise TrailError(f"The audit trail has format {version}; this program reads format {FORMAT_VERSION}.")
            return Identity(kiosk_id, nonce)
        case _:
            raise TrailError("The audit trail does not say whose it is.")


def head(connection: sqlite3.Connection) -> Head:
    """The head as it is stored; raises TrailError when it is not one."""
    match connection.execute("SELECT sequence, hash FROM head").fetchall():
        case [(int() as sequence, bytes() as value)] if len(value) == HASH_SIZE:
            return Head(sequence, value)
        case _:
            raise TrailError("The audit trail has no readable head.")


def insert(connection: sqlite3.Connection, row: Row) -> None:
    """Adds the next record and moves the head, inside the caller's transaction."""
    connection.execute("INSERT INTO record VALUES (?, ?, ?)", (row.sequence, row.body, row.hash))
    connection.execute("UPDATE head SET sequence = ?, hash = ?", (row.sequence, row.hash))


def open_intent(connection: sqlite3.Connection, sequence: int, act_id: str) -> None:
    """Notes that the act of this record has begun."""
    connection.execute("INSERT INTO open_intent VALUES (?, ?)", (sequence, act_id))


def close_intent(connection: sqlite3.Connection, act_id: str) -> None:
    """Notes that the act has ended."""
    connection.execute("DELETE FROM open_intent WHERE act_id = ?", (act_id,))


def open_intents(connection: sqlite3.Connection) -> list[int]:
    """The places of intents without an outcome, oldest first."""
    return [int(sequence) for (sequence,) in connection.execute("SELECT sequence FROM open_intent ORDER BY sequence")]


def rows(connection: sqlite3.Connection, first: int, last: int) -> list[Row]:
    """Records from `first` to `last` inclusive as they are stored; raises TrailError for one that is no record."""
    found = []
    for sequence, body, value in connection.execute(
        "SELECT sequence, body, hash FROM record WHERE sequence BETWEEN ? AND ? ORDER BY sequence", (first, last)
    ):
        if not isinstance(body, bytes) or not isinstance(value, bytes):
            raise TrailError(f"Record {sequence} of the audit trail is damaged.")
        found.append(Row(sequence, body, value))
    return found


def hash_before(connection: sqlite3.Connection, sequence: int) -> bytes:
    """The hash that the record at `sequence` follows; raises TrailError when that record is missing."""
    if sequence <= 1:
        return identity(connection).genesis
    before = rows(connection, sequence - 1, sequence - 1)
    if not before:
        raise TrailError(f"Record {sequence - 1} of the audit trail is missing.")
    return before[0].hash


def stretches(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most BATCH records that together make `first` to `last`."""
    for start in range(first, last + 1, BATCH):
        yield start, min(start + BATCH - 1, last)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
