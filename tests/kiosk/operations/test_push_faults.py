"""Archives and destinations that break off, hang, lie and babble at every step of a push: it arrives, once, all of it,
and what was in the way is said and on record."""

import re
import resource
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import ItemState, JobState
from kiosk.imaging.peers import Verify
from tests.kiosk.imaging.counterpart import ARCHIVE_STEPS, DESTINATION_STEPS, Counterpart, Fault, Line, Step
from tests.kiosk.imaging.faults import KINDS, abort, hang, promise, repeat_for_ever, repeat_without_end, trickle
from tests.kiosk.imaging.hostile import raw_peer
from tests.kiosk.operations.desks import desk, hurry, resident_bytes, sentences
from tests.kiosk.operations.test_parcels import Shop, study_of
from tests.peers import ct_series

SHORT = ("abort", "hang", "answer elsewhere", "long PDU", "long element", "say nothing at length")
MOST_MEMORY = 220_000_000
CANCEL_SECONDS = 1.5
"""Within a second, and what a busy machine takes to notice."""


@pytest.fixture(scope="module")
def imaging() -> Iterator[WorkerImaging]:
    imaging = WorkerImaging(reserve_bytes=0)
    imaging.start()
    yield imaging
    imaging.close()


@contextmanager
def between(
    imaging: WorkerImaging, folder: Path, timeout: float, count: int = 4, **changes: Any
) -> Iterator[tuple[Counterpart, Counterpart, Shop]]:
    """A desk between two counterparts; `changes` are of the destination's configuration."""
    archive, destination = Counterpart(ct_series(count, PatientID="P-faults")), Counterpart()
    archive.feeds = destination
    with (
        raw_peer(archive.attend, timeout) as source,
        raw_peer(destination.attend, timeout) as target,
        desk(folder, imaging, source, replace(target, **{"verify": Verify.QUERY, **changes})) as shop,
    ):
        yield archive, destination, shop


def check(archive: Counterpart, destination: Counterpart, shop: Shop, job_id: str) -> None:
    """All of it, once, as it was."""
    assert not archive.planned
    assert not destination.planned
    assert dict(destination.kept) == archive.holds
    assert Counter(uid for uid, _ in destination.kept) == Counter(archive.holds.keys())
    assert {item.state for item in shop.outbox.items(job_id)} == {ItemState.DELIVERED}
    shop.await_empty_spool()
    last = dict(shop.await_entries(1, "deliver", "confirm")[-1].details)
    assert (last["job"], last["delivered"]) == (job_id, str(len(archive.holds)))


def cases(*short: str) -> list[object]:
    """Every kind, and which of them are for the short suite."""
    return [pytest.param(name, id=name, marks=() if name in short else pytest.mark.long) for name in KINDS]


