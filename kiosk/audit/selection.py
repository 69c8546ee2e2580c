"""Which records somebody wants to see, and finding them: a page at a time, however long the trail is.

Most records are passed over by looking for a few octets in their bodies; only what may match is decoded.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Final, Protocol

from kiosk.audit import reading, store
from kiosk.audit.badges import SHORTEST_UID
from kiosk.audit.boundary import Beginning
from kiosk.audit.canonical import time_text
from kiosk.audit.codes import STUDY_INSTANCE_UID
from kiosk.audit.message import Outcome
from kiosk.audit.record import Entry, Head, Phase, Record
from kiosk.audit.whole_trail import Stretch, WholeTrail
from kiosk.errors import TrailError

KEPT: Final = 1024
"""Records in memory at a time, where a month is read forwards to tell its newest ones first."""
STUDY: Final = "study"

# A canonical body ends with its time: "time":"2026-11-22T20:15:03.123456Z"}
TIME_NAME: Final = b'"time":"'
TIME_FIELD: Final = slice(-37, -29)
TIME_VALUE: Final = slice(-29, -2)

MayMatch = Callable[[bytes], bool]
Linked = tuple[store.Row, bytes]
"""A record as it is stored, and the hash that it follows."""


class StoredRecords(Protocol):
    """What a search needs of a trail. Every method may raise TrailError."""

    def beginning(self) -> Beginning:
        """What its first record follows: nothing, or segments that are gone."""

    def head(self) -> Head:
        """Place and hash of the last record."""

    def rows(self, first: int, limit: int = store.BATCH) -> Sequence[store.Row]:
        """At most `limit` records from `first` on, as they are stored."""


@dataclass(frozen=True)
class Selection:
    """What records must have to be wanted; an empty field asks for nothing. All of them hold at once.

    `person`: a user ID, or a part of the name as it is shown. `badge`: a token ("uid:04A1B2C3", "pkoc:9f2c..."), or
    what follows its colon; blanks and colons inside a UID do not count; `badge_token` is what it may be named by
    instead (see `BadgeNaming.also`). `patient_id` with `issuer` is one patient; without, everybody of that ID at any
    issuer. `study`: a Study Instance UID. `act`: its name ("push"). `since` and
    `until` are times with a zone; `until` does not belong to it.
    """

    person: str = ""
    badge: str = ""
    badge_token: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    study: str = ""
    act: str = ""
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """True when it takes every record."""
        return self == Selection()

    def takes(self, record: Record) -> bool:
        """Whether that record is wanted."""
        entry = record.entry
        return (
            (self.outcome is None or entry.outcome is self.outcome)
            and (self.since is None or record.time >= self.since)
            and (self.until is None or record.time < self.until)
            and (not self.act or entry.act == self.act)
            and (not self.person or _is_person(self.person, entry))
            and (not self.badge or not self._badges.isdisjoint(_tokens(entry)))
            and (not self.patient_id or _is_patient(self, entry))
            and (not self.study or self.study in studies_of(entry))
        )

    @property
    def may_match(self) -> MayMatch:
        """False for the bodies of records that cannot be wanted; looks at octets, and decodes nothing."""
        needles = tuple(in_body(text) for text in (self.study, self.patient_id, self.act) if text)
        person = (in_body(self.person.lower()),) if self.person and self.person.isascii() else ()
        badges = tuple(map(in_body, self._badges)) if all(map(str.isascii, self._badges)) else ()
        since, until = (time_text(time).encode("ascii") if time else b"" for time in (self.since, self.until))

        def may_match(body: bytes) -> bool:
            if since or until:
                name, told = body[TIME_FIELD], body[TIME_VALUE]
                if name == TIME_NAME and ((since and told < since) or (until and told >= until)):
                    return False
            if not all(needle in body for needle in needles):
                return False
            # A letter outside ASCII is written as an escape, and may fold into letters inside it.
            if b"\\u" in body or not (person or badges):
                return True
            folded = body.lower()
            return all(needle in folded for needle in person) and (
                not badges or any(needle in folded for needle in badges)
            )

        return may_match

    def words(self) -> tuple[tuple[str, str], ...]:
        """What is asked for, as a record's details: keys of what could name a patient begin with "key."."""
        times = (("from", self.since), ("until", self.until))
        pairs = (
            ("person", self.person),
            ("badge", self.badge_token or self.badge),  # where UIDs are kept off the record, so is the one asked for
            ("key.patient_id", self.patient_id),
            ("key.issuer", self.issuer),
            (STUDY, self.study),
            ("act", self.act),
            ("outcome", "" if self.outcome is None else str(int(self.outcome))),
            *((name, time.isoformat() if time else "") for name, time in times),
        )
        return tuple((name, text) for name, text in pairs if text)

    @property
    def _badges(self) -> frozenset[str]:
        return frozenset(_plain_token(text) for text in (self.badge, self.badge_token) if text)


EVERYTHING: Final = Selection()


def in_body(text: str) -> bytes:
    """How a text stands in the body of a record."""
    return json.dumps(text).encode("ascii")[1:-1]


