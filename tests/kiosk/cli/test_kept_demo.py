"""`kiosk demo --check --keep DIR`: the main job passes, and what it leaves can be read, verified and carried away."""

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from kiosk.audit import Phase, Trail
from kiosk.demo.department import studies_on
from kiosk.demo.people import PATIENTS
from kiosk.demo.staff import PEOPLE
from tests.end_to_end.program import COMMAND, Program, kiosk, lay
from tests.kiosk.audit.test_xml import valid
from tests.kiosk.cli.conftest import Kept

SCREENSHOTS = {"1-lock", "2-pin", "3-studies", "4-study", "5-tags", "6-push", "7-transfers"}
pytestmark = pytest.mark.timeout(180)  # the first test to come waits for the demo


def test_the_main_job_passes_and_says_each_step(original: Kept) -> None:
    assert original.code == 0, original.said + original.errors
    *steps, last = original.said.splitlines()
    assert len(steps) == 10
    assert all(step.startswith("ok    ") for step in steps)
    assert last == "The whole main job passed."
    assert original.errors == "Starting the demo.\n"


def test_the_state_that_it_leaves_is_whole_and_its_owners_alone(original: Kept) -> None:
    assert {path.stem for path in (original.folder / "screenshots").iterdir()} == SCREENSHOTS
    assert {"kiosk.toml", "trail.db", "keys", "kiosk.log", "screenshots"} <= set(os.listdir(original.folder))
    open_to_others = [path for path in original.folder.rglob("*") if path.stat().st_mode & 0o077]
    assert not open_to_others
    assert "Traceback" not in (original.folder / "kiosk.log").read_text()


def test_screenshots_show_what_they_are_named_after(original: Kept) -> None:
    shown = {
        name: etree.parse(original.folder / "screenshots" / f"{name}.svg").xpath("string(//*[local-name()='svg'])")
        for name in SCREENSHOTS
    }
    words = {name: text.replace("\xa0", " ") for name, text in shown.items()}
    assert "Tap your badge or phone" in words["1-lock"]
    assert "PIN" in words["2-pin"]
    assert "63 studies" in words["3-studies"]
    assert "(0010,0020)" in words["5-tags"]
    assert "Teaching files" in words["6-push"]


def test_the_record_verifies_also_as_a_copy_elsewhere(kept: Kept, environment: dict[str, str]) -> None:
    done = kiosk(environment, "audit", "verify", "--config", kept.config)
    assert done.returncode == 0
    assert done.stdout.startswith("The chain is whole: ")
    assert "2 proofs hold" in done.stdout
    alone = str(shutil.copy(kept.folder / "trail.db", kept.folder.parent / "alone.db"))
    assert kiosk(environment, "audit", "verify", "--db", alone).stdout == done.stdout


def test_a_record_that_was_changed_is_found(kept: Kept, environment: dict[str, str]) -> None:
    trail = kept.folder / "trail.db"
    content = trail.read_bytes()
    assert content.count(b"9A0B1C2D") > 0
    trail.write_bytes(content.replace(b"9A0B1C2D", b"9A0B1C2E"))
    done = kiosk(environment, "audit", "verify", "--config", kept.config)
    assert done.returncode == 1
    assert "was changed" in done.stdout


def test_every_person_in_a_message_carries_the_uid_of_a_badge(kept: Kept, environment: dict[str, str]) -> None:
    done = kiosk(environment, "audit", "export", "--as-auditor", "--format", "xml", "--config", kept.config)
    assert (done.returncode, done.stderr) == (0, "")
    messages = [valid(line) for line in done.stdout.splitlines()]
    people = {person.user_id for person in PEOPLE}
    seen: dict[str, set[str]] = {}
    for message in messages:
        for participant in message.findall("ActiveParticipant"):
            if participant.get("UserID") in people:
                seen.setdefault(participant.get("UserID"), set()).add(participant.get("AlternativeUserID", ""))
    assert {"a.weber", "m.okafor", "y.tanaka"} <= set(seen)
    assert all(badge.startswith("uid:") for badges in seen.values() for badge in badges)
    assert seen["a.weber"] == {"uid:04A1B2C3D4E580"}
    assert all(";pkoc:" in badge for badge in seen["y.tanaka"])


def test_no_patient_is_left_in_what_is_masked(kept: Kept, environment: dict[str, str]) -> None:
    with Trail.read_only(kept.folder / "trail.db") as trail:
        named = {record.entry.patient.name for record in trail.read() if record.entry.patient}
    assert named  # there is something to mask
    formats = [["export", "--format", name] for name in ("jsonl", "xml", "csv", "fhir")]
    for words in (["show"], ["show", "--person", "a.weber", "--day", "7 days"], *formats):
        done = kiosk(environment, "audit", *words, "--as-auditor", "--config", kept.config)
        assert done.returncode == 0
        text = _everything(done.stdout)
        assert "(masked)" in text
        assert [secret for secret in _secrets() if secret in text] == []


def test_every_line_of_jsonl_is_a_record(kept: Kept, environment: dict[str, str]) -> None:
    done = kiosk(environment, "audit", "export", "--as-auditor", "--first", "5", "--config", kept.config)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    with Trail.read_only(kept.folder / "trail.db") as trail:
        # The reading itself is on record: what it shows ends with its own beginning, what comes after is its end.
        *_, begun, ended = list(trail.read())
    assert [record["sequence"] for record in records] == list(range(5, begun.sequence + 1))
    assert (begun.entry.act, begun.entry.actor.user_id) == ("read_audit", ended.entry.actor.user_id)
    assert begun.entry.actor.user_id.startswith("unix:")
    assert (ended.entry.phase, ended.entry.act_id) == (Phase.OUTCOME, begun.entry.act_id)


