"""`kiosk audit show`, `export` and `custody` on a trail of one pushed study, and on a copy of it."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit import Occasion, Phase, Trail
from kiosk.audit.signing import to_pem
from kiosk.cli import audit as reading
from kiosk.cli.custody import custody
from kiosk.cli.parser import parser
from kiosk.config.loader import load
from kiosk.errors import KioskError, NotAllowed
from kiosk.premises import Premises
from tests.end_to_end.program import COMMAND
from tests.kiosk.audit.pushed_study import UID, Step, steps, without
from tests.kiosk.audit.test_fhir import valid
from tests.kiosk.audit.test_xml import valid as valid_xml

CONFIG = """
[kiosk]
name = "Test kiosk"
state_directory = "state"

[readers]
specs = ["simulated"]

[limits]
disk_reserve_bytes = 0

[audit]
ballast_bytes = 0
"""
RECORDS = len(steps())
HANDLERS: dict[str, Callable[..., int]] = {"show": reading.show, "export": reading.dump, "custody": custody}


class Site:
    """A kiosk that is not running, whose trail holds a pushed study."""

    def __init__(self, folder: Path, chosen: dict[str, Step]) -> None:
        self.folder = folder
        self.config = folder / "kiosk.toml"
        self.config.write_text(CONFIG)
        with self.premises.own_trail() as trail:
            for step in chosen.values():
                trail.append(step(trail))
            trail.checkpoint(Occasion.SIGN_OUT)
            self.key = folder / "kiosk.pem"
            self.key.write_text(to_pem(trail.identity.public_key))

    @property
    def premises(self) -> Premises:
        return Premises(load(self.config))

    def run(self, *words: str) -> int:
        """The command of those words on this kiosk."""
        options = parser().parse_args(["audit", *words, "--config", str(self.config)])
        return HANDLERS[words[0]](options)

    def copy(self) -> str:
        """A copy of the trail alone."""
        return str(shutil.copy(self.premises.trail_path, self.folder / "copy.db"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, steps())


def test_a_table_is_filtered(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("show", "--as-auditor", "--person", "a.weber", "--act", "push") == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.startswith("No.")
    assert ["  push  " in line for line in lines] == [True, True]
    assert "(masked)" in lines[0]


def test_a_badge_is_found_by_its_uid_also_where_only_its_token_is_on_record(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.config.write_text(CONFIG + 'badge_id = "token"\n')
    with site.premises.own_trail() as trail:
        named = site.premises.ledger(trail, lambda _: None)
        named.append(replace(next(iter(trail.read())).entry, act="named", act_id="named", phase=Phase.EVENT))
    with site.premises.own_trail() as trail:
        (badge,) = [record.entry.actor.badge for record in trail.read() if record.entry.act == "named"]
        uid = next(iter(trail.read())).entry.actor.badge[0]
    assert badge[0].startswith("token:")
    assert uid.startswith("uid:")
    assert site.run("show", "--as-auditor", "--badge", uid.removeprefix("uid:"), "--act", "named") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    with site.premises.own_trail() as trail:
        *_, last = trail.read()
    assert dict(last.entry.details)["badge"] == badge[0]


def test_a_persons_day_is_a_timeline(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("show", "--as-auditor", "--person", "a.weber", "--day", "7 days") == 0
    assert capsys.readouterr().out.startswith("No.")  # several days are a table
    assert site.run("show", "--as-auditor", "--person", "a.weber", "--day", "today") == 0
    out = capsys.readouterr().out
    assert "Session to " in out
    assert "1 session, " in out
    assert "(masked)" in out


def test_what_cannot_be_read_is_misused(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("show", "--as-auditor", "--day", "never") == 2
    assert "This date is not understood" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("show",), ("export", "--format", "csv")])
def test_who_sees_patients_masked_may_not_look_for_one(words: tuple[str, ...], site: Site) -> None:
    with pytest.raises(NotAllowed, match="Patients are masked here"):
        site.run(*words, "--as-auditor", "--patient", "4711")
    with pytest.raises(NotAllowed, match="A copy shows patients to nobody"):
        site.run(*words, "--as-auditor", "--patient", "4711", "--db", site.copy())


def test_a_reading_is_on_record_with_what_was_looked_for(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.run("export", "--as-auditor", "--person", "a.weber")
    with site.premises.own_trail() as trail:
        *_, begun, ended = trail.read()
    assert begun.entry.details == ended.entry.details == (("person", "a.weber"),)
    assert begun.entry.summary == "Read the audit trail with patients masked, selected"
    assert ended.entry.messages[0].event_id.value == "110101"
    assert capsys.readouterr().out


def test_what_a_command_recorded_is_signed_for_when_it_ends(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.run("show", "--as-auditor")
    with Trail.read_only(site.premises.trail_path) as trail:
        *_, last = trail.checkpoints()
        assert last.head == trail.head()
    assert last.occasion is Occasion.STOP
    assert capsys.readouterr().out


def test_every_format_can_be_read_by_its_own_readers(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    def lines(name: str) -> list[str]:
        assert site.run("export", "--as-auditor", "--format", name, "--db", site.copy()) == 0
        return capsys.readouterr().out.splitlines()

    assert [json.loads(line)["sequence"] for line in lines("jsonl")] == list(range(1, RECORDS + 1))
    assert [row["number"] for row in csv.DictReader(lines("csv"))] == [str(place) for place in range(1, RECORDS + 1)]
    assert [valid(line)["type"]["code"] for line in lines("fhir")] == ["110114"]
    assert [valid_xml(line).find("EventIdentification/EventID").get("csd-code") for line in lines("xml")] == ["110114"]


def test_an_export_that_does_not_fit_on_the_disk_says_so(site: Site, environment: dict[str, str]) -> None:
    done = _export(site, environment, "/dev/full")
    assert done.returncode == 1
    assert done.stderr == "kiosk: The output could not be written whole: No space left on device.\n"


def test_an_export_whose_reader_went_away_says_so(site: Site, environment: dict[str, str]) -> None:
    command = [*COMMAND, "audit", "export", "--as-auditor", "--config", str(site.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert errors == "kiosk: The output was closed before all of it was written.\n"
    assert process.returncode == 1


def _export(site: Site, environment: dict[str, str], path: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "audit", "export", "--as-auditor", "--config", str(site.config)]
    with Path(path).open("w") as output:
        return subprocess.run(
            command, stdout=output, stderr=subprocess.PIPE, text=True, env=environment, check=False, timeout=90
        )


def test_custody_of_the_kiosks_own_trail_is_on_record(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("custody", UID) == 0
    out = capsys.readouterr().out
    assert out.startswith("The chain is whole: ")
    assert re.search(r"The path is unbroken: \d+ records, signed for by checkpoint 1\.\n$", out)
    assert "Planted" not in out
    with site.premises.own_trail() as trail:
        acts = [record.entry.act for record in trail.read()][RECORDS:]
        assert acts == ["verify_audit"] * 2 + ["trace_custody"] * 2
    assert site.run("custody", UID) == 0  # what asks for it is no part of it


def test_custody_of_a_copy_needs_the_public_key_alone(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = ("--db", site.copy(), "--public-key", str(site.key))
    shutil.rmtree(site.premises.state)
    assert site.run("custody", UID, *elsewhere) == 0
    out = capsys.readouterr().out
    assert "1 checkpoints signed by" in out or "1 checkpoint" in out
    assert "The path is unbroken" in out
    assert "Nobody says whose" not in out


def test_custody_says_when_nobody_vouches_for_the_key(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("custody", UID, "--db", site.copy()) == 0
    assert "Nobody says whose checkpoints these are" in capsys.readouterr().out


def test_custody_under_another_key_is_foreign(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.pem"
    other.write_text(to_pem(bytes(range(32))))
    for words in (("--db", site.copy()), ()):
        assert site.run("custody", UID, *words, "--public-key", str(other)) == 3
        assert "another key" in capsys.readouterr().out


def test_custody_with_a_gap_names_it_and_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, without("query's end"))
    assert site.run("custody", UID, "--db", site.copy(), "--public-key", str(site.key)) == 1
    assert "Gap: The end of the query that found the study is not on record." in capsys.readouterr().out


def test_custody_of_a_study_that_was_not_pushed_ends_with_one(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("custody", "1.2.3", "--db", site.copy()) == 1
    assert "was not pushed, as far as this trail tells" in capsys.readouterr().out


def test_custody_of_a_trail_that_was_changed_ends_with_one(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(site.copy())
    content = copy.read_bytes()
    assert content.count(b"a.weber") > 0
    copy.write_bytes(content.replace(b"a.weber", b"a.weser"))
    assert site.run("custody", UID, "--db", str(copy)) == 1
    assert "was changed" in capsys.readouterr().out


def test_custody_of_nothing_ends_with_four(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("custody", UID, "--db", str(tmp_path / "nothing.db")) == 4
    assert site.run("custody", UID, "--db", site.copy(), "--public-key", str(tmp_path / "no.pem")) == 4
    assert "No such file" in capsys.readouterr().err


def test_a_copy_is_not_written(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(site.copy())
    before = copy.read_bytes()
    site.run("custody", UID, "--db", str(copy))
    site.run("export", "--as-auditor", "--db", str(copy))
    assert capsys.readouterr().out
    assert copy.read_bytes() == before
    with pytest.raises(KioskError):
        site.run("export", "--db", str(copy))
