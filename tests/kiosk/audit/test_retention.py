"""Closed months are sealed and go only when they may; the trail verifies from the boundary on."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.audit import (
    Head,
    Month,
    Occasion,
    Retention,
    RetentionRules,
    Trail,
    verify,
    verify_segment,
    verify_stored,
)
from kiosk.audit.forward.cursor import CursorFile, Standing
from kiosk.audit.forward.delivered import CursorDelivery
from kiosk.audit.forward.stream import Position, parcels, resume
from kiosk.audit.segment_file import SegmentFile
from kiosk.errors import TrailError
from tests.kiosk.audit.archives import MONTH, Archive, change_line, sequences
from tests.kiosk.audit.samples import SOURCE, event, intent, tamper


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    yield made
    made.trail.close()


def test_sealing_is_on_record_and_once(archive: Archive) -> None:
    archive.retention.seal()
    said = [record.entry.summary for record in archive.trail.read(61)]
    assert [text.split(",")[0] for text in said] == [f"Sealed 2026-0{month}" for month in (1, 2, 3, 4)]
    assert archive.retention.seal() == ()
    assert archive.trail.head().sequence == 64


def test_only_months_before_the_one_named_are_sealed(archive: Archive) -> None:
    assert [str(one.month) for one in archive.retention.seal(Month(2026, 3))] == ["2026-01", "2026-02"]
    assert [str(one.month) for one in archive.retention.seal(Month(2030, 1))] == ["2026-03", "2026-04"]


def test_a_month_without_records_is_no_segment_and_a_late_checkpoint_goes_to_the_next(archive: Archive) -> None:
    archive.clock.turn(2 * MONTH)
    archive.trail.checkpoint(Occasion.IDLE)
    first = archive.retention.seal()
    archive.trail.append(event())
    archive.clock.turn(3 * MONTH)
    archive.trail.append(event())
    (second,) = archive.retention.seal()
    assert (str(first[-1].month), str(second.month)) == ("2026-05", "2026-07")
    assert second.before == first[-1].last
    assert verify_segment(archive.retention.path(second), archive.evidence).whole


def test_what_is_old_sealed_and_delivered_goes_and_the_rest_verifies(archive: Archive) -> None:
    archive.retention.seal()
    before = archive.evidence
    pruned = archive.retention.prune()
    assert [str(segment.month) for segment in pruned.segments] == ["2026-01", "2026-02", "2026-03"]
    assert sequences(archive.trail)[0] == 37
    assert archive.trail.page(1, 1)[0].sequence == 37
    for found in (verify(archive.trail.path, evidence=before), verify_stored(archive.trail, before)):
        assert found.whole, found.sentence
        assert "from record 37 on" in found.sentence
        assert found.anchors == 3
    summaries = [record.entry.summary for record in archive.trail.read()]
    assert any(text.startswith("Deleting records up to 36, which are sealed") for text in summaries)
    archive.trail.close()
    archive.trail.open()
    archive.trail.append(event())
    assert verify(archive.trail.path, evidence=archive.evidence).whole
    assert archive.retention.prune().segments == ()
    assert len(archive.retention.segments()) == 4


def test_segments_and_what_is_left_make_one_chain(archive: Archive) -> None:
    archive.retention.seal()
    last = archive.retention.prune().segments[-1]
    assert archive.trail.beginning() == last.last
    with SegmentFile(archive.retention.path(last)) as file:
        assert file.head() == Head(36, archive.trail.beginning().hash)


def test_a_delivery_that_has_the_rest_to_send_goes_on_after_the_boundary(archive: Archive) -> None:
    archive.retention.seal()
    archive.retention.prune()
    with pytest.raises(TrailError, match="Record 1 of the audit trail is missing"):
        parcels(archive.trail, Position(), "kiosk-7", SOURCE)
    sent = parcels(archive.trail, resume(archive.trail, Position()), "kiosk-7", SOURCE)
    assert min(parcel.position.sequence for parcel in sent if parcel.position.sequence) == 37


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda one: setattr(one.sink, "place", 12), "2026-01 stays: ARR has records up to 12 only."),
        (lambda one: setattr(one.sink, "place", TrailError("gone")), "how far ARR has come cannot be told (gone)"),
        (lambda one: one.retention.path(one.retention.segments()[0]).unlink(), "2026-01 stays: The segment trail-"),
        (
            lambda one: change_line(
                one.retention.path(one.retention.segments()[0]), 5, lambda line: [line.replace("PACS", "PAKS")]
            ),
            "is not what was sealed",
        ),
    ],
)
def test_what_may_not_go_stays_and_it_is_said_why(
    archive: Archive, prepare: Callable[[Archive], object], words: str
) -> None:
    archive.retention.seal()
    prepare(archive)
    pruned = archive.retention.prune()
    assert pruned.segments == ()
    assert words in pruned.kept
    assert sequences(archive.trail)[0] == 1


def test_a_sink_in_the_middle_lets_go_what_it_has(archive: Archive) -> None:
    archive.retention.seal()
    archive.sink.place = 13
    pruned = archive.retention.prune()
    assert [str(segment.month) for segment in pruned.segments] == ["2026-01"]
    assert pruned.kept.startswith("2026-02 stays: ARR")


def test_an_act_that_has_not_ended_keeps_its_month(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with archive.trail as trail:
        trail.append(intent("long"))
        archive.clock.turn(4 * MONTH)
        trail.append(event())
        archive.retention.seal()
        pruned = archive.retention.prune()
        assert [str(segment.month) for segment in pruned.segments] == ["2026-01", "2026-02", "2026-03", "2026-04"]
        assert pruned.kept == "2026-05 stays: the act of record 61 has not ended."


def test_what_is_not_sealed_or_not_old_stays(archive: Archive) -> None:
    assert archive.retention.prune().sentence == "Nothing was deleted."
    archive.retention.seal()
    assert archive.keeping(12).prune().segments == ()
    with pytest.raises(TrailError, match="keep_months is 0"):
        archive.keeping(0).prune()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM record WHERE sequence = 1",
        "DELETE FROM record WHERE sequence = 60",
        "DELETE FROM checkpoint WHERE number = 1",
        "DELETE FROM boundary",
        "DELETE FROM segment",
        "UPDATE segment SET sequence = 60",
        "INSERT INTO boundary SELECT sequence - 1, checkpoint, hash, body, signature FROM boundary",
        "INSERT INTO boundary SELECT 48, 5, hash, body, signature FROM boundary",
        "INSERT INTO boundary VALUES (40, 4, x'00', x'00', x'00')",
    ],
)
def test_the_file_itself_refuses_to_let_go_of_what_is_not_behind_a_boundary(archive: Archive, statement: str) -> None:
    archive.retention.seal(Month(2026, 3))
    if "boundary" in statement:
        archive.retention.prune()
    with (
        closing(sqlite3.connect(archive.trail.path, isolation_level=None)) as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute(statement)


def test_a_boundary_that_the_key_did_not_sign_is_found(archive: Archive) -> None:
    archive.retention.seal()
    archive.trail.close()
    path = archive.trail.path
    tamper(
        path,
        ("INSERT INTO boundary SELECT 12, 1, hash, ?, ? FROM record WHERE sequence = 12", (b"{}", b"\0" * 64)),
        ("DELETE FROM record WHERE sequence <= 12", ()),
        ("DELETE FROM checkpoint WHERE number <= 1", ()),
    )
    found = verify(path)
    assert not found.whole
    assert "boundary" in found.sentence
    with pytest.raises(TrailError, match="boundary"):
        archive.trail.open()


def test_records_gone_without_a_boundary_are_missed(archive: Archive) -> None:
    archive.retention.seal()
    archive.trail.close()
    tamper(archive.trail.path, ("DELETE FROM record WHERE sequence <= 12", ()))
    found = verify(archive.trail.path)
    assert (found.whole, found.first_bad) == (False, 1)


def test_a_head_known_from_before_the_boundary_is_not_silently_passed_over(archive: Archive) -> None:
    archive.retention.seal()
    known = next(record for record in archive.trail.read(5, 5))
    archive.retention.prune()
    found = verify(archive.trail.path, Head(5, known.hash))
    assert (found.whole, found.foreign) == (False, True)
    assert "sealed segment" in found.sentence


def test_a_file_left_without_its_note_is_taken_as_it_is_and_a_torn_one_is_written_again(archive: Archive) -> None:
    copy = archive.folder / "copy"
    archive.trail.close()
    shutil.copytree(archive.folder / "audit", copy / "audit")
    archive.trail.open()
    (segment,) = archive.retention.seal(Month(2026, 2))
    path = archive.retention.path(segment)
    for leave, same in ((path.read_bytes(), True), (path.read_bytes()[:-30], False)):
        shutil.rmtree(copy / "again", ignore_errors=True)
        shutil.copytree(copy / "audit", copy / "again" / "audit")
        shutil.copytree(archive.trail.path.parent, copy / "again" / "new", dirs_exist_ok=True)
        (copy / "again" / "segments").mkdir()
        (copy / "again" / "segments" / path.name).write_bytes(leave)
        with Trail(copy / "again" / "audit" / "trail.sqlite", "kiosk-7", SOURCE, archive.clock, 0) as trail:
            archive.clock.turn(1)
            (sealed,) = Retention(trail, RetentionRules(copy / "again" / "segments"), archive.clock).seal(
                Month(2026, 2)
            )
            written = copy / "again" / "segments" / path.name
            assert (written.read_bytes() == leave) is same
            assert (sealed == segment) is same
            assert verify_segment(written).whole


def test_the_keeper_seals_when_a_month_is_over_and_finishes_what_was_begun(archive: Archive) -> None:
    archive.retention.tend()
    assert len(archive.retention.segments()) == 4
    archive.clock.turn(3600)
    archive.trail.append(event())
    archive.retention.tend()
    assert len(archive.retention.segments()) == 4
    archive.clock.turn(MONTH)
    archive.retention.tend()
    assert len(archive.retention.segments()) == 5


def test_a_folder_that_takes_no_file_harms_neither_trail_nor_month(archive: Archive) -> None:
    (archive.folder / "segments").touch()
    with pytest.raises(TrailError, match=r"segment .* cannot be written"):
        archive.retention.seal()
    archive.retention.tend()
    archive.trail.append(event())
    (archive.folder / "segments").unlink()
    assert len(archive.retention.seal()) == 4


def test_a_cursor_says_how_far_its_sink_is(tmp_path: Path) -> None:
    cursor = CursorFile(tmp_path, "ARR")
    delivery = CursorDelivery(tmp_path, "ARR", lambda: b"this trail")
    assert delivery.delivered_up_to() == 0
    cursor.write(Standing(b"this trail", Position(77, b"h", 3, 70)))
    assert delivery.delivered_up_to() == 77
    cursor.write(Standing(b"another trail", Position(77, b"h", 3, 70)))
    assert delivery.delivered_up_to() == 0
    cursor.path.write_bytes(b"{")
    with pytest.raises(TrailError, match="damaged"):
        delivery.delivered_up_to()
