"""Nothing happens off the record: a walk over every operation there is."""

import importlib
import inspect
import pkgutil
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, cast

import pytest

import kiosk.operations
from kiosk.audit import AuditSource, Outcome, Phase, Trail
from kiosk.clock import SystemClock
from kiosk.errors import Cancelled, KioskError, NoSession, NotAllowed, PeerUnreachable, TrailError
from kiosk.imaging.calls import Found, Imaging
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.imaging.studies.model import Study, StudyQuery
from kiosk.operations.operations import Operations
from kiosk.operations.perform import Desk, Ending, Operation, finish, perform
from kiosk.operations.principal import Delegation, Principal, Session, System
from kiosk.operations.query import QueryStudies
from kiosk.operations.service import ResumeService, StartKiosk
from kiosk.operations.statement import Statement
from tests.kiosk.operations import acts
from tests.kiosk.operations.ledgers import FullDisk, MemoryLedger

KINDS: dict[str, set[type]] = {
    "tap": {System},
    "enter_pin": {System},
    "abandon_pin": {System},
    "sign_out": {Session, System},
    "query": {Session},
    "look_up": {Session},
    "open_study": {Session},
    "open_series": {Session},
    "tags": {Session},
    "push": {Session},
    "cancel_push": {Session},
    "retry_push": {Session},
    "deliver": {Delegation},
    "confirm": {Delegation},
    "forget_push": {System},
    "staff_bootstrap": {System},
    "staff_add": {Session, System},
    "staff_enrol": {Session, System},
    "staff_revoke": {Session, System},
    "staff_disable": {Session, System},
    "staff_enable": {Session, System},
    "staff_pin": {Session, System},
    "staff_list": {Session, System},
    "staff_credentials": {Session, System},
    "card_keys_make": {System},
    "personalise_card": {System},
    "read_audit": {Session, System},
    "verify_audit": {Session, System},
    "trace_custody": {Session, System},
    "start": {System},
    "stop": {System},
    "reader": {System},
    "audit_sink": {System},
    "resume": {System},
    "seal_audit": {System},
    "prune_audit": {System},
}
"""Who may do what: a change here is a decision about security, not about code."""

LOOKS = {"station", "status", "subscribe", "touch", "picture", "destinations", "present", "close"}
"""Methods of the front ends' protocol that are no acts of their own: `picture` shows a series whose opening is on
record, `present` and `close` lead to acts (a tap, a stop), the others tell no patient."""


def operations() -> set[type[Operation[Any, Any]]]:
    for module in pkgutil.iter_modules(kiosk.operations.__path__):
        importlib.import_module(f"kiosk.operations.{module.name}")

    def below(base: type) -> Iterator[type]:
        for child in base.__subclasses__():
            yield child
            yield from below(child)

    return {one for one in below(Operation) if one.__module__.startswith("kiosk.") and "name" in vars(one)}


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    with Trail(tmp_path / "trail.db", "test", AuditSource("test"), SystemClock(), reserve_bytes=0) as trail:
        yield trail


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.open()
    outbox.add(
        OutboxJob("job", "a.weber", b"{}", "Archive", "Archive", "1.2.3", (), JobState.WAITING),
    )
    yield outbox
    outbox.close()


@pytest.fixture
def did() -> list[str]:
    return []


@pytest.fixture(params=[False, True], ids=["answering", "broken"])
def every_act(
    request: pytest.FixtureRequest, trail: Trail, outbox: Outbox, tmp_path: Path, did: list[str]
) -> list[Operation[Any, Any]]:
    return list(acts.makers(trail, outbox, tmp_path, did, broken=request.param))


def attempt(desk: Desk, by: Principal, act: Operation[Any, Any]) -> KioskError | None:
    try:
        finish(perform(desk, by, act))
    except KioskError as error:
        return error
    return None


