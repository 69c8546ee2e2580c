"""`kiosk staff revoke`, `disable`, `enable`, `pin`, and the list that they are chosen from."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.access.person import Credential
from kiosk.access.policy import Role
from kiosk.audit import Entry, Trail
from kiosk.cli.staff import chosen
from kiosk.config.loader import load
from kiosk.errors import NotAllowed
from kiosk.premises import Premises
from readers.credentials.claim import Assurance
from tests.end_to_end.program import COMMAND, Program, kiosk

PIN = "704218"
CONFIG = '[kiosk]\nname = "Staff office"\nstate_directory = "state"\n[limits]\ndisk_reserve_bytes = 0\n'


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "kiosk.toml"
    path.write_text(CONFIG)
    people = Premises(load(path)).directory()
    people.directory.add_person("a.weber", "Anna Weber", Role.RADIOLOGIST)
    people.close()
    return str(path)


def records(config: str, act: str) -> list[Entry]:
    with Trail.read_only(Path(config).parent / "state" / "trail.db") as trail:
        return [record.entry for record in trail.read() if record.entry.act == act]


def test_a_person_is_disabled_and_enabled_on_record(config: str, environment: dict[str, str]) -> None:
    def staff(*words: str) -> tuple[int, str, str]:
        done = kiosk(environment, "staff", *words, "--config", config)
        return done.returncode, done.stdout, done.stderr

    said = "a.weber is disabled. An open session of theirs ends within seconds.\n"
    assert staff("disable", "A.Weber") == (0, said, "")
    assert staff("list", "--credentials")[1] == "a.weber  radiologist  Anna Weber  disabled\n"
    assert staff("disable", "a.weber") == (1, "", "kiosk: a.weber is disabled already.\n")
    assert staff("enable", "a.weber") == (0, "a.weber is enabled again.\n", "")
    outcomes = [entry.summary for act in ("staff_disable", "staff_enable") for entry in records(config, act)][1::2]
    assert outcomes == [
        "Disable a.weber: done",
        "Disable a.weber: a.weber is disabled already.",
        "Enable a.weber: done",
    ]
    assert records(config, "staff_credentials")[-1].summary == "List staff and their credentials: 1 people"


def test_a_pin_is_asked_twice_and_never_shown(config: str, environment: dict[str, str]) -> None:
    for second, code in (("704219", 1), (PIN, 0)):
        with Program(environment, "staff", "pin", "a.weber", "--config", config, terminal=True) as asking:
            asking.await_text("New PIN")
            after = asking.type(f"{PIN}\n")
            asking.await_text("Once more", after)
            asking.type(f"{second}\n")
            assert asking.wait() == code
            assert "7042" not in asking.text
            asking.await_text("a.weber has a new PIN." if code == 0 else "The two PINs differ.")
    assert [entry.summary for entry in records(config, "staff_pin")] == [
        "Reset the PIN of a.weber",
        "Reset the PIN of a.weber: done",
    ]


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (f"{PIN}\n", 0, "a.weber has a new PIN."),
        (f"{PIN}\n704219\n", 1, "kiosk: The two PINs differ."),
        ("123456\n", 1, "kiosk: A PIN that counts up or down"),
        ("", 1, "kiosk: A PIN has digits only."),
    ],
)
def test_without_a_terminal_the_pin_comes_from_standard_input(
    config: str, environment: dict[str, str], typed: str, code: int, said: str
) -> None:
    with Program(environment, command=[*COMMAND, "staff", "pin", "a.weber", "--config", config]) as asking:
        asking.type(typed)
        asking.end_of_input()
        assert asking.wait() == code
        assert said in asking.text + asking.errors
        assert not [digits for digits in (PIN, "123456") if digits in asking.text + asking.errors]


def credential(number: str, masked: str, fingerprint: str = "") -> Credential:
    kind = fingerprint.partition(":")[0] or "iso14443"
    return Credential(number, "p1", kind, Assurance.IDENTIFIER, masked, fingerprint, datetime(2026, 1, 1, tzinfo=UTC))


CARRIED = (
    credential("3f9c2ab1" + "0" * 24, "…E580"),
    credential("3f9c77aa" + "0" * 24, "…1A2B", "pkoc:9f2c51d07a3b4e6d"),
    credential("beef0001" + "0" * 24, "…E580"),
)


@pytest.mark.parametrize(
    ("text", "place"),
    [("3f9c2", 0), ("3F9C2AB1", 0), ("pkoc:9f2c51d07a3b4e6d", 1), ("1a2b", 1), ("…1A2B", 1), ("beef", 2)],
)
def test_a_credential_is_named_by_number_fingerprint_or_the_end_of_its_uid(text: str, place: int) -> None:
    assert chosen(CARRIED, text) is CARRIED[place]


@pytest.mark.parametrize("text", ["3f9c", "E580"])
def test_a_name_of_several_credentials_names_none(text: str) -> None:
    with pytest.raises(NotAllowed, match="several"):
        chosen(CARRIED, text)


@pytest.mark.parametrize("text", ["", " ", "3", "3f9", "…", "pkoc", "0000"])
def test_too_little_names_nothing(text: str) -> None:
    with pytest.raises(NotAllowed, match="no such credential"):
        chosen(CARRIED, text)


def _tap_until(running: Program, words: str) -> None:
    """A tap within a second of the same badge's removal does not count: it is tapped again until it does."""
    for _ in range(10):
        after = running.type("tap radiologist-badge\n")
        with suppress(AssertionError):
            running.await_text(words, after, patience=5.0)
            return
    running.await_text(words)


@pytest.mark.timeout(300)
def test_an_open_session_ends_at_the_running_kiosk(environment: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "demo"

    def staff(*words: str) -> None:
        done = kiosk(environment, "staff", *words, "--config", str(folder / "kiosk.toml"))
        assert done.returncode == 0, done.stderr

    with Program(environment, "demo", "--plain", "--keep", str(folder)) as running:
        running.await_text("Locked. Tap your badge or phone.")
        after = 0
        for words in (("disable", "a.weber"), ("revoke", "a.weber", "E580")):
            _tap_until(running, "PIN of Dr. Anna Weber")
            after = running.type("123456\n")
            running.await_text("Signed in: Dr. Anna Weber", after)
            after = len(running.written)
            staff(*words)
            running.await_text("Locked: this badge cannot be used here any more.", after)
            if words[0] == "disable":
                staff("enable", "a.weber")
        _tap_until(running, "This badge cannot be used here. Ask the help desk.")
        running.end_of_input()
        assert running.wait() == 0
    with Trail.read_only(folder / "trail.db") as trail:
        ended = [record.entry.summary for record in trail.read() if record.entry.act == "sign_out"]
    assert ended[1::2] == 2 * ["Session ended: badge revoked or person disabled"]