@pytest.mark.parametrize("name", cases(*SHORT))
def test_a_fault_at_every_step_costs_nothing_but_time(
    name: str, imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    kind, workers = KINDS[name], imaging.process_ids
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with between(imaging, tmp_path, timeout=0.4 if kind.hangs else 5) as (archive, destination, shop):
        archive.plan(kind.fault, *kind.among(ARCHIVE_STEPS))
        destination.plan(kind.fault, *kind.among(DESTINATION_STEPS))
        job = shop.run(study_of(archive.datasets))
        assert (job.state, job.sentence) == (JobState.DELIVERED, "")
        check(archive, destination, shop, job.job_id)
        said = sentences(shop)
    assert said
    assert all(re.search(rf"(HOSTILE|Destination|Archive).*({kind.sentence})", sentence) for sentence in said), said
    assert imaging.process_ids == workers
    assert all(resident_bytes(worker) < MOST_MEMORY for worker in workers)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


STUCK = [(hang, "archive", step) for step in ARCHIVE_STEPS]
STUCK += [(hang, "destination", step) for step in DESTINATION_STEPS]
STUCK += [(promise, "archive", Step.FIND), (promise, "archive", Step.GET), (promise, "destination", Step.FIND)]
STUCK += [(trickle, "archive", Step.GIVING), (trickle, "destination", Step.TAKING)]
SHORT_STUCK = (Step.TAKING, Step.GET)


@pytest.mark.parametrize(
    ("fault", "where", "step"),
    [
        pytest.param(*stuck, id="-".join((stuck[0].__name__, stuck[1], stuck[2].name)),
                     marks=() if stuck[2] in SHORT_STUCK else pytest.mark.long)
        for stuck in STUCK
    ],
)  # fmt: skip
def test_a_push_that_is_stuck_can_be_cancelled_at_once_and_tried_again(
    fault: Fault, where: str, step: Step, imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with between(imaging, tmp_path, timeout=60) as (archive, destination, shop):
        stuck = archive if where == "archive" else destination
        stuck.plan(fault, step)
        job_id = shop.push(study_of(archive.datasets))
        assert stuck.struck.wait(30)
        began = time.monotonic()
        shop.deliverer.cancel(job_id)
        job = shop.await_job(job_id, lambda job: job.state.is_final)
        assert job.state is JobState.CANCELLED
        assert time.monotonic() - began < CANCEL_SECONDS
        shop.await_empty_spool()
        shop.deliverer.retry(job_id)
        shop.await_job(job_id, lambda job: job.state is JobState.DELIVERED)
        check(archive, destination, shop, job_id)


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "where", "step"),
    [
        pytest.param(*stuck, id="-".join((stuck[0].__name__, stuck[1], stuck[2].name)))
        for stuck in (
            (promise, "archive", Step.FIND),
            (promise, "archive", Step.GET),
            (promise, "archive", Step.MOVED),
            (promise, "destination", Step.FIND),
            (repeat_for_ever, "archive", Step.GIVING),
            (repeat_without_end, "archive", Step.GIVING),
        )
    ],
)
def test_a_peer_that_comes_to_no_end_is_left(
    fault: Fault, where: str, step: Step, imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    fed_by = ("Archive",) if step is Step.MOVED else ()
    with between(imaging, tmp_path, timeout=0.5, fed_by=fed_by) as (archive, destination, shop):
        stuck = archive if where == "archive" else destination
        stuck.plan(fault, step)
        job_id = shop.push(study_of(archive.datasets))
        shop.await_job(job_id, lambda job: job.state is JobState.DELIVERED)
        check(archive, destination, shop, job_id)
        said = sentences(shop)
    # Where something had come already, the rest is asked for at once: nobody needs to be told.
    ended = [sentence for sentence in said if "comes to no end" in sentence or "there is more to come" in sentence]
    assert ended or step is Step.GIVING, said


@pytest.mark.parametrize("name", ["abort", pytest.param("hang", marks=pytest.mark.long)])
def test_a_fault_on_one_of_two_associations_costs_nothing_but_time(
    name: str, imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with between(imaging, tmp_path, timeout=0.6, associations=2) as (archive, destination, shop):
        destination.plan(KINDS[name].fault, *DESTINATION_STEPS, Step.TAKING, Step.TAKEN)
        job = shop.run(study_of(archive.datasets))
        assert job.state is JobState.DELIVERED
        check(archive, destination, shop, job.job_id)


def test_what_the_archive_lists_and_nobody_can_read_is_not_left_out_in_silence(
    imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)

    def list_one_that_lies(line: Line) -> None:
        line.answer(0xFF00, b"\x08\x00\x18\x00UI\x00\x00")
        line.answer(0)

    with between(imaging, tmp_path, timeout=5) as (archive, destination, shop):
        archive.plan(list_one_that_lies, Step.FIND)
        job = shop.run(study_of(archive.datasets))
        assert (job.state, job.sentence) == (
            JobState.FAILED,
            "Archive (HOSTILE_AE) lists 1 series of this study in a way that cannot be read.",
        )
        assert not destination.kept
        shop.deliverer.retry(job.job_id)
        shop.await_job(job.job_id, lambda job: job.state is JobState.DELIVERED)
        check(archive, destination, shop, job.job_id)


@pytest.mark.long
def test_an_archive_that_breaks_off_after_every_instance_is_asked_for_the_rest_to_the_last(
    imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with between(imaging, tmp_path, timeout=5, count=25) as (archive, destination, shop):
        archive.plan(abort, *[Step.GIVING] * 24)
        job = shop.run(study_of(archive.datasets))
        assert (job.state, job.sentence) == (JobState.DELIVERED, "")
        check(archive, destination, shop, job.job_id)


@pytest.mark.parametrize("name", cases("hang", "answer another"))
def test_a_fault_where_storage_commitment_is_asked_for_costs_nothing_but_time(
    name: str, imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    kind = KINDS[name]
    with between(imaging, tmp_path, 0.4 if kind.hangs else 5, verify=Verify.COMMITMENT) as (archive, destination, shop):
        destination.plan(kind.fault, *kind.among((Step.COMMIT,)) or (Step.ASSOCIATE,))
        job = shop.run(study_of(archive.datasets))
        assert job.state is JobState.DELIVERED
        check(archive, destination, shop, job.job_id)


@pytest.mark.parametrize("name", cases("hang", "answer another"))
def test_a_fault_of_an_archive_that_feeds_the_destination_itself_costs_nothing_but_time(
    name: str, imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    kind = KINDS[name]
    with between(imaging, tmp_path, 0.4 if kind.hangs else 5, fed_by=("Archive",)) as (archive, destination, shop):
        archive.plan(kind.fault, *kind.among((Step.ASSOCIATE, Step.MOVE, Step.MOVED)))
        job = shop.run(study_of(archive.datasets))
        assert (job.state, job.sentence) == (JobState.DELIVERED, "")
        check(archive, destination, shop, job.job_id)
        said = sentences(shop)
    assert all(re.search(rf"Archive.*({kind.sentence})", sentence) for sentence in said), said


def test_an_object_whose_lengths_lie_is_named_and_the_others_go(
    imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    workers = imaging.process_ids
    with between(imaging, tmp_path, timeout=5) as (archive, destination, shop):
        bad, *good = archive.holds
        archive.gives[bad] = b"\x08\x00\x05\x00UT\x00\x00\xfe\xff\xff\xff" + bytes(64)
        job = shop.run(study_of(archive.datasets))
        assert (job.state, job.sentence) == (JobState.FAILED, "1 instance did not arrive.")
        (failure,) = shop.outbox.counts(job.job_id).failures
        assert failure.sop_instance_uid == bad
        assert "1 was not what the request said" in failure.reason
        assert dict(destination.kept) == {uid: archive.holds[uid] for uid in good}
        archive.gives.clear()
        shop.deliverer.retry(job.job_id)
        shop.await_job(job.job_id, lambda job: job.state is JobState.DELIVERED)
        check(archive, destination, shop, job.job_id)
    assert imaging.process_ids == workers
    assert all(resident_bytes(worker) < MOST_MEMORY for worker in workers)