def test_the_walk_meets_every_operation(every_act: list[Operation[Any, Any]]) -> None:
    assert {type(act) for act in every_act} == operations()
    assert {act.name for act in every_act} == set(KINDS)


def test_every_operation_leaves_an_intent_and_an_outcome(every_act: list[Operation[Any, Any]]) -> None:
    for act in every_act:
        for by in acts.PRINCIPALS:
            if type(by) in KINDS[act.name]:
                ledger = MemoryLedger()
                attempt(Desk(ledger, lambda _: True), by, act)
                assert ledger.phases(act.name) == [Phase.INTENT, Phase.OUTCOME], act.name
                intent, outcome = ledger.entries
                assert intent.act_id == outcome.act_id
                assert outcome.outcome is not None


def test_no_operation_runs_without_a_trail(every_act: list[Operation[Any, Any]], did: list[str]) -> None:
    for act in every_act:
        for by in acts.PRINCIPALS:
            if type(by) in KINDS[act.name]:
                assert isinstance(attempt(Desk(FullDisk(), lambda _: True), by, act), TrailError), act.name
    assert not did


def test_every_operation_takes_its_own_kinds_of_principal_and_no_other(
    every_act: list[Operation[Any, Any]], did: list[str]
) -> None:
    for act in every_act:
        assert set(act.accepts) == KINDS[act.name], act.name
        for by in acts.PRINCIPALS:
            if type(by) not in KINDS[act.name]:
                ledger = MemoryLedger()
                assert isinstance(attempt(Desk(ledger, lambda _: True), by, act), NotAllowed)
                assert ledger.phases(act.name) == [Phase.EVENT]
    assert not did


def test_a_session_needs_the_permission_of_its_role(every_act: list[Operation[Any, Any]], did: list[str]) -> None:
    nobody = Session("s1", "x", "X", "service", acts.BADGE, frozenset())
    for act in every_act:
        if Session in act.accepts and act.permission is not None:
            ledger = MemoryLedger()
            assert isinstance(attempt(Desk(ledger, lambda _: True), nobody, act), NotAllowed)
            assert [entry.messages[0].event_types[0].value for entry in ledger.entries] == ["110132"]
    assert not did


def test_a_session_that_has_ended_does_nothing(every_act: list[Operation[Any, Any]], did: list[str]) -> None:
    for act in every_act:
        if Session in act.accepts:
            assert isinstance(attempt(Desk(MemoryLedger(), lambda _: False), acts.SESSION, act), NoSession)
    assert not did


def test_what_a_person_does_carries_their_badge(every_act: list[Operation[Any, Any]]) -> None:
    for act in every_act:
        for by in (acts.SESSION, acts.DELEGATION):
            if type(by) in act.accepts:
                ledger = MemoryLedger()
                attempt(Desk(ledger, lambda _: True), by, act)
                assert all(entry.actor.badge == ("uid:04A1B2C3D4E580",) for entry in ledger.entries), act.name


def test_every_method_of_the_front_ends_is_an_act_or_a_known_look() -> None:
    methods = {name for name, _ in inspect.getmembers(Operations, inspect.isfunction) if not name.startswith("_")}
    assert methods - LOOKS <= set(KINDS)
    assert methods >= LOOKS


