"""Power cuts while months are sealed and deleted: nothing is lost, and the next time finishes it."""

import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.audit import (
    Retention,
    RetentionRules,
    Trail,
    verify,
    verify_segment,
)
from kiosk.audit.segment_file import SegmentFile
from tests.kiosk.audit.archives import Archive, sequences
from tests.kiosk.audit.samples import SOURCE, ManualClock


@contextmanager
def reopened(folder: Path) -> Iterator[tuple[Trail, Retention]]:
    """An archive's trail, months after it was closed, and its retention."""
    clock = ManualClock(datetime(2026, 12, 1, tzinfo=UTC))
    with Trail(folder / "audit" / "trail.sqlite", "kiosk-7", SOURCE, clock, 0) as trail:
        yield trail, Retention(trail, RetentionRules(folder / "segments", 1), clock)


def seal_and_prune(folder: Path) -> None:
    with reopened(folder) as (_, retention):
        retention.seal()
        retention.prune()


def kill_after(folder: Path, seconds: float) -> None:
    """Seals and deletes in a child that is killed meanwhile, or not much later."""
    child = os.fork()
    if child == 0:
        try:
            seal_and_prune(folder)
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_a_kill_in_the_middle_of_sealing_or_deleting_loses_nothing_and_is_finished_later(
    tmp_path: Path, kills: int
) -> None:
    whole = tmp_path / "whole"
    made = Archive(whole, 40)
    made.trail.close()
    bodies = dict(_stored(whole / "audit" / "trail.sqlite"))
    once = tmp_path / "once"
    shutil.copytree(whole, once)
    began = time.monotonic()
    seal_and_prune(once)
    seconds, chance = time.monotonic() - began, random.Random(4711)
    for _ in range(kills):
        folder = tmp_path / "killed"
        shutil.copytree(whole, folder)
        for _ in range(2):
            kill_after(folder, chance.uniform(0, seconds))
            _all_there(folder, bodies)
        with reopened(folder) as (trail, retention):
            retention.seal()
            retention.prune()
            assert [str(one.month) for one in retention.segments()] == [f"2026-0{month}" for month in range(1, 6)]
            assert sequences(trail)[0] > max(bodies)
        _all_there(folder, bodies)
        shutil.rmtree(folder)


def _stored(path: Path) -> list[tuple[int, bytes]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT sequence, body FROM record ORDER BY sequence").fetchall()


def _all_there(folder: Path, bodies: dict[int, bytes]) -> None:
    """Every record is in the trail or in a whole segment; the trail verifies."""
    path = folder / "audit" / "trail.sqlite"
    found = verify(path)
    assert found.whole, found.sentence
    there = dict(_stored(path))
    for name in sorted((folder / "segments").glob("*.jsonl.gz")):
        assert verify_segment(name).whole
        with SegmentFile(name) as file:
            first = file.segment.first
            while rows := file.rows(first):
                there |= {row.sequence: row.body for row in rows}
                first = rows[-1].sequence + 1
    assert {place: there.get(place) for place in bodies} == bodies
