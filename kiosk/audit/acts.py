"""Records put together again: an act is its beginning and its end, a stay is what one person did in one session."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kiosk.audit.codes import LOGIN
from kiosk.audit.message import Outcome
from kiosk.audit.record import Actor, Entry, Phase, Record
from kiosk.audit.selection import session_of

SIGN_OUT: Final = "sign_out"


@dataclass(frozen=True)
class Act:
    """An act as it is on record: `begun` and `ended`, or one of them. An event stands alone and has no beginning."""

    begun: Record | None
    ended: Record | None

    @property
    def record(self) -> Record:
        """What says most about it: its end where there is one."""
        record = self.ended or self.begun
        if record is None:
            raise ValueError("An act has a beginning or an end")
        return record

    @property
    def entry(self) -> Entry:
        """The entry of that record."""
        return self.record.entry

    @property
    def time(self) -> datetime:
        """When it began, in UTC."""
        return (self.begun or self.record).time

    @property
    def seconds(self) -> float | None:
        """How long it took; None when only one of its ends is known."""
        if self.begun is None or self.ended is None:
            return None
        return (self.ended.time - self.begun.time).total_seconds()

    @property
    def first(self) -> int:
        """The number of its first record."""
        return (self.begun or self.record).sequence


@dataclass(frozen=True)
class Stay:
    """What one person did in one session, in order; without a session, what stands on record beside all of them.

    `login` is the act that let them in, None for taps that came to nothing; `logout` the one that ended it.
    """

    session_id: str
    person: Actor
    acts: tuple[Act, ...]
    login: Act | None = None
    logout: Act | None = None

    @property
    def opened_at(self) -> datetime:
        """When they were let in, else when the first act began."""
        return self.login.record.time if self.login else self.acts[0].time

    @property
    def ended_at(self) -> datetime | None:
        """When it ended; None while, or where, that is not on record."""
        return self.logout.record.time if self.logout else None

    @property
    def seconds(self) -> float | None:
        """How long the session was open."""
        if self.login is None or self.ended_at is None:
            return None
        return (self.ended_at - self.opened_at).total_seconds()


def acts(records: Iterable[Record]) -> Iterator[Act]:
    """The acts of records that come oldest first, each when it ends; those that never ended come last.

    Only what has begun and not ended is kept in mind.
    """
    begun: dict[str, Record] = {}
    for record in records:
        match record.entry.phase:
            case Phase.INTENT:
                begun[record.entry.act_id] = record
            case Phase.OUTCOME:
                yield Act(begun.pop(record.entry.act_id, None), record)
            case Phase.EVENT:
                yield Act(None, record)
    yield from (Act(record, None) for record in begun.values())


def stays(records: Iterable[Record]) -> tuple[Stay, ...]:
    """The stays of records that come oldest first. Keeps them all in mind: meant for a person's day."""
    together: dict[tuple[str, str], list[Act]] = {}
    for act in acts(records):
        together.setdefault((session_of(act.entry), act.entry.actor.user_id), []).append(act)
    found = (_stay(session_id, sorted(parts, key=lambda act: act.first)) for (session_id, _), parts in together.items())
    return tuple(sorted(found, key=lambda stay: stay.acts[0].first))


def is_login(entry: Entry) -> bool:
    """Whether this record lets somebody in (PS3.15 A.5.3.12)."""
    return any(LOGIN in message.event_types and message.outcome is Outcome.SUCCESS for message in entry.messages)


def _stay(session_id: str, parts: list[Act]) -> Stay:
    login = next((act for act in parts if session_id and act.ended and is_login(act.ended.entry)), None)
    logout = next((act for act in parts if session_id and act.ended and act.entry.act == SIGN_OUT), None)
    # A session's person is whom it let in; a tap's record may still call them unknown.
    person = (login or parts[-1]).entry.actor
    return Stay(session_id, person, tuple(parts), login, logout)
