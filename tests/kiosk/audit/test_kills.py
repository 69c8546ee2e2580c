"""SIGKILL at any moment, of the daemon or of the kiosk: nothing acknowledged is lost, nothing is there twice."""

import random
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from kiosk.audit import Entry, Evidence, Phase, Receipt, verify
from kiosk.errors import TrailError
from tests.kiosk.audit.daemons import Nursery, client_of, daemon_at, short_folder, until
from tests.kiosk.audit.samples import event, intent, outcome, trail_in

SHORT, LONG = 20, 500
KILLS = [SHORT, pytest.param(LONG, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
PAUSE = 0.03


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


class Writer:
    """Appends until it is told to stop, each entry once."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[Entry] = []
        self.receipts: list[Receipt] = []
        self.fault = ""
        self._client = client_of(folder, seconds=60)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Writer":
        self._client.open()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(120)
        assert not self._thread.is_alive()
        self._client.close()

    def has_come_further(self, before: int) -> bool:
        """More than so many entries are acknowledged, or none will be any more."""
        return len(self.receipts) > before or bool(self.fault)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                entry = event(len(self.sent))
                self.sent.append(entry)
                self.receipts.append(self._client.append(entry))
        except TrailError as error:
            self.fault = str(error)


@pytest.mark.parametrize("kills", KILLS)
def test_a_daemon_killed_at_any_moment_loses_and_doubles_nothing(folder: Path, kills: int) -> None:
    chance = random.Random(4711)
    with trail_in(folder) as trail:
        first = trail.escrow()
    with Nursery("serve", folder) as nursery:
        nursery.start()
        with Writer(folder) as writer:
            for _ in range(kills):
                before = len(writer.receipts)
                until(partial(writer.has_come_further, before))
                time.sleep(chance.uniform(0, PAUSE))
                nursery.kill()
                nursery.start()
    assert writer.fault == ""
    found = verify(trail.path, evidence=Evidence(first_mac_key=first))
    assert found.whole, found.sentence
    with trail:
        assert [record.entry for record in trail.read()] == writer.sent
        assert [record.hash for record in trail.read()] == [receipt.hash for receipt in writer.receipts]
    assert found.checkpoints >= kills // 2


@pytest.mark.parametrize("kills", KILLS)
def test_a_kiosk_killed_at_any_moment_leaves_one_open_intent_at_most(folder: Path, kills: int) -> None:
    chance = random.Random(815)
    with daemon_at(folder) as daemon, Nursery("act", folder) as nursery, client_of(folder) as successor:
        for kill in range(kills):
            nursery.start(str(kill))
            lines = [nursery.line()]
            time.sleep(chance.uniform(0, PAUSE))
            lines += nursery.kill()
            acknowledged = dict(line.split() for line in lines if line.endswith("\n"))
            until(lambda: len(daemon._attendants) == 1)  # what it had sent before it died is recorded, or never will be
            records = {str(record.sequence): record for record in successor.read()}
            for sequence, value in acknowledged.items():
                assert records[sequence].hash.hex() == value
            left = successor.open_intents()
            assert len(left) <= 1
            for record in left:
                assert record.entry == intent(record.entry.act_id)
                successor.append(outcome(record.entry.act_id))
            assert successor.open_intents() == ()
    with trail_in(folder) as trail:
        acts = [record.entry for record in trail.read()]
    found = verify(trail.path)
    assert found.whole, found.sentence
    begun = [entry.act_id for entry in acts if entry.phase is Phase.INTENT]
    ended = [entry.act_id for entry in acts if entry.phase is Phase.OUTCOME]
    assert begun == ended
    assert len(set(begun)) == len(begun)
