"""The trail: one chained, append-only file, whose writers take turns."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Final, TypeVar

from kiosk.audit import codes, own_records, reading, retained, store
from kiosk.audit.anchor import Anchoring, AnchorSink, BrokenTrail
from kiosk.audit.ballast import Ballast
from kiosk.audit.boundary import Beginning, Boundary
from kiosk.audit.canonical import encode_body
from kiosk.audit.checkpoint import Checkpoint, Occasion
from kiosk.audit.clock_watch import ClockWatch
from kiosk.audit.disk import free_bytes
from kiosk.audit.lock_file import DAEMON
from kiosk.audit.message import AuditSource, Outcome
from kiosk.audit.port import TrailStatus
from kiosk.audit.read_only import ReadOnlyTrail
from kiosk.audit.record import Entry, Head, Receipt, Record
from kiosk.audit.trail_error import as_trail_error, sentence
from kiosk.audit.trail_file import TrailFile
from kiosk.clock import Clock
from kiosk.errors import TrailError

Answer = TypeVar("Answer")

LARGEST_BODY: Final = 1 << 20
RESERVE_BYTES: Final = 64 * 1024 * 1024
FAILURES: Final = (*store.DATABASE_ERRORS, OSError, TrailError)
# With these the file is not written to once more: it is not what it was, or somebody else has it.
NO_LAST_WORDS: Final = frozenset(
    (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY)
)


class TooLarge(TrailError):
    """A record that no trail takes. It harms nothing, and what it was to tell of may not be done."""


@dataclass(frozen=True)
class TrailRules:
    """Bounds. The clock may stray by `clock_seconds` from what it should say; a larger jump that is not put right is
    believed after `settle_seconds`, never when 0. A checkpoint is due after `checkpoint_records`, and `ballast_bytes`
    are kept for the last record on a full disk."""

    clock_seconds: float = 60.0
    settle_seconds: float = 600.0
    checkpoint_records: int = 256
    ballast_bytes: int = 1024 * 1024


class Trail:
    """Appends entries durably and in one order; implements `TrailPort`. Any thread may use it, and several processes
    that know its kiosk id: each takes the lock for one append, and chains what others appended meanwhile before it.

    Whatever fails while appending raises TrailError with a sentence for the screen; from then on every append is
    refused until `reopen()` has gone through. Where the disk is full or the clock was moved, a last record says so.
    `keys` is the directory of the signing key and the MAC key; left out, it lies beside the file. Of those that are to
    be `alone`, only one opens a file. Where there `was_one` before, a file that has to be made says so.
    """

    def __init__(
        self,
        path: Path | str,
        kiosk_id: str,
        source: AuditSource,
        clock: Clock,
        reserve_bytes: int = RESERVE_BYTES,
        *,
        keys: Path | None = None,
        anchors: Sequence[AnchorSink] = (),
        rules: TrailRules | None = None,
        alone: bool = False,
        was_one: bool = False,
    ) -> None:
        self._path = Path(path).absolute()
        self._rules = rules or TrailRules()
        self._kiosk_id = kiosk_id
        self._source = source
        self._clock = clock
        self._reserve_bytes = reserve_bytes
        self._mutex = RLock()
        self._keys = keys or self._beside(".keys")
        self._ballast = Ballast(self._beside(".ballast"), self._rules.ballast_bytes)
        self._watch = ClockWatch(
            clock, timedelta(seconds=self._rules.clock_seconds), timedelta(seconds=self._rules.settle_seconds)
        )
        self._anchoring = Anchoring(anchors)
        self._alone = alone
        self._opening = self._begin_anew if was_one else None
        self._begun_anew: datetime | None = None
        self._file: TrailFile | None = None
        self._was_full = False
        self._failure = "The audit trail is not open."

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def uri(self) -> str:
        """The file's address, for messages about it."""
        return self._path.as_uri()

    @staticmethod
    def read_only(path: Path | str) -> ReadOnlyTrail:
        """A trail to read, open: a copy on another machine, or the kiosk's own while it runs. Raises TrailError."""
        trail = ReadOnlyTrail(path)
        trail.open()
        return trail

    def open(self) -> None:
        """Takes the file, making it (0600, in a directory 0700) when there is none.

        Raises TrailError when it belongs to another kiosk, when its last records do not chain up to its head or were
        not written with its key, when it is behind an anchor, when the disk is under its reserve, or when the clock
        stands before the last record.
        """
        with self._mutex:
            if self._file is not None:
                return
            file = TrailFile(self._path, self._kiosk_id, self._keys, self._opening)
            try:
                file.open()
                if self._alone and not file.lock(DAEMON):
                    raise TrailError("Another daemon holds this audit trail.")
                self._anchoring.compare(file, again=True)
                self._ballast.fill()
                # A little more than is needed to go on: else what the stop itself freed would start it again.
                self._require_room(self._reserve_bytes >> 6 if self._was_full else 0)
                self._watch.look(file.last_time)
                self._begun_anew = own_records.begun_anew_at(store.page(file.connection, 1, 1))
            except FAILURES as error:
                file.close()
                self._failure = sentence("opened", error)
                raise TrailError(self._failure) from error
            self._file, self._failure, self._was_full = file, "", False

    def reopen(self) -> None:
        """Opens the file anew after a failure; raises TrailError as `open` does, and the trail stays failed."""
        with self._mutex:
            self.close()
            self.open()

    def close(self) -> None:
        """Lets the file go."""
        with self._mutex:
            file, self._file = self._file, None
            self._failure = "The audit trail is not open."
            if file is not None:
                file.close()

    def __enter__(self) -> "Trail":
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def append(self, entry: Entry, nonce: bytes | None = None, writer: int | None = None) -> Receipt:
        """Makes the entry the next record; it is on the disk when this returns. Raises TrailError.

        A sign-out is sealed by a checkpoint in the same moment. `writer` is whose intent it is when it is not ours.
        """
        with self._mutex:
            file = self._working()
            with self._failing(file), file.transaction():
                if nonce is not None and (known := file.accepted(nonce)) is not None:
                    return Receipt(known.sequence, known.hash, known.time)
                self._require_room()
                now = self._watch.look(file.last_time)
                body = encode_body(entry, now, self._source)
                if len(body) > LARGEST_BODY:
                    raise TooLarge(f"A record of {len(body)} octets is too large for the audit trail.")
                head = file.add(body, entry, now, file.writer if writer is None else writer, nonce)
                if occasion := self._due(file, entry):
                    file.seal(occasion, now)
            return Receipt(head.sequence, head.hash, now)

    def checkpoint(self, occasion: Occasion) -> Checkpoint:
        """Signs how far the trail has come; durable when this returns. Raises TrailError."""
        with self._mutex:
            file = self._working()
            with self._failing(file), file.transaction():
                self._require_room()
                return file.seal(occasion, self._watch.look(file.last_time))

    def check(self) -> None:
        """Whether a record could be written now: room, clock, and the chain from where we last saw it."""
        with self._mutex:
            file = self._working()
            with self._failing(file), file.transaction():
                self._require_room()
                self._watch.look(file.last_time)

    def within(self, work: Callable[[TrailFile], Answer]) -> Answer:
        """What `work` makes of the file, as one transaction between two appends; raises TrailError."""
        with self._mutex:
            file = self._working()
            with self._failing(file), file.transaction():
                return work(file)

    def escrow(self) -> bytes:
        """The first MAC key, 32 octets, for whoever is to check all MACs one day; raises TrailError once it is gone."""
        with self._mutex, as_trail_error("read"):
            return self._working().first_key()

    def status(self) -> TrailStatus:
        """How it is, also while it has failed."""
        with self._mutex:
            file, failure = self._file, self._failure
            number, at = self._anchoring.anchored
            return TrailStatus(
                self._kiosk_id,
                file.head() if file else Head(0, b""),
                failure,
                file.sealed if file else None,
                self._free(),
                self._reserve_bytes,
                number,
                at,
                self._anchoring.fault,
                self._begun_anew,
            )

    def anchor(self) -> None:
        """Gives every sink the newest checkpoint; takes as long as the sinks take, and keeps no append waiting.

        A sink that could not be asked before is compared first; raises TrailError, and has failed, when we are behind.
        """
        with self._mutex:
            newest = self._working().sealed
        try:
            self._anchoring.publish(self, newest)
        except TrailError as error:
            with self._mutex:
                self._failure = self._failure or str(error)
            raise

    @property
    def identity(self) -> store.Identity:
        """Whose trail this is; raises TrailError when it is not open."""
        with self._mutex, as_trail_error("read"):
            return store.identity(self._opened().connection)

    @property
    def kiosk_id(self) -> str:
        """Whose trail it is meant to be."""
        return self._kiosk_id

    @property
    def public_key(self) -> bytes:
        """The Ed25519 key of its checkpoints, 32 octets; raises TrailError when it is not open."""
        with self._mutex:
            return self._opened().public_key

    def boundary(self) -> Boundary | None:
        """Up to where it was deleted, None when nothing ever was; raises TrailError."""
        with self._mutex, as_trail_error("read"):
            return retained.boundary(self._opened().connection)

    def beginning(self) -> Beginning:
        """What comes before its first record; raises TrailError."""
        with self._mutex, as_trail_error("read"):
            return self._opened().beginning()

    def hash_at(self, sequence: int) -> bytes:
        """The hash of a record, of 0 the genesis; raises TrailError when it is not there."""
        with self._mutex, as_trail_error("read"):
            return self._opened().hash_at(sequence)

    def checkpoint_body(self, number: int) -> bytes | None:
        """The body of a checkpoint, None when there is none of that number; raises TrailError."""
        with self._mutex, as_trail_error("read"):
            return self._opened().checkpoint_body(number)

    def head(self) -> Head:
        """Place and hash of the last record seen from here; raises TrailError when the trail is not open."""
        with self._mutex:
            return self._opened().head()

    def page(self, first: int, limit: int = store.BATCH) -> tuple[Record, ...]:
        """At most `limit` records from `first` on; raises TrailError. Appending goes on while somebody reads."""
        with self._mutex, as_trail_error("read"):
            return reading.page(self._opened().connection, first, limit)

    def read(self, first: int = 1, last: int | None = None) -> Iterator[Record]:
        """Records `first` to `last`, or to the one that is last when the reading begins. Raises TrailError."""
        end, first = self.head().sequence, max(first, self.beginning().sequence + 1)
        for start, stop in store.stretches(first, end if last is None else min(last, end)):
            with self._mutex, as_trail_error("read"):
                stretch = tuple(reading.records(self._opened().connection, start, stop))
            yield from stretch

    def rows(self, first: int, limit: int = store.BATCH) -> tuple[store.Row, ...]:
        """As `page`, as they are stored."""
        with self._mutex, as_trail_error("read"):
            return tuple(store.page(self._opened().connection, first, limit))

    def checkpoints(self, first: int = 1) -> Iterator[Checkpoint]:
        """Checkpoints from number `first` on; raises TrailError."""
        while found := self.checkpoint_rows(first):
            yield from map(reading.checkpoint_of, found)
            first = found[-1].number + 1

    def checkpoint_rows(self, first: int, limit: int = store.BATCH) -> tuple[store.CheckpointRow, ...]:
        """At most `limit` checkpoints from number `first` on, as they are stored."""
        with self._mutex, as_trail_error("read"):
            return tuple(store.checkpoint_rows(self._opened().connection, first, min(limit, store.BATCH)))

    def open_intents(self, own: int | None = None, living: Collection[int] = ()) -> tuple[Record, ...]:
        """Intents that no outcome followed, oldest first: our own, and those of writers that are gone. Those of another
        process that lives are its own business, as are those of `living` for whoever asks as writer `own`."""
        with self._mutex:
            file = self._working()
            with self._failing(file), file.transaction():
                return file.open_intents(file.writer if own is None else own, living)

    def _opened(self) -> TrailFile:
        if self._file is None:
            raise TrailError(self._failure)
        return self._file

    def _working(self) -> TrailFile:
        if self._failure or self._file is None:
            raise TrailError(self._failure)
        return self._file

    def _due(self, file: TrailFile, entry: Entry) -> Occasion | None:
        if any(codes.LOGOUT in message.event_types for message in entry.messages):
            return Occasion.SIGN_OUT
        unsealed = file.head().sequence - (file.sealed.sequence if file.sealed else 0)
        return Occasion.BUSY if unsealed >= self._rules.checkpoint_records else None

    @contextmanager
    def _failing(self, file: TrailFile) -> Iterator[None]:
        try:
            yield
        except TooLarge:
            raise
        except FAILURES as error:
            self._failure = sentence("written", error)
            self._say_last_words(file, error)
            raise TrailError(self._failure) from error

    def _say_last_words(self, file: TrailFile, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
        if isinstance(error, BrokenTrail) or code in NO_LAST_WORDS:
            return
        with suppress(*FAILURES):
            self._ballast.drop()
            with file.transaction():
                now = self._watch.reckoned(file.last_time)
                said = f"Audit recording stopped: {self._failure}"
                entry = own_records.recording(self._source, self.uri, Outcome.MAJOR, said)
                file.add(encode_body(entry, now, self._source), entry, now, file.writer, None)
                file.seal(Occasion.FAULT, now)

    def resume(self) -> None:
        """Opens the file anew and puts on record that recording goes on, and what had stopped it; raises TrailError."""
        with self._mutex:
            why = self._failure
            self.reopen()
            said = f"Audit recording goes on after: {why}"
            self.append(own_records.recording(self._source, self.uri, Outcome.SUCCESS, said))

    def _begin_anew(self) -> tuple[bytes, Entry, datetime]:
        entry, now = own_records.begun_anew(self._source, self.uri), self._clock.now()
        return encode_body(entry, now, self._source), entry, now

    def _require_room(self, more: int = 0) -> None:
        free = free_bytes(self._path.parent)
        if free < self._reserve_bytes + more:
            self._was_full = True
            raise TrailError(
                f"The disk of the audit trail is nearly full: {free >> 20} MiB left, {self._reserve_bytes >> 20} kept."
            )

    def _free(self) -> int:
        with suppress(OSError):
            return free_bytes(self._path.parent)
        return 0

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)
