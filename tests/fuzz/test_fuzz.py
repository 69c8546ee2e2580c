"""The fuzzers run for a moment in every suite and for ten minutes each in the long one, and would find something."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from readers.apdu import Command
from readers.credentials.claim import Assurance, Claim, CredentialScheme, Refusal
from readers.errors import TlvError
from readers.reader import Card
from tests.fuzz.__main__ import told
from tests.fuzz.cards import NUMBER_FORMS
from tests.fuzz.climb import Climb, Dice
from tests.fuzz.fuzzer import ROOT, fuzz
from tests.fuzz.meddling import Step, say
from tests.fuzz.target import Broken
from tests.fuzz.targets import NAMES, PLANTED, target
from tests.readers.cards import ManualClock

MOMENT = 0.5
LONG = 600
UNTIL_FOUND = 60


def test_a_moment_of_each_finds_nothing() -> None:
    for report in fuzz(NAMES, MOMENT):
        assert report.is_clean, told(report)
        assert report.covered > 0


@pytest.mark.long
@pytest.mark.timeout(LONG + 300)
@pytest.mark.parametrize("name", NAMES)
def test_ten_minutes_find_nothing(name: str) -> None:
    (report,) = fuzz([name], LONG)
    assert report.is_clean, told(report)


def test_a_fault_that_is_there_is_found_and_shown() -> None:
    (report,) = fuzz([PLANTED], UNTIL_FOUND)
    assert not report.is_clean
    (finding,) = report.findings
    with pytest.raises(Broken, match="planted"):
        target(PLANTED).check(finding)
    assert finding.hex() in told(report)
    assert "Broken: The planted fault" in told(report)


@pytest.mark.parametrize("name", NAMES)
def test_every_seed_passes(name: str) -> None:
    chosen = target(name)
    seeds = list(chosen.seeds())
    assert seeds
    for seed in seeds:
        chosen.check(seed)


def test_one_input_is_run_again_by_command() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "tlv", "--input", "7003 5A0147"]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == 0


def test_an_unknown_target_is_named() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "nothing"]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=60, capture_output=True, text=True)
    assert (done.returncode, "nothing" in done.stderr) == (2, True)


@pytest.mark.parametrize("seconds", ["-1", "0", "nan"])
def test_no_time_at_all_is_misuse(seconds: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "tlv", "--seconds", seconds]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=60, capture_output=True, text=True)
    assert (done.returncode, "more than 0" in done.stderr) == (2, True)


class Careless:
    """A scheme that does one thing no scheme may do."""

    kind = "pkoc"
    assurance = Assurance.AUTHENTICATED

    def __init__(self, wrong: str) -> None:
        self._wrong = wrong

    def may_apply(self, card: Card) -> bool:
        return True

    def identify(self, card: Card) -> Claim | Refusal | None:
        answer = card.transmit(Command(0x00, 0xA4, 0x04, 0x00, le=0)).data
        if self._wrong == "believes":
            return Claim("pkoc", answer, card.uid, Assurance.AUTHENTICATED)
        if self._wrong == "falls":
            raise ValueError("nobody foresaw this")
        if self._wrong == "pays":
            card.transmit(Command(0x80, 0xAE, 0x80, 0x00, le=0))
        if self._wrong == "tells":
            raise TlvError(f"{answer.hex()} makes no sense")
        return None


@pytest.mark.parametrize(
    ("wrong", "error"),
    [("believes", "authenticated"), ("falls", "foresaw"), ("pays", "never sent")],
)
def test_a_scheme_that_does_wrong_is_caught(wrong: str, error: str) -> None:
    climb = Climb(lambda clock, dice: [Careless(wrong)], (), {})
    with pytest.raises((Broken, ValueError), match=error):
        climb.check(b"\x00\x00" + say(b"\x5a\x9000".ljust(8) + b"\x90\x00"))


def test_a_number_in_an_error_is_caught() -> None:
    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return (Careless("tells"),)

    number = NUMBER_FORMS[1]
    climb = Climb(schemes, (), {}, secrets=(number.hex().encode("ascii"),))
    with pytest.raises(Broken, match="secret"):
        climb.check(b"\x00\x00" + say(number + b"\x90\x00"))


def test_a_card_can_be_meddled_with_in_every_way() -> None:
    chosen = target("desfire-ev2")
    for step in Step:
        chosen.check(bytes((1, 0, step)) + bytes(4))
