"""A trail whose old records were deleted is delivered on: where a sink stood, or from the boundary, and it says so."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit import ReadOnlyTrail
from kiosk.audit.forward import Forwarder, Kind, Sink, sink_statuses
from kiosk.audit.forward.cursor import CursorFile, Standing
from kiosk.audit.forward.delivered import CursorDelivery
from kiosk.audit.forward.stream import Position, resume
from kiosk.clock import SystemClock
from kiosk.errors import TrailError
from tests.kiosk.audit.archives import Archive
from tests.kiosk.audit.forward.kit import PACE, SOURCE, await_settled, delivering, status
from tests.kiosk.audit.forward.receivers import await_that, read_messages
from tests.kiosk.audit.samples import event

BOUNDARY = 36
NOTE = "Records up to 36 were pruned before all of them were sent; they lie in the sealed segments."


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    made.retention.seal()
    yield made
    made.trail.close()


def file_sink(folder: Path, name: str = "ARR") -> Sink:
    return Sink(name, Kind.FILE, path=folder / f"{name}.log")


def position(archive: Archive, place: int) -> Position:
    """Where somebody stands who has taken the records up to that place."""
    checkpoints = [made.number for made in archive.trail.checkpoints() if made.sequence <= place]
    return Position(place, archive.trail.rows(place, 1)[0].hash, len(checkpoints), place)


def test_a_cursor_beyond_the_boundary_goes_on_and_one_at_it_must_have_its_hash(archive: Archive) -> None:
    beyond, at, before = (position(archive, place) for place in (BOUNDARY + 1, BOUNDARY, BOUNDARY - 1))
    for one in (beyond, at, before):
        assert resume(archive.trail, one) == one
    archive.retention.prune()
    assert archive.trail.beginning().sequence == BOUNDARY
    assert resume(archive.trail, beyond) == beyond
    assert resume(archive.trail, at) == at
    for wrong in (beyond, at):
        with pytest.raises(TrailError, match="is not the one that was delivered"):
            resume(archive.trail, replace(wrong, hash=b"\0" * 32))
    for early in (before, Position()):
        here = resume(archive.trail, early)
        assert (here.sequence, here.hash) == (at.sequence, at.hash)
        assert here.checkpoint == archive.trail.beginning().checkpoint


def test_a_sink_that_had_everything_goes_on_after_a_deletion_without_a_fault(archive: Archive) -> None:
    sink, path = file_sink(archive.folder), archive.trail.path
    with delivering(sink, path, archive.folder) as forwarder:
        await_settled(forwarder, path)
        archive.retention.prune()
        archive.trail.append(event(1001))
        await_settled(forwarder, path)
        assert (status(forwarder).fault, status(forwarder).note) == ("", "")
    with delivering(sink, path, archive.folder) as forwarder:
        archive.trail.append(event(1002))
        await_settled(forwarder, path)
        assert (status(forwarder).fault, status(forwarder).note) == ("", "")


def test_a_sink_that_is_added_later_begins_at_the_boundary_and_its_status_says_so_for_good(archive: Archive) -> None:
    archive.retention.prune()
    sink, path = file_sink(archive.folder), archive.trail.path
    with ReadOnlyTrail(path) as trail:
        (before,) = sink_statuses([sink], archive.folder / "cursors", trail)
        assert before.waiting == trail.head().sequence - BOUNDARY
        assert before.note == NOTE
    archive.trail.append(event(1003))
    with delivering(sink, path, archive.folder) as forwarder:
        await_settled(forwarder, path)
        assert (status(forwarder).fault, status(forwarder).note) == ("", NOTE)
    with delivering(sink, path, archive.folder) as forwarder:
        archive.trail.append(event(1004))
        await_settled(forwarder, path)
        assert status(forwarder).note == NOTE
    first = next(one for one in read_messages(archive.folder / "ARR.log") if "TrailFollows" in one.details)
    assert int(first.details["TrailRecord"]) > BOUNDARY
    assert int(first.details["TrailFollows"]) == BOUNDARY
    assert CursorDelivery(archive.folder / "cursors", "ARR", lambda: archive.trail.identity.genesis).delivered_up_to()


def test_a_sink_that_was_away_during_a_deletion_goes_on_at_the_boundary(archive: Archive) -> None:
    sink, path = file_sink(archive.folder), archive.trail.path
    cursor = CursorFile(archive.folder / "cursors", "ARR")
    cursor.path.parent.mkdir()
    cursor.write(Standing(archive.trail.identity.genesis, position(archive, 12), 12))
    archive.retention.prune()
    with delivering(sink, path, archive.folder) as forwarder:
        await_settled(forwarder, path)
        assert (status(forwarder).fault, status(forwarder).note) == ("", NOTE)


def test_a_deletion_behind_a_running_forwarders_back_is_no_lasting_fault(archive: Archive) -> None:
    sink, path = file_sink(archive.folder), archive.trail.path
    closed = archive.folder / "closed"
    closed.write_text("no folder")
    with Forwarder(
        [replace(sink, path=closed / "ARR.log")],
        lambda: ReadOnlyTrail(path),
        archive.folder / "cursors",
        SOURCE,
        SystemClock(),
        PACE,
    ) as forwarder:
        await_that(lambda: status(forwarder).fault != "", "the folder cannot be used")
        archive.retention.prune()
        closed.unlink()
        closed.mkdir()
        await_settled(forwarder, path)
        assert (status(forwarder).fault, status(forwarder).note) == ("", NOTE)


def test_a_cursor_that_was_written_before_there_were_deletions_is_read(tmp_path: Path) -> None:
    cursor = CursorFile(tmp_path, "ARR")
    cursor.write(Standing(b"\1" * 32, Position(7, b"\2" * 32, 1, 7), 7))
    cursor.path.write_bytes(cursor.path.read_bytes().replace(b'"pruned":0,', b"").replace(b'"refused":false,', b""))
    assert b"pruned" not in cursor.path.read_bytes()
    assert cursor.read().settled.sequence == 7
