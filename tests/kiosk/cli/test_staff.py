"""`kiosk staff`: the first officer once, further people, and badges that are tapped for them."""

import getpass
from pathlib import Path

import pytest

from kiosk.audit import Phase, Trail
from tests.end_to_end.program import Program, kiosk, lay

PIN = "704218"
CONFIG = """
[kiosk]
name = "Staff office"
state_directory = "state"

[readers]
specs = ["simulated"]

[limits]
disk_reserve_bytes = 0
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "kiosk.toml"
    path.write_text(CONFIG)
    return str(path)


def test_the_first_officer_is_made_once_and_on_record(config: str, environment: dict[str, str]) -> None:
    first = kiosk(environment, "staff", "bootstrap", "o.first", "--name", "Olga First", "--config", config)
    assert (first.returncode, first.stdout) == (0, "o.first (Olga First) is enrolment_officer.\n")
    second = kiosk(environment, "staff", "bootstrap", "o.second", "--name", "Otto Second", "--config", config)
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == "kiosk: This kiosk has had its first enrolment officer.\n"
    listed = kiosk(environment, "staff", "list", "--config", config)
    assert listed.stdout == "o.first  enrolment_officer  Olga First  no badge\n"
    with Trail.read_only(Path(config).parent / "state" / "trail.db") as trail:
        acts = [record.entry for record in trail.read() if record.entry.act == "staff_bootstrap"]
    assert [entry.phase for entry in acts] == 2 * [Phase.INTENT, Phase.OUTCOME]
    assert {entry.actor.user_id for entry in acts} == {f"unix:{getpass.getuser()}"}
    assert [int(entry.outcome or 0) for entry in acts if entry.phase is Phase.OUTCOME] == [0, 8]


def test_people_are_added_with_a_role_that_exists(config: str, environment: dict[str, str]) -> None:
    unknown = kiosk(environment, "staff", "add", "x.y", "--name", "X", "--role", "surgeon", "--config", config)
    assert unknown.returncode == 1
    assert "There is no role surgeon. Roles are radiologist, technologist" in unknown.stderr
    added = kiosk(environment, "staff", "add", "x.y", "--name", "X Y", "--role", "technologist", "--config", config)
    assert added.stdout == "x.y (X Y) is technologist.\n"
    again = kiosk(environment, "staff", "add", "X.Y", "--name", "X Y", "--role", "radiologist", "--config", config)
    assert (again.returncode, again.stderr) == (1, "kiosk: This user ID is taken.\n")


def test_a_tapped_badge_is_enrolled_with_a_new_pin(config: str, environment: dict[str, str]) -> None:
    words = ["staff", "add", "a.new", "--name", "Ada New", "--role", "auditor", "--tap", "--config", config]
    with Program(environment, *words, terminal=True) as adding:
        _tap(adding, environment, "radiologist-badge")
        _type_pins(adding, PIN, "704219")
        assert adding.wait() == 1
        adding.await_text("The two PINs differ.")
        assert PIN not in adding.text
    with Program(environment, *words, terminal=True) as adding:
        _tap(adding, environment, "radiologist-badge")
        _type_pins(adding, "123456", "123456")
        assert adding.wait() == 1
        assert "123456" not in adding.text
    # The person exists by now: the badge is enrolled all the same.
    with Program(environment, *words, terminal=True) as adding:
        _tap(adding, environment, "radiologist-badge")
        _type_pins(adding, PIN, PIN)
        assert adding.wait() == 0
        adding.await_text("Enrolled: iso14443 …E580.")
    listed = kiosk(environment, "staff", "list", "--config", config)
    assert listed.stdout == "a.new  auditor  Ada New  iso14443 …E580\n"
    with Program(environment, "audit", "show", "--config", config, terminal=True) as reading:
        reading.await_text("Tap your badge")
        lay(environment, "radiologist-badge")
        reading.await_text("PIN: ")
        reading.type(f"{PIN}\n")
        assert reading.wait() == 0
        assert "Enrol a iso14443 credential for a.new: done" in reading.text


def test_a_badge_without_an_identity_of_its_own_is_not_enrolled(
    config: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "deck.toml").write_text('[[card]]\nname = "bare"\nkind = "uid"\nuid = "08112233"\n')
    text = CONFIG.replace('"simulated"', f'"simulated:{tmp_path / "deck.toml"}"')
    Path(config).write_text(text)
    words = ["staff", "add", "b.are", "--name", "B", "--role", "service", "--tap", "--config", config]
    with Program(environment, *words) as adding:
        adding.await_error("Tap the badge or phone to enrol.")
        lay(environment, "bare")
        assert adding.wait() == 1
        assert "kiosk: " in adding.errors
        assert "Traceback" not in adding.errors


def _tap(adding: Program, environment: dict[str, str], card: str) -> None:
    adding.await_text("Tap the badge or phone to enrol.")
    assert lay(environment, card).returncode == 0


def _type_pins(adding: Program, first: str, second: str) -> None:
    adding.await_text("New PIN")
    after = adding.type(f"{first}\n")
    adding.await_text("Once more", after)
    adding.type(f"{second}\n")
