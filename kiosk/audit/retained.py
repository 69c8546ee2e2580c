"""What the trail's file knows of sealed segments and of what was deleted: two tables that only grow."""

import sqlite3
from typing import Final, NamedTuple

from kiosk.audit.boundary import Beginning, Boundary
from kiosk.audit.decode import RecordError
from kiosk.errors import TrailError

SCHEMA: Final = (
    """CREATE TABLE segment (number INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, checkpoint INTEGER NOT NULL,
       line BLOB NOT NULL)""",
    """CREATE TABLE boundary (sequence INTEGER PRIMARY KEY, checkpoint INTEGER NOT NULL, hash BLOB NOT NULL,
       body BLOB NOT NULL, signature BLOB NOT NULL)""",
    """CREATE TRIGGER segment_is_next BEFORE INSERT ON segment
       WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM segment)
       OR NEW.sequence <= (SELECT coalesce(max(sequence), 0) FROM segment)
       OR NEW.sequence > (SELECT sequence FROM head)
       BEGIN SELECT RAISE(ABORT, 'a segment follows the last one'); END""",
    "CREATE TRIGGER segment_stays BEFORE DELETE ON segment BEGIN SELECT RAISE(ABORT, 'segments stay'); END",
    "CREATE TRIGGER segment_is_fixed BEFORE UPDATE ON segment BEGIN SELECT RAISE(ABORT, 'segments stay'); END",
    """CREATE TRIGGER boundary_is_sealed BEFORE INSERT ON boundary
       WHEN NOT EXISTS (SELECT 1 FROM segment WHERE sequence = NEW.sequence AND checkpoint = NEW.checkpoint)
       OR NEW.sequence <= (SELECT coalesce(max(sequence), 0) FROM boundary)
       OR NEW.sequence >= (SELECT sequence FROM head)
       OR NEW.checkpoint >= (SELECT max(number) FROM checkpoint)
       OR EXISTS (SELECT 1 FROM open_intent WHERE sequence <= NEW.sequence)
       BEGIN SELECT RAISE(ABORT, 'only what is sealed and ended may go'); END""",
    "CREATE TRIGGER boundary_stays BEFORE DELETE ON boundary BEGIN SELECT RAISE(ABORT, 'boundaries stay'); END",
    "CREATE TRIGGER boundary_is_fixed BEFORE UPDATE ON boundary BEGIN SELECT RAISE(ABORT, 'boundaries stay'); END",
    """CREATE TRIGGER record_stays BEFORE DELETE ON record
       WHEN OLD.sequence > (SELECT coalesce(max(sequence), 0) FROM boundary)
       BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END""",
    """CREATE TRIGGER checkpoint_stays BEFORE DELETE ON checkpoint
       WHEN OLD.number > (SELECT coalesce(max(checkpoint), 0) FROM boundary)
       BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END""",
)


class SegmentRow(NamedTuple):
    """A sealed segment as it is stored: number, last record, last checkpoint, its head on one line."""

    number: int
    sequence: int
    checkpoint: int
    line: bytes


def boundary(connection: sqlite3.Connection) -> Boundary | None:
    """The newest boundary, None where nothing was ever deleted. Raises TrailError when it cannot be read; whether it is
    signed is another question."""
    rows = connection.execute(
        "SELECT sequence, checkpoint, hash, body, signature FROM boundary ORDER BY sequence DESC LIMIT 1"
    ).fetchall()
    match rows:
        case []:
            return None
        case [(int() as sequence, int() as checkpoint, bytes() as value, bytes() as body, bytes() as signature)]:
            pass
        case _:
            raise TrailError("The boundary at which the audit trail begins is damaged.")
    try:
        found = Boundary.from_body(body, signature)
    except RecordError as error:
        raise TrailError(f"The boundary at which the audit trail begins cannot be read: {error}.") from None
    if (found.last.sequence, found.last.checkpoint, found.last.hash) != (sequence, checkpoint, value):
        raise TrailError("The boundary at which the audit trail begins is not the one that was signed.")
    return found


def deleted(connection: sqlite3.Connection) -> tuple[int, int, bytes]:
    """The places of the last record and checkpoint that were deleted, and the record's hash; zeros where none were."""
    row = connection.execute(
        "SELECT sequence, checkpoint, hash FROM boundary ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    match row:
        case None:
            return 0, 0, b""
        case (int() as sequence, int() as checkpoint, bytes() as value):
            return sequence, checkpoint, value
        case _:
            raise TrailError("The boundary at which the audit trail begins is damaged.")


def add_boundary(connection: sqlite3.Connection, made: Boundary) -> None:
    """Moves the beginning on, inside the caller's transaction; nothing is deleted yet."""
    last = made.last
    values = (last.sequence, last.checkpoint, last.hash, made.body, made.signature)
    connection.execute("INSERT INTO boundary VALUES (?, ?, ?, ?, ?)", values)


def sweep(connection: sqlite3.Connection, end: Beginning, limit: int) -> int:
    """Deletes at most `limit` records, and as many checkpoints, before the boundary `end`; returns how many went."""
    gone = connection.execute(
        "DELETE FROM record WHERE sequence IN (SELECT sequence FROM record WHERE sequence <= ? LIMIT ?)",
        (end.sequence, limit),
    ).rowcount
    gone += connection.execute(
        "DELETE FROM checkpoint WHERE number IN (SELECT number FROM checkpoint WHERE number <= ? LIMIT ?)",
        (end.checkpoint, limit),
    ).rowcount
    connection.execute("DELETE FROM accepted WHERE sequence <= ?", (end.sequence,))
    return gone


def segments(connection: sqlite3.Connection, first: int = 1) -> list[SegmentRow]:
    """The sealed segments from number `first` on; raises TrailError for one that is none."""
    found = []
    for row in connection.execute(
        "SELECT number, sequence, checkpoint, line FROM segment WHERE number >= ? ORDER BY number", (first,)
    ):
        if not isinstance(row[3], bytes):
            raise TrailError(f"Segment {row[0]} of the audit trail is damaged.")
        found.append(SegmentRow(*row))
    return found


def add_segment(connection: sqlite3.Connection, row: SegmentRow) -> None:
    """Notes that a segment is sealed, inside the caller's transaction."""
    connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?)", row)
