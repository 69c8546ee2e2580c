"""`kiosk forwarder` and `kiosk status` on a configured kiosk, with and without the trail's daemon."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosk.audit import AuditDaemon, Counter
from kiosk.audit.forward import SinkStatus
from kiosk.build import DemoParts, build
from kiosk.cli.forwarding import forwarding, looking
from kiosk.config.loader import load
from kiosk.operations.agent import Agent
from kiosk.operations.facts import AuditDelivery, Fact
from kiosk.premises import Premises
from tests.end_to_end.program import COMMAND, kiosk
from tests.kiosk.audit.forward.kit import append, expected
from tests.kiosk.audit.forward.receivers import await_that, free_port, read_messages
from tests.kiosk.audit.samples import outcome

LEAST = """[kiosk]
name = "Room 3"
state_directory = "state"
[limits]
disk_reserve_bytes = 0
"""
SINKS = """[[audit.sinks]]
name = "Copy"
kind = "file"
path = "copy.log"
[[audit.sinks]]
name = "Lab"
kind = "tcp"
host = "127.0.0.1"
port = PORT
"""


def configured(folder: Path, audit: str) -> Path:
    """A kiosk.toml in that folder."""
    path = folder / "kiosk.toml"
    path.write_text(LEAST + audit + SINKS.replace("PORT", str(free_port())))
    return path


@contextmanager
def forwarder(environment: dict[str, str], config: Path) -> Iterator[subprocess.Popen[str]]:
    """`kiosk forwarder`, ended by SIGTERM."""
    command = [*COMMAND, "forwarder", "--config", str(config)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def sinks_of(agent: Agent) -> tuple[SinkStatus, ...]:
    """How the agent says that they stand."""
    sight = agent.status().sight
    return sight.sinks if sight else ()


def status(environment: dict[str, str], config: Path) -> tuple[int, dict[str, Any]]:
    """What `kiosk status --json` says, and its exit code."""
    done = kiosk(environment, "status", "--json", "--config", str(config))
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_forwarder_delivers_beside_the_writer_and_status_says_how_far(
    environment: dict[str, str], tmp_path: Path
) -> None:
    config = configured(tmp_path, '[audit]\nforwarder = "process"\n')
    premises = Premises(load(config))
    with premises.own_trail() as trail:
        append(trail, 10)
        code, said = status(environment, config)
        assert code == 0
        assert [sink["depth"] for sink in said["sinks"]] == [10, 10]
        assert said["trail"]["records"] == 10
        assert said["trail"]["head"] == trail.head().hash.hex()
        with forwarder(environment, config):
            copy = tmp_path / "copy.log"
            append(trail, 5)
            await_that(lambda: len(read_messages(copy)) == len(expected(trail.path)), "everything is in the file")
            await_that(lambda: status(environment, config)[0] == 1, "the dead sink is reported")
            _, said = status(environment, config)
        done, dead = said["sinks"]
        assert (done["name"], done["depth"], done["oldest_unsent_seconds"], done["fault"]) == ("Copy", 0, 0.0, "")
        assert (dead["name"], dead["depth"]) == ("Lab", 15)
        assert dead["oldest_unsent_seconds"] > 0
        assert "nobody listens at 127.0.0.1:" in dead["fault"]
        words = kiosk(environment, "status", "--config", str(config))
        assert words.returncode == 1
        assert "Sink Copy (file, " in words.stdout
        assert "copy.log): everything is sent\n" in words.stdout
        assert "15 records wait, the oldest for " in words.stdout
        assert "failing since " in words.stdout
        trail.append(outcome("late"))
    assert [one.mark for one in read_messages(copy)] == expected(premises.trail_path)[: len(read_messages(copy))]


def test_the_forwarder_reads_through_the_daemon(environment: dict[str, str], tmp_path: Path) -> None:
    config = configured(tmp_path, '[audit]\nsocket = "auditd.sock"\nforwarder = "process"\n')
    premises = Premises(load(config))
    counter = Counter(tmp_path / "auditd.sock", frozenset({os.getuid()}))
    own = premises.own_trail(alone=True)
    with AuditDaemon(own, counter, premises.clock.monotonic), premises.trail() as client:
        await_that(lambda: not own.status().failure, "the daemon's trail is open")
        for number in range(5):
            client.append(outcome(f"act-{number}"))
        with forwarder(environment, config):
            copy = tmp_path / "copy.log"
            await_that(
                lambda: [one.mark for one in read_messages(copy)] == expected(premises.trail_path), "all is in the file"
            )
        _, said = status(environment, config)
        assert said["trail"]["checkpoint"]["occasion"] == "start"
        assert said["trail"]["failure"] == ""


def test_a_terminal_delivers_by_itself_what_is_recorded_until_its_end(tmp_path: Path) -> None:
    premises = Premises(load(configured(tmp_path, "")))
    with premises.own_trail() as trail, forwarding(premises):
        append(trail, 5)
    assert [one.mark for one in read_messages(tmp_path / "copy.log")] == expected(premises.trail_path)


def test_a_terminal_tells_anybody_how_its_deliveries_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.operations.delivery_watch.EVERY", 0.1)
    monkeypatch.setattr("kiosk.operations.delivery_watch.GRACE", 0.5)
    premises = Premises(load(configured(tmp_path, "")))
    with premises.trail() as trail, forwarding(premises):
        people = premises.directory(demo=True)
        parts = DemoParts((), "", lambda *_: None, ())
        agent = build(premises, trail, people, parts, look=looking(premises))
        heard: list[Fact] = []
        agent.subscribe(heard.append)
        try:
            await_that(lambda: any(sink.fault for sink in sinks_of(agent)), "the dead sink is told")
            await_that(lambda: any(isinstance(fact, AuditDelivery) for fact in heard), "and so is the person there")
            copy, lab = sinks_of(agent)
            assert (copy.name, copy.fault) == ("Copy", "")
            assert "nobody listens" in lab.fault
            assert lab.waiting
            status = agent.status()
            assert status.sight is not None
            assert status.sight.trail.head == trail.head()
            assert status.out_of_service == ""
        finally:
            agent.close()
            people.close()
    lagging = next(fact for fact in heard if isinstance(fact, AuditDelivery))
    assert [sink.name for sink in lagging.sinks] == ["Lab"]


def test_without_sinks_or_when_the_terminal_delivers_there_is_nothing_to_run(
    environment: dict[str, str], tmp_path: Path
) -> None:
    config = configured(tmp_path, "")
    done = kiosk(environment, "forwarder", "--config", str(config))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert 'audit.forwarder is not "process"' in done.stderr
    config.write_text(LEAST)
    done = kiosk(environment, "forwarder", "--config", str(config))
    assert "no [[audit.sinks]]" in done.stderr
    assert kiosk(environment, "status", "--config", str(config)).returncode == 1


@pytest.mark.parametrize(
    ("words", "said"), [("forwarder", "goes on where it was"), ("status", "how many records wait")]
)
def test_help_says_what_they_do(words: str, said: str, environment: dict[str, str]) -> None:
    assert said in " ".join(kiosk(environment, words, "--help").stdout.split())
