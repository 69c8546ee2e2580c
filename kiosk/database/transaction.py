"""Reading and writing transactions whose failures have one name: DirectoryUnavailable."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from kiosk.errors import DirectoryUnavailable

WRITING = "kiosk_writing"

# ValueError and TypeError are what a cell raises that holds what no cell may (a date that is none, a blob for text).
FAILURES = (SQLAlchemyError, sqlite3.Error, OSError, ValueError, TypeError)

_together: ContextVar[tuple[Engine, Connection] | None] = ContextVar("together", default=None)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database. Raises DirectoryUnavailable when it cannot be had."""
    shared = _shared(engine)
    try:
        if shared is not None:
            yield shared
            return
        with engine.connect() as connection:
            yield connection
    except FAILURES as error:
        raise DirectoryUnavailable("The directory of people cannot be read.") from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its start and is durable when this returns.

    Any exception rolls it back. Raises DirectoryUnavailable when the database cannot be written.
    """
    shared = _shared(engine)
    try:
        if shared is not None:
            yield shared
            return
        with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
            yield connection
    except FAILURES as error:
        raise DirectoryUnavailable("The directory of people cannot be written.") from error


@contextmanager
def together(engine: Engine) -> Iterator[None]:
    """Whatever this thread reads and writes of that database in the block is one transaction.

    It holds the write lock, is durable when this returns, and leaves nothing when the block raises: let nothing raised
    in the block end there. Raises DirectoryUnavailable when the database cannot be written.
    """
    with writing(engine) as connection:
        token = _together.set((engine, connection))
        try:
            yield
        finally:
            _together.reset(token)


def _shared(engine: Engine) -> Connection | None:
    """The connection of the `together` that this is in; None outside of one."""
    current = _together.get()
    return current[1] if current is not None and current[0] is engine else None
