"""Several changes that are one: whole when the block ends, gone when it raises, and of its own thread alone."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from kiosk.database import schema
from kiosk.database.engine import open_database
from kiosk.database.transaction import reading, together, writing
from kiosk.errors import NotAllowed


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'directory.db'}")
    yield made
    made.dispose()


def write(engine: Engine, key: str) -> None:
    with writing(engine) as connection:
        connection.execute(schema.meta.insert().values(key=key, value="1"))


def keys(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return set(connection.execute(select(schema.meta.c.key)).scalars())


def look(engine: Engine, seen: list[set[str]]) -> None:
    """Reads in a thread of its own."""
    looking = threading.Thread(target=lambda: seen.append(keys(engine)))
    looking.start()
    looking.join()


def broken_off(engine: Engine, error: BaseException, meanwhile: Callable[[], object] = lambda: None) -> None:
    """A block within a block, of which the outer one raises after all its writes."""
    with together(engine):
        write(engine, "one")
        with together(engine):
            write(engine, "two")
        meanwhile()
        raise error


def test_writes_of_the_block_are_seen_in_it_and_stay(engine: Engine) -> None:
    with together(engine):
        write(engine, "one")
        write(engine, "two")
        assert keys(engine) >= {"one", "two"}
    assert keys(engine) >= {"one", "two"}


def test_nothing_of_a_block_that_raises_stays(engine: Engine) -> None:
    before = keys(engine)
    with pytest.raises(NotAllowed):
        broken_off(engine, NotAllowed("No."))
    assert keys(engine) == before
    write(engine, "one")  # the lock is free again
    assert keys(engine) == before | {"one"}


def test_an_interrupt_leaves_nothing_either(engine: Engine) -> None:
    before = keys(engine)
    with pytest.raises(KeyboardInterrupt):
        broken_off(engine, KeyboardInterrupt())
    assert keys(engine) == before


def test_another_thread_and_another_database_are_not_in_it(engine: Engine, tmp_path: Path) -> None:
    other = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    seen: list[set[str]] = []

    def meanwhile() -> None:
        write(other, "elsewhere")
        look(engine, seen)

    with pytest.raises(NotAllowed):
        broken_off(engine, NotAllowed("No."), meanwhile)
    assert "two" not in seen[0]
    assert "elsewhere" in keys(other)
    other.dispose()
