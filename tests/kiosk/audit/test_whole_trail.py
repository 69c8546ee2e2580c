"""Searches reach into sealed months that were deleted from the trail, and say which of them they could not reach."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from kiosk.audit import (
    AuditDaemon,
    Counter,
    KeeperRules,
    Month,
    Occasion,
    Record,
    Retention,
    RetentionRules,
    SegmentFolder,
    Selection,
    Trail,
    TrailClient,
    Wanted,
    WholeTrail,
    seal,
    select,
    select_newest,
    selection,
    trace,
)
from kiosk.audit.store import Row
from kiosk.errors import Cancelled, TrailError
from tests.kiosk.audit.archives import Archive, change_line
from tests.kiosk.audit.daemons import short_folder, socket_in
from tests.kiosk.audit.pushed_study import UID, recorded, steps
from tests.kiosk.audit.samples import event

JANUARY = "2026-01"
EVERYTHING = Selection()


@pytest.fixture
def archive() -> Iterator[Archive]:
    """Three of five months are sealed and deleted."""
    with short_folder() as folder:
        made = Archive(folder)
        made.retention.seal()
        made.retention.prune()
        assert made.trail.beginning().sequence == 36
        yield made
        made.trail.close()


def before(archive: Archive) -> list[Record]:
    """Every record there ever was, but those of sealing and deleting."""
    whole = WholeTrail(archive.trail, archive.retention.archive())
    return list(select(whole, Selection(act="push")))


def file_of(archive: Archive, month: str) -> Path:
    (path,) = (archive.folder / "segments").glob(f"*-{month}.jsonl.gz")
    return path


def test_every_record_is_found_in_both_directions(archive: Archive) -> None:
    whole = WholeTrail(archive.trail, archive.retention.archive())
    found = list(select(whole))
    assert [record.sequence for record in found] == list(range(1, archive.trail.head().sequence + 1))
    assert [record.previous_hash for record in found[1:]] == [record.hash for record in found[:-1]]
    assert list(select_newest(whole)) == found[::-1]
    assert list(select(whole, first=20, last=41)) == found[19:41]
    assert list(select_newest(whole, before=30)) == found[28::-1]
    assert whole.unread == ()


def test_newest_first_holds_few_records_at_a_time(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    found = before(archive)
    monkeypatch.setattr(selection, "KEPT", 5)
    whole = WholeTrail(archive.trail, archive.retention.archive())
    assert list(select_newest(whole, Selection(act="push"))) == found[::-1]


def test_filters_reach_into_the_archive(archive: Archive) -> None:
    wanted = Selection(since=datetime(2026, 2, 1, tzinfo=UTC), until=datetime(2026, 3, 1, tzinfo=UTC), act="push")
    whole = WholeTrail(archive.trail, archive.retention.archive(), Wanted(1, wanted.since, wanted.until))
    assert [record.sequence for record in select(whole, wanted)] == list(range(13, 25))


class Unwanted:
    """An archive whose files nobody may touch; it notes which were asked for."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive.retention.archive()
        self.asked: set[int] = set()

    def segments(self) -> tuple[object, ...]:
        """Those that there are."""
        return self._archive.segments()

    def segment_rows(self, number: int, first: int, limit: int = 256) -> tuple[Row, ...]:
        """As in the folder."""
        self.asked.add(number)
        return self._archive.segment_rows(number, first, limit)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(), {1, 2, 3}),
        (Wanted(since=datetime(2026, 3, 1, tzinfo=UTC)), {3}),
        (Wanted(since=datetime(2026, 4, 1, tzinfo=UTC)), set()),
        (Wanted(until=datetime(2026, 1, 30, tzinfo=UTC)), {1}),
        (Wanted(first=25), {3}),
        (Wanted(first=60), set()),
    ],
    ids=["all", "from March", "from April", "January", "late", "later"],
)
def test_only_months_that_may_hold_what_is_wanted_are_read(archive: Archive, wanted: Wanted, numbers: set[int]) -> None:
    unwanted = Unwanted(archive)
    whole = WholeTrail(archive.trail, unwanted, wanted)  # type: ignore[arg-type]  # its segments are those of another
    assert list(select(whole, EVERYTHING, wanted.first))
    assert unwanted.asked == numbers
    assert whole.unread == ()