def select(
    trail: StoredRecords,
    selection: Selection = EVERYTHING,
    first: int = 1,
    last: int | None = None,
    cancel: Event | None = None,
) -> Iterator[Record]:
    """The wanted records from `first` to `last`, by default to what is last now, oldest first, in constant memory.

    Ends early when `cancel` is set. Raises TrailError.
    """
    return filter(selection.takes, sift(trail, selection.may_match, first, last, cancel))


def sift(
    trail: StoredRecords,
    may_match: MayMatch,
    first: int = 1,
    last: int | None = None,
    cancel: Event | None = None,
) -> Iterator[Record]:
    """The records whose bodies may match, oldest first. Raises TrailError, also for one that is not there."""
    end = trail.head().sequence if last is None else last
    for stretch in _stretches(trail):
        for row, previous in _sift(trail, may_match, stretch, first, end, cancel):
            yield reading.record_of(row, previous)


def select_newest(
    trail: StoredRecords,
    selection: Selection = EVERYTHING,
    before: int | None = None,
    cancel: Event | None = None,
) -> Iterator[Record]:
    """The wanted records before the one of that number, by default before the end, newest first. Raises TrailError."""
    end = trail.head().sequence + 1 if before is None else before
    for stretch in _stretches(trail, newest_first=True):
        stop = min(end, stretch.last + 1)
        while stop > stretch.first and not (cancel and cancel.is_set()):
            start = stretch.first if stretch.sealed else max(stretch.first, stop - store.BATCH)
            found = deque(_sift(trail, selection.may_match, stretch, start, stop - 1, cancel), KEPT)
            stop = found[0][0].sequence if len(found) == KEPT else start
            for row, previous in reversed(found):
                record = reading.record_of(row, previous)
                if selection.takes(record):
                    yield record


def studies_of(entry: Entry) -> frozenset[str]:
    """The Study Instance UIDs that an entry is about."""
    named = (value for key, value in entry.details if key == STUDY)
    objects = (item for message in entry.messages for item in message.objects)
    told = (
        uid for item in objects for uid in ((item.object_id,) if item.id_type == STUDY_INSTANCE_UID else item.studies)
    )
    return frozenset((*named, *told))


def session_of(entry: Entry) -> str:
    """The session that an entry belongs to; empty for none. Taps and ends of sessions name it in their details."""
    return entry.actor.session_id or next((value for key, value in entry.details if key == "session"), "")


def detail(entry: Entry, key: str) -> str:
    """The first detail of that key; empty for none."""
    return next((value for name, value in entry.details if name == key), "")


def is_end(entry: Entry) -> bool:
    """True for the record that ends its act, and for one that stands alone."""
    return entry.phase is not Phase.INTENT


def _stretches(trail: StoredRecords, *, newest_first: bool = False) -> Iterator[Stretch]:
    if isinstance(trail, WholeTrail):
        return trail.stretches(newest_first=newest_first)
    beginning = trail.beginning()
    return iter((Stretch(beginning.sequence + 1, trail.head().sequence, beginning.hash),))


def _sift(
    trail: StoredRecords, may_match: MayMatch, stretch: Stretch, first: int, last: int, cancel: Event | None
) -> Iterator[Linked]:
    """What may match in one stretch, as it is stored."""
    first, last = max(first, stretch.first), min(last, stretch.last)
    if first > last:
        return
    previous = stretch.hash if first == stretch.first else _hash_at(trail, first - 1)
    while first <= last and not (cancel and cancel.is_set()):
        rows = trail.rows(first, min(store.BATCH, last - first + 1))
        if not rows:
            raise _missing(first)
        yield from _linked(rows, first, previous, may_match)
        first, previous = rows[-1].sequence + 1, rows[-1].hash


def _linked(rows: Iterable[store.Row], first: int, previous: bytes, may_match: MayMatch) -> Iterator[Linked]:
    for place, row in enumerate(rows, first):
        if row.sequence != place:
            raise _missing(place)
        if may_match(row.body):
            yield row, previous
        previous = row.hash


def _hash_at(trail: StoredRecords, place: int) -> bytes:
    found = trail.rows(place, 1)
    if not found or found[0].sequence != place:
        raise _missing(place)
    return found[0].hash


def _is_person(wanted: str, entry: Entry) -> bool:
    person = wanted.casefold()
    return entry.actor.user_id.casefold() == person or person in entry.actor.user_name.casefold()


def _is_patient(selection: Selection, entry: Entry) -> bool:
    patient = entry.patient
    if patient is None or patient.patient_id != selection.patient_id:
        return False
    return not selection.issuer or patient.issuer == selection.issuer


def _tokens(entry: Entry) -> frozenset[str]:
    whole = tuple(token.casefold() for token in entry.actor.badge)
    return frozenset((*whole, *(token.partition(":")[2] for token in whole)))


def _plain_token(text: str) -> str:
    """A token as it is compared; "04:A1:B2" and "04 a1 b2" are the UID that "04A1B2" is."""
    token = "".join(text.casefold().split())
    kind, colon, rest = token.partition(":")
    octets = token.replace(":", "")
    if len(octets) >= SHORTEST_UID and all(character in "0123456789abcdef" for character in octets):
        return octets
    return f"{kind}:{rest.replace(':', '')}" if colon else token


def _missing(place: int) -> TrailError:
    return TrailError(f"Record {place} of the audit trail is missing.")
