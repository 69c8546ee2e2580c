"""The counters of cards that count their taps: each value opens once, whichever process or kiosk sees it first."""

import hashlib
import hmac
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from kiosk.access.lookup import LookupKey
from kiosk.clock import Clock
from kiosk.database import schema
from kiosk.database.transaction import writing
from kiosk.errors import DirectoryUnavailable
from readers.credentials.keys import CounterUnavailable

PURPOSE = "tap counter"
LARGEST = 2**63 - 1


class SqlCounters:
    """A `CounterStore` in the directory's database. Holds no UID: cards are told apart by an HMAC under the pepper."""

    def __init__(self, engine: Engine, lookup_key: bytes, clock: Clock) -> None:
        """`lookup_key` is the directory's 32-byte pepper; with another one every counter starts anew."""
        self._engine = engine
        self._key = LookupKey(lookup_key).derived(PURPOSE)
        self._clock = clock

    def advance(self, subject: bytes, counter: int) -> bool:
        """Keeps `counter` durably and returns True when it is above every earlier one of `subject`; False is a replay.

        Of several that bring the same value at once exactly one is told True. Raises CounterUnavailable, also for a
        counter below 0 or beyond 63 bits.
        """
        if not 0 <= counter <= LARGEST:
            raise CounterUnavailable("This counter is none that can be kept.")
        hashed = hmac.new(self._key, subject, hashlib.sha256).digest()
        try:
            with writing(self._engine) as connection:
                raised = raise_counter(connection.dialect.name, hashed, counter, self._clock.now())
                return connection.execute(raised).first() is not None
        except DirectoryUnavailable as error:
            raise CounterUnavailable(str(error)) from error


def raise_counter(dialect: str, subject: bytes, counter: int, now: datetime) -> ReturningInsert[tuple[int]]:
    """One statement that compares and raises: a row comes back where `counter` is new and higher, none otherwise.

    No reading before it could be overtaken; both databases lock the row for as long as the statement runs.
    """
    table = schema.tap_counter
    insert: sqlite.Insert | postgresql.Insert = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    insert = insert.values(subject=subject, counter=counter, seen_at=now)
    higher = insert.on_conflict_do_update(
        index_elements=[table.c.subject],
        set_={"counter": insert.excluded.counter, "seen_at": insert.excluded.seen_at},
        where=table.c.counter < insert.excluded.counter,
    )
    return higher.returning(table.c.counter)
