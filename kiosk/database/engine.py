"""Opens the directory's database: SQLite, durable, readable by its owner alone."""

import logging
import os
import stat
import time
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from kiosk.database.schema import create_or_check
from kiosk.database.transaction import WRITING, writing
from kiosk.errors import ConfigError, DirectoryUnavailable

BUSY_SECONDS = 2.0
POOL_SECONDS = 5.0
LOCKED_PAUSE = 0.01
LOGGING_NAME = "directory"


def open_database(url: str) -> Engine:
    """The engine for a URL such as "sqlite:////var/lib/kiosk/directory.db", its tables made or checked.

    Raises ConfigError for a URL, a file mode or a schema version that will not do, DirectoryUnavailable for a
    database that cannot be opened. Dispose of the engine when done.
    """
    _make_private(_file_of(url))
    # Neither an exception's text nor SQLAlchemy's own log may carry verifiers and names; at DEBUG it would print rows.
    logging.getLogger(f"sqlalchemy.engine.Engine.{LOGGING_NAME}").setLevel(logging.WARNING)
    engine = create_engine(
        url,
        hide_parameters=True,
        logging_name=LOGGING_NAME,
        connect_args={"timeout": BUSY_SECONDS},
        pool_timeout=POOL_SECONDS,
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    try:
        with writing(engine) as connection:
            create_or_check(connection)
    except (ConfigError, DirectoryUnavailable):
        engine.dispose()
        raise
    return engine


def _file_of(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("The directory's URL cannot be read.") from None
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(f"The directory's database cannot be {parsed.get_backend_name()}; it is SQLite.")
    if not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise ConfigError("The directory's database must be a file: lockouts have to survive a restart.")
    return Path(parsed.database)


def _make_private(path: Path) -> None:
    """Makes an empty file of mode 0600, or checks that the one that is there is ours alone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # A file that exists is never opened here: closing it would drop SQLite's POSIX locks in this process.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{path} is not a plain file.") from None
            if status.st_mode & 0o077:
                raise ConfigError(f"{path} is open to others; its mode must be 0600.") from None
    except OSError as error:
        raise DirectoryUnavailable(f"{path} cannot be made or read: {error.strerror}.") from error


def _configure(connection: SqliteConnection, _entry: ConnectionPoolEntry) -> None:
    """What every new SQLite connection is told."""
    connection.isolation_level = None  # Python's own BEGIN comes too late: after the first read of a transaction
    _write_ahead(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}").close()


def _write_ahead(connection: SqliteConnection) -> None:
    """Of several that open a new file at once one makes the switch; the others are told "locked" without any wait."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(LOCKED_PAUSE)
        else:
            return


def _begin(connection: Connection) -> None:
    """Writers take the lock at once: two that read first and write later would each count the same attempt."""
    writes = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
