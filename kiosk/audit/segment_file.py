"""The file of a sealed segment: gzip, a JSON object a line; `zcat FILE | jq` shows it.

The first line is the segment's head with its signature. Then come its checkpoints ("checkpoint", "signature", "mac")
and its records ("body", "hash", "mac", "sequence"), each in order, and nothing else. The canonical JSON of a record's
"body", and of a "checkpoint", is what was chained and signed, octet by octet.
"""

import gzip
import os
import re
import secrets
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Generic, TypeVar

from kiosk.audit import store
from kiosk.audit.boundary import Beginning
from kiosk.audit.canonical import dumps
from kiosk.audit.decode import Fields, RecordError, fields_of, loads
from kiosk.audit.disk import sync_directory
from kiosk.audit.record import Head
from kiosk.audit.segment import Segment
from kiosk.errors import TrailError

LONGEST_LINE: Final = (1 << 20) + 4096
"""Octets: more than the largest record's line."""
LEVEL: Final = 6
KINDS: Final = ("body", "checkpoint")
ROW: Final = re.compile(
    rb'\{"body":(\{.+\}),"hash":"([0-9a-f]{64})","mac":"((?:[0-9a-f]{2})*)","sequence":([1-9][0-9]{0,17})\}\n?'
)
"""A record's line as it is written. Taken apart so, its body is not read: its hash says whether that was chained."""
Item = TypeVar("Item", bound=tuple[object, ...])

UNREADABLE: Final = (OSError, EOFError, zlib.error)  # gzip.BadGzipFile is an OSError


def write_segment(
    path: Path, segment: Segment, checkpoints: Iterable[store.CheckpointRow], rows: Iterable[store.Row]
) -> None:
    """Writes a segment's file, whole and durable when this returns, or not at all; raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            with gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as packed:
                packed.write(segment.line().encode("ascii") + b"\n")
                for line in _lines(checkpoints, rows):
                    packed.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


class SegmentFile:
    """A segment to read, from anywhere: what `verify_stored` checks. Every method may raise TrailError.

    It is read from front to back; whoever goes back in it makes it read from the front again.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._segment: Segment | None = None
        self._rows: _Stream[store.Row] | None = None
        self._checkpoints: _Stream[store.CheckpointRow] | None = None

    def open(self) -> None:
        """Reads the segment's head; raises TrailError when it has none."""
        with self._failing():
            lines = self._lines()
            try:
                first = next(lines, b"")
            finally:
                lines.close()
        try:
            self._segment = Segment.from_line(first)
        except RecordError as error:
            raise TrailError(f"{self._path.name} is no sealed segment of an audit trail: {error}.") from None

    def close(self) -> None:
        """Lets the file go."""
        for stream in (self._rows, self._checkpoints):
            if stream is not None:
                stream.close()
        self._rows = self._checkpoints = None

    def __enter__(self) -> "SegmentFile":
        if self._segment is None:
            self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def segment(self) -> Segment:
        """What it says it is."""
        if self._segment is None:
            raise TrailError("The segment is not open.")
        return self._segment

    @property
    def identity(self) -> store.Identity:
        """Whose trail it is a piece of."""
        return self.segment.identity

    def beginning(self) -> Beginning:
        """What comes before its first record; raises TrailError when it does not carry its own key's signature."""
        segment = self.segment
        if not segment.is_signed_by(segment.identity.public_key):
            raise TrailError(f"{self._path.name} does not carry the trail's signature.")
        genesis = segment.identity.genesis
        if segment.number == 1 and segment.before != Beginning(0, genesis, 0, genesis):
            raise TrailError(f"{self._path.name} is the first segment, but does not begin where its trail begins.")
        return segment.before

    def head(self) -> Head:
        """Its last record."""
        return Head(self.segment.last.sequence, self.segment.last.hash)

    def rows(self, first: int, limit: int = store.BATCH) -> tuple[store.Row, ...]:
        """At most `limit` records from `first` on, about PAGE_BYTES of them but one at least."""
        if self._rows is None or self._rows.passed >= first:
            before = self.segment.before.sequence
            self._rows = _Stream(self._items("body", _row, _written_row), lambda row: row.sequence, before)
        with self._failing():
            return self._rows.take(first, limit, lambda row: len(row.body))

    def checkpoint_rows(self, first: int, limit: int = store.BATCH) -> tuple[store.CheckpointRow, ...]:
        """At most `limit` checkpoints from `first` on."""
        if self._checkpoints is None or self._checkpoints.passed >= first:
            before = self.segment.before.checkpoint
            self._checkpoints = _Stream(self._items("checkpoint", _checkpoint), lambda row: row.number, before)
        with self._failing():
            return self._checkpoints.take(first, limit)

    def last_checkpoint(self) -> store.CheckpointRow | None:
        """Its newest checkpoint, None when there is none in it."""
        last, first = None, 1
        while found := self.checkpoint_rows(first):
            last, first = found[-1], found[-1].number + 1
        return last

    def _items(
        self, key: str, read: Callable[[Fields], Item], written: Callable[[bytes], Item | None] | None = None
    ) -> Generator[Item, None, None]:
        """What stands under that key, a line each; `written` reads most lines faster."""
        lines = self._lines()
        next(lines, b"")
        for number, line in enumerate(lines, 2):
            if written is None and ROW.fullmatch(line):
                continue  # it is a record: whoever reads those looks into it
            if written is not None and (quick := written(line)) is not None:
                yield quick
                continue
            fields = fields_of(loads(line), f"line {number}")
            if key in fields:
                item = read(fields)
                fields.end()
                yield item
            elif not any(kind in fields for kind in KINDS):
                raise fields.wrong("body", "a record or a checkpoint")

    def _lines(self) -> Generator[bytes, None, None]:
        with gzip.open(self._path, "rb") as file:
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise RecordError("line: longer than any record")
                yield line

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except UNREADABLE as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
            raise TrailError(f"The segment {self._path.name} cannot be read: {reason}.") from None
        except RecordError as error:
            raise TrailError(f"The segment {self._path.name} cannot be read: {error}.") from None


