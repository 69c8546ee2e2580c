"""Wrong PINs, counted on disk before they are answered: a restart or a crash gives no guess back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, or_, select

from kiosk.clock import Clock
from kiosk.database import schema
from kiosk.database.transaction import reading, writing

PERSON = "person"
CREDENTIAL = "credential"

LockoutRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True)
class LockoutRules:
    """From failure `block_after` on each failure blocks, first for `block_seconds`, then twice as long each time;
    failure `disable_at` blocks until somebody resets it."""

    block_after: int = 5
    block_seconds: float = 30.0
    disable_at: int = 10

    def block_of(self, failures: int) -> timedelta | None:
        """How long that many failures in a row block; None for not at all. Not asked at `disable_at` or beyond."""
        if failures < self.block_after:
            return None
        return timedelta(seconds=self.block_seconds * 2.0 ** (failures - self.block_after))


@dataclass(frozen=True)
class Free:
    """A PIN may be tried; `attempts_left` wrong ones until the next block, at least 1."""

    attempts_left: int


@dataclass(frozen=True)
class Blocked:
    """No PIN may be tried before `until` (UTC)."""

    until: datetime


@dataclass(frozen=True)
class LockedOut:
    """No PIN may be tried until a reset."""


LockState = Free | Blocked | LockedOut


class Lockouts:
    """Counts per person and per credential; the worse of the two holds.

    A right PIN clears the person and the credential it came with. Another credential of theirs keeps its count, so
    guessing on a stolen badge does not start afresh each time the owner signs in with the phone.
    """

    def __init__(self, engine: Engine, clock: Clock, rules: LockoutRules | None = None) -> None:
        self._engine = engine
        self._clock = clock
        self._rules = rules or LockoutRules()

    def state(self, person_id: str, credential_id: str) -> LockState:
        """Where the two stand now. Raises DirectoryUnavailable."""
        with reading(self._engine) as connection:
            return self._worst(self._rows(connection, person_id, credential_id))

    def begin_attempt(self, person_id: str, credential_id: str) -> LockState:
        """Counts an attempt as failed before it is judged; `clear` takes it back when the PIN was right.

        Free means: counted durably, go on. Anything else: not counted, do not try. Raises DirectoryUnavailable.
        """
        with writing(self._engine) as connection:
            rows = self._rows(connection, person_id, credential_id)
            state = self._worst(rows)
            if not isinstance(state, Free):
                return state
            failures = {row.scope: row.failures for row in rows}
            for scope, subject in ((PERSON, person_id), (CREDENTIAL, credential_id)):
                self._count(connection, scope, subject, failures.get(scope, 0) + 1, scope in failures)
            return state

    def clear(self, person_id: str, credential_id: str) -> None:
        """After a right PIN. Raises DirectoryUnavailable: then the right PIN has opened nothing."""
        with writing(self._engine) as connection:
            connection.execute(schema.lockout.delete().where(_of(person_id, credential_id)))

    def reset(self, person_id: str) -> None:
        """The help desk's act: forgets every failure of the person and of all their credentials, and their grace."""
        table, credential = schema.lockout, schema.credential
        theirs = select(credential.c.credential_id).where(credential.c.person_id == person_id)
        with writing(self._engine) as connection:
            connection.execute(table.delete().where(table.c.scope == PERSON, table.c.subject == person_id))
            connection.execute(table.delete().where(table.c.scope == CREDENTIAL, table.c.subject.in_(theirs)))
            connection.execute(schema.grace.delete().where(schema.grace.c.person_id == person_id))

    def _rows(self, connection: Connection, person_id: str, credential_id: str) -> list[LockoutRow]:
        query = select(schema.lockout).where(_of(person_id, credential_id)).with_for_update()
        return list(connection.execute(query))

    def _worst(self, rows: list[LockoutRow]) -> LockState:
        now = self._clock.now()
        failures = max((row.failures for row in rows), default=0)
        if failures >= self._rules.disable_at:
            return LockedOut()
        ends = [row.blocked_until for row in rows if row.blocked_until is not None and row.blocked_until > now]
        if ends:
            return Blocked(max(ends))
        return Free(max(1, self._rules.block_after - failures))

    def _count(self, connection: Connection, scope: str, subject: str, failures: int, known: bool) -> None:
        table, now = schema.lockout, self._clock.now()
        block = None if failures >= self._rules.disable_at else self._rules.block_of(failures)
        values = {
            "failures": failures,
            "blocked_until": None if block is None else now + block,
            "last_failure_at": now,
        }
        if known:
            connection.execute(table.update().where(table.c.scope == scope, table.c.subject == subject).values(values))
        else:
            connection.execute(table.insert().values(scope=scope, subject=subject, **values))


def _of(person_id: str, credential_id: str) -> ColumnElement[bool]:
    table = schema.lockout
    return or_(
        and_(table.c.scope == PERSON, table.c.subject == person_id),
        and_(table.c.scope == CREDENTIAL, table.c.subject == credential_id),
    )
