"""A kiosk whose trail is written by another process: it locks when that is gone, and when its trail is not the one."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit import AuditDaemon, Counter, KeeperRules, Occasion, Outcome, Phase, Trail, verify
from kiosk.build import DemoParts, build
from kiosk.config.audit import AuditConfig
from kiosk.config.model import KioskConfig
from kiosk.demo.staff import CARDS, DEMO_PIN, RADIOLOGIST_BADGE, deck, enrol
from kiosk.errors import TrailError
from kiosk.imaging.peers import Peer
from kiosk.operations.facts import AccessDenied, EndReason, OutOfService, SessionEnded
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk
from kiosk.premises import Premises
from tests.end_to_end.kiosks import Presenter, Running, configuration, running, simulated
from tests.end_to_end.test_faults import Watcher, sign_in
from tests.kiosk.audit.daemons import short_folder
from tests.peers import free_port


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def taps() -> Iterator[Presenter]:
    with simulated() as presenter:
        yield presenter


def nobody(name: str) -> Peer:
    return Peer(name, name.upper(), "127.0.0.1", free_port())


def configured(folder: Path, audit: AuditConfig) -> KioskConfig:
    config = configuration(folder / "state", nobody("archive"), nobody("destination"))
    return replace(config, audit=audit)


@contextmanager
def serving(config: KioskConfig) -> Iterator[AuditDaemon]:
    premises = Premises(config)
    assert config.audit.socket is not None
    counter = Counter(config.audit.socket, frozenset((os.getuid(),)))
    with AuditDaemon(premises.own_trail(alone=True), counter, time.monotonic, KeeperRules(tick_seconds=0.05)) as daemon:
        yield daemon


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def acts_of(path: Path, act: str) -> list[tuple[Phase, Outcome | None]]:
    with Trail.read_only(path) as trail:
        return [(record.entry.phase, record.entry.outcome) for record in trail.read() if record.entry.act == act]


DONE = [(Phase.INTENT, None), (Phase.OUTCOME, Outcome.SUCCESS)]


def test_a_daemon_that_dies_locks_the_kiosk_though_nobody_does_anything(folder: Path, taps: Presenter) -> None:
    config = configured(folder, AuditConfig(socket=folder / "s", directory=folder / "audit"))
    path = config.trail_path
    with serving(config) as daemon, running(config, taps) as kiosk:
        watcher = Watcher(kiosk.agent)
        sign_in(kiosk, watcher, taps)
        assert not (folder / "state" / "trail.db").exists()
        daemon.stop()
        said = watcher.await_fact(OutOfService, lambda fact: bool(fact.sentence), 60).sentence
        assert said == "The audit trail's daemon does not answer."
        assert watcher.await_fact(SessionEnded, seconds=60).reason is EndReason.OUT_OF_SERVICE
        taps.tap(RADIOLOGIST_BADGE)
        assert watcher.await_fact(AccessDenied, seconds=60).sentence == "This kiosk is out of service."
        with serving(config):
            assert not watcher.await_fact(OutOfService, lambda fact: not fact.sentence, 60).sentence
            until(lambda: acts_of(path, "resume") == DONE)
            assert acts_of(path, "sign_out") == DONE  # the session's end, which could not be recorded when it came
            sign_in(kiosk, watcher, taps)
            kiosk.agent.close()
    found = verify(path)
    assert found.whole, found.sentence
    with Trail.read_only(path) as trail:
        assert trail.open_intents() == ()
        assert [checkpoint.occasion for checkpoint in trail.checkpoints()].count(Occasion.STOP) == 2


def test_a_kiosk_whose_trail_is_behind_its_anchor_stays_locked_until_it_is_put_right(
    folder: Path, taps: Presenter
) -> None:
    config = configured(folder, AuditConfig(anchors=folder / "anchors"))
    premises = Premises(config)
    with premises.trail() as trail:
        people = premises.directory(demo=True)
        enrol(Desk(TrailLedger(trail, lambda _: None), lambda _: False), people.directory)
        anchor(trail)
    shutil.copytree(folder / "state", folder / "older")
    with premises.trail() as trail:
        anchor(trail)
    shutil.move(folder / "state", folder / "right")
    shutil.move(folder / "older", folder / "state")
    trail = premises.trail()
    with pytest.raises(TrailError) as refused:
        trail.open()
    parts = DemoParts(CARDS, DEMO_PIN, taps.tap, (taps.reader,))
    agent = build(premises, trail, people, parts, fault=str(refused.value))
    try:
        watcher = Watcher(agent)
        assert "is anchored elsewhere" in watcher.await_fact(OutOfService).sentence
        taps.insert(deck()[RADIOLOGIST_BADGE])
        time.sleep(3)  # long enough for several attempts to open it
        taps.remove()
        assert watcher.facts.empty()
        assert acts_of(config.trail_path, "start") == []
        for file in (folder / "right").glob("trail.db*"):
            shutil.copy(file, folder / "state")
        shutil.copytree(folder / "right" / "audit-keys", folder / "state" / "audit-keys", dirs_exist_ok=True)
        assert not watcher.await_fact(OutOfService, lambda fact: not fact.sentence, 60).sentence
        sign_in(Running(agent, premises, trail), watcher, taps)
    finally:
        agent.close()
        trail.close()
        people.close()
    assert acts_of(config.trail_path, "start") == acts_of(config.trail_path, "resume") == DONE
    assert verify(config.trail_path).whole


def anchor(trail: object) -> None:
    assert isinstance(trail, Trail)
    trail.checkpoint(Occasion.BUSY)
    trail.anchor()
