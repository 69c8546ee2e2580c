"""What power cuts, full disks and file systems gone read-only leave behind."""

import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.audit import Phase, Trail, verify
from kiosk.errors import TrailError
from tests.kiosk.audit.daemons import Nursery
from tests.kiosk.audit.samples import event, filled, intent, outcome, trail_in

KILLS = 20
NOBODY = 65534


def test_a_kill_between_any_two_instructions_leaves_a_whole_chain(tmp_path: Path) -> None:
    chance = random.Random(4711)
    path, known = filled(tmp_path, 3), 3
    with Nursery("keep", tmp_path) as nursery:
        for kill in range(KILLS):
            nursery.start(str(kill))
            lines = [nursery.line()]
            time.sleep(chance.uniform(0, 0.03))
            lines += nursery.kill()
            receipts = dict(line.split() for line in lines if line.endswith("\n"))
            acknowledged = max(map(int, receipts))
            assert acknowledged > known
            found = verify(path)
            assert found.whole, found.sentence
            assert found.records - acknowledged in (0, 1)
            with trail_in(tmp_path) as trail:
                for record in trail.read(known + 1):
                    assert receipts.get(str(record.sequence), record.hash.hex()) == record.hash.hex()
                left = trail.open_intents()
                assert len(left) <= 1
                for record in left:
                    assert record.entry.phase is Phase.INTENT
                    trail.append(outcome(record.entry.act_id))
                assert trail.open_intents() == ()
                known = trail.head().sequence
    assert verify(path).records == known


def _append_many(trail: Trail) -> None:
    for number in range(10_000):
        trail.append(intent(str(number)))


def in_child(task: Callable[[], None]) -> None:
    """Runs `task` in a forked child, so that limits and lost rights stay there; it must return."""
    child = os.fork()
    if child == 0:
        try:
            task()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_file_that_can_grow_no_more_stops_the_trail_and_harms_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path, 3)

    def fill() -> None:
        with trail_in(tmp_path) as trail:
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (128 * 1024, before[1]))
            with pytest.raises(TrailError, match=r"^The audit trail cannot be written: "):
                _append_many(trail)
            written = trail.head().sequence
            with pytest.raises(TrailError, match=r"^The audit trail cannot be written: "):
                trail.append(event())
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            trail.reopen()
            assert trail.head().sequence in (written, written + 1)
            trail.append(event())

    in_child(fill)
    found = verify(path)
    assert found.whole, found.sentence
    assert found.records > 10


def test_a_trail_that_may_only_be_read_is_not_opened_for_writing() -> None:
    directory = Path(tempfile.mkdtemp())
    try:
        path = filled(directory, 3)
        with trail_in(directory) as trail:  # loads what a child without rights may not be able to load any more
            assert len(list(trail.read())) == 3
        if os.geteuid() == 0:
            for place in (directory, path.parent, *path.parent.iterdir()):
                os.chown(place, NOBODY, NOBODY)
        path.chmod(0o400)

        def use() -> None:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            with pytest.raises(TrailError, match="cannot be"), trail_in(directory) as trail:
                trail.append(event())

        in_child(use)
        assert verify(path).records == 3
    finally:
        shutil.rmtree(directory)


@pytest.mark.parametrize("step", ["nothing", "empty file"])
def test_a_trail_whose_making_was_cut_short_is_made_again(tmp_path: Path, step: str) -> None:
    trail = trail_in(tmp_path)
    trail.path.parent.mkdir(mode=0o700)
    if step == "empty file":
        trail.path.touch()
    with trail:
        assert trail.append(event()).sequence == 1
