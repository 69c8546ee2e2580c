"""A tag's counter opens once: after a restart, from two processes, from two kiosks on one database."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.dialects import postgresql

from kiosk.access.counters import SqlCounters, raise_counter
from kiosk.database import schema
from kiosk.database.engine import open_database
from kiosk.database.transaction import reading, writing
from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.claim import Claim, Refusal, RefusalReason
from readers.credentials.keys import CounterUnavailable
from readers.virtual.ntag424_card import issue
from tests.kiosk.access.support import NOON, PEPPER, HandClock
from tests.readers.cards import presented
from tests.readers.credentials.aes_cards import SITE_KEYS, SUN_TAG, TEMPLATE, UID, sun_scheme

SUBJECT = UID.value
ROUNDS = 25
DEADLINE = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{path}")
    yield made
    made.dispose()


def counters(engine: Engine, pepper: bytes = PEPPER) -> SqlCounters:
    return SqlCounters(engine, pepper, HandClock())


def test_a_counter_only_goes_up(engine: Engine) -> None:
    store = counters(engine)
    told = [store.advance(SUBJECT, counter) for counter in (0, 0, 5, 4, 5, 6, 2**24 - 1, 7)]
    assert told == [True, False, True, False, False, True, True, False]


def test_each_card_has_its_own(engine: Engine) -> None:
    store = counters(engine)
    assert store.advance(SUBJECT, 9)
    assert store.advance(SUBJECT[::-1], 3)


def test_a_restart_forgets_nothing(path: Path) -> None:
    for expected in (True, False):
        engine = open_database(f"sqlite:///{path}")
        assert counters(engine).advance(SUBJECT, 41) is expected
        engine.dispose()


def test_a_message_that_was_taken_is_refused_after_a_restart(path: Path) -> None:
    tag = issue(UID, SITE_KEYS, sun=SUN_TAG, template=TEMPLATE)
    outcomes: list[Claim | Refusal | None] = []
    for _kiosk in range(2):
        engine = open_database(f"sqlite:///{path}")
        with presented(tag) as card:
            outcomes.append(sun_scheme(counters(engine), keys=MemoryKeys(SITE_KEYS)).identify(card))
        tag = issue(UID, SITE_KEYS, sun=SUN_TAG, template=TEMPLATE)  # counts from the start, as a recording does
        engine.dispose()
    first, second = outcomes
    assert isinstance(first, Claim)
    assert isinstance(second, Refusal)
    assert second.reason is RefusalReason.REPLAYED


def _race(path: Path, wire: Connection) -> None:
    """Another process: waits for each round and says who it believes to be."""
    engine = open_database(f"sqlite:///{path}")
    store = counters(engine)
    wire.send("ready")
    while (counter := wire.recv()) is not None:
        wire.send(store.advance(SUBJECT, counter))
    engine.dispose()


def test_of_two_processes_that_bring_one_counter_exactly_one_wins(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    racers = []
    for _racer in range(2):
        here, there = context.Pipe()
        process = context.Process(target=_race, args=(path, there), daemon=True)
        process.start()
        racers.append((process, here))
    try:
        for _process, wire in racers:
            assert wire.poll(DEADLINE)
            assert wire.recv() == "ready"
        for counter in range(ROUNDS):
            for _process, wire in racers:
                wire.send(counter)
            told = [wire.poll(DEADLINE) and wire.recv() for _process, wire in racers]
            assert sorted(told) == [False, True], f"round {counter}"
    finally:
        for _process, wire in racers:
            wire.send(None)
        for process, _wire in racers:
            process.join(DEADLINE)
    assert [process.exitcode for process, _wire in racers] == [0, 0]


def test_no_uid_is_in_the_database_and_another_pepper_knows_no_card(engine: Engine) -> None:
    assert counters(engine).advance(SUBJECT, 9)
    with reading(engine) as connection:
        (row,) = connection.execute(select(schema.tap_counter)).all()
    assert (len(row.subject), row.counter, row.seen_at) == (32, 9, NOON)
    assert SUBJECT not in row.subject
    assert counters(engine, PEPPER[::-1]).advance(SUBJECT, 9)


def test_a_database_that_cannot_be_written_lets_nothing_count(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE tap_counter"))
    with pytest.raises(CounterUnavailable):
        counters(engine).advance(SUBJECT, 1)
    with presented(issue(UID, SITE_KEYS, sun=SUN_TAG, template=TEMPLATE)) as card:
        refusal = sun_scheme(counters(engine)).identify(card)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.COUNTER_UNAVAILABLE


@pytest.mark.parametrize("counter", [-1, 2**63])
def test_a_counter_that_no_card_has_is_refused(engine: Engine, counter: int) -> None:
    with pytest.raises(CounterUnavailable):
        counters(engine).advance(SUBJECT, counter)


def test_the_statement_is_one_for_postgresql_too() -> None:
    statement = raise_counter("postgresql", b"s", 1, NOON)
    said = " ".join(str(statement.compile(dialect=postgresql.dialect())).split())
    assert said.startswith("INSERT INTO tap_counter")
    assert "ON CONFLICT (subject) DO UPDATE SET counter = excluded.counter" in said
    assert "WHERE tap_counter.counter < excluded.counter RETURNING tap_counter.counter" in said
