"""The trail: durable, gapless, one writer, and out of service as soon as anything is wrong."""

import os
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import UTC, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from kiosk.audit import AuditSource, Entry, Head, Outcome, Phase, Receipt, Trail, codes, verify
from kiosk.errors import TrailError
from tests.kiosk.audit.samples import (
    ACTOR,
    SOURCE,
    ManualClock,
    event,
    filled,
    intent,
    outcome,
    stored,
    tamper,
    trail_in,
)

ROOT = Path(__file__).parents[3]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_receipt_says_where_the_record_stands(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        first, second = trail.append(event(1)), trail.append(event(2))
        assert (first.sequence, second.sequence) == (1, 2)
        assert trail.head() == Head(2, second.hash)
        records = list(trail.read())
    assert [record.entry for record in records] == [event(1), event(2)]
    assert [record.hash for record in records] == [first.hash, second.hash]
    assert records[1].previous_hash == first.hash
    assert records[0].time == first.time == ManualClock().now()
    assert records[0].time.tzinfo is UTC
    assert records[0].source == SOURCE


def test_every_append_is_synchronised_with_the_disk(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        file = trail._file
        assert file is not None
        connection = file.connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_records_are_there_after_closing_and_opening(tmp_path: Path) -> None:
    path = filled(tmp_path, 5)
    with trail_in(tmp_path) as trail:
        assert trail.head().sequence == 5
        assert trail.append(event()).sequence == 6
    assert verify(path).records == 6


def test_reading_takes_a_range_and_stops_at_the_head_it_began_with(tmp_path: Path) -> None:
    filled(tmp_path, 600)
    with trail_in(tmp_path) as trail:
        assert [record.sequence for record in trail.read(590, 595)] == list(range(590, 596))
        assert [record.sequence for record in trail.read(599, 10_000)] == [599, 600]
        assert list(trail.read(601)) == []
        assert [record.sequence for record in trail.read(-5, 2)] == [1, 2]
        seen = []
        for record in trail.read():
            seen.append(record.sequence)
            if record.sequence % 100 == 0:
                trail.append(event())
        assert seen == list(range(1, 601))


def test_an_empty_trail_has_its_genesis_as_head(tmp_path: Path) -> None:
    with trail_in(tmp_path / "a") as one, trail_in(tmp_path / "b") as other:
        assert one.head().sequence == 0
        assert one.head().hash != other.head().hash
        assert list(one.read()) == []


def test_files_belong_to_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with trail_in(tmp_path) as trail:
            trail.append(event())
            directory = trail.path.parent
            names = {path.name: mode(path) for path in directory.iterdir()}
    finally:
        os.umask(before)
    assert mode(directory) == 0o700
    keys = {path.name: mode(path) for path in (directory / "trail.sqlite.keys").iterdir()}
    assert mode(directory / "trail.sqlite.keys") == names.pop("trail.sqlite.keys") == 0o700
    assert keys == {"signing.key": 0o600, "mac.key": 0o600}
    suffixes = {"", "-wal", "-shm", ".lock", ".ballast"}
    assert names.keys() == {f"trail.sqlite{suffix}" for suffix in suffixes}
    assert set(names.values()) == {0o600}


def test_a_file_that_others_may_read_is_taken_from_them(tmp_path: Path) -> None:
    path = filled(tmp_path, 1)
    path.chmod(0o644)
    with trail_in(tmp_path):
        assert mode(path) == 0o600


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    path = filled(tmp_path, 1)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TrailError, match="cannot be opened"):
        trail_in(tmp_path).open()


def test_another_kiosks_trail_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with pytest.raises(TrailError, match="belongs to the kiosk kiosk-7, not to kiosk-8"):
        trail_in(tmp_path, "kiosk-8").open()


def test_a_trail_that_is_not_open_takes_nothing(tmp_path: Path) -> None:
    trail = trail_in(tmp_path)
    for use in (lambda: trail.append(event()), trail.head, lambda: list(trail.read()), trail.open_intents):
        with pytest.raises(TrailError, match="not open"):
            use()
    assert not trail.path.exists()
    with trail:
        trail.append(event())
    with pytest.raises(TrailError, match="not open"):
        trail.append(event())


def test_two_trails_on_one_file_take_turns(tmp_path: Path) -> None:
    with trail_in(tmp_path) as first, trail_in(tmp_path) as second:
        receipts = [trail.append(event(number)) for number in range(3) for trail in (first, second)]
        assert [receipt.sequence for receipt in receipts] == [1, 2, 3, 4, 5, 6]
    assert verify(first.path).records == 6


def test_a_writer_that_went_round_the_lock_is_noticed(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
        trail.append(event(2))
        _, body, value = stored(trail.path)[-1]
        with closing(sqlite3.connect(trail.path, isolation_level=None)) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            stranger.execute("INSERT INTO record VALUES (3, ?, ?, zeroblob(16))", (body, value))
            stranger.execute("UPDATE head SET sequence = 3, hash = ?", (value,))
            stranger.execute("COMMIT")
        with pytest.raises(TrailError, match="Something else has written"):
            trail.append(event(3))
        with pytest.raises(TrailError, match="broken at record 3"):
            trail.reopen()
    assert verify(trail.path).first_bad == 3


def test_a_writer_that_holds_the_file_takes_the_trail_out_of_service_in_time(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
        with closing(sqlite3.connect(trail.path, isolation_level=None)) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            with pytest.raises(TrailError, match="cannot be written: database is locked"):
                trail.append(event(2))
            stranger.execute("ROLLBACK")
        trail.reopen()
        assert trail.append(event(2)).sequence == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record SET body = x'00' WHERE sequence = 1",
        "DELETE FROM record WHERE sequence = 3",
        "INSERT INTO record VALUES (5, x'00', x'00', x'00')",
        "INSERT OR REPLACE INTO record VALUES (2, x'00', x'00', x'00')",
        "UPDATE head SET hash = x'00'",
        "UPDATE head SET sequence = 2",
        "DELETE FROM head",
        "UPDATE meta SET kiosk_id = 'x'",
        "DELETE FROM meta",
    ],
)
def test_the_file_itself_refuses_changes(tmp_path: Path, statement: str) -> None:
    path = filled(tmp_path, 3)
    refused = pytest.raises(sqlite3.IntegrityError, match=r"append-only|without gaps|moves on by one")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, refused:
        connection.execute(statement)
    assert verify(path).whole


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE record SET body = x'7b7d' WHERE sequence = 8", "broken at record 8"),
        ("UPDATE record SET hash = zeroblob(32) WHERE sequence = 10", "broken at record 10"),
        ("DELETE FROM record WHERE sequence = 10", "does not end where its head says, at record 10"),
        ("UPDATE head SET hash = zeroblob(32)", "head does not match record 10"),
        ("DELETE FROM head", "no readable head"),
        ("UPDATE meta SET format_version = 9", "has format 9"),
    ],
)
def test_a_tampered_tail_keeps_the_trail_closed(tmp_path: Path, statement: str, sentence: str) -> None:
    tamper(filled(tmp_path, 10), (statement, ()))
    trail = trail_in(tmp_path)
    with pytest.raises(TrailError, match=sentence):
        trail.open()
    with pytest.raises(TrailError, match=sentence):
        trail.append(event())


