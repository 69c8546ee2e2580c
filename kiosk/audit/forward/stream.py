"""The trail as a stream of rendered messages: records in order, each checkpoint behind the record it was made after."""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from kiosk.audit import reading
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.forward.stamp import of_checkpoint, stamped
from kiosk.audit.message import AuditSource, Outcome
from kiosk.audit.port import TrailReader
from kiosk.audit.record import Record
from kiosk.audit.xml import render
from kiosk.errors import TrailError

PAGE: Final = 256


@dataclass(frozen=True)
class Position:
    """How far somebody has come: through record `sequence`, whose hash is `hash`, and checkpoint number `checkpoint`.

    `follows` is the last record up to there that had a message. Sequence 0 is the beginning.
    """

    sequence: int = 0
    hash: bytes = b""
    checkpoint: int = 0
    follows: int = 0


@dataclass(frozen=True)
class Rendered:
    """One PS3.15 message as a line of XML; `is_warning` for any outcome but success."""

    time: datetime
    xml: str = field(repr=False)
    is_warning: bool = False


@dataclass(frozen=True)
class Parcel:
    """The messages of one record or checkpoint, perhaps none, and the position after it."""

    position: Position
    messages: tuple[Rendered, ...]


def resume(trail: TrailReader, position: Position) -> Position:
    """Where to go on from a position: there, or, where records after it were pruned, at the signed boundary.

    Raises TrailError unless the trail leads through it: else it was cut, or put back to an older copy.
    """
    # Before the boundary: what is found is then judged by a beginning that is not older than it.
    found = trail.rows(position.sequence, 1) if position.sequence else ()
    begun = trail.beginning()
    if position.sequence < begun.sequence:
        # The message before is not known any more: named is the last record that is gone, so that the gap shows.
        return Position(begun.sequence, begun.hash, begun.checkpoint, begun.sequence)
    if position.sequence == begun.sequence:
        if position.sequence and position.hash != begun.hash:
            raise _another(position)
        return position
    if not found:
        end = trail.head().sequence
        raise TrailError(
            f"The audit trail ends at record {end}, but record {position.sequence} has been delivered already: it was "
            "cut, or put back to an earlier copy."
        )
    if found[0].sequence != position.sequence or found[0].hash != position.hash:
        raise _another(position)
    return position


def _another(position: Position) -> TrailError:
    return TrailError(f"Record {position.sequence} of the audit trail is not the one that was delivered.")


def parcels(trail: TrailReader, position: Position, name: str, source: AuditSource) -> list[Parcel]:
    """What follows a position, about a page of it, empty where there is nothing yet; raises TrailError.

    `name` is the trail's in marks. `source` is named in the messages of checkpoints; records bring their own.
    """
    records = trail.page(position.sequence + 1, PAGE)
    if records and records[0].sequence != position.sequence + 1:
        raise TrailError(f"Record {position.sequence + 1} of the audit trail is missing.")
    # After the records: then every checkpoint that belongs between them is there already.
    rows = trail.checkpoint_rows(position.checkpoint + 1, PAGE)
    waiting, more = deque(map(reading.checkpoint_of, rows)), len(rows) == PAGE
    found: list[Parcel] = []
    for record in records:
        while waiting and waiting[0].sequence < record.sequence:
            found.append(_checkpoint(waiting.popleft(), position, name, source))
            position = found[-1].position
        if more and not waiting:
            return found
        found.append(_record(record, position, name))
        position = found[-1].position
    while waiting and waiting[0].sequence <= position.sequence:
        found.append(_checkpoint(waiting.popleft(), position, name, source))
        position = found[-1].position
    return found


def _record(record: Record, position: Position, name: str) -> Parcel:
    messages = tuple(
        Rendered(
            record.time,
            render(stamped(record, part, name, position.follows), record.time, record.source),
            message.outcome is not Outcome.SUCCESS,
        )
        for part, message in enumerate(record.entry.messages)
    )
    follows = record.sequence if messages else position.follows
    return Parcel(Position(record.sequence, record.hash, position.checkpoint, follows), messages)


def _checkpoint(checkpoint: Checkpoint, position: Position, name: str, source: AuditSource) -> Parcel:
    xml = render(of_checkpoint(checkpoint, source, name), checkpoint.time, source)
    return Parcel(replace(position, checkpoint=checkpoint.number), (Rendered(checkpoint.time, xml),))
