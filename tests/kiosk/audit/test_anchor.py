"""What was cut off, put back or begun anew shows against checkpoints that are kept elsewhere."""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from kiosk.audit import (
    AnchorError,
    AnchorSink,
    BehindAnchor,
    CalledAnchors,
    Checkpoint,
    Evidence,
    FileAnchors,
    Occasion,
    Trail,
    verify,
)
from kiosk.audit.signing import SigningKey
from kiosk.errors import TrailError
from tests.kiosk.audit.samples import SOURCE, ManualClock, event


def trail_with(folder: Path, *sinks: AnchorSink, kiosk_id: str = "kiosk-7") -> Trail:
    return Trail(folder / "trail.db", kiosk_id, SOURCE, ManualClock(), 0, anchors=sinks)


def busy(trail: Trail, count: int = 3) -> None:
    """Records, a checkpoint, and the sinks told."""
    for number in range(count):
        trail.append(event(number))
    trail.checkpoint(Occasion.BUSY)
    trail.anchor()


def whole_copy(folder: Path, to: Path) -> None:
    """Everything a thief with a disk image has: file, keys and all."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)


class Dead:
    """A sink that cannot be reached, until it can."""

    def __init__(self) -> None:
        self.kept: list[Checkpoint] = []
        self.dead = True

    def write(self, checkpoint: Checkpoint) -> None:
        self._require_life()
        self.kept.append(checkpoint)

    def read(self, kiosk_id: str) -> Iterable[Checkpoint]:
        self._require_life()
        return [checkpoint for checkpoint in reversed(self.kept) if checkpoint.kiosk_id == kiosk_id]

    def _require_life(self) -> None:
        if self.dead:
            raise AnchorError("The fleet cannot be reached.")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def anchors(tmp_path: Path) -> FileAnchors:
    return FileAnchors(tmp_path / "anchors.jsonl")


def test_every_checkpoint_that_is_the_newest_goes_out_once(here: Path, anchors: FileAnchors) -> None:
    with trail_with(here, anchors) as trail:
        assert trail.status().anchored == 0
        busy(trail)
        trail.anchor()
        busy(trail)
        assert list(anchors.read("kiosk-7")) == list(reversed(list(trail.checkpoints())))
        status = trail.status()
    assert status.checkpoint is not None
    assert (status.anchored, status.anchored_at) == (2, status.checkpoint.time)


def test_a_trail_that_is_where_it_was_opens(here: Path, anchors: FileAnchors) -> None:
    with trail_with(here, anchors) as trail:
        busy(trail)
        trail.append(event(9))
    with trail_with(here, anchors) as trail:
        assert trail.append(event(10)).sequence == 5


def test_a_trail_put_back_with_all_its_keys_stays_closed(here: Path, anchors: FileAnchors, tmp_path: Path) -> None:
    with trail_with(here, anchors) as trail:
        busy(trail)
    whole_copy(here, tmp_path / "older")
    with trail_with(here, anchors) as trail:
        busy(trail)
    whole_copy(tmp_path / "older", here)
    trail = trail_with(here, anchors)
    with pytest.raises(TrailError, match="ends at record 3, but record 6 is anchored elsewhere"):
        trail.open()
    with pytest.raises(TrailError, match="is anchored elsewhere"):
        trail.append(event(1))
    found = verify(trail.path, evidence=Evidence(anchors=tuple(anchors.read())))
    assert (found.whole, found.foreign, found.first_bad) == (False, True, 4)
    assert found.sentence == "Records from 4 to 6 are missing at the end."


def test_a_trail_put_back_by_a_heartbeat_alone_stays_closed(here: Path, anchors: FileAnchors, tmp_path: Path) -> None:
    with trail_with(here, anchors) as trail:
        busy(trail)
    whole_copy(here, tmp_path / "older")
    with trail_with(here, anchors) as trail:
        trail.checkpoint(Occasion.IDLE)
        trail.anchor()
    whole_copy(tmp_path / "older", here)
    with pytest.raises(TrailError, match="Checkpoint 2 of the audit trail is anchored elsewhere and missing here"):
        trail_with(here, anchors).open()
    found = verify(here / "trail.db", evidence=Evidence(anchors=tuple(anchors.read())))
    assert found.sentence == "Checkpoint 2 is anchored elsewhere and missing here."


def test_two_kiosks_that_go_on_from_one_disk_fork(here: Path, anchors: FileAnchors, tmp_path: Path) -> None:
    with trail_with(here, anchors) as trail:
        busy(trail)
    whole_copy(here, tmp_path / "clone")
    with trail_with(here, anchors) as trail:
        busy(trail)
    with trail_with(tmp_path / "clone") as clone:  # it knows nothing of the sink
        for number in range(5):
            clone.append(event(100 + number))
        clone.checkpoint(Occasion.BUSY)
    with pytest.raises(TrailError, match="Record 6 of the audit trail is not the one that is anchored elsewhere"):
        trail_with(tmp_path / "clone", anchors).open()
    found = verify(clone.path, evidence=Evidence(anchors=tuple(anchors.read())))
    assert (found.foreign, found.first_bad) == (True, 6)


def test_a_trail_begun_anew_under_the_same_id_stays_closed(here: Path, anchors: FileAnchors, tmp_path: Path) -> None:
    with trail_with(here, anchors) as trail:
        busy(trail)
        key = trail.identity.public_key
    other = tmp_path / "anew"
    with trail_with(other) as trail:
        busy(trail, 9)
    with pytest.raises(TrailError, match="anchored elsewhere with another key: it was begun anew here"):
        trail_with(other, anchors).open()
    assert verify(trail.path, evidence=Evidence(anchors=tuple(anchors.read()))).foreign
    assert verify(trail.path, evidence=Evidence(public_key=key)).sentence == (
        "The trail is sealed with another key than the one given."
    )


def test_what_others_slip_into_a_sink_counts_for_nothing(here: Path, anchors: FileAnchors, tmp_path: Path) -> None:
    with trail_with(here, anchors) as trail:
        busy(trail)
        newest = trail.status().checkpoint
        assert newest is not None
    thief = SigningKey.create(tmp_path / "thief.key")
    forged = Checkpoint("kiosk-7", 99, 9999, bytes(32), newest.time, Occasion.BUSY, bytes(32), bytes(32))
    for slipped in (forged.signed(thief.sign(forged.body)), forged.signed(newest.signature), forged):
        anchors.write(slipped)
    with (tmp_path / "anchors.jsonl").open("ab") as file:
        file.write(b"garbage\n" + b"x" * 10_000 + b'\n{"format":"kiosk-trail-checkpoint-1"}\n' + b'{"torn":')
    with trail_with(here, anchors) as trail:
        busy(trail)
    assert verify(trail.path, evidence=Evidence(anchors=tuple(anchors.read()))).anchors == 2


def test_another_kiosks_anchors_are_its_own_business(tmp_path: Path, anchors: FileAnchors) -> None:
    for name in ("kiosk-7", "kiosk-8"):
        with trail_with(tmp_path / name, anchors, kiosk_id=name) as trail:
            busy(trail)
    for name in ("kiosk-7", "kiosk-8"):
        with trail_with(tmp_path / name, anchors, kiosk_id=name) as trail:
            assert trail.append(event(1)).sequence == 4


def test_a_sink_that_is_dead_stops_nothing_and_is_compared_when_it_lives(here: Path, tmp_path: Path) -> None:
    sink = Dead()
    with trail_with(here, sink) as trail:
        busy(trail)
        status = trail.status()
        assert (status.anchored, status.anchor_fault) == (0, "The fleet cannot be reached.")
        whole_copy(here, tmp_path / "older")
        sink.dead = False
        busy(trail)
        assert trail.status().anchored == 2
        assert trail.status().anchor_fault == ""
    whole_copy(tmp_path / "older", here)
    sink.dead = True
    with trail_with(here, sink) as trail:
        trail.append(event(7))
        sink.dead = False
        with pytest.raises(BehindAnchor, match="ends at record 4, but record 6 is anchored"):
            trail.anchor()
        with pytest.raises(TrailError, match="is anchored elsewhere"):
            trail.append(event(8))


def test_a_sink_of_two_functions_serves_as_well(here: Path) -> None:
    kept: list[Checkpoint] = []

    def known(kiosk_id: str) -> Iterator[Checkpoint]:
        yield from (checkpoint for checkpoint in reversed(kept) if checkpoint.kiosk_id == kiosk_id)

    with trail_with(here, CalledAnchors(kept.append, known)) as trail:
        busy(trail)
    kept.append(kept[0])  # it came twice
    with trail_with(here, CalledAnchors(kept.append, known)) as trail:
        busy(trail)
    assert [checkpoint.number for checkpoint in kept] == [1, 1, 2]


def test_a_file_of_anchors_that_broke_off_goes_on_on_a_line_of_its_own(here: Path, tmp_path: Path) -> None:
    anchors = FileAnchors(tmp_path / "anchors.jsonl")
    with trail_with(here, anchors) as trail:
        busy(trail)
        with (tmp_path / "anchors.jsonl").open("ab") as file:
            file.write(b'{"half')
        busy(trail)
    assert [checkpoint.number for checkpoint in anchors.read()] == [2, 1]
    assert os.stat(tmp_path / "anchors.jsonl").st_mode & 0o777 == 0o600
