"""Reading the record is an act on record, for those who may, with what was looked for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from kiosk.access.policy import Role, permissions_of
from kiosk.audit import Node, Outcome, Record, Selection, Trail
from kiosk.errors import Cancelled, NotAllowed
from kiosk.operations.audit_log import ReadAudit, TraceCustody, VerifyAudit
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.operations import AuditFound, ChainState
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import Badge, Session, System
from tests.kiosk.audit.archives import Archive
from tests.kiosk.audit.pushed_study import UID, recorded, steps

NODE = Node("KIOSK")
RECORDS = 2 * len(steps())
"""Each step has a record of something else before it."""
BADGE = Badge("iso14443", "04E5F60718293A", "")


def session(role: Role) -> Session:
    permissions = frozenset(permission.value for permission in permissions_of(role))
    return Session("s-9", "s.lindqvist", "Sara Lindqvist", role.value, BADGE, permissions)


AUDITOR = session(Role.AUDITOR)


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    with recorded(tmp_path, steps()) as opened:
        yield opened


@pytest.fixture
def desk(trail: Trail) -> Desk:
    return Desk(TrailLedger(trail, lambda _: None), lambda _: True)


def read(desk: Desk, act: ReadAudit, by: Session | System = AUDITOR) -> tuple[list[Record], AuditFound]:
    work, records = perform(desk, by, act), []
    while True:
        try:
            records.append(next(work))
        except StopIteration as end:
            return records, end.value


def test_newest_first_begins_with_the_reading_itself(desk: Desk, trail: Trail) -> None:
    records, found = read(desk, ReadAudit(NODE, trail, masked=False, newest_first=True, limit=5))
    assert [record.sequence for record in records] == list(range(RECORDS + 1, RECORDS - 4, -1))
    assert records[0].entry.act == "read_audit"
    assert found == AuditFound(5, True)


def test_a_limit_that_is_met_exactly_leaves_nothing(desk: Desk, trail: Trail) -> None:
    selection = Selection(act="deliver")
    assert read(desk, ReadAudit(NODE, trail, selection=selection, limit=2))[1] == AuditFound(2, False)
    assert read(desk, ReadAudit(NODE, trail, selection=selection, limit=1))[1] == AuditFound(1, True)
    assert read(desk, ReadAudit(NODE, trail, selection=selection))[1] == AuditFound(2, False)


def test_what_was_looked_for_is_on_record_and_a_patient_under_a_key(desk: Desk, trail: Trail) -> None:
    read(desk, ReadAudit(NODE, trail, masked=False, selection=Selection(patient_id="4711")))
    begun, ended = list(trail.read())[-2:]
    assert begun.entry.details == ended.entry.details == (("key.patient_id", "4711"),)
    assert ended.entry.actor.badge == ("uid:04E5F60718293A",)
    assert ended.entry.messages[0].event_id.value == "110101"


def test_looking_for_a_patient_is_no_access_to_the_patient(desk: Desk, trail: Trail) -> None:
    asked = ReadAudit(NODE, trail, masked=False, selection=Selection(patient_id="4711"))
    first, _ = read(desk, asked)
    again, _ = read(desk, asked)
    assert first == again


def test_who_sees_patients_masked_may_not_look_for_one(desk: Desk, trail: Trail) -> None:
    with pytest.raises(NotAllowed, match="Patients are masked here"):
        read(desk, ReadAudit(NODE, trail, selection=Selection(patient_id="4711")), System("unix:root"))
    assert list(trail.read())[-1].entry.outcome is Outcome.SERIOUS


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.AUDITOR])
def test_nobody_but_an_auditor_may_see_it(role: Role, desk: Desk, trail: Trail) -> None:
    for act in (ReadAudit(NODE, trail), VerifyAudit(NODE, trail), TraceCustody(NODE, trail, UID)):
        with pytest.raises(NotAllowed):
            finish(perform(desk, session(role), act))
        assert list(trail.read())[-1].entry.summary.startswith("Refused: ")


def test_the_state_of_the_chain_tells_length_head_and_last_checkpoint(desk: Desk, trail: Trail) -> None:
    state = finish(perform(desk, AUDITOR, VerifyAudit(NODE, trail)))
    assert isinstance(state, ChainState)
    assert state.whole
    assert state.sentence.startswith(f"The chain is whole: {RECORDS + 1} records, head ")
    assert f" Last checkpoint: number 1, of record {RECORDS}, 2026-11-23 09:00:" in state.sentence


def test_a_check_that_is_cancelled_ends_as_cancelled(desk: Desk, trail: Trail) -> None:
    cancel = Event()
    cancel.set()
    for act in (VerifyAudit(NODE, trail), TraceCustody(NODE, trail, UID)):
        with pytest.raises(Cancelled):
            finish(perform(desk, AUDITOR, act, cancel))
        assert list(trail.read())[-1].entry.outcome is Outcome.MINOR


def test_custody_is_traced_and_tracing_is_no_part_of_it(desk: Desk, trail: Trail) -> None:
    for _ in range(2):
        traced = finish(perform(desk, AUDITOR, TraceCustody(NODE, trail, UID)))
        (path,) = traced.paths
        assert (path.gaps, traced.unread) == ((), ())


@pytest.fixture
def pruned(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "pruned")
    made.retention.seal()
    made.retention.prune()
    yield made
    made.trail.close()


def test_a_reading_reaches_into_the_archive_and_says_on_record_what_it_could_not_reach(pruned: Archive) -> None:
    desk = Desk(TrailLedger(pruned.trail, lambda _: None), lambda _: True)
    act = ReadAudit(NODE, pruned.trail, masked=False, selection=Selection(act="push"), archive=pruned.retention.archive)
    records, found = read(desk, act)
    assert [record.sequence for record in records][:3] == [1, 2, 3]
    assert found == AuditFound(60, False)
    newest, _ = read(desk, replace(act, newest_first=True))
    assert newest == records[::-1]
    for path in (pruned.folder / "segments").glob("*-2026-02.*"):
        path.unlink()
    _, found = read(desk, act)
    assert found.count == 48
    (unread,) = found.unread
    assert unread.startswith("2026-02: ")
    assert list(pruned.trail.read())[-1].entry.summary.endswith(f"; not looked into: {unread}")
    traced = finish(perform(desk, AUDITOR, TraceCustody(NODE, pruned.trail, UID, pruned.retention.archive)))
    assert traced.unread == (unread,)
    assert list(pruned.trail.read())[-1].entry.summary.endswith(f"; not looked into: {unread}")


def test_a_reading_without_the_archive_says_which_records_it_did_not_look_into(pruned: Archive) -> None:
    desk = Desk(TrailLedger(pruned.trail, lambda _: None), lambda _: True)
    _, found = read(desk, ReadAudit(NODE, pruned.trail, masked=False))
    assert found.unread == ("records up to 36: they were archived, and the archive is not at hand.",)
