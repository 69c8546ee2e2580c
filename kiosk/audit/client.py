"""The trail behind its daemon's socket, used like one in this process."""

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Final, TypeVar

from kiosk.audit import frames, reading, store, wire
from kiosk.audit.anchor import BehindAnchor
from kiosk.audit.attendant import NONCE_SIZE
from kiosk.audit.boundary import Beginning
from kiosk.audit.canonical import entry_fields
from kiosk.audit.checkpoint import Checkpoint, Occasion
from kiosk.audit.decode import Fields, RecordError
from kiosk.audit.frames import ConnectionLost
from kiosk.audit.lock_file import new_writer
from kiosk.audit.month import Month
from kiosk.audit.port import TrailStatus
from kiosk.audit.record import Entry, Head, Receipt, Record
from kiosk.audit.retention import Pruned
from kiosk.audit.segment import Segment
from kiosk.errors import TrailError

SECONDS: Final = 5.0
CHECK_SECONDS: Final = 1.0
RETENTION_SECONDS: Final = 600.0
"""Sealing and deleting read months of records."""
RETRY: Final = 0.05
NOT_OPEN: Final = "The audit trail is not open."
SILENT: Final = "The audit trail's daemon does not answer."
FAILING: Final = frozenset(("append", "checkpoint", "check", "hello"))

Json = dict[str, object]
Answer = TypeVar("Answer")


class _Refused(TrailError):
    def __init__(self, sentence: str, *, fails: bool) -> None:
        super().__init__(sentence)
        self.fails = fails


