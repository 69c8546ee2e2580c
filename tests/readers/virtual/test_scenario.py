from pathlib import Path

import pytest

from readers.credentials.claim import Claim, Refusal, RefusalReason
from readers.credentials.standard import LadderSources, standard_ladder
from readers.errors import ReaderError, ReaderSpecError
from readers.reader import CardPresented, CardRemoved
from readers.registry import open_reader
from readers.simulated import SimulatedReader
from readers.virtual.deck import Deck, DeckCard
from readers.virtual.faults import Fault
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.scenario import Scenario
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, ManualClock

MORNING = Path(__file__).parents[1] / "scenarios" / "morning.toml"
CARDS = '[[card]]\nname = "a"\nkind = "uid"\nuid = "04A1B2C3D4E580"\napdus = true\n'
TICK = 0.1


def load(tmp_path: Path, text: str, deck: Deck | None = None) -> Scenario:
    path = tmp_path / "taps.toml"
    path.write_text(text + CARDS, encoding="utf-8")
    return Scenario.load(path, deck)


def run(scenario: Scenario, seconds: float) -> list[tuple[float, str]]:
    """What happens when, by a clock that goes at once; cards are asked as soon as they come."""
    clock = ManualClock()
    ladder = standard_ladder(sources=LadderSources(monotonic=clock))
    reader = SimulatedReader(scenario.deck, monotonic=clock, timetable=scenario.timetable(clock.advance))
    reader.open()
    began, happened = clock(), []
    while clock() - began < seconds:
        for event in reader.wait(0.0):
            now = round(clock() - began, 1)
            if isinstance(event, CardRemoved):
                happened.append((now, "removed"))
            if isinstance(event, CardPresented):
                try:
                    with reader.connect(event) as card:
                        outcome = ladder.identify(card)
                    happened.append((now, outcome.kind if isinstance(outcome, Claim) else outcome.reason.value))
                except ReaderError:
                    happened.append((now, "gone"))
        clock.advance(TICK)
    return happened


def test_the_example_happens_as_it_is_written() -> None:
    assert run(Scenario.load(MORNING), 12.0) == [
        (0.2, "iso14443"),
        (0.5, "removed"),
        (2.2, "iso14443"),
        (2.5, "removed"),
        (4.0, "pkoc"),
        (4.5, "removed"),
        (6.0, RefusalReason.PROOF_FAILED.value),
        (6.5, "removed"),
        (8.0, RefusalReason.CARD_GONE.value),
        (8.1, "removed"),
        (10.0, RefusalReason.TWO_CARDS.value),
        (10.5, "removed"),
    ]


def test_a_reader_is_made_from_its_specification() -> None:
    reader = open_reader(f"simulated:scenario={MORNING}")
    assert isinstance(reader, SimulatedReader)
    assert reader.spec == f"simulated:scenario={MORNING}"
    assert list(reader.deck) == ["badge", "phone"]
    with pytest.raises(ReaderSpecError, match="cannot be read"):
        open_reader("simulated:scenario=/nowhere/taps.toml")


def test_it_wakes_a_wait_by_itself_and_keeps_taps_that_nobody_waited_for(tmp_path: Path) -> None:
    scenario = load(tmp_path, '[[step]]\ncard = "a"\nat = 0.05\nfor = 0.01\nrepeat = 3\nevery = 0.02\n')
    reader = SimulatedReader(scenario.deck, timetable=scenario.timetable(lambda _: None))
    reader.open()
    reader.wait(0.0)
    told: list[object] = []
    while len(told) < 6:
        told += reader.wait(30.0)
    assert [type(event) for event in told] == [CardPresented, CardRemoved] * 3


def test_its_time_begins_with_the_first_opening_and_survives_an_outage(tmp_path: Path) -> None:
    clock = ManualClock()
    scenario = load(tmp_path, '[[step]]\ncard = "a"\nat = 5\nfor = 2\n')
    reader = SimulatedReader(scenario.deck, monotonic=clock, timetable=scenario.timetable(clock.advance))
    clock.advance(100.0)
    reader.open()
    clock.advance(4.0)
    reader.unplug()
    reader.plug()
    reader.open()
    assert len(reader.wait(0.0)) == 1
    clock.advance(1.0)
    assert [type(event) for event in reader.wait(0.0)] == [CardPresented]


def test_a_tap_by_hand_between_two_steps_is_of_a_card_without_their_faults(tmp_path: Path) -> None:
    phone = PkocPhone.generate(Fault.SWAPPED_ORDER)
    deck = Deck([DeckCard("phone", "A phone", phone)])
    scenario = load(tmp_path, '[[step]]\ncard = "phone"\nat = 1\nfaults = ["wrong_key"]\n', deck)
    assert phone.fault is Fault.SWAPPED_ORDER
    assert run(scenario, 3.0) == [(1.0, "proof_failed"), (1.5, "removed")]
    assert phone.fault is Fault.SWAPPED_ORDER
    reader = SimulatedReader(scenario.deck)
    reader.open()
    reader.insert("phone")
    (presented,) = [event for event in reader.wait(0.0) if isinstance(event, CardPresented)]
    with reader.connect(presented) as card:
        assert not isinstance(standard_ladder().identify(card), Refusal)


