"""The trail beside what it is made of: appends beside the barest durable insert, verification beside bare hashing.

QUICK=1 in the environment verifies 50,000 records instead of 1,000,000.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from kiosk.audit import (
    Actor,
    AuditDaemon,
    AuditSource,
    Counter,
    Entry,
    Node,
    Outcome,
    PatientRef,
    Phase,
    SopClassCount,
    StudyRef,
    Trail,
    TrailClient,
    Who,
    events,
    verify,
)
from kiosk.audit.canonical import encode_body
from kiosk.audit.chain import link
from kiosk.clock import SystemClock
from tests.bench.row import row

ROUNDS = 10
APPENDS = 100
GOAL = 2.0
SOCKET_GOAL = 4.0
TAIL_GOAL = 6.0
RECORDS = 50_000 if os.environ.get("QUICK") else 1_000_000
VERIFICATIONS = 3
RATE_GOAL = 0.3
MEMORY_GOAL = 8.0
FEW = 4_000
RESIDENT_GOAL = 1.1
RESIDENT = """
import runpy, sys
try:
    runpy.run_module("kiosk.cli", run_name="__main__")
except SystemExit as end:
    if end.code:
        raise
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""
"""`kiosk audit verify`, and the most memory (KiB) that it ever had: what a parent is told of its child counts what the
parent had when it began it."""
SIZE_GOAL = 1.5
SOURCE = AuditSource("bench", "bench")
WHO = Who("rsmith@north", "Smith, Rita", ("uid:04A1B2C3D4E5F6", "pkoc:9f2c51d07a3b4e6d"), "radiologist")
ACTOR = Actor("session", WHO.user_id, WHO.user_name, WHO.badge, "session", WHO.role)
PATIENT = PatientRef("4711", "NORTH", "Bench^Petra")
STUDY = StudyRef("1.2.826.0.1.3680043.8.498.1", "A1", (SopClassCount("1.2.840.10008.5.1.4.1.1.2", 120),))
INSERT = "sqlite3 INSERT, WAL, synchronous=FULL"


def rows() -> Iterator[dict[str, object]]:
    """Appending, then verifying, then what a record takes on the disk."""
    messages = events.transferred(WHO, Node("KIOSK"), Node("PACS", "10.0.0.5"), (STUDY,), PATIENT, Outcome.SUCCESS)
    entry = Entry("push", "act", Phase.EVENT, ACTOR, "Pushed", Outcome.SUCCESS, messages, patient=PATIENT)
    body = encode_body(entry, SystemClock().now(), SOURCE)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        yield from _appends(Path(directory), entry, body)
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        yield from _verifications(Path(directory), body)


def _appends(folder: Path, entry: Entry, body: bytes) -> Iterator[dict[str, object]]:
    """Of one append (encode, hash, MAC, insert, fsync) beside an INSERT of the same bytes, in turn on the same disk."""
    clock = SystemClock()
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    counter = Counter(folder / "socket", frozenset((os.getuid(),)))
    daemon = AuditDaemon(Trail(folder / "served" / "trail.sqlite", "bench", SOURCE, clock), counter, clock.monotonic)
    trail, client = Trail(folder / "trail.sqlite", "bench", SOURCE, clock), TrailClient(counter.path)
    ours: list[float] = []
    theirs: list[float] = []
    served: list[float] = []
    with closing(bare), trail, daemon, client:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE record (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        for _ in range(ROUNDS):
            theirs += _timed(lambda: bare.execute("INSERT INTO record (body) VALUES (?)", (body,)))
            ours += _timed(lambda: trail.append(entry, os.urandom(16)))
            served += _timed(lambda: client.append(entry))
    yield _slower("append p50", INSERT, statistics.median(ours), statistics.median(theirs), GOAL)
    yield _slower("append p99", INSERT, _p99(ours), _p99(theirs), TAIL_GOAL)
    in_process = "the same in this process"
    yield _slower("append through the socket p50", in_process, statistics.median(served), statistics.median(ours), GOAL)
    yield _slower("append through the socket p99", in_process, _p99(served), _p99(ours), SOCKET_GOAL)


def _verifications(folder: Path, body: bytes) -> Iterator[dict[str, object]]:
    """Records a second, beside a loop that only hashes the same bytes from memory; memory; size of a record."""
    path = _filled(folder, body, RECORDS)
    rounds = []
    for _ in range(VERIFICATIONS):
        theirs = RECORDS / _seconds(lambda: _bare_loop(body))
        ours = RECORDS / _seconds(lambda: _verified(path))
        rounds.append((ours, theirs))
    yield row(f"audit: verify {RECORDS} records", "hashlib over the same bytes", "1/s", RATE_GOAL, rounds)
    tracemalloc.start()
    _verified(path)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    yield _slower(f"memory of verifying {RECORDS} records", "a bound", peak, 1.0, MEMORY_GOAL, unit="MiB")
    few = _resident(_filled(folder / "few", body, FEW))
    work = f"resident memory of kiosk audit verify over {RECORDS} records"
    yield _slower(work, f"the same over {FEW}", _resident(path), few, RESIDENT_GOAL, unit="MiB")
    size = path.stat().st_size / RECORDS
    yield _slower("a record on the disk", "its body", size, float(len(body)), SIZE_GOAL, unit="octets")


def _resident(path: Path) -> float:
    """Of `kiosk audit verify` on that file, in MiB."""
    command = [sys.executable, "-c", RESIDENT, "audit", "verify", "--db", str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    return int(done.stdout.splitlines()[-1]) / 1024


def _filled(folder: Path, body: bytes, records: int) -> Path:
    """A trail of so many records that their own writer would have chained; in one transaction, or it takes an hour."""
    with Trail(folder / "trail.sqlite", "bench", SOURCE, SystemClock()) as trail:
        value = trail.identity.genesis
        key = trail.escrow()
    connection = sqlite3.connect(trail.path, isolation_level=None)
    with closing(connection):
        connection.execute("PRAGMA synchronous = OFF")
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")

        def chained() -> Iterator[tuple[int, bytes, bytes, bytes]]:
            nonlocal value
            for sequence in range(1, records + 1):
                value = link(value, sequence, body)
                yield sequence, body, value, key[:16]

        connection.execute("BEGIN")
        connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?)", chained())
        connection.execute("UPDATE head SET sequence = ?, hash = ?", (records, value))
        for _, sql in triggers:
            connection.execute(sql)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return trail.path


def _verified(path: Path) -> None:
    found = verify(path)
    if not found.whole or found.records != RECORDS:
        raise AssertionError(found.sentence)


def _bare_loop(body: bytes) -> None:
    value = bytes(32)
    for _ in range(RECORDS):
        value = sha256(value + sha256(body).digest()).digest()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _timed(work: Callable[[], object]) -> list[float]:
    return [_seconds(work) * 1000 for _ in range(APPENDS)]


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def _slower(work: str, peer: str, ours: float, theirs: float, goal: float, unit: str = "ms") -> dict[str, object]:
    """A row where less is better: `ratio` must not exceed `goal`."""
    ratio = ours / theirs
    return {
        "work": f"audit: {work}",
        "peer": peer,
        "ours": round(ours, 3),
        "theirs": round(theirs, 3),
        "unit": unit,
        "ratio": round(ratio, 2),
        "goal": goal,
        "met": ratio <= goal,
        "rounds": ROUNDS * APPENDS if unit == "ms" else 1,
    }