@dataclass(frozen=True)
class Counting(Operation[int, None]):
    """Yields numbers until cancelled."""

    name: ClassVar[str] = "counting"
    permission: ClassVar[None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    def intent(self, by: Principal) -> Statement:
        return Statement("begin")

    def act(self, by: Principal, cancel: Event) -> Generator[int, None, None]:
        number = 0
        while not cancel.is_set():
            yield number
            number += 1
        raise Cancelled

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        return Statement(f"{ending.items} items, {ending.words}", ending.outcome)


def test_an_act_that_is_abandoned_is_on_record_as_broken_off() -> None:
    ledger = MemoryLedger()
    work = perform(Desk(ledger, lambda _: True), acts.SYSTEM, Counting())
    assert [next(work), next(work)] == [0, 1]
    work.close()
    assert [entry.summary for entry in ledger.entries] == ["begin", "2 items, broken off"]
    assert ledger.entries[-1].outcome is Outcome.MINOR


def test_an_act_that_is_cancelled_is_on_record_as_cancelled() -> None:
    ledger, cancel = MemoryLedger(), Event()
    work = perform(Desk(ledger, lambda _: True), acts.SYSTEM, Counting(), cancel)
    next(work)
    cancel.set()
    with pytest.raises(Cancelled):
        finish(work)
    assert ledger.entries[-1].summary == "1 items, Cancelled."


def test_an_act_whose_outcome_cannot_be_recorded_has_not_succeeded() -> None:
    work = perform(Desk(FullDisk(room=1), lambda _: True), acts.SYSTEM, ResumeService(acts.NODE, "", "", lambda: None))
    with pytest.raises(TrailError):
        finish(work)


@dataclass(frozen=True)
class Stumbling(Counting):
    """Fails in a way that nobody foresaw, here or in what it has to say about it."""

    name: ClassVar[str] = "stumbling"
    outcome_fails: bool = False

    def act(self, by: Principal, cancel: Event) -> Generator[int, None, None]:
        yield 1
        if not self.outcome_fails:
            raise ZeroDivisionError

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        if self.outcome_fails:
            raise KioskError("The outbox is closed.")
        return super().outcome(by, ending)


def test_an_act_that_stumbles_is_on_record_as_failed() -> None:
    ledger = MemoryLedger()
    with pytest.raises(ZeroDivisionError):
        finish(perform(Desk(ledger, lambda _: True), acts.SYSTEM, Stumbling()))
    assert ledger.entries[-1].outcome is Outcome.SERIOUS
    assert ledger.entries[-1].summary == "1 items, It failed unexpectedly (ZeroDivisionError)."


def test_an_act_that_cannot_tell_its_outcome_has_one_all_the_same() -> None:
    ledger = MemoryLedger()
    finish(perform(Desk(ledger, lambda _: True), acts.SYSTEM, Stumbling(outcome_fails=True)))
    assert ledger.phases("stumbling") == [Phase.INTENT, Phase.OUTCOME]
    assert ledger.entries[-1].outcome is Outcome.SERIOUS


def test_a_start_that_fails_is_not_announced_as_a_start() -> None:
    def fail() -> None:
        raise KioskError("The outbox cannot be used.")

    ledger = MemoryLedger()
    with pytest.raises(KioskError):
        finish(perform(Desk(ledger, lambda _: True), acts.SYSTEM, StartKiosk(acts.NODE, ledger, (), fail)))
    assert ledger.entries[-1].messages[0].outcome is Outcome.SERIOUS


class _HalfBroken(acts.AnsweringImaging):
    def find_studies(self, *asked: object) -> Generator[Study, None, Found]:
        if asked[0] == acts.ARCHIVE:
            raise PeerUnreachable("Archive (PACS) does not answer.")
        return (yield from super().find_studies())


def test_an_archive_that_did_not_answer_is_not_recorded_as_one_that_did() -> None:
    ledger = MemoryLedger()
    other = replace(acts.ARCHIVE, name="Other", ae_title="OTHER")
    query = QueryStudies(cast("Imaging", _HalfBroken()), (acts.ARCHIVE, other), StudyQuery(), 10)
    finish(perform(Desk(ledger, lambda _: True), acts.SESSION, query))
    assert [message.outcome for message in ledger.entries[-1].messages] == [Outcome.SERIOUS, Outcome.SUCCESS]


def test_a_query_without_archives_finds_nothing() -> None:
    query = QueryStudies(cast("Imaging", acts.AnsweringImaging()), (), StudyQuery(), 10)
    assert finish(perform(Desk(MemoryLedger(), lambda _: True), acts.SESSION, query)).count == 0