def test_a_trail_without_its_triggers_is_not_opened(tmp_path: Path) -> None:
    path = filled(tmp_path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER record_is_fixed")
    with pytest.raises(TrailError, match="has lost what keeps it from being changed"):
        trail_in(tmp_path).open()


def test_a_disk_under_its_reserve_stops_the_trail_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 100 * 1024 * 1024
    monkeypatch.setattr("kiosk.audit.trail.free_bytes", lambda directory: free)
    with trail_in(tmp_path, reserve_bytes=64 * 1024 * 1024) as trail:
        trail.append(event(1))
        free = 63 * 1024 * 1024
        for attempt in (lambda: trail.append(event(2)), trail.reopen, lambda: trail.append(event(2))):
            with pytest.raises(TrailError, match="nearly full: 63 MiB left, 64 kept"):
                attempt()
        free = 65 * 1024 * 1024
        with pytest.raises(TrailError, match="nearly full"):
            trail.append(event(2))
        trail.reopen()
        assert trail.append(event(3)).sequence == 3
        last = next(trail.read(2, 2)).entry
    assert last.summary == "Audit recording stopped: The disk of the audit trail is nearly full: 63 MiB left, 64 kept."
    assert last.messages[0].event_types == (codes.AUDIT_RECORDING_STOPPED,)
    assert last.messages[0].outcome is Outcome.MAJOR


def test_the_reserve_is_measured_on_the_real_file_system(tmp_path: Path) -> None:
    with pytest.raises(TrailError, match="nearly full"):
        trail_in(tmp_path, reserve_bytes=2**62).open()


def test_a_clock_that_jumped_back_stops_the_trail_until_it_is_right(tmp_path: Path) -> None:
    clock = ManualClock()
    trail = Trail(tmp_path / "audit" / "trail.sqlite", "kiosk-7", SOURCE, clock, 0)
    with trail:
        trail.append(event(1))
        clock.turn(-60)
        trail.append(event(2))
        clock.turn(-61)
        with pytest.raises(TrailError, match="The clock stands 61 s before the last record"):
            trail.append(event(3))
        with pytest.raises(TrailError, match="The clock stands"):
            trail.reopen()
        clock.turn(61)
        trail.reopen()
        assert trail.append(event(3)).sequence == 4
        stopped = next(trail.read(3, 3))
        assert stopped.entry.summary.startswith("Audit recording stopped: The clock stands 61 s before")
        assert stopped.time == next(trail.read(2, 2)).time


def test_a_clock_that_is_behind_the_last_record_keeps_a_trail_closed_at_start(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    early = ManualClock(ManualClock().now() - timedelta(days=1))
    with pytest.raises(TrailError, match="The clock stands 86400 s before"):
        Trail(tmp_path / "audit" / "trail.sqlite", "kiosk-7", SOURCE, early, 0).open()


def test_an_entry_that_cannot_be_written_down_changes_nothing(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
        wrong = Entry("note", "a", Phase.EVENT, ACTOR, "x", details=((b"bytes", "x"),))  # type: ignore[arg-type]  # the point
        with pytest.raises(TypeError):
            trail.append(wrong)
        assert trail.append(event(2)).sequence == 2


def test_an_intent_is_open_until_its_outcome(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(intent("a"))
        trail.append(intent("b"))
        trail.append(event())
        trail.append(outcome("a"))
        assert [record.entry for record in trail.open_intents()] == [intent("b")]
    with trail_in(tmp_path) as trail:
        (left,) = trail.open_intents()
        assert (left.sequence, left.entry.patient) == (2, intent("b").patient)
        trail.append(outcome("b"))
        assert trail.open_intents() == ()


def test_an_outcome_without_its_indicator_is_refused() -> None:
    with pytest.raises(ValueError, match="says how the act ended"):
        Entry("push", "a", Phase.OUTCOME, ACTOR, "x")


def test_threads_append_without_gaps_while_others_read(tmp_path: Path) -> None:
    receipts: list[Receipt] = []
    faults: list[Exception] = []

    def write(trail: Trail, worker: int) -> None:
        for number in range(25):
            receipts.append(trail.append(event(worker * 100 + number)))

    def read(trail: Trail) -> None:
        for _ in range(10):
            hashes = [(record.previous_hash, record.hash) for record in trail.read()]
            for (_, before), (previous, _) in pairwise(hashes):
                if before != previous:
                    faults.append(AssertionError("a reader saw a gap"))

    with trail_in(tmp_path) as trail:
        threads = [threading.Thread(target=write, args=(trail, worker), daemon=True) for worker in range(4)]
        threads += [threading.Thread(target=read, args=(trail,), daemon=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    assert faults == []
    assert sorted(receipt.sequence for receipt in receipts) == list(range(1, 101))
    assert verify(trail.path).records == 100


def test_opening_twice_is_opening_once(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.open()
        trail.append(event())
    trail.close()


def test_the_source_is_that_of_the_time_of_recording(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    moved = AuditSource("kiosk-7", "south-hospital")
    with Trail(tmp_path / "audit" / "trail.sqlite", "kiosk-7", moved, ManualClock(), 0) as trail:
        trail.append(event())
        assert [record.source.enterprise_site_id for record in trail.read()] == ["north-hospital", "south-hospital"]
