"""What could not be recorded is put in order when it can be: outcomes late, intents that nobody acted on closed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from lxml import etree

from kiosk.audit import Actor, AuditSource, Entry, Outcome, Phase, Receipt, Trail, verify
from kiosk.audit.forward.stream import Position, parcels
from kiosk.clock import SystemClock
from kiosk.errors import TrailError
from kiosk.imaging.calls import Imaging
from kiosk.imaging.studies.model import StudyQuery
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.query import QueryStudies
from kiosk.operations.service import StartKiosk
from tests.kiosk.audit.test_xml import SCHEMA
from tests.kiosk.operations.acts import ARCHIVE, NODE, SESSION, AnsweringImaging

ACTOR = Actor("session", "a.weber", "Anna Weber")


class Faulty(Trail):
    """A trail that fails when it is told to: before the record is written, or after, so that nobody learns of it."""

    fails = ""

    def append(self, entry: Entry, nonce: bytes | None = None, writer: int | None = None) -> Receipt:
        if self.fails == "before":
            raise TrailError("The disk is full.")
        receipt = super().append(entry, nonce, writer)
        if self.fails == "after":
            raise TrailError("The daemon does not answer.")
        return receipt


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[Faulty]:
    with Faulty(tmp_path / "trail.db", "kiosk-7", AuditSource("kiosk-7"), SystemClock(), 0) as trail:
        yield trail


def intent(act_id: str) -> Entry:
    return Entry("push", act_id, Phase.INTENT, ACTOR, f"Push {act_id}")


def outcome(act_id: str) -> Entry:
    return Entry("push", act_id, Phase.OUTCOME, ACTOR, f"Pushed {act_id}", Outcome.SUCCESS)


def summaries(trail: Trail) -> list[str]:
    return [record.entry.summary for record in trail.read()]


@pytest.mark.parametrize("fails", ["before", "after"])
def test_an_outcome_that_could_not_be_recorded_is_recorded_once_it_can(trail: Faulty, fails: str) -> None:
    said: list[str] = []
    ledger = TrailLedger(trail, said.append)
    for act_id in "ab":
        ledger.append(intent(act_id))
    trail.fails = fails
    for act_id in "ab":
        with pytest.raises(TrailError):
            ledger.append(outcome(act_id))
    assert len(said) == 2
    if fails == "before":
        with pytest.raises(TrailError):
            ledger.settle()
    trail.fails = ""
    ledger.settle()
    ledger.settle()
    assert summaries(trail) == ["Push a", "Push b", "Pushed a", "Pushed b"]
    assert trail.open_intents() == ()


@pytest.mark.parametrize("fails", ["before", "after"])
def test_an_intent_of_which_nobody_learned_is_closed_as_interrupted(trail: Faulty, fails: str) -> None:
    ledger = TrailLedger(trail, lambda _: None)
    ledger.append(intent("runs"))
    trail.fails = fails
    with pytest.raises(TrailError):
        ledger.append(intent("a"))
    trail.fails = ""
    ledger.settle()
    closed = ["Push a", "Interrupted: Push a"] if fails == "after" else []
    assert summaries(trail) == ["Push runs", *closed]
    assert [record.entry.act_id for record in trail.open_intents()] == ["runs"]
    assert verify(trail.path).whole


def test_what_a_crash_interrupts_goes_out_as_failed_and_only_then(trail: Faulty) -> None:
    ledger = TrailLedger(trail, lambda _: None)
    desk = Desk(ledger, lambda _: True)
    query = QueryStudies(cast("Imaging", AnsweringImaging()), (ARCHIVE,), StudyQuery(patient_name="Mei*"), 10)
    running = perform(desk, SESSION, query)
    next(running)
    assert not _sent(trail)
    trail.fails = "before"
    with pytest.raises(TrailError):  # as far as the trail knows, the process was killed here
        running.close()
    trail.fails = ""
    start = StartKiosk(NODE, TrailLedger(trail, lambda _: None), trail.open_intents(), lambda: None)
    finish(perform(desk, System(), start))
    asked, started = _sent(trail)
    assert asked.find("EventIdentification").get("EventOutcomeIndicator") == "8"
    assert asked.findtext("EventIdentification/EventOutcomeDescription") == "interrupted"
    (person,) = asked.findall("ActiveParticipant[@UserIsRequestor='true']")
    assert (person.get("UserID"), person.get("AlternativeUserID")) == ("a.weber", "uid:04A1B2C3D4E580")
    assert asked.find("ParticipantObjectIdentification/ParticipantObjectQuery").text
    assert started.find("EventIdentification").get("EventOutcomeIndicator") == "0"


def _sent(trail: Trail) -> list[Any]:
    """What the forwarder makes of the trail, each message valid."""
    found = [
        etree.fromstring(message.xml.encode("utf-8"))
        for parcel in parcels(trail, Position(), "kiosk-7", AuditSource("kiosk-7"))
        for message in parcel.messages
    ]
    for message in found:
        SCHEMA.assertValid(message)
    return found
