"""`kiosk status`, whatever is wrong: one JSON document, and what can still be told of a trail out of reach."""

import json
import os
import sqlite3
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosk.audit import AuditDaemon, Counter, Occasion, Trail
from kiosk.cli.sight import sight
from kiosk.cli.status import run
from kiosk.clock import Clock
from kiosk.config.loader import load
from kiosk.errors import TrailError
from kiosk.premises import Premises
from tests.kiosk.audit.forward.kit import append
from tests.kiosk.audit.forward.receivers import await_that
from tests.kiosk.audit.samples import ManualClock, outcome
from tests.kiosk.cli.test_delivery import configured

DAY = timedelta(days=1)
Said = tuple[int, dict[str, Any]]
ANCHORS = '[audit]\nanchors = "anchors.jsonl"\n'
SOCKET = '[audit]\nsocket = "auditd.sock"\n'


class MovedClock(ManualClock):
    """A clock whose time of day somebody moves, while what only ever runs stands still."""

    def monotonic(self) -> float:
        """Still."""
        return 0.0


@pytest.fixture
def status(capsys: pytest.CaptureFixture[str]) -> Callable[[Path], Said]:
    """What `kiosk status --json` says, one document, and its exit code."""

    def ask(config: Path) -> Said:
        code = run(Namespace(config=str(config), json=True))
        return code, json.loads(capsys.readouterr().out)

    return ask


@pytest.fixture
def words(capsys: pytest.CaptureFixture[str]) -> Callable[[Path], str]:
    """What it says in words."""

    def ask(config: Path) -> str:
        run(Namespace(config=str(config), json=False))
        return capsys.readouterr().out

    return ask


@contextmanager
def written(config: Path, clock: Clock | None = None) -> Iterator[tuple[Premises, Trail]]:
    """A trail of five records, with a checkpoint, open."""
    premises = Premises(load(config), clock)
    with premises.own_trail() as trail:
        append(trail, 5)
        trail.checkpoint(Occasion.IDLE)
        trail.anchor()
        yield premises, trail


@contextmanager
def touched(trail: Path) -> Iterator[sqlite3.Connection]:
    """The file of a trail in the hands of somebody who may write it and takes away what protects it."""
    with closing(sqlite3.connect(trail, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, sql in triggers:
            connection.execute(sql)


def test_a_trail_that_is_well_says_how_far_it_is_anchored(
    tmp_path: Path, status: Callable[[Path], Said], words: Callable[[Path], str]
) -> None:
    config = configured(tmp_path, ANCHORS)
    with written(config) as (_, trail):
        code, said = status(config)
        sealed = trail.status().checkpoint
    assert sealed is not None
    assert code == 0
    assert said["trail"]["failure"] == said["trail"]["anchor_fault"] == ""
    assert (said["trail"]["records"], said["trail"]["anchored"]) == (5, 1)
    assert said["trail"]["anchored_at"] == sealed.time.isoformat()
    assert said["trail"]["begun_anew"] is None
    assert [sink["depth"] for sink in said["sinks"]] == [5, 5]
    assert f"kept elsewhere up to checkpoint 1 of {sealed.time:%Y-%m-%d %H:%M:%SZ}\n" in words(config)


def test_there_is_a_document_when_there_is_no_trail(
    tmp_path: Path, status: Callable[[Path], Said], words: Callable[[Path], str]
) -> None:
    config = configured(tmp_path, "")
    code, said = status(config)
    assert code == 1
    trail, (copy, lab) = said["trail"], said["sinks"]
    assert trail.pop("failure").startswith("There is no audit trail at ")
    assert set(trail.values()) == {None}
    assert (copy["name"], copy["kind"], copy["depth"], copy["oldest_unsent_seconds"]) == ("Copy", "file", None, None)
    assert lab["settled"] == 0
    assert "not recording: There is no audit trail at " in words(config)
    assert "Sink Copy (file, " in words(config)
    assert "how much waits cannot be told" in words(config)


def test_a_dead_daemon_is_said_and_what_its_file_shows_all_the_same(
    tmp_path: Path, status: Callable[[Path], Said]
) -> None:
    config = configured(tmp_path, SOCKET)
    with written(config):
        pass
    code, said = status(config)
    assert (code, said["trail"]["failure"]) == (1, "The audit trail's daemon does not answer.")
    assert (said["trail"]["records"], said["trail"]["checkpoint"]["number"]) == (5, 1)
    assert [sink["depth"] for sink in said["sinks"]] == [5, 5]


def test_a_daemon_that_records_no_more_says_why_and_how_far_it_came(
    tmp_path: Path, status: Callable[[Path], Said]
) -> None:
    config, clock = configured(tmp_path, SOCKET), MovedClock()
    premises = Premises(load(config), clock)
    own = premises.own_trail(alone=True)
    counter = Counter(tmp_path / "auditd.sock", frozenset({os.getuid()}))
    with AuditDaemon(own, counter, clock.monotonic), premises.trail() as client:
        await_that(lambda: not own.status().failure, "the daemon's trail is open")
        client.append(outcome("last"))
        clock.turn(3600)
        with pytest.raises(TrailError, match="moved forward"):
            client.append(outcome("never"))
        code, said = status(config)
        trail = said["trail"]
        assert code == 1
        assert "The clock was moved forward by 3600 s" in trail["failure"]
        assert trail["records"] >= 1
        assert [sink["depth"] for sink in said["sinks"]] == [trail["records"]] * 2
        assert trail["free_bytes"] > 0


def test_a_daemon_whose_file_is_not_ours_to_read_tells_what_it_knows(
    tmp_path: Path, status: Callable[[Path], Said], words: Callable[[Path], str]
) -> None:
    config = configured(tmp_path, SOCKET + 'anchors = "anchors.jsonl"\n')
    with written(config) as (premises, _):
        pass
    with touched(premises.trail_path) as connection:
        connection.execute("UPDATE head SET hash = zeroblob(32)")
    own = premises.own_trail(alone=True)
    counter = Counter(tmp_path / "auditd.sock", frozenset({os.getuid()}))
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(config.read_text().replace("[audit]", f"[audit]\ndirectory = {str(tmp_path / 'none')!r}"))
    with AuditDaemon(own, counter, premises.clock.monotonic):
        code, said = status(elsewhere)
        trail = said["trail"]
        assert code == 1
        assert "head does not match record 5" in trail["failure"]
        assert (trail["records"], trail["head"], trail["checkpoint"]) == (None, None, None)
        assert trail["free_bytes"] > 0
        assert [sink["depth"] for sink in said["sinks"]] == [None, None]
        assert "not recording: The audit trail's head does not match record 5" in words(elsewhere)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE record SET body = CAST(body || ' ' AS BLOB) WHERE sequence = 3", "broken at record 3"),
        ("UPDATE head SET hash = zeroblob(32)", "head does not match record 5"),
        ("DELETE FROM record WHERE sequence = 4", "broken at record 4"),
        ("UPDATE checkpoint SET signature = zeroblob(64)", "Checkpoint 1 of the audit trail does not carry"),
        ("DELETE FROM checkpoint", "older than its own MAC key"),
        ("CREATE TABLE more (x)", "lost what keeps it from being changed"),
    ],
    ids=["body", "head", "record", "signature", "checkpoint", "schema"],
)
def test_without_a_daemon_what_its_writer_would_refuse_is_found_in_the_file(
    change: str, said: str, tmp_path: Path, status: Callable[[Path], Said]
) -> None:
    config = configured(tmp_path, "")
    with written(config):
        pass
    with touched(Premises(load(config)).trail_path) as connection:
        connection.execute(change)
    code, found = status(config)
    assert code == 1
    assert said in found["trail"]["failure"]


