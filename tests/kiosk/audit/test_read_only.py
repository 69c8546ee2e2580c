"""Reading a trail changes nothing, on a copy or beside the kiosk that writes it."""

import os
import shutil
from pathlib import Path

import pytest

from kiosk.audit import Trail, verify
from kiosk.errors import TrailError
from tests.kiosk.audit.samples import event, filled, intent, tamper, trail_in


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_a_closed_trail_is_read_without_a_trace(tmp_path: Path) -> None:
    path = filled(tmp_path, 5)
    before = contents(path.parent)
    with Trail.read_only(path) as trail:
        assert [record.sequence for record in trail.read(2, 4)] == [2, 3, 4]
        assert trail.head().sequence == 5
        assert trail.identity.kiosk_id == "kiosk-7"
    assert verify(path).whole
    assert contents(path.parent) == before


def test_a_copy_with_its_log_is_read_without_a_trace(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
        trail.append(intent("a"))
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{trail.path}{suffix}", copy / f"trail.sqlite{suffix}")
    before = contents(copy)
    assert len(before["trail.sqlite-wal"]) > 0
    with Trail.read_only(copy / "trail.sqlite") as read:
        assert [record.sequence for record in read.read()] == [1, 2]
        assert [record.entry.act_id for record in read.open_intents()] == ["a"]
    assert verify(copy / "trail.sqlite").records == 2
    assert contents(copy) == before


def test_a_copy_without_its_log_is_the_trail_as_far_as_it_was_in_the_file(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    copy = tmp_path / "copy.sqlite"
    with trail_in(tmp_path) as trail:
        trail.append(event(4))
        head = trail.head()
        shutil.copyfile(trail.path, copy)
    assert verify(copy).records == 3
    found = verify(copy, head)
    assert (found.whole, found.first_bad) == (False, 4)


def test_a_running_trail_is_read_beside_its_writer(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        trail.append(event(1))
        with Trail.read_only(trail.path) as read:
            assert [record.sequence for record in read.read()] == [1]
            trail.append(event(2))
            assert [record.sequence for record in read.read()] == [1, 2]
            found = verify(trail.path, trail.head())
            assert (found.whole, found.records) == (True, 2)
        trail.append(event(3))
    assert verify(trail.path).records == 3


def test_a_trail_on_a_medium_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    path = filled(tmp_path, 3)
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert verify(path).records == 3
    finally:
        path.parent.chmod(0o700)


def test_a_name_with_signs_of_an_address_is_only_a_name(tmp_path: Path) -> None:
    path = filled(tmp_path, 2)
    odd = tmp_path / "a?mode=rwc#b%20 trail.sqlite"
    os.rename(path, odd)
    assert verify(odd).records == 2


def test_a_reader_that_is_closed_reads_nothing(tmp_path: Path) -> None:
    trail = Trail.read_only(filled(tmp_path, 1))
    trail.close()
    with pytest.raises(TrailError, match="not open"):
        trail.head()


def test_a_missing_record_stops_the_reading_in_words(tmp_path: Path) -> None:
    path = filled(tmp_path, 5)
    tamper(path, ("DELETE FROM record WHERE sequence = 3", ()))
    with Trail.read_only(path) as trail, pytest.raises(TrailError, match="Record 3 of the audit trail is missing"):
        list(trail.read())


def test_a_record_that_cannot_be_read_is_named_without_its_content(tmp_path: Path) -> None:
    path = filled(tmp_path, 5)
    tamper(path, ("UPDATE record SET body = ? WHERE sequence = 3", (b'{"Planted":1}',)))
    with (
        Trail.read_only(path) as trail,
        pytest.raises(TrailError, match=r"Record 3 .* cannot be read: record.act: missing"),
    ):
        list(trail.read())
