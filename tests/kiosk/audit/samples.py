"""What the audit tests are made of: a clock to turn, people, studies, entries, and a trail in a directory."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kiosk.audit import (
    Actor,
    AuditMessage,
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

SOURCE = AuditSource("kiosk-7", "north-hospital")
RADIOLOGIST = Who("rsmith@north", "Smith, Rita", ("uid:04A1B2C3D4E5F6", "pkoc:9f2c51d07a3b4e6d"), "radiologist")
SYSTEM = Who("system")
KIOSK = Node("KIOSK7", "kiosk-7.north.example")
PACS = Node("PACS", "10.0.0.5")
PATIENT = PatientRef("4711", "NORTH", "Planted^Petra")
CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
STUDY = StudyRef("1.2.826.0.1.3680043.8.498.1", "ACC-0815", (SopClassCount(CT_STORAGE, 120),))
ACTOR = Actor("session", RADIOLOGIST.user_id, RADIOLOGIST.user_name, RADIOLOGIST.badge, "s-1", "radiologist")


class ManualClock:
    """A clock that stands still until somebody turns it."""

    def __init__(self, now: datetime = datetime(2026, 11, 22, 20, 15, 3, 123456, tzinfo=UTC)) -> None:
        self.time = now

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time

    def monotonic(self) -> float:
        """Seconds since an arbitrary beginning."""
        return self.time.timestamp()

    def turn(self, seconds: float) -> None:
        """Forward, or back when negative."""
        self.time += timedelta(seconds=seconds)


def trail_in(directory: Path, kiosk_id: str = "kiosk-7", reserve_bytes: int = 0) -> Trail:
    """A trail that is not open yet, on a clock that stands still."""
    return Trail(directory / "audit" / "trail.sqlite", kiosk_id, SOURCE, ManualClock(), reserve_bytes)


def event(number: int = 1, messages: tuple[AuditMessage, ...] = ()) -> Entry:
    """An entry that stands alone."""
    return Entry("note", f"act-{number}", Phase.EVENT, ACTOR, f"Note {number}", Outcome.SUCCESS, messages)


def intent(act_id: str) -> Entry:
    """The beginning of an act."""
    return Entry("push", act_id, Phase.INTENT, ACTOR, "Push to PACS", patient=PATIENT)


def outcome(act_id: str) -> Entry:
    """The end of an act."""
    messages = events.transferred(RADIOLOGIST, KIOSK, PACS, (STUDY,), PATIENT, Outcome.SUCCESS)
    return Entry("push", act_id, Phase.OUTCOME, ACTOR, "Pushed", Outcome.SUCCESS, messages, patient=PATIENT)


def filled(directory: Path, count: int) -> Path:
    """A closed trail with that many records: acts of two records each and notes between."""
    trail = trail_in(directory)
    with trail:
        for number in range(1, count + 1):
            entry = (event(number), intent(f"act-{number}"), outcome(f"act-{number - 1}"))[number % 3]
            trail.append(entry)
    return trail.path


def tamper(path: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Changes the file as somebody would who has it: the triggers taken away and put back, the statements between."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement, values in statements:
            connection.execute(statement, values)
        for _, sql in triggers:
            connection.execute(sql)


def stored(path: Path) -> list[tuple[int, bytes, bytes]]:
    """What is in the file: sequence, body, hash."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT sequence, body, hash FROM record ORDER BY sequence").fetchall()