def test_a_trail_behind_its_anchor_a_full_disk_and_a_clock_put_back_are_found(tmp_path: Path) -> None:
    config, clock = configured(tmp_path, ANCHORS), ManualClock()
    with written(config, clock) as (premises, _):
        pass
    copy = premises.trail_path.read_bytes()
    with premises.own_trail() as trail:
        trail.append(outcome("more"))
        trail.checkpoint(Occasion.IDLE)
        trail.anchor()
    assert sight(premises).trail.failure == ""
    early = Premises(load(config), ManualClock(clock.now() - DAY))
    assert "before the last record of the audit trail" in sight(early).trail.failure
    full = config.with_name("full.toml")
    full.write_text(config.read_text().replace("reserve_bytes = 0", f"reserve_bytes = {1 << 50}"))
    assert "The disk of the audit trail is nearly full" in sight(Premises(load(full), clock)).trail.failure
    premises.trail_path.write_bytes(copy)
    assert "older than its own MAC key" in sight(premises).trail.failure
    (premises.trail_keys / "mac.key").unlink()
    assert "it was cut, or put back to an earlier copy" in sight(premises).trail.failure


def test_anchors_that_cannot_be_read_are_a_fault_and_not_a_failure(
    tmp_path: Path, status: Callable[[Path], Said], words: Callable[[Path], str]
) -> None:
    config = configured(tmp_path, ANCHORS)
    with written(config) as (premises, _):
        anchors = premises.config.audit.anchors
        assert anchors is not None
        anchors.unlink()
        anchors.mkdir()
        code, said = status(config)
    assert code == 1
    assert (said["trail"]["failure"], said["trail"]["anchored"]) == ("", 0)
    assert "Is a directory" in said["trail"]["anchor_fault"]
    assert "anchors: " in words(config)


def test_recording_that_was_stopped_is_known_from_the_last_words_until_it_goes_on(tmp_path: Path) -> None:
    clock = MovedClock()
    with written(configured(tmp_path, ""), clock) as (premises, trail):
        clock.turn(3600)
        with pytest.raises(TrailError):
            trail.append(outcome("never"))
        assert sight(premises).trail.failure.startswith("Audit recording stopped: The clock was moved forward")
        clock.turn(-3600)
        trail.resume()
        assert sight(premises).trail.failure == ""


def test_a_cursor_that_cannot_be_read_leaves_its_sink_unknown_and_the_others_told(
    tmp_path: Path, status: Callable[[Path], Said], words: Callable[[Path], str]
) -> None:
    config = configured(tmp_path, "")
    with written(config) as (premises, _):
        folder = premises.config.cursors_directory
        folder.mkdir(parents=True)
        (folder / "Copy.cursor").write_text("{")
        code, said = status(config)
    assert code == 1
    copy, lab = said["sinks"]
    assert (copy["name"], copy["depth"], copy["settled"], copy["refused"]) == ("Copy", None, None, None)
    assert "is damaged" in copy["fault"]
    assert (lab["depth"], lab["fault"]) == (5, "")
    assert set(copy) == set(lab)
    assert "how far it has come cannot be told" in words(config)
