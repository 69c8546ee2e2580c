"""Which PS3.15 message every act leaves: a walk over every operation there is, well ended and ill."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from kiosk.audit import (
    AuditMessage,
    AuditSource,
    BadgeId,
    BadgeNaming,
    Entry,
    Outcome,
    Record,
    Trail,
    codes,
    render,
)
from kiosk.audit.canonical import decode_body, encode_body
from kiosk.clock import SystemClock
from kiosk.errors import KioskError
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.operations.ledger import interrupted
from kiosk.operations.perform import Desk, Operation, finish, perform
from kiosk.operations.principal import Principal
from tests.kiosk.audit.test_xml import SCHEMA
from tests.kiosk.operations import acts
from tests.kiosk.operations.ledgers import MemoryLedger

Heading = tuple[str, ...]
LOGIN, LOGOUT = ("110114", "110122", "E"), ("110114", "110123", "E")
QUERY, ACCESSED, BEGUN = ("110112", "E"), ("110103", "R"), ("110102", "E")
CAME, WENT = ("110104", "C"), ("110104", "R")
USER, LOG_USED = ("110113", "110137", "E"), ("110101", "R")

LEAVES: dict[str, list[Heading]] = {
    "tap": [LOGIN],
    "enter_pin": [LOGIN],
    "sign_out": [LOGOUT],
    "query": [QUERY],
    "look_up": [QUERY],
    "open_study": [ACCESSED],
    "open_series": [CAME, ACCESSED],
    "tags": [ACCESSED],
    "push": [BEGUN],
    "deliver": [CAME, WENT],
    "staff_bootstrap": [USER],
    "staff_add": [USER],
    "staff_enrol": [USER],
    "staff_revoke": [USER],
    "staff_disable": [USER],
    "staff_enable": [USER],
    "staff_pin": [USER],
    "card_keys_make": [("110113", "110129", "E")],
    "personalise_card": [("110113", "110135", "E")],
    "read_audit": [LOG_USED],
    "verify_audit": [LOG_USED],
    "trace_custody": [LOG_USED],
    "seal_audit": [LOG_USED],
    "prune_audit": [("110113", "110135", "E")],
    "start": [("110100", "110120", "E")],
    "stop": [("110100", "110121", "E")],
    "reader": [("110113", "110130", "E")],
    "resume": [("110113", "110134", "E")],
}
BROKEN = {**LEAVES, "deliver": [WENT]}
"""The archive is gone: nothing came, and that nothing went is still told."""
SPARE: dict[str, list[Heading]] = {"audit_sink": [("110113", "110126", "E")]}
BY_THE_MACHINE = {"tap", "enter_pin", "sign_out"}
"""Done by the machine, told of a person."""


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Trail]:
    with Trail(tmp_path / "trail.db", "test", AuditSource("test"), SystemClock(), reserve_bytes=0) as trail:
        yield trail


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.open()
    outbox.add(OutboxJob("job", "a.weber", b"{}", "Archive", "Archive", "1.2.3", (), JobState.WAITING))
    yield outbox
    outbox.close()


def heading(message: AuditMessage) -> Heading:
    return (message.event_id.value, *(code.value for code in message.event_types), message.action)


@pytest.mark.parametrize("broken", [False, True], ids=["answering", "broken"])
def test_each_act_leaves_its_messages_with_badge_person_and_patient(
    trail: Trail, outbox: Outbox, tmp_path: Path, broken: bool
) -> None:
    met = set()
    for act in acts.makers(trail, outbox, tmp_path, [], broken=broken):
        expected = (BROKEN if broken else LEAVES).get(act.name)
        if expected is None:
            continue
        met.add(act.name)
        for by in (by for by in acts.PRINCIPALS if type(by) in act.accepts):
            ledger = MemoryLedger()
            error: KioskError | None = None
            try:
                finish(perform(Desk(ledger, lambda _: True), by, act))
            except KioskError as raised:
                error = raised
            intent, outcome = ledger.entries
            assert not intent.messages
            assert [heading(message) for message in outcome.messages] == expected, act.name
            for message in outcome.messages:
                SCHEMA.assertValid(etree.fromstring(render(message, SystemClock().now(), AuditSource("test", "north"))))
                _check(message)
            if error is not None:
                assert outcome.messages[-1].outcome is not Outcome.SUCCESS
            if by is not acts.SYSTEM and act.name not in BY_THE_MACHINE:
                for message in outcome.messages:
                    (person,) = [one for one in message.participants if one.is_requestor]
                    assert (person.user_id, person.alternative_user_id) == ("a.weber", "uid:04A1B2C3D4E580")
    assert met == set(LEAVES)


def test_each_act_that_a_crash_interrupts_leaves_its_messages_as_failed(
    trail: Trail, outbox: Outbox, tmp_path: Path
) -> None:
    met = set()
    for act in acts.makers(trail, outbox, tmp_path, [], broken=False):
        for by in (by for by in acts.PRINCIPALS if type(by) in act.accepts):
            closed = _crashed(act, by, BadgeNaming())
            expected = BROKEN.get(act.name, SPARE.get(act.name, []))
            assert [heading(message) for message in closed.messages] == expected, act.name
            met.add(act.name)
            for message in closed.messages:
                assert message.outcome is Outcome.SERIOUS
                assert message.outcome_description.endswith("interrupted")
                SCHEMA.assertValid(etree.fromstring(render(message, SystemClock().now(), AuditSource("test", "north"))))
                _check(message)
                if by is not acts.SYSTEM and act.name not in BY_THE_MACHINE:
                    (person,) = [one for one in message.participants if one.is_requestor]
                    assert (person.user_id, person.alternative_user_id) == ("a.weber", "uid:04A1B2C3D4E580")
    assert set(BROKEN) | set(SPARE) <= met


def test_what_an_interrupted_act_leaves_names_badges_as_the_site_does(
    trail: Trail, outbox: Outbox, tmp_path: Path
) -> None:
    naming = BadgeNaming(BadgeId.TOKEN, bytes(32))
    for act in acts.makers(trail, outbox, tmp_path, [], broken=False):
        for by in (by for by in acts.PRINCIPALS if type(by) in act.accepts):
            for message in _crashed(act, by, naming).messages:
                assert "04A1B2C3D4E580" not in repr(message)


def _crashed(act: Operation[Any, Any], by: Principal, naming: BadgeNaming) -> Entry:
    """What is recorded of an act after its process was killed in the middle of it, read back as it was stored."""
    ledger = MemoryLedger()
    with suppress(KioskError):
        finish(perform(Desk(ledger, lambda _: True), by, act))
    body = encode_body(naming.entry(ledger.entries[0]), SystemClock().now(), AuditSource("test"))
    entry, time, source = decode_body(body)
    return interrupted(Record(1, time, entry, b"", b"", source))


def _check(message: AuditMessage) -> None:
    """What the standard makes mandatory for that event."""
    patients = [item.object_id for item in message.objects if item.role == codes.ROLE_PATIENT]
    studies = [item.object_id for item in message.objects if item.id_type == codes.STUDY_INSTANCE_UID]
    if message.event_id in (codes.BEGIN_TRANSFERRING, codes.INSTANCES_ACCESSED, codes.INSTANCES_TRANSFERRED):
        assert (patients, studies) == (["P-1^^^HOSPITAL"], ["1.2.3"])
    else:
        assert patients == []
    if message.event_id == codes.USER_AUTHENTICATION:
        assert message.participants[0].network_access_point
        assert message.participants[0].network_access_point_type in (1, 2)
        assert message.participants[0].alternative_user_id == "uid:04A1B2C3D4E580"
        assert not message.objects
    if message.event_id in (codes.QUERY, codes.BEGIN_TRANSFERRING, codes.INSTANCES_TRANSFERRED):
        roles = [participant.roles[0] for participant in message.participants[:2]]
        assert roles == [codes.SOURCE, codes.DESTINATION]
