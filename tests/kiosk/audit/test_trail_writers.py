"""Several processes on one trail: they take turns, make it once, and close only what the dead left open."""

import subprocess
import sys
from pathlib import Path

from kiosk.audit import Trail, verify
from tests.kiosk.audit.samples import event, intent, trail_in

ROOT = Path(__file__).parents[3]

OTHER = """
import sys
from pathlib import Path
from tests.kiosk.audit.samples import event, trail_in
with trail_in(Path(sys.argv[1])) as trail:
    for number in range(40):
        trail.append(event(number))
"""


def test_processes_that_append_at_the_same_time_make_one_chain(tmp_path: Path) -> None:
    with trail_in(tmp_path) as trail:
        others = [
            subprocess.Popen([sys.executable, "-c", OTHER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for number in range(40):
            trail.append(event(number))
        outputs = [other.communicate(timeout=60)[0] for other in others]
    assert [other.returncode for other in others] == [0, 0], outputs
    found = verify(trail.path)
    assert found.whole
    assert found.records == 40 + 2 * 40


def test_intents_of_another_that_lives_are_its_own_business_until_it_is_gone(tmp_path: Path) -> None:
    with trail_in(tmp_path) as kiosk:
        kiosk.append(intent("a"))
        command = trail_in(tmp_path)
        with command:
            command.append(intent("b"))
            assert [record.entry.act_id for record in kiosk.open_intents()] == ["a"]
            assert [record.entry.act_id for record in command.open_intents()] == ["b"]
            with Trail.read_only(kiosk.path) as read:
                assert [record.entry.act_id for record in read.open_intents()] == ["a", "b"]
        assert [record.entry.act_id for record in kiosk.open_intents()] == ["a", "b"]


MAKER = """
import sys
from pathlib import Path
from tests.kiosk.audit.samples import event, intent, trail_in
sys.stdin.readline()
with trail_in(Path(sys.argv[1])) as trail:
    trail.append(intent(sys.argv[2]))
    print("there", flush=True)
    sys.stdin.readline()
"""


def test_a_new_trail_is_made_by_several_processes_at_once(tmp_path: Path) -> None:
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", MAKER, str(tmp_path), str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.flush()
    said = [maker.stdout.readline() for maker in makers if maker.stdout is not None]
    assert said == 4 * ["there\n"]
    with trail_in(tmp_path) as trail:
        assert trail.open_intents() == ()  # all four live
        makers[0].kill()
        makers[0].wait(60)
        assert [record.entry.act_id for record in trail.open_intents()] == ["0"]
        assert [maker.communicate("end\n", timeout=60)[1] for maker in makers[1:]] == ["", "", ""]
        assert len(trail.open_intents()) == 4
    makers[0].communicate(timeout=60)
    assert verify(trail.path).records == 4
