"""A trail together with what was archived of it, for searches: one row of records, with gaps that are named.

Of a segment nothing is given out before every record in it was hashed again, up to the hash that the trail's key signed
for. One whose file is not here, cannot be read or was changed is left out, and `unread` says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from typing import Final, Protocol

from kiosk.audit import store
from kiosk.audit.archive import Archive
from kiosk.audit.boundary import Beginning
from kiosk.audit.chain import link
from kiosk.audit.record import Head
from kiosk.audit.segment import Segment
from kiosk.errors import Cancelled, TrailError

ASTRAY: Final = timedelta(days=1)
"""A clock is refused long before a record is so much older than one that stands before it."""


class Live(Protocol):
    """The trail as it is now. Every method may raise TrailError."""

    @property
    def identity(self) -> store.Identity:
        """Whose trail it is, and the public key of its checkpoints."""

    def beginning(self) -> Beginning:
        """What its first record follows."""

    def head(self) -> Head:
        """Its last record."""

    def rows(self, first: int, limit: int = store.BATCH) -> Sequence[store.Row]:
        """At most `limit` records from `first` on."""


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for lies at record `first` or later, and was made from `since` until before `until`."""

    first: int = 1
    since: datetime | None = None
    until: datetime | None = None

    def may_lie_in(self, segment: Segment) -> bool:
        """False when no record of that segment is looked for."""
        if segment.last.sequence < self.first or (self.since is not None and segment.month.end <= self.since):
            return False
        return self.until is None or self.until > segment.month.plus(-1).end - ASTRAY


ANYTHING: Final = Wanted()


@dataclass(frozen=True)
class Stretch:
    """Records that are there without a gap; the first one follows `hash`. One that is `sealed` is read forwards."""

    first: int
    last: int
    hash: bytes
    sealed: bool = False


@dataclass
class WholeTrail:
    """Implements `StoredRecords`. With no archive only the trail itself is read. Methods raise TrailError, and
    Cancelled soon after `cancel` is set while a segment is read. Not for several threads at once."""

    trail: Live
    archive: Archive | None = None
    wanted: Wanted = ANYTHING
    cancel: Event | None = None
    _unread: dict[str, str] = field(default_factory=dict, init=False)
    _checked: dict[int, bool] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._begun = self.trail.beginning()
        self._segments = self._archived()

    @property
    def unread(self) -> tuple[str, ...]:
        """What was to be looked into and could not be, in sentences, as far as anybody came."""
        return tuple(f"{what}: {why}" for what, why in self._unread.items())

    def beginning(self) -> Beginning:
        """What the oldest record follows that may be read here."""
        return self._segments[0].before if self._segments else self._begun

    def head(self) -> Head:
        """The last record."""
        return self.trail.head()

    def rows(self, first: int, limit: int = store.BATCH) -> Sequence[store.Row]:
        """At most `limit` records from `first` on; none where that one is in no segment that could be read."""
        if first > self._begun.sequence:
            return self.trail.rows(first, limit)
        for segment in self._segments:
            if segment.first <= first <= segment.last.sequence and self._is_whole(segment):
                return self._rows(segment, first, limit)
        return ()

    def stretches(self, *, newest_first: bool = False) -> Iterator[Stretch]:
        """What can be read, piece by piece; each segment is checked when it is reached."""
        begun, last = self._begun, self.head().sequence
        live = Stretch(begun.sequence + 1, last, begun.hash)
        if newest_first:
            yield live
        for segment in reversed(self._segments) if newest_first else self._segments:
            if self._is_whole(segment):
                yield Stretch(segment.first, segment.last.sequence, segment.before.hash, sealed=True)
        if not newest_first:
            yield live

    def _archived(self) -> tuple[Segment, ...]:
        """The segments of what the trail does not hold itself any more, as far as they are looked for."""
        end = self._begun.sequence
        if not end or self.wanted.first > end:
            return ()
        try:
            if self.archive is None:
                raise TrailError("they were archived, and the archive is not at hand.")
            found = tuple(segment for segment in self.archive.segments() if segment.first <= end)
            self._require_row(found)
        except TrailError as error:
            self._unread[f"records up to {end}"] = str(error)
            return ()
        return tuple(filter(self.wanted.may_lie_in, found))

    def _require_row(self, found: tuple[Segment, ...]) -> None:
        """They follow each other, from the first record to where the trail begins now, each under the trail's key."""
        identity = self.trail.identity
        before, digest = Beginning(0, identity.genesis, 0, identity.genesis), identity.genesis
        for segment in found:
            if (segment.identity, segment.before, segment.previous) != (identity, before, digest):
                raise TrailError(f"Segment {segment.number} does not follow the one before it.")
            if not segment.is_signed_by(identity.public_key):
                raise TrailError(f"Segment {segment.number} does not carry the trail's signature.")
            before, digest = segment.last, segment.digest
        if before != self._begun:
            raise TrailError("The segments do not lead to where the trail begins.")

    def _is_whole(self, segment: Segment) -> bool:
        if segment.number not in self._checked:
            try:
                self._check(segment)
            except TrailError as error:
                self._unread[str(segment.month)] = str(error)
                self._checked[segment.number] = False
            else:
                self._checked[segment.number] = True
        return self._checked[segment.number]

    def _check(self, segment: Segment) -> None:
        place, value = segment.before.sequence, segment.before.hash
        while rows := self._rows(segment, place + 1, store.BATCH):
            for row in rows:
                place += 1
                if row.sequence != place or link(value, place, row.body) != row.hash:
                    raise TrailError(f"Record {place} in {segment.file_name} was changed.")
                value = row.hash
        if (place, value) != (segment.last.sequence, segment.last.hash):
            raise TrailError(f"{segment.file_name} does not end with record {segment.last.sequence}.")

    def _rows(self, segment: Segment, first: int, limit: int) -> tuple[store.Row, ...]:
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled
        if self.archive is None:
            return ()
        return self.archive.segment_rows(segment.number, first, limit)
