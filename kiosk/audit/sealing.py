"""Sealing a month: its records and checkpoints copied into a file under one signature, then noted in the trail."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from kiosk.audit import reading, retained, store
from kiosk.audit.boundary import Beginning
from kiosk.audit.canonical import decode_body
from kiosk.audit.chain import link
from kiosk.audit.decode import RecordError
from kiosk.audit.evidence import Evidence
from kiosk.audit.intents import OpenIntents
from kiosk.audit.month import Month
from kiosk.audit.segment import Segment
from kiosk.audit.segment_file import SegmentFile, write_segment
from kiosk.audit.trail import Trail
from kiosk.audit.verify_segment import verify_segment
from kiosk.clock import Clock
from kiosk.errors import TrailError

TIME_FIELD: Final = b'"time":"'
TIME_SIZE: Final = len('2026-11-22T20:15:03.123456Z"}')


class Sealing:
    """Makes the segments of one trail in `directory`. Methods raise TrailError.

    A segment's file is durable before it is noted; one that a crash left without its note is taken as it is, if it is
    whole. Only its own key seals a trail, and every link is checked on the way.
    """

    def __init__(self, trail: Trail, directory: Path, clock: Clock) -> None:
        self._trail = trail
        self._directory = directory
        self._clock = clock

    def segments(self) -> tuple[Segment, ...]:
        """Every segment that was ever sealed, also of records that are deleted."""
        return tuple(map(reading.segment_of, self._trail.within(lambda file: retained.segments(file.connection))))

    def path(self, segment: Segment) -> Path:
        """Where its file was put."""
        return self._directory / segment.file_name

    def next(self, before: Month) -> Segment | None:
        """Seals the oldest month that is not sealed; None when there is none before that one."""
        known = self.segments()
        identity = self._trail.identity
        number, previous = (known[-1].number + 1, known[-1].digest) if known else (1, identity.genesis)
        start = known[-1].last if known else Beginning(0, identity.genesis, 0, identity.genesis)
        month = self._month_after(start.sequence)
        if month is None or not month < before:
            return None
        last = self._end(start, month)
        segment = Segment(identity, number, month, start, last, previous, self._clock.now())
        segment = self._left(segment) or self._written(segment)
        row = retained.SegmentRow(
            number, segment.last.sequence, segment.last.checkpoint, segment.line().encode("ascii")
        )
        self._trail.within(lambda file: retained.add_segment(file.connection, row))
        return segment

    def _month_after(self, sequence: int) -> Month | None:
        rows = self._trail.rows(sequence + 1, 1)
        return _month(rows[0]) if rows else None

    def _end(self, start: Beginning, month: Month) -> Beginning:
        """The last record and checkpoint of that month."""
        place, value, checkpoint, digest, before = start
        intents = OpenIntents(before)
        for row in self._rows(place):
            if month < _month(row):
                break
            if row.sequence != place + 1 or link(value, row.sequence, row.body) != row.hash:
                raise TrailError(f"The audit trail is broken at record {place + 1}: nothing is sealed.")
            place, value = row.sequence, row.hash
            intents.take(place, row.body, value)
        for made in self._checkpoints(checkpoint, place):
            checkpoint, digest = made.number, sha256(made.body).digest()
        return Beginning(place, value, checkpoint, digest, intents.all)

    def _left(self, wanted: Segment) -> Segment | None:
        """The file that a crash left between writing and noting it, when it is whole and what is wanted."""
        path = self.path(wanted)
        try:
            with SegmentFile(path) as file:
                found = file.segment
            whole = verify_segment(path, Evidence(wanted.identity.public_key)).whole
        except TrailError:  # no file, or none that can be read: it is written
            return None
        meant = replace(wanted, time=found.time, signature=found.signature)
        meant = replace(meant, last=wanted.last._replace(checkpoint=found.last.checkpoint, digest=found.last.digest))
        return found if whole and found == meant else None

    def _written(self, unsigned: Segment) -> Segment:
        segment = unsigned.signed(self._trail.within(lambda file: file.sign(unsigned.body)))
        before, last = segment.before, segment.last
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_segment(
                self.path(segment),
                segment,
                self._checkpoints(before.checkpoint, last.sequence, last.checkpoint),
                self._rows(before.sequence, last.sequence),
            )
        except OSError as error:
            raise TrailError(f"The segment {segment.file_name} cannot be written: {error.strerror}.") from None
        return segment

    def _rows(self, after: int, last: int | None = None) -> Iterator[store.Row]:
        while rows := self._trail.rows(after + 1):
            for row in rows:
                if last is not None and row.sequence > last:
                    return
                yield row
            after = rows[-1].sequence

    def _checkpoints(self, after: int, sequence: int, last: int | None = None) -> Iterator[store.CheckpointRow]:
        while rows := self._trail.checkpoint_rows(after + 1):
            for row in rows:
                if row.sequence > sequence or (last is not None and row.number > last):
                    return
                yield row
            after = rows[-1].number


def _month(row: store.Row) -> Month:
    """When a record was made: the last field of its body, canonical as that is."""
    _, _, end = row.body.rpartition(TIME_FIELD)
    if len(end) == TIME_SIZE:
        try:
            return Month.parse(end[:7].decode("ascii"))
        except ValueError:
            pass
    try:
        return Month.of(decode_body(row.body)[1])
    except RecordError as error:
        raise TrailError(f"Record {row.sequence} of the audit trail cannot be read: {error}.") from None
