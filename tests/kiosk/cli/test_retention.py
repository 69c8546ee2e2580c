"""`kiosk audit seal`, `prune` and `verify --segment`: months out of the trail into files, on record."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kiosk.audit import Occasion, Trail
from kiosk.audit.signing import to_pem
from kiosk.config.loader import load
from kiosk.premises import Premises
from tests.end_to_end.program import kiosk
from tests.kiosk.audit.samples import ManualClock, event

CONFIG = """
[kiosk]
name = "Records office"
state_directory = "state"
[limits]
disk_reserve_bytes = 0
[audit]
keep_months = 1
segments = "segments"
"""
SINK = """
[[audit.sinks]]
name = "ARR"
kind = "file"
path = "delivered.xml"
"""
MONTHS = 5


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A kiosk whose trail began five months ago, an event a month, the last of them just now."""
    path = tmp_path / "kiosk.toml"
    path.write_text(CONFIG)
    now = datetime.now(UTC)
    clock = ManualClock(now)
    began = now - timedelta(days=31 * MONTHS)
    clock.time = began
    premises = Premises(load(path), clock)
    with premises.own_trail() as trail:
        for number in range(MONTHS):
            clock.time = began + timedelta(days=31 * number)
            trail.append(event(number))
            trail.checkpoint(Occasion.IDLE)
        (tmp_path / "kiosk.pem").write_text(to_pem(trail.public_key))
    return path


def acts(config: Path, act: str) -> list[tuple[str, str]]:
    with Trail.read_only(config.parent / "state" / "trail.db") as trail:
        found = [record.entry for record in trail.read() if record.entry.act == act]
        return [(entry.actor.user_id, entry.phase.value) for entry in found]


def test_months_are_sealed_verified_apart_and_deleted_on_record(config: Path, environment: dict[str, str]) -> None:
    def audit(*words: str) -> tuple[int, list[str], str]:
        done = kiosk(environment, "audit", *words, "--config", str(config))
        return done.returncode, done.stdout.splitlines(), done.stderr

    code, sealed, errors = audit("seal")
    assert (code, errors) == (0, "")
    assert len(sealed) in (MONTHS - 1, MONTHS)
    files = [line.partition(": ")[0] for line in sealed]
    key = str(config.parent / "kiosk.pem")
    code, said, errors = audit("verify", "--segment", *files, "--public-key", key)
    assert (code, len(said), errors) == (0, len(files), "")
    code, said, errors = audit("verify", "--segment", files[0], files[2], "--public-key", key)
    assert (code, said[1]) == (3, "Segment 3 does not follow segment 1.")
    code, said, errors = audit("prune")
    assert (code, errors) == (0, "")
    assert said[0].startswith("Deleted: ")
    code, said, errors = audit("verify", "--public-key", key)
    assert code == 0, said
    assert "from record" in said[0]
    names = {name for name, _ in acts(config, "prune_audit")}
    assert [phase for _, phase in acts(config, "prune_audit")] == ["intent", "outcome"]
    assert all(name.startswith("unix:") for name in names)
    assert acts(config, "audit_prune") == [("system", "event")]
    code, said, errors = audit("show", "--as-auditor")
    assert (code, errors) == (0, "")
    assert any("Delete old records of the audit trail: Deleted: " in line for line in said)


def test_deleted_months_are_shown_and_exported_from_their_files_and_one_that_is_gone_is_named(
    config: Path, environment: dict[str, str]
) -> None:
    def audit(*words: str) -> tuple[int, list[str], str]:
        done = kiosk(environment, "audit", *words, "--as-auditor", *named)
        return done.returncode, done.stdout.splitlines(), done.stderr

    named: tuple[str, ...] = ("--config", str(config))
    for act in ("seal", "prune"):
        assert kiosk(environment, "audit", act, *named).returncode == 0
    for words in (("show", "--act", "note"), ("export", "--act", "note", "--format", "csv")):
        code, said, errors = audit(*words)
        assert (code, len(said), errors) == (0, 1 + MONTHS, "")
    folder, copy = config.parent / "segments", shutil.copy(config.parent / "state" / "trail.db", config.parent)
    named = ("--db", str(copy))
    code, said, errors = audit("export", "--act", "note")
    assert (code, errors[:35]) == (1, "kiosk: not looked into: records up ")
    assert len(said) < MONTHS
    named = ("--db", str(copy), "--archive", str(folder))
    assert audit("export", "--act", "note")[0] == 0
    month = min(folder.iterdir())
    month.unlink()
    named = ("--config", str(config))
    code, said, errors = audit("export", "--act", "note")
    assert (code, len(said)) == (1, MONTHS - 1)
    assert re.match(r"kiosk: not looked into: \d{4}-\d\d: The segment trail-.* cannot be read: No such file", errors)
    code, said, errors = audit("show", "--act", "note", "--day", "40 days")
    assert (code, len(said), errors) == (0, 2, "")
    done = kiosk(environment, "audit", "custody", "1.2.3", *named)
    assert (done.returncode, "Not looked into: " in done.stdout) == (1, True)


def test_what_a_sink_has_not_taken_stays(config: Path, environment: dict[str, str]) -> None:
    config.write_text(CONFIG + SINK)
    assert kiosk(environment, "audit", "seal", "--config", str(config)).returncode == 0
    done = kiosk(environment, "audit", "prune", "--config", str(config))
    assert done.returncode == 0
    assert "Nothing was deleted." in done.stdout
    assert "stays: ARR has records up to 0 only." in done.stdout


def test_what_is_kept_for_ever_is_not_deleted_and_a_month_is_written_like_one(
    config: Path, environment: dict[str, str]
) -> None:
    config.write_text(CONFIG.replace("keep_months = 1", "keep_months = 0"))
    done = kiosk(environment, "audit", "prune", "--config", str(config))
    assert (done.returncode, done.stdout) == (1, "")
    assert "audit.keep_months is 0" in done.stderr
    assert acts(config, "prune_audit")[-1][1] == "outcome"
    done = kiosk(environment, "audit", "seal", "--before", "last month", "--config", str(config))
    assert done.returncode == 2


def test_a_file_that_is_no_segment_is_unreadable(config: Path, environment: dict[str, str]) -> None:
    done = kiosk(environment, "audit", "verify", "--segment", str(config))
    assert done.returncode == 4
    assert "kiosk.toml" in done.stderr