@pytest.mark.parametrize("direction", ["oldest first", "newest first"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "it is damaged"),
        (lambda path: change_line(path, 4, lambda line: [line.replace("Push to PACS", "Push to PAXX")]), "was changed"),
        (lambda path: change_line(path, 6, lambda _: []), "was changed"),
        (lambda path: change_line(path, 13, lambda _: []), "does not end with record 24"),
        (lambda path: change_line(path, 5, lambda line: [line.replace('"body":{', '"body": {"x":1,')]), "was changed"),
    ],
    ids=["gone", "torn", "changed", "a record less", "cut", "written anew"],
)
def test_a_month_that_cannot_be_believed_is_left_out_and_named(
    archive: Archive, damage: object, said: str, direction: str
) -> None:
    whole = before(archive)
    assert callable(damage)
    damage(file_of(archive, "2026-02"))
    broken = WholeTrail(archive.trail, archive.retention.archive())
    pushes = Selection(act="push")
    forwards = direction == "oldest first"
    found = list(select(broken, pushes)) if forwards else list(select_newest(broken, pushes))[::-1]
    assert found == [record for record in whole if not 13 <= record.sequence <= 24]
    (unread,) = broken.unread
    assert unread.startswith("2026-02: ")
    assert said in unread


def test_the_file_of_another_kiosk_is_not_read(archive: Archive, tmp_path: Path) -> None:
    other = Archive(tmp_path)
    other.retention.seal()
    file_of(archive, JANUARY).write_bytes(file_of(other, JANUARY).read_bytes())
    other.trail.close()
    whole = WholeTrail(archive.trail, archive.retention.archive())
    assert next(iter(select(whole))).sequence == 13
    (unread,) = whole.unread
    assert unread == f"2026-01: {file_of(archive, JANUARY).name} is not what was sealed."


def test_without_an_archive_at_hand_it_says_which_records_were_not_looked_into(archive: Archive) -> None:
    end = archive.trail.beginning().sequence
    whole = WholeTrail(archive.trail)
    assert next(iter(select(whole))).sequence == end + 1
    assert whole.unread == (f"records up to {end}: they were archived, and the archive is not at hand.",)
    assert WholeTrail(archive.trail, wanted=Wanted(end + 1)).unread == ()


def test_a_trail_that_was_never_deleted_from_asks_no_archive(tmp_path: Path) -> None:
    made = Archive(tmp_path)
    whole = WholeTrail(made.trail)
    assert list(select(whole)) == list(made.trail.read())
    assert whole.unread == ()
    made.trail.close()


def test_a_copy_is_read_with_the_folder_of_its_segments(archive: Archive) -> None:
    with Trail.read_only(archive.trail.path) as copy:
        whole = WholeTrail(copy, SegmentFolder(archive.folder / "segments", copy.segments))
        assert [record.sequence for record in select(whole)][:2] == [1, 2]
        assert whole.unread == ()


def test_reading_ends_when_it_is_cancelled(archive: Archive) -> None:
    cancel = Event()
    whole = WholeTrail(archive.trail, archive.retention.archive(), cancel=cancel)
    found = select(whole)
    next(found)
    cancel.set()
    with pytest.raises(Cancelled):
        list(found)


def test_the_daemon_reads_its_segments_for_those_who_may_not_open_them(archive: Archive) -> None:
    found = before(archive)
    archive.trail.close()
    counter = Counter(socket_in(archive.folder), frozenset((os.getuid(),)))
    rules = KeeperRules(tick_seconds=0.05)
    with (
        AuditDaemon(archive.trail, counter, time.monotonic, rules, None, archive.retention),
        TrailClient(socket_in(archive.folder)) as client,
    ):
        whole = WholeTrail(client, client)
        assert list(select(whole, Selection(act="push"))) == found
        assert list(select_newest(whole, Selection(act="push"))) == found[::-1]
        file_of(archive, "2026-03").unlink()
        client.append(event())
        again = WholeTrail(client, client)
        list(select(again))
        assert [one.partition(":")[0] for one in again.unread] in ([], ["2026-03"])  # an open file may still be read
        with pytest.raises(TrailError, match="no segment 9"):
            client.segment_rows(9, 1)
    with AuditDaemon(archive.trail, counter, time.monotonic, rules), TrailClient(socket_in(archive.folder)) as client:
        bare = WholeTrail(client, client)
        list(select(bare))
        (unread,) = bare.unread
        assert unread.endswith("This daemon seals and deletes nothing.")


def test_the_path_of_a_study_that_was_pushed_in_a_deleted_month_is_unbroken(tmp_path: Path) -> None:
    with recorded(tmp_path, steps()) as trail:
        clock = trail._clock  # its months have to pass
        begun = Month.of(clock.now())
        retention = Retention(trail, RetentionRules(tmp_path / "segments", 1), clock)
        for _ in range(3):
            clock.turn(timedelta(days=31).total_seconds())  # type: ignore[attr-defined]  # a ManualClock
            trail.append(event())
            trail.checkpoint(Occasion.IDLE)
        retention.seal()
        assert retention.prune().segments[0].month == begun
        assert trace(trail, UID) == ()
        (path,) = trace(WholeTrail(trail, retention.archive()), UID)
        assert path.gaps == ()
        assert path.last < trail.beginning().sequence
        assert seal(trail.checkpoints(), path) is not None
