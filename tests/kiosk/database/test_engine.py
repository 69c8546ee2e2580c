import os
import sqlite3
import stat
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import Engine, text

from kiosk.database.engine import open_database
from kiosk.database.schema import SCHEMA_VERSION
from kiosk.database.transaction import reading, writing
from kiosk.errors import ConfigError, DirectoryError, DirectoryUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "directory.db"


def opened(path: Path) -> Engine:
    return open_database(f"sqlite:///{path}")


def pragma(engine: Engine, name: str) -> object:
    with reading(engine) as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_connection_is_durable_and_keeps_foreign_keys(path: Path) -> None:
    engine = opened(path)
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            values = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
            assert values == ["wal", 2, 1]
    engine.dispose()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_reads_the_database_and_what_lies_beside_it(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        engine = opened(path)
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO meta VALUES ('a', 'b')"))
        assert {file.name: mode(file) for file in path.parent.iterdir()} == {
            "directory.db": 0o600,
            "directory.db-wal": 0o600,
            "directory.db-shm": 0o600,
        }
        assert mode(path.parent) == 0o700
        engine.dispose()
    finally:
        os.umask(before)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o666, 0o601])
def test_a_database_that_others_can_reach_is_refused(path: Path, bits: int) -> None:
    opened(path).dispose()
    path.chmod(bits)
    with pytest.raises(ConfigError, match="0600"):
        opened(path)


def test_a_link_or_a_folder_is_no_database(path: Path, tmp_path: Path) -> None:
    opened(path).dispose()
    link = tmp_path / "link.db"
    link.symlink_to(path)
    dangling = tmp_path / "dangling.db"
    dangling.symlink_to(tmp_path / "elsewhere.db")
    for wrong in (link, dangling, tmp_path):
        with pytest.raises(ConfigError, match="plain file"):
            opened(wrong)
    assert not (tmp_path / "elsewhere.db").exists()


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true", "postgresql://u:secret@h/d", "x", ""],
)
def test_what_is_not_a_sqlite_file_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_database(url)
    assert "secret" not in str(refused.value)


def test_a_folder_that_cannot_be_made_means_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryUnavailable):
        opened(tmp_path / "file" / "directory.db")


def test_a_file_that_is_no_database_means_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "directory.db"
    file.write_bytes(b"not a database, but quite long enough to be looked at" * 100)
    file.chmod(0o600)
    with pytest.raises(DirectoryUnavailable):
        opened(file)


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as raw:
        raw.execute("CREATE TABLE notes (note TEXT)")
    raw.close()
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="not one that this kiosk made"):
        opened(file)
    with sqlite3.connect(file) as raw:
        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]
    raw.close()


def test_the_version_is_written_and_what_was_there_stays(path: Path) -> None:
    engine = opened(path)
    with writing(engine) as connection:
        connection.execute(text("INSERT INTO meta VALUES ('kept', 'yes')"))
    engine.dispose()
    engine = opened(path)
    with reading(engine) as connection:
        found = {row.key: row.value for row in connection.execute(text("SELECT key, value FROM meta"))}
    assert found == {"schema_version": str(SCHEMA_VERSION), "kept": "yes"}
    engine.dispose()


@pytest.mark.parametrize(
    ("version", "words"),
    [(str(SCHEMA_VERSION + 1), "Update the kiosk"), ("0", "older"), ("x", "does not say"), ("²", "does not say")],
)
def test_a_version_that_is_not_ours_is_refused(path: Path, version: str, words: str) -> None:
    engine = opened(path)
    with writing(engine) as connection:
        connection.execute(text("UPDATE meta SET value = :version"), {"version": version})
    engine.dispose()
    with pytest.raises(ConfigError, match=words):
        opened(path)


def test_the_first_version_is_brought_up_to_this_one_and_loses_nothing(path: Path) -> None:
    engine = opened(path)
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE tap_counter"))
        connection.execute(text("UPDATE meta SET value = '1'"))
        connection.execute(text("INSERT INTO meta VALUES ('kept', 'yes')"))
    engine.dispose()
    for _start in range(2):
        engine = opened(path)
        with reading(engine) as connection:
            found = {row.key: row.value for row in connection.execute(text("SELECT key, value FROM meta"))}
            assert connection.execute(text("SELECT count(*) FROM tap_counter")).scalar() == 0
        assert found == {"schema_version": str(SCHEMA_VERSION), "kept": "yes"}
        engine.dispose()


def test_a_database_of_this_version_that_lacks_a_table_is_not_ours(path: Path) -> None:
    engine = opened(path)
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE tap_counter"))
    engine.dispose()
    with pytest.raises(ConfigError, match="not one that this kiosk made"):
        opened(path)


def test_many_that_open_a_new_database_at_once_make_one(path: Path) -> None:
    together, engines = Barrier(4), list[Engine]()

    def start() -> None:
        together.wait(60)
        engines.append(opened(path))

    threads = [Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(engines) == 4
    assert {pragma(engine, "user_version") for engine in engines} == {0}
    with reading(engines[0]) as connection:
        assert connection.execute(text("SELECT count(*) FROM meta")).scalar() == 1
    for engine in engines:
        engine.dispose()


def test_a_writing_transaction_is_whole_or_not_at_all(path: Path) -> None:
    engine = opened(path)

    def think_again() -> None:
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO meta VALUES ('a', 'b')"))
            raise DirectoryError("second thoughts")

    with pytest.raises(DirectoryError, match="second thoughts"):
        think_again()
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM meta")).scalar() == 1
    engine.dispose()


def test_a_writer_holds_the_lock_before_it_reads(path: Path) -> None:
    engine = opened(path)
    with writing(engine):
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM meta").fetchone() == (1,)
        other.close()
    engine.dispose()


def test_a_second_kiosk_process_leaves_the_locks_of_the_first_alone(path: Path) -> None:
    first = opened(path)
    with writing(first):
        # Closing any handle on the file would release this process's POSIX locks, and a stranger could write.
        with pytest.raises(DirectoryUnavailable):
            opened(path)
        stranger = os.fork()
        if stranger == 0:
            try:
                sqlite3.connect(path, timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
                os._exit(1)
            except sqlite3.OperationalError:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(stranger, 0)[1]) == 0
    first.dispose()


def test_a_reference_to_nobody_is_refused(path: Path) -> None:
    engine = opened(path)
    with pytest.raises(DirectoryUnavailable), writing(engine) as connection:
        connection.execute(text("INSERT INTO pin VALUES ('nobody', 'v', 'k', '2026-01-01 00:00:00')"))
    engine.dispose()


def test_a_failure_is_told_without_the_values(path: Path) -> None:
    engine = opened(path)
    with pytest.raises(DirectoryUnavailable) as raised, writing(engine) as connection:
        connection.execute(text("INSERT INTO nothing VALUES (:value)"), {"value": "planted730519"})
    assert "planted730519" not in f"{raised.value} {raised.value.__cause__}"
    engine.dispose()
