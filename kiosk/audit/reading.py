"""Stored rows as records: what a trail that is written and one that is only read have in common."""

import sqlite3
from collections.abc import Iterable, Iterator

from kiosk.audit import noted, retained, store
from kiosk.audit.canonical import decode_body
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.decode import RecordError
from kiosk.audit.record import Record
from kiosk.audit.segment import Segment
from kiosk.errors import TrailError


def record_of(row: store.Row, previous_hash: bytes) -> Record:
    """The record that a row holds; raises TrailError naming it when it cannot be read."""
    try:
        entry, time, source = decode_body(row.body)
    except RecordError as error:
        raise TrailError(f"Record {row.sequence} of the audit trail cannot be read: {error}.") from None
    return Record(row.sequence, time, entry, previous_hash, row.hash, source)


def records(connection: sqlite3.Connection, first: int, last: int) -> Iterator[Record]:
    """Records `first` to `last`, each with the hash stored before it; raises TrailError when one is not there."""
    previous, place = store.hash_before(connection, first), first
    for row in store.rows(connection, first, last):
        if row.sequence != place:
            break
        yield record_of(row, previous)
        previous, place = row.hash, place + 1
    if place <= last:
        raise TrailError(f"Record {place} of the audit trail is missing.")


def page(connection: sqlite3.Connection, first: int, limit: int) -> tuple[Record, ...]:
    """The records of `store.page` from `first` on, or from where the trail begins now; raises TrailError when one is
    not there or cannot be read."""
    first = max(first, retained.deleted(connection)[0] + 1)
    return of_rows(store.page(connection, first, limit), store.hash_before(connection, first), first)


def of_rows(rows: Iterable[store.Row], previous: bytes, first: int) -> tuple[Record, ...]:
    """Rows as the records that follow the hash `previous`; raises TrailError when one is not there."""
    found = []
    for place, row in enumerate(rows, first):
        if row.sequence != place:
            raise TrailError(f"Record {place} of the audit trail is missing.")
        found.append(record_of(row, previous))
        previous = row.hash
    return tuple(found)


def open_intents(connection: sqlite3.Connection) -> tuple[Record, ...]:
    """Intents that no outcome followed, oldest first, inside one transaction; raises TrailError when what is noted of
    them is not what the records say."""
    number = store.last_checkpoint(connection)
    sealed = checkpoint_of(store.checkpoint_rows(connection, number, 1)[0]) if number else None
    found = noted.open_intents(connection, sealed, store.head(connection).sequence)
    return tuple(record for intent in found.all for record in records(connection, intent.sequence, intent.sequence))


def segment_of(row: retained.SegmentRow) -> Segment:
    """The segment that a row notes; raises TrailError naming it when it cannot be read, or is another one."""
    try:
        segment = Segment.from_line(row.line)
    except RecordError as error:
        raise TrailError(f"Segment {row.number} of the audit trail cannot be read: {error}.") from None
    if (segment.number, segment.last.sequence, segment.last.checkpoint) != row[:3]:
        raise TrailError(f"Segment {row.number} of the audit trail is not the one that was sealed.")
    return segment


def checkpoint_of(row: store.CheckpointRow) -> Checkpoint:
    """The checkpoint that a row holds; raises TrailError naming it when it cannot be read."""
    try:
        return Checkpoint.from_body(row.body, row.signature)
    except RecordError as error:
        raise TrailError(f"Checkpoint {row.number} of the audit trail cannot be read: {error}.") from None