class TrailClient:
    """Implements `TrailPort`. Any thread may use it; their requests take turns on one connection.

    A connection that breaks is made again within `seconds`, and what was asked is asked again: an append carries a
    nonce by which the daemon knows it. What stays unanswered raises TrailError, and from then on everything is refused
    until `reopen()`. The client keeps the end of the trail in mind: a daemon that comes back without it is refused.
    One that `reads_only` opens also where nothing can be recorded now, and says so by its `status`.
    """

    def __init__(self, path: Path | str, seconds: float = SECONDS, *, reads_only: bool = False) -> None:
        self._path = Path(path)
        self._first = "head" if reads_only else "check"
        self._seconds = seconds
        self._mutex = RLock()
        self._writer = new_writer()
        self._connection: socket.socket | None = None
        self._identity: store.Identity | None = None
        self._uri = ""
        self._known: Head | None = None
        self._failure = NOT_OPEN

    @property
    def uri(self) -> str:
        """Where the daemon's file lies; the socket's address before it was asked."""
        return self._uri or self._path.absolute().as_uri()

    @property
    def identity(self) -> store.Identity:
        """Whose trail it is; raises TrailError before it was opened."""
        if self._identity is None:
            raise TrailError(self._failure)
        return self._identity

    def open(self) -> None:
        """Connects; raises TrailError."""
        with self._mutex:
            if not self._failure:
                return
            self._begin(self._seconds)

    def reopen(self) -> None:
        """Connects anew after a failure, or says quickly that it cannot; raises TrailError."""
        with self._mutex:
            self.close()
            self._begin(CHECK_SECONDS)

    def close(self) -> None:
        """Hangs up."""
        with self._mutex:
            self._hang_up()
            self._failure = NOT_OPEN

    def __enter__(self) -> "TrailClient":
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def append(self, entry: Entry, nonce: bytes | None = None) -> Receipt:
        """Makes the entry the next record; it is on the daemon's disk when this returns. Raises TrailError."""
        sent = nonce or secrets.token_bytes(NONCE_SIZE)
        with self._mutex:
            answer = self._ask({"verb": "append", "entry": entry_fields(entry), "nonce": sent.hex()})
            receipt = self._read(lambda: wire.receipt_of(answer))
            if self._known is None or receipt.sequence > self._known.sequence:
                self._known = Head(receipt.sequence, receipt.hash)
            return receipt

    def checkpoint(self, occasion: Occasion) -> Checkpoint:
        """Signs how far the trail has come; raises TrailError."""
        with self._mutex:
            answer = self._ask({"verb": "checkpoint", "occasion": occasion.value})
            return self._read(lambda: Checkpoint.from_line(answer.text("line")))

    def check(self) -> None:
        """Whether the daemon could write a record now; raises TrailError, sooner than an append gives up."""
        with self._mutex:
            self._ask({"verb": "check"}, CHECK_SECONDS)

    def status(self) -> TrailStatus:
        """How the trail is; raises TrailError when the daemon does not answer, or its trail is not open."""
        with self._mutex:
            answer = self._ask({"verb": "status"})
            return self._read(lambda: wire.status_of(answer))

    def told(self) -> TrailStatus:
        """What the daemon says of a trail that it may not have open; raises TrailError when it does not answer."""
        with self._mutex, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(CHECK_SECONDS)
            try:
                connection.connect(str(self._path))
                frames.send(connection, frames.encode({"verb": "status"}, frames.LARGEST_REQUEST), CHECK_SECONDS)
                answer = frames.receive(connection, frames.LARGEST_ANSWER, CHECK_SECONDS, CHECK_SECONDS)
                if answer is None or "ok" not in answer:
                    raise TrailError(SILENT)
                return wire.status_of(answer.child("ok"))
            except (OSError, ConnectionLost, RecordError):
                raise TrailError(SILENT) from None

    def head(self) -> Head:
        """Place and hash of the last record; raises TrailError."""
        with self._mutex:
            answer = self._ask({"verb": "head"})
            return self._read(lambda: wire.head_of(answer))

    def page(self, first: int, limit: int = store.BATCH) -> tuple[Record, ...]:
        """At most `limit` records from `first` on; raises TrailError."""
        begun = self.beginning()
        first, previous = max(first, begun.sequence + 1), begun.hash
        if first > begun.sequence + 1:
            before = self.rows(first - 1, 1)
            if not before:
                return ()
            previous = before[0].hash
        return reading.of_rows(self.rows(first, limit), previous, first)

    def read(self, first: int = 1, last: int | None = None) -> Iterator[Record]:
        """Records `first` to `last`, or to the one that is last when the reading begins. Raises TrailError."""
        end = self.head().sequence
        end, first = end if last is None else min(last, end), max(first, self.beginning().sequence + 1)
        while first <= end:
            found = self.page(first, min(store.BATCH, end - first + 1))
            if not found:
                raise TrailError(f"Record {first} of the audit trail is missing.")
            yield from found
            first = found[-1].sequence + 1

    def beginning(self) -> Beginning:
        """What comes before its first record; raises TrailError when the daemon cannot show that the trail's key says
        so."""
        with self._mutex:
            answer = self._ask({"verb": "boundary"})
            return store.begin_at(self.identity, self._read(lambda: wire.boundary_of(answer)))

    def rows(self, first: int, limit: int = store.BATCH) -> tuple[store.Row, ...]:
        """As `page`, as they are stored."""
        with self._mutex:
            answer = self._ask({"verb": "read", "first": first, "limit": min(limit, store.BATCH)})
            return self._read(lambda: tuple(wire.rows_of(answer, "rows")))

    def checkpoints(self, first: int = 1) -> Iterator[Checkpoint]:
        """Checkpoints from number `first` on; raises TrailError."""
        while found := self.checkpoint_rows(first):
            yield from map(reading.checkpoint_of, found)
            first = found[-1].number + 1

    def checkpoint_rows(self, first: int, limit: int = store.BATCH) -> tuple[store.CheckpointRow, ...]:
        """At most `limit` checkpoints from number `first` on, as they are stored."""
        with self._mutex:
            answer = self._ask({"verb": "checkpoints", "first": first, "limit": min(limit, store.BATCH)})
            return self._read(lambda: tuple(wire.checkpoint_rows_of(answer, "rows")))

    def open_intents(self) -> tuple[Record, ...]:
        """Intents that no outcome followed: our own, and those of clients that are gone. Raises TrailError."""
        with self._mutex:
            answer = self._ask({"verb": "intents"})
            places = [place for place in answer.items("sequences") if isinstance(place, int)]
        return tuple(record for place in places for record in self.page(place, 1))

    def segments(self) -> tuple[Segment, ...]:
        """Every segment that was ever sealed; raises TrailError."""
        with self._mutex:
            answer = self._ask({"verb": "segments"})
            return self._read(lambda: wire.segments_of(answer))

    def segment_rows(self, number: int, first: int, limit: int = store.BATCH) -> tuple[store.Row, ...]:
        """At most `limit` records of a sealed segment, as they were stored; raises TrailError when it is not there."""
        with self._mutex:
            asked = {"verb": "segment_rows", "number": number, "first": first, "limit": min(limit, store.BATCH)}
            answer = self._ask(asked, RETENTION_SECONDS)
            return self._read(lambda: tuple(wire.rows_of(answer, "rows")))

    def seal(self, before: Month | None = None) -> tuple[Segment, ...]:
        """Has the daemon seal every closed month, or those before that one; raises TrailError."""
        with self._mutex:
            answer = self._ask({"verb": "seal", **({"before": str(before)} if before else {})}, RETENTION_SECONDS)
            return self._read(lambda: wire.segments_of(answer))

    def prune(self) -> Pruned:
        """Has the daemon delete what may go; raises TrailError."""
        with self._mutex:
            answer = self._ask({"verb": "prune"}, RETENTION_SECONDS)
            return self._read(lambda: wire.pruned_of(answer))

    def _begin(self, seconds: float) -> None:
        self._failure = ""
        try:
            self._ask({"verb": self._first}, seconds)
        except TrailError as error:
            self._fail(str(error))
            raise

    def _ask(self, request: Json, seconds: float | None = None) -> Fields:
        if self._failure:
            raise TrailError(self._failure)
        frame = frames.encode(request, frames.LARGEST_REQUEST)
        try:
            return self._patiently(frame, seconds or self._seconds)
        except _Refused as error:
            if error.fails and request["verb"] in FAILING:
                self._fail(str(error))
            raise TrailError(str(error)) from None
        except (ConnectionLost, TrailError) as error:
            self._fail(str(error) if isinstance(error, TrailError) else SILENT)
            raise TrailError(self._failure) from None

    def _patiently(self, frame: bytes, seconds: float) -> Fields:
        """The answer, over as many connections as it takes; raises _Refused, ConnectionLost, BehindAnchor."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            try:
                if self._connection is None:
                    self._connect(max(left, RETRY))
                return self._exchange(frame, max(left, RETRY))
            except ConnectionLost:
                self._hang_up()
                if time.monotonic() + RETRY > deadline:
                    raise
                time.sleep(RETRY)

    def _connect(self, seconds: float) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(seconds)
            connection.connect(str(self._path))
        except PermissionError:
            connection.close()
            raise _Refused("This user may not use the audit trail's socket.", fails=True) from None
        except OSError as error:
            connection.close()
            raise ConnectionLost(str(error)) from None
        self._connection = connection
        try:
            self._greet(seconds)
        except (ConnectionLost, TrailError):
            self._hang_up()
            raise

    def _greet(self, seconds: float) -> None:
        hello = {"verb": "hello", "version": wire.VERSION, "writer": self._writer}
        answer = self._exchange(frames.encode(hello, frames.LARGEST_REQUEST), seconds)
        identity = self._read(lambda: wire.identity_of(answer.child("identity")))
        if self._identity not in (None, identity):
            raise BehindAnchor("The audit trail's daemon came back with another trail.")
        if self._known is not None:
            asked = {"verb": "read", "first": self._known.sequence, "limit": 1}
            last = self._exchange(frames.encode(asked, frames.LARGEST_REQUEST), seconds)
            rows = self._read(lambda: tuple(wire.rows_of(last, "rows")))
            if [Head(row.sequence, row.hash) for row in rows] != [self._known]:
                said = (
                    f"The audit trail's daemon came back without record {self._known.sequence}, which it had written."
                )
                raise BehindAnchor(said)
        self._identity, self._uri = identity, self._read(lambda: answer.text("uri"))

    def _exchange(self, frame: bytes, seconds: float) -> Fields:
        connection = self._connection
        if connection is None:
            raise ConnectionLost("not connected")
        with suppress(ConnectionLost):  # one that was turned away finds the reason waiting
            frames.send(connection, frame, seconds)
        answer = frames.receive(connection, frames.LARGEST_ANSWER, seconds, seconds)
        if answer is None:
            raise ConnectionLost("the daemon hung up")
        if "ok" in answer:
            return self._read(lambda: answer.child("ok"))
        raise _Refused(
            self._read(lambda: answer.text("error")), fails=self._read(lambda: answer.text("kind")) != "refused"
        )

    def _fail(self, sentence: str) -> None:
        self._failure = sentence
        self._hang_up()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _read(self, question: Callable[[], Answer]) -> Answer:
        try:
            return question()
        except RecordError as error:
            raise ConnectionLost(f"no answer of a daemon: {error}") from None
