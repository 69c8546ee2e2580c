"""What the fuzzers found, each with its input: none of it may come back."""

from pathlib import Path
from types import CodeType, FunctionType

import pytest

from readers import control
from readers.errors import ReaderError, ReaderSpecError
from readers.virtual.deck import Deck
from readers.virtual.recorded_card import Replay
from readers.virtual.scenario import Scenario
from tests.fuzz.climb import shows
from tests.fuzz.targets import target

FAR = "9" * 400
TOO_LONG = "9" * 5000
DEEP = "[" * 3000
STEP = '[[card]]\nname = "b"\nkind = "uid"\nuid = "04A1B2C3"\n[[step]]\ncard = "b"\nat = '


@pytest.mark.parametrize("number", [FAR, TOO_LONG, DEEP, "1e999", "-1"])
def test_a_recording_from_no_time_is_refused_in_words(tmp_path: Path, number: str) -> None:
    path = tmp_path / "recording"
    path.write_text('{"recording": 1}\n{"at": ' + number + ', "event": "unavailable"}\n')
    with pytest.raises(ReaderSpecError, match="recording: line 2"):
        Replay.load(path)


@pytest.mark.parametrize(
    ("number", "why"), [(FAR, "seconds"), (TOO_LONG, "TOML"), (DEEP, "TOML"), ("nan", "seconds"), ("inf", "seconds")]
)
def test_a_scenario_with_an_impossible_number_is_refused_in_words(tmp_path: Path, number: str, why: str) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(STEP + number + "\n")
    with pytest.raises(ReaderSpecError, match=why):
        Scenario.load(path)


def test_a_scenario_whose_deck_has_an_impossible_name_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('deck = "a\\u0000b"\n')
    with pytest.raises(ReaderSpecError, match="name of a file"):
        Scenario.load(path)


@pytest.mark.parametrize("value", [TOO_LONG, DEEP])
def test_a_deck_that_goes_too_far_is_refused_in_words(tmp_path: Path, value: str) -> None:
    path = tmp_path / "deck.toml"
    path.write_text(f"card = {value}\n")
    with pytest.raises(ReaderSpecError, match="not TOML"):
        Deck.load(path)


@pytest.mark.parametrize("line", [DEEP.encode(), b'{"ok": true, "cards": [7]}', b'{"ok": true, "cards": {}}', b"\xff"])
def test_a_false_simulated_reader_is_not_understood(line: bytes) -> None:
    with pytest.raises(ReaderError, match="no sensible answer"):
        control._listed(control._agreed(line))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("files", b'{"recording": 1}\n{"at": ' + FAR.encode() + b', "event": "unavailable"}\n'),
        ("files", (STEP + FAR).encode()),
        ("files", (STEP + DEEP).encode()),
        ("control", DEEP.encode() + b"\n"),
        ("control", b'{"ok": true, "cards": [7]}\n'),
    ],
)
def test_what_was_found_is_found_no_more(name: str, found: bytes) -> None:
    target(name).check(found)


def test_a_secret_in_a_local_variable_of_the_library_would_be_found() -> None:
    secret = bytes.fromhex("4929683127450918")

    def fall(account: bytes) -> None:
        raise ReaderError("no number here")

    code: CodeType = fall.__code__
    ours = FunctionType(code, {"__name__": "readers.planted", "ReaderError": ReaderError})
    for function, is_seen in ((ours, True), (fall, False)):
        with pytest.raises(ReaderError) as raised:
            function(b"--" + secret)
        assert shows(raised.value, secret) is is_seen
