"""What could not be recorded is put in order when it can be: outcomes late, intents that nobody acted on closed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.audit import Actor, AuditSource, Entry, Outcome, Phase, Receipt, Trail, verify
from kiosk.clock import SystemClock
from kiosk.errors import TrailError
from kiosk.operations.ledger import TrailLedger

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