def test_reading_that_stops_early_ends_on_record(kept: Kept, environment: dict[str, str]) -> None:
    command = [*COMMAND, "audit", "export", "--as-auditor", "--format", "xml", "--config", kept.config]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert "Traceback" not in errors
    assert process.returncode == 1
    with Trail.read_only(kept.folder / "trail.db") as trail:
        assert trail.open_intents() == ()
        assert "broken off" in list(trail.read())[-1].entry.summary


def test_a_copy_is_shown_masked_or_not_at_all(kept: Kept, environment: dict[str, str]) -> None:
    copy = str(kept.folder / "trail.db")
    refused = kiosk(environment, "audit", "show", "--db", copy)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "add --as-auditor" in refused.stderr
    shown = kiosk(environment, "audit", "show", "--as-auditor", "--db", copy)
    assert shown.returncode == 0
    assert "uid:04A1B2C3D4E580" in shown.stdout
    assert "(masked)" in shown.stdout


def test_the_pushed_study_has_an_unbroken_path_in_a_copy_and_the_public_key(
    kept: Kept, environment: dict[str, str]
) -> None:
    key = kept.folder.parent / "kiosk.pem"
    key.write_text(kiosk(environment, "audit", "key", "--config", kept.config).stdout)
    copy = str(shutil.copy(kept.folder / "trail.db", kept.folder.parent / "alone.db"))
    with Trail.read_only(copy) as trail:
        ended = [record.entry for record in trail.read() if record.entry.act == "deliver" and record.entry.outcome == 0]
    study = dict(ended[0].details)["study"]
    done = kiosk(environment, "audit", "custody", study, "--db", copy, "--public-key", str(key))
    assert (done.returncode, done.stderr) == (0, "")
    steps = [line.split()[0] for line in done.stdout.splitlines() if line[:1].islower()]
    assert steps[:3] == ["tap", "proof", "decision"]
    assert {"query", "opened", "push", "delivery", "retrieve", "sent"} <= set(steps)
    assert "The path is unbroken: " in done.stdout
    assert [secret for secret in _secrets() if secret in done.stdout] == []


def test_keep_takes_no_folder_with_something_else_in_it(
    kept: Kept, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("Dear all")
    for folder, options in ((tmp_path / "letters", ["--plain"]), (kept.folder, ["--check"])):
        before = sorted(folder.rglob("*"))
        done = kiosk(environment, "demo", *options, "--keep", str(folder))
        assert done.returncode == 1
        assert "new or empty folder" in done.stderr
        assert sorted(folder.rglob("*")) == before


def test_an_auditor_who_taps_sees_patients_and_is_on_record(kept: Kept, environment: dict[str, str]) -> None:
    with Trail.read_only(kept.folder / "trail.db") as trail:
        name = next(record.entry.patient.name for record in trail.read() if record.entry.patient)
    with Program(environment, "audit", "show", "--config", kept.config, terminal=True) as reading:
        _sign_in(reading, environment, "auditor-badge")
        assert reading.wait() == 0
        assert name in reading.text
        assert "(masked)" not in reading.text
        assert "123456" not in reading.text
    with Trail.read_only(kept.folder / "trail.db") as trail:
        read = [record.entry for record in trail.read() if record.entry.act == "read_audit"]
        last = list(trail.read())[-1].entry
    assert [(entry.actor.user_id, entry.actor.badge) for entry in read] == 2 * [
        ("s.lindqvist", ("uid:04E5F60718293A",))
    ]
    assert (last.act, last.phase) == ("sign_out", Phase.OUTCOME)


def test_a_radiologist_who_taps_may_not_read_the_record(kept: Kept, environment: dict[str, str]) -> None:
    with Program(environment, "audit", "export", "--config", kept.config, terminal=True) as reading:
        _sign_in(reading, environment, "radiologist-badge")
        assert reading.wait() == 1
        assert "Your role (radiologist) may not do this" in reading.text
        assert '"sequence"' not in reading.text
    with Trail.read_only(kept.folder / "trail.db") as trail:
        refused = [record.entry for record in trail.read() if record.entry.act == "read_audit"]
    assert [entry.actor.badge for entry in refused] == [("uid:04A1B2C3D4E580",)]
    assert refused[0].summary.startswith("Refused: ")


def _sign_in(reading: Program, environment: dict[str, str], card: str) -> None:
    reading.await_text("Tap your badge")
    assert lay(environment, card).returncode == 0
    reading.await_text("PIN: ")
    reading.type("123456\n")


def _everything(text: str) -> str:
    """The text, and beside it whatever in it is JSON escapes or base64, decoded."""
    parts = [text]
    for line in text.splitlines():
        if line.startswith("{"):
            parts.append(json.dumps(json.loads(line), ensure_ascii=False))
        elif line.startswith("<"):
            root: Any = etree.fromstring(line)
            encoded = [item.get("value") for item in root.iter("ParticipantObjectDetail")]
            encoded += [item.text for item in root.iter("ParticipantObjectQuery")]
            parts += [b64decode(one or "").decode(errors="replace") for one in encoded]
            parts += root.itertext()
    return "\n".join(parts)


def _secrets() -> set[str]:
    """What names a patient of the demo: IDs, parts of names that none of the staff bears, accession numbers."""
    staff = " ".join(person.display_name for person in PEOPLE)
    parts = {part for patient in PATIENTS for part in patient.name.replace("=", "^").split("^")}
    secrets = {patient.patient_id for patient in PATIENTS} | {part for part in parts if part and part not in staff}
    return secrets | {study.accession_number for study in studies_on(date(2026, 3, 17))} - {""}


def test_the_module_can_be_run_where_the_command_is_not_installed() -> None:
    done = subprocess.run([sys.executable, "-m", "kiosk.cli", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: kiosk ")
