"""Appending to the trail beside the barest durable insert that SQLite has, in turn and on the same disk."""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from kiosk.audit import (
    Actor,
    AuditSource,
    Entry,
    Node,
    Outcome,
    PatientRef,
    Phase,
    SopClassCount,
    StudyRef,
    Trail,
    Who,
    events,
)
from kiosk.audit.canonical import encode_body
from kiosk.clock import SystemClock

ROUNDS = 10
APPENDS = 100
GOAL = 2.0
SOURCE = AuditSource("bench", "bench")
WHO = Who("rsmith@north", "Smith, Rita", ("uid:04A1B2C3D4E5F6", "pkoc:9f2c51d07a3b4e6d"), "radiologist")
ACTOR = Actor("session", WHO.user_id, WHO.user_name, WHO.badge, "session", WHO.role)
PATIENT = PatientRef("4711", "NORTH", "Bench^Petra")
STUDY = StudyRef("1.2.826.0.1.3680043.8.498.1", "A1", (SopClassCount("1.2.840.10008.5.1.4.1.1.2", 120),))


def rows() -> Iterator[dict[str, object]]:
    """Median of one append (encode, hash, insert, fsync) against an INSERT of the same bytes with synchronous=FULL."""
    messages = events.transferred(WHO, Node("KIOSK"), Node("PACS", "10.0.0.5"), (STUDY,), PATIENT, Outcome.SUCCESS)
    entry = Entry("push", "act", Phase.EVENT, ACTOR, "Pushed", Outcome.SUCCESS, messages, patient=PATIENT)
    clock = SystemClock()
    body = encode_body(entry, clock.now(), SOURCE)
    with tempfile.TemporaryDirectory() as directory:
        bare = sqlite3.connect(Path(directory) / "bare.sqlite", isolation_level=None)
        with Trail(Path(directory) / "trail.sqlite", "bench", SOURCE, clock) as trail, closing(bare):
            bare.execute("PRAGMA journal_mode = WAL")
            bare.execute("PRAGMA synchronous = FULL")
            bare.execute("CREATE TABLE record (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs += _timed(lambda: bare.execute("INSERT INTO record (body) VALUES (?)", (body,)))
                ours += _timed(lambda: trail.append(entry))
    yield _row("append p50", statistics.median(ours), statistics.median(theirs))


def _timed(work: Callable[[], object]) -> list[float]:
    taken = []
    for _ in range(APPENDS):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return taken


def _row(work: str, ours: float, theirs: float) -> dict[str, object]:
    ratio = ours / theirs
    return {
        "work": f"audit: {work}",
        "peer": "sqlite3 INSERT, WAL, synchronous=FULL",
        "ours": round(ours, 3),
        "theirs": round(theirs, 3),
        "unit": "ms",
        "ratio": round(ratio, 2),
        "goal": GOAL,
        "met": ratio <= GOAL,
        "rounds": ROUNDS * APPENDS,
    }
