"""The SQLite file of a trail: its schema, which refuses changes of what is written, and the statements on records."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from kiosk.audit import retained
from kiosk.audit.boundary import Beginning, Boundary
from kiosk.audit.chain import FORMAT_VERSION, HASH_SIZE, genesis
from kiosk.audit.record import Head
from kiosk.errors import TrailError

APPLICATION_ID: Final = 0x4B544149
NONCE_SIZE: Final = 32
BATCH: Final = 256
PAGE_BYTES: Final = 256 * 1024
REMEMBERED: Final = 4096
"""So many of the last records can be known again by the nonce they were sent with."""

# sqlite3 decodes SQLite's own messages as UTF-8: a damaged schema, quoted in one, raises UnicodeDecodeError instead.
DATABASE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)

SCHEMA: Final = (
    """CREATE TABLE meta (kiosk_id TEXT NOT NULL, install_nonce BLOB NOT NULL, public_key BLOB NOT NULL,
       mac_commitment BLOB NOT NULL, format_version INTEGER NOT NULL)""",
    "CREATE TABLE record (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL, mac BLOB NOT NULL)",
    "CREATE TABLE head (sequence INTEGER NOT NULL, hash BLOB NOT NULL)",
    """CREATE TABLE checkpoint (number INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, body BLOB NOT NULL,
       signature BLOB NOT NULL, mac BLOB NOT NULL)""",
    # Which intents may wait for their outcome, and whose they are: those that were open at the last checkpoint, which
    # signs for them, and those since. What they are, and which of them are open, the records say (see OpenIntents).
    "CREATE TABLE open_intent (sequence INTEGER PRIMARY KEY, writer INTEGER NOT NULL)",
    # What the last records were sent as, so that one whose receipt got lost is not recorded twice.
    "CREATE TABLE accepted (sequence INTEGER PRIMARY KEY, nonce BLOB NOT NULL)",
    """CREATE TRIGGER record_is_next BEFORE INSERT ON record
       WHEN NEW.sequence IS NOT (SELECT sequence + 1 FROM head)
       BEGIN SELECT RAISE(ABORT, 'records follow each other without gaps'); END""",
    "CREATE TRIGGER record_is_fixed BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    "CREATE TRIGGER meta_stays BEFORE DELETE ON meta BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    "CREATE TRIGGER meta_is_fixed BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    "CREATE TRIGGER head_stays BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END",
    """CREATE TRIGGER head_moves_on BEFORE UPDATE ON head WHEN NEW.sequence IS NOT OLD.sequence + 1
       BEGIN SELECT RAISE(ABORT, 'the head moves on by one'); END""",
    """CREATE TRIGGER checkpoint_is_next BEFORE INSERT ON checkpoint
       WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM checkpoint)
       OR NEW.sequence IS NOT (SELECT sequence FROM head)
       BEGIN SELECT RAISE(ABORT, 'a checkpoint follows the last one, at the head'); END""",
    """CREATE TRIGGER checkpoint_is_fixed BEFORE UPDATE ON checkpoint
       BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END""",
    *retained.SCHEMA,
)


@dataclass(frozen=True)
class Identity:
    """What the chain begins with: the kiosk, a random nonce, the Ed25519 key of the checkpoints (32 octets) and the
    SHA-256 that commits to the first MAC key."""

    kiosk_id: str
    install_nonce: bytes
    public_key: bytes
    mac_commitment: bytes

    @property
    def genesis(self) -> bytes:
        """h(0)."""
        return genesis(self.kiosk_id, self.install_nonce, self.public_key, self.mac_commitment)


class Row(NamedTuple):
    """A record as it is stored; a tuple because the verifier makes one for every record."""

    sequence: int
    body: bytes
    hash: bytes
    mac: bytes


class CheckpointRow(NamedTuple):
    """A checkpoint as it is stored."""

    number: int
    sequence: int
    body: bytes
    signature: bytes
    mac: bytes


def is_empty(connection: sqlite3.Connection) -> bool:
    """True for a file in which nothing was ever made."""
    return not connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()


def create(connection: sqlite3.Connection, identity: Identity) -> None:
    """Makes the schema and the genesis, inside the caller's transaction."""
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(
        "INSERT INTO meta VALUES (?, ?, ?, ?, ?)",
        (identity.kiosk_id, identity.install_nonce, identity.public_key, identity.mac_commitment, FORMAT_VERSION),
    )
    connection.execute("INSERT INTO head VALUES (0, ?)", (identity.genesis,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def schema_is_whole(connection: sqlite3.Connection) -> bool:
    """False when a table, index or trigger is missing, changed or foreign: then changes might not have been refused."""
    found = {_one_line(str(text)) for (text,) in connection.execute("SELECT sql FROM sqlite_master")}
    return found == {_one_line(statement) for statement in SCHEMA}


def identity(connection: sqlite3.Connection) -> Identity:
    """Whose trail this is; raises TrailError for a file that is no trail, or one of another format."""
    if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise TrailError("The file is not an audit trail.")
    match connection.execute("SELECT format_version FROM meta").fetchall():
        case [(int() as version,)] if version != FORMAT_VERSION:
            raise TrailError(f"The audit trail has format {version}; this program reads format {FORMAT_VERSION}.")
    rows = connection.execute("SELECT kiosk_id, install_nonce, public_key, mac_commitment FROM meta").fetchall()
    match rows:
        case [(str() as kiosk_id, bytes() as nonce, bytes() as public_key, bytes() as commitment)]:
            return Identity(kiosk_id, nonce, public_key, commitment)
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
    connection.execute("INSERT INTO record VALUES (?, ?, ?, ?)", row)
    connection.execute("UPDATE head SET sequence = ?, hash = ?", (row.sequence, row.hash))


def note(connection: sqlite3.Connection, sequence: int, writer: int) -> None:
    """Notes that the act of this record has begun, and whose it is."""
    connection.execute("INSERT INTO open_intent VALUES (?, ?)", (sequence, writer))


def forget(connection: sqlite3.Connection, places: Iterable[int]) -> None:
    """Notes no longer that the acts of these records have begun: they have ended, and a checkpoint signs for it."""
    connection.executemany("DELETE FROM open_intent WHERE sequence = ?", ((place,) for place in places))


def noted(connection: sqlite3.Connection) -> dict[int, int]:
    """The writers of the intents that are noted, by their places, oldest first."""
    rows = connection.execute("SELECT sequence, writer FROM open_intent ORDER BY sequence")
    return {int(sequence): int(writer) for sequence, writer in rows}


def accept(connection: sqlite3.Connection, sequence: int, nonce: bytes) -> None:
    """Remembers what a record was sent as, and now and then forgets what nobody will send again."""
    connection.execute("INSERT INTO accepted VALUES (?, ?)", (sequence, nonce))
    if sequence % BATCH == 0:
        connection.execute("DELETE FROM accepted WHERE sequence <= ?", (sequence - REMEMBERED,))


def accepted(connection: sqlite3.Connection, after: int) -> list[tuple[bytes, int]]:
    """What the records after that place were sent as, those that were sent as something."""
    found = connection.execute("SELECT nonce, sequence FROM accepted WHERE sequence > ? ORDER BY sequence", (after,))
    return [(bytes(nonce), int(sequence)) for nonce, sequence in found]


def rows(connection: sqlite3.Connection, first: int, last: int) -> list[Row]:
    """Records from `first` to `last` inclusive as they are stored; raises TrailError for one that is no record."""
    cursor = connection.execute(
        "SELECT sequence, body, hash, mac FROM record WHERE sequence BETWEEN ? AND ? ORDER BY sequence", (first, last)
    )
    return [row for row in map(Row._make, cursor) if _is_sound(row)]


def page(connection: sqlite3.Connection, first: int, limit: int) -> list[Row]:
    """At most `limit` records from `first` on, about PAGE_BYTES of them but one at least; raises TrailError."""
    found, size = [], 0
    cursor = connection.execute(
        "SELECT sequence, body, hash, mac FROM record WHERE sequence >= ? ORDER BY sequence LIMIT ?",
        (max(first, retained.deleted(connection)[0] + 1), min(limit, BATCH)),
    )
    for row in map(Row._make, cursor):
        if _is_sound(row):
            found.append(row)
        size += len(row[1])
        if size > PAGE_BYTES:
            break
    return found


def _is_sound(row: Row) -> bool:
    """True, or it raises TrailError; written out, because the verifier asks it of every record."""
    sequence, body, value, mac = row
    if type(body) is bytes and type(value) is bytes and type(mac) is bytes:
        return True
    raise TrailError(f"Record {sequence} of the audit trail is damaged.")


def hash_before(connection: sqlite3.Connection, sequence: int) -> bytes:
    """The hash that the record at `sequence` follows; raises TrailError when that record is missing."""
    if sequence <= 1:
        return identity(connection).genesis
    place, _, value = retained.deleted(connection)
    if sequence == place + 1:
        return value
    before = rows(connection, sequence - 1, sequence - 1)
    if not before:
        raise TrailError(f"Record {sequence - 1} of the audit trail is missing.")
    return before[0].hash


def beginning(connection: sqlite3.Connection) -> Beginning:
    """What comes before the first record; raises TrailError when the boundary there is not signed with the trail's key.
    What is left before a boundary is about to be deleted and belongs to the trail no more."""
    return begin_at(identity(connection), retained.boundary(connection))


def begin_at(owner: Identity, boundary: Boundary | None) -> Beginning:
    """Where that trail begins: at its genesis or at the boundary, if it is signed with the trail's key; raises
    TrailError when it is not."""
    if boundary is None:
        return Beginning(0, owner.genesis, 0, owner.genesis)
    if boundary.kiosk_id != owner.kiosk_id or not boundary.is_signed_by(owner.public_key):
        raise TrailError("The boundary at which the audit trail begins does not carry the trail's signature.")
    return boundary.last


def insert_checkpoint(connection: sqlite3.Connection, row: CheckpointRow) -> None:
    """Adds the next checkpoint, inside the caller's transaction."""
    connection.execute("INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?)", row)


def checkpoint_rows(connection: sqlite3.Connection, first: int, limit: int = BATCH) -> list[CheckpointRow]:
    """At most `limit` checkpoints from number `first` on; raises TrailError for one that is none."""
    found = []
    for row in connection.execute(
        "SELECT number, sequence, body, signature, mac FROM checkpoint WHERE number >= ? ORDER BY number LIMIT ?",
        (max(first, retained.deleted(connection)[1] + 1), limit),
    ):
        if not isinstance(row[1], int) or not all(isinstance(value, bytes) for value in row[2:]):
            raise TrailError(f"Checkpoint {row[0]} of the audit trail is damaged.")
        found.append(CheckpointRow(*row))
    return found


def last_checkpoint(connection: sqlite3.Connection) -> int:
    """The number of the newest one, 0 before the first."""
    (number,) = connection.execute("SELECT max(number) FROM checkpoint").fetchone()
    return number or 0


def stretches(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Ranges of at most BATCH records that together make `first` to `last`."""
    for start in range(first, last + 1, BATCH):
        yield start, min(start + BATCH - 1, last)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