def test_cards_come_from_a_deck_beside_it_too(tmp_path: Path) -> None:
    (tmp_path / "deck.toml").write_text('[[card]]\nname = "b"\nkind = "uid"\nuid = "04000001"\n')
    path = tmp_path / "taps.toml"
    path.write_text(f'deck = "deck.toml"\n{CARDS}[[step]]\ncard = "b"\nat = 0\n[[step]]\ncard = "a"\nat = 1\n')
    scenario = Scenario.load(path, Deck([DeckCard("c", "C", UidCard(FIXED_UID))]))
    assert list(scenario.deck) == ["c", "b", "a"]
    assert [appearance.at for appearance in scenario.timetable(lambda _: None)] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[[step]]\ncard = "a"\nat = 1\nfro = 2\n', 'step 1: a step has no "fro"; did you mean "for"?'),
        ('[[steps]]\ncard = "a"\nat = 1\n', 'a scenario has no "steps"; did you mean "step"?'),
        ('[[step]]\ncard = "b"\nat = 1\n', 'step 1: There is no card "b". There are: a'),
        ("[[step]]\nat = 1\n", 'a step needs "card"'),
        ('[[step]]\ncard = "a"\n', '"at" is a number of seconds'),
        ('[[step]]\ncard = "a"\nat = true\n', '"at" is a number of seconds'),
        ('[[step]]\ncard = "a"\nat = nan\n', '"at" is a number of seconds'),
        ('[[step]]\ncard = "a"\nat = -1\n', "from 0 to 86400"),
        ('[[step]]\ncard = "a"\nat = 1\nfor = 0\n', '"for" is more than 0'),
        ('[[step]]\ncard = "a"\nat = 1\nrepeat = 0\nevery = 1\n', '"repeat" is a whole number from 1'),
        ('[[step]]\ncard = "a"\nat = 1\nrepeat = 2\n', '"repeat" needs "every"'),
        ('[[step]]\ncard = "a"\nat = 1\nrepeat = 2\nevery = 0.4\n', '"repeat" needs "every"'),
        ('[[step]]\ncard = "a"\nat = 1\nevery = 2\n', '"every" needs "repeat"'),
        ('[[step]]\ncard = "a"\nat = 1\nfaults = "dropped"\n', "a list of names"),
        ('[[step]]\ncard = "a"\nat = 1\nfaults = ["droped"]\n', 'no fault "droped"; did you mean "dropped"?'),
        ('[[step]]\ncard = "a"\nat = 1\nfaults = ["locked"]\n', '"locked" is none of none, two_uids'),
        (
            '[[step]]\ncard = "a"\nat = 1\nfor = 2\n[[step]]\ncard = "a"\nat = 2.5\n',
            'step 2 lays "a" on at 2.5 s, where "a" of step 1 lies until 3 s',
        ),
        (
            '[[step]]\ncard = "a"\nat = 5.25\n[[step]]\ncard = "a"\nat = 1\nrepeat = 9\nevery = 1\n',
            'step 1 lays "a" on at 5.25 s, where "a" of step 2 lies until 5.5 s',
        ),
        ('[[card]]\nname = "a"\nkind = "uid"\nuid = "04000001"\n', 'two cards named "a"'),
        ("step = 5\n", "[[step]] is a table"),
        ("[[step\n", "not TOML"),
    ],
)
def test_a_scenario_with_a_mistake_is_refused_by_file_and_mistake(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(ReaderSpecError, match=r"taps\.toml") as raised:
        load(tmp_path, text)
    assert word in str(raised.value)


@pytest.mark.parametrize(("deck", "word"), [("5", "the name of a file"), ('"none.toml"', "cannot be read")])
def test_a_deck_that_is_not_there_is_said(tmp_path: Path, deck: str, word: str) -> None:
    (tmp_path / "taps.toml").write_text(f"deck = {deck}\n")
    with pytest.raises(ReaderSpecError, match=word):
        Scenario.load(tmp_path / "taps.toml")


def test_a_step_may_begin_where_the_one_before_ends(tmp_path: Path) -> None:
    steps = '[[step]]\ncard = "a"\nat = 1\nfor = 1\n[[step]]\ncard = "a"\nat = 2\n'
    assert [name for _, name in run(load(tmp_path, steps), 4.0)] == ["iso14443", "removed"] * 2
