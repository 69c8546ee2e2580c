"""The forwarder is killed between any two instructions: its cursor goes on where it stood, and nothing is lost."""

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
from tests.kiosk.audit.forward.receivers import Rsyslog, await_that

KILLS = 3
MANY_KILLS = 200


def _kill_again_and_again(kind: str, folder: Path, kills: int) -> None:
    chance = random.Random(4711)
    authority = Authority(folder)
    cursor = CursorFile(folder / "cursors", "ARR")
    with new_trail(folder) as trail, Rsyslog(folder, authority, kind) as receiver:
        before = 0
        for _ in range(kills):
            arrived = len(receiver.messages())
            writer = threading.Thread(target=append, args=(trail, 40), daemon=True)
            writer.start()
            with process_delivering(receiver, authority, trail.path, folder) as process:
                _await_more_than(arrived, receiver)
                time.sleep(chance.uniform(0, 0.3))
                process.kill()
            writer.join(60)
            standing = cursor.read()
            assert before <= standing.settled.sequence <= trail.head().sequence
            before = standing.settled.sequence
        with process_delivering(receiver, authority, trail.path, folder) as process:
            await_arrival(receiver, trail.path)
            end = trail.head().sequence
            await_that(lambda: cursor.read().settled.sequence == end, "the cursor stands at the end")
            assert process.poll() is None
            with ReadOnlyTrail(trail.path) as reader:
                assert cursor.read().settled.hash == reader.head().hash


def _await_more_than(known: int, receiver: Rsyslog) -> None:
    await_that(lambda: len(receiver.messages()) > known, "something arrives")


@pytest.mark.parametrize("kind", ["tls", "relp"])
def test_a_forwarder_that_is_killed_at_any_point_goes_on_where_it_was(kind: str, tmp_path: Path) -> None:
    _kill_again_and_again(kind, tmp_path, KILLS)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["tls", "relp"])
def test_two_hundred_kills_of_the_forwarder_lose_nothing(kind: str, tmp_path: Path) -> None:
    _kill_again_and_again(kind, tmp_path, MANY_KILLS)
