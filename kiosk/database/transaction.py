"""Reading and writing transactions whose failures have one name: DirectoryUnavailable."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from kiosk.errors import DirectoryUnavailable

WRITING = "kiosk_writing"

# ValueError and TypeError are what a cell raises that holds what no cell may (a date that is none, a blob for text).
FAILURES = (SQLAlchemyError, sqlite3.Error, OSError, ValueError, TypeError)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the database. Raises DirectoryUnavailable when it cannot be had."""
    try:
        with engine.connect() as connection:
            yield connection
    except FAILURES as error:
        raise DirectoryUnavailable("The directory of people cannot be read.") from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the write lock from its start and is durable when this returns.

    Any exception rolls it back. Raises DirectoryUnavailable when the database cannot be written.
    """
    try:
        with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
            yield connection
    except FAILURES as error:
        raise DirectoryUnavailable("The directory of people cannot be written.") from error