class _Stream(Generic[Item]):
    """Items in order after place `before`, given out page by page; `passed` is the place of the last one given or left
    out. One that goes back is nobody's: it raises RecordError, lest it be left out unseen."""

    def __init__(self, items: Generator[Item, None, None], place: Callable[[Item], int], before: int) -> None:
        self._items = items
        self._place = place
        self.passed = before

    def take(self, first: int, limit: int, size: Callable[[Item], int] = lambda _: 0) -> tuple[Item, ...]:
        """At most `limit` from place `first` on, fewer once they are larger than a page."""
        found: list[Item] = []
        taken = 0
        while len(found) < limit and taken <= store.PAGE_BYTES:
            item = next(self._items, None)
            if item is None:
                break
            place = self._place(item)
            if place <= self.passed:
                raise RecordError(f"number {place} comes after number {self.passed}")
            self.passed = place
            if place >= first:
                found.append(item)
                taken += size(item)
        return tuple(found)

    def close(self) -> None:
        """Lets the file go."""
        self._items.close()


def _lines(checkpoints: Iterable[store.CheckpointRow], rows: Iterable[store.Row]) -> Iterator[bytes]:
    for made in checkpoints:
        signed = {"signature": made.signature.hex(), "mac": made.mac.hex()}
        yield dumps({"checkpoint": loads(made.body), "number": made.number, "sequence": made.sequence, **signed})
    for row in rows:
        yield dumps({"body": loads(row.body), "sequence": row.sequence, "hash": row.hash.hex(), "mac": row.mac.hex()})


def _row(fields: Fields) -> store.Row:
    body = dumps(fields.value("body"))
    return store.Row(fields.integer("sequence"), body, fields.octets("hash"), fields.octets("mac"))


def _written_row(line: bytes) -> store.Row | None:
    found = ROW.fullmatch(line)
    if found is None:
        return None
    body, value, mac, sequence = found.groups()
    return store.Row(int(sequence), body, bytes.fromhex(value.decode("ascii")), bytes.fromhex(mac.decode("ascii")))


def _checkpoint(fields: Fields) -> store.CheckpointRow:
    body = dumps(fields.value("checkpoint"))
    signature, mac = fields.octets("signature"), fields.octets("mac")
    return store.CheckpointRow(fields.integer("number"), fields.integer("sequence"), body, signature, mac)
