"""The forwarder is killed between any two instructions: its cursor goes on where it stood, and nothing is lost."""

import logging
import random
import threading
import time
from pathlib import Path

import pytest

from kiosk.audit import ReadOnlyTrail
from kiosk.audit.forward.cursor import CursorFile
from tests.kiosk.audit.forward.authority import Authority
from tests.kiosk.audit.forward.deliver import process_delivering
from tests.kiosk.audit.forward.kit import append, await_arrival, new_trail
from tests.kiosk.audit.forward.receivers import PATIENCE, RECEIVERS, Receiver, Rsyslog, await_that

log = logging.getLogger(__name__)

KILLS = 3
MANY_KILLS = 200


def _kill_again_and_again(receiver: Receiver, authority: Authority, folder: Path, kills: int) -> None:
    chance = random.Random(4711)
    cursor = CursorFile(folder / "cursors", "ARR")
    with new_trail(folder) as trail, receiver:
        before, moves = 0, 0
        for kill in range(kills):
            arrived = len(receiver.messages())
            writer = threading.Thread(target=append, args=(trail, 40), daemon=True)
            writer.start()
            with process_delivering(receiver, authority, trail.path, folder) as process:
                _await_more_than(arrived, receiver)
                if kill % 3 == 1:  # or syslog, which is not acknowledged, would begin at the same record each time
                    _await_beyond(before, cursor)
                time.sleep(chance.uniform(0, 0.3))
                process.kill()
            writer.join(60)
            standing = cursor.read()
            assert before <= standing.settled.sequence <= trail.head().sequence
            moves += standing.settled.sequence > before
            before = standing.settled.sequence
        assert moves >= kills // 3
        with process_delivering(receiver, authority, trail.path, folder) as process:
            marks = await_arrival(receiver, trail.path, PATIENCE + kills)
            end = trail.head().sequence
            await_that(lambda: cursor.read().settled.sequence == end, "the cursor stands at the end")
            assert process.poll() is None
            with ReadOnlyTrail(trail.path) as reader:
                assert cursor.read().settled.hash == reader.head().hash
    log.info("%d messages, %d kills, %d came twice", len(set(marks)), kills, len(marks) - len(set(marks)))


def _await_more_than(known: int, receiver: Receiver) -> None:
    await_that(lambda: len(receiver.messages()) > known, "something arrives")


def _await_beyond(known: int, cursor: CursorFile) -> None:
    await_that(lambda: cursor.read().settled.sequence > known, "the cursor moves")


@pytest.mark.parametrize("kind", ["tls", "relp"])
def test_a_forwarder_that_is_killed_at_any_point_goes_on_where_it_was(kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    _kill_again_and_again(Rsyslog(tmp_path, authority, kind), authority, tmp_path, KILLS)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("make", "kind"), RECEIVERS)
def test_two_hundred_kills_of_the_forwarder_lose_nothing(make: type[Receiver], kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    _kill_again_and_again(make(tmp_path, authority, kind), authority, tmp_path, MANY_KILLS)
