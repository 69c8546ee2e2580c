"""Instance Availability Notification after a push: who is told, how often, and that nobody's no undoes a delivery."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from kiosk.audit import Outcome
from kiosk.imaging.network.availability import INSTANCE_AVAILABILITY
from kiosk.imaging.network.keys import STUDY_ROOT_FIND
from kiosk.imaging.outbox import JobState
from kiosk.imaging.peers import Peer
from kiosk.operations import backoff, deliver
from kiosk.operations.parcel import TRIES
from kiosk.operations.settlement import DeliveryRules
from tests.kiosk.operations.test_parcels import Store, serving, shop, study_of
from tests.peers import Server, ct_series, fill, free_port, local_peer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are as short as they may be."""
    monkeypatch.setattr(backoff, "BROKEN_OFF", (0.05,))
    monkeypatch.setattr(deliver, "LOOK_EVERY", 0.05)


@pytest.fixture
def series(orthanc: Server) -> list[Dataset]:
    datasets = ct_series(3, PatientID="P-availability")
    fill(orthanc.peer, datasets)
    return datasets


@pytest.fixture
def destination() -> Iterator[Peer]:
    with serving(Store(), STUDY_ROOT_FIND) as peer:
        yield peer


class Desk(Store):
    """A RIS that takes notifications with these statuses, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        super().__init__()
        self._statuses = statuses

    def on_create(self, event: Any) -> tuple[int, Dataset]:
        super().on_create(event)
        return self._statuses[min(len(self.told), len(self._statuses)) - 1], Dataset()


def named(peer: Peer, name: str) -> Peer:
    return replace(peer, name=name)


def test_a_listener_that_refuses_is_told_again_and_then_left_with_the_push_delivered(
    orthanc: Server, destination: Peer, series: list[Dataset], tmp_path: Path
) -> None:
    ris = Desk(0x0110, 0x0213, 0x0124)
    with serving(ris, INSTANCE_AVAILABILITY) as peer:
        rules = DeliveryRules(listeners=(named(peer, "RIS"),))
        with shop(tmp_path, orthanc.peer, destination, rules) as desk:
            job_id = desk.push(study_of(series))
            waiting = desk.await_job(job_id, lambda job: job.attempts > 0)
            assert desk.outbox.counts(job_id).delivered == 3
            job = desk.await_job(job_id, lambda job: job.state.is_final)
            desk.await_empty_spool()
            entries = desk.await_entries(TRIES + 1, "deliver", "confirm")
    assert "RIS (STORE) refused the notification" in waiting.sentence
    assert job.state is JobState.DELIVERED
    assert "not authorised (0124)" in job.sentence
    assert job.told == ()
    assert len(ris.told) == TRIES + 1
    assert {entry.outcome for entry in entries} == {Outcome.SUCCESS}


def test_a_listener_that_comes_back_is_told_once(
    orthanc: Server, destination: Peer, series: list[Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "BROKEN_OFF", (0.5,))
    ris, port = Desk(0), free_port()
    rules = DeliveryRules(listeners=(local_peer("RIS", "STORE", port),))
    with shop(tmp_path, orthanc.peer, destination, rules) as desk:
        job_id = desk.push(study_of(series))
        job = desk.await_job(job_id, lambda job: job.attempts > 0)
        assert job.state is JobState.CONFIRMING
        assert "RIS (STORE) cannot be reached" in job.sentence
        with serving(ris, INSTANCE_AVAILABILITY, port=port):
            job = desk.await_job(job_id, lambda job: job.state.is_final)
    assert (job.state, job.told) == (JobState.DELIVERED, ("RIS",))
    assert len(ris.told) == 1


def test_one_listener_that_is_gone_keeps_no_other_from_being_told_once(
    orthanc: Server, destination: Peer, series: list[Dataset], tmp_path: Path
) -> None:
    first, last, deaf = Desk(0), Desk(0x0107), Desk(0)
    with ExitStack() as stack:
        peers = (
            named(stack.enter_context(serving(first, INSTANCE_AVAILABILITY)), "First"),
            named(local_peer("Gone", "STORE", free_port()), "Gone"),
            named(stack.enter_context(serving(deaf, STUDY_ROOT_FIND)), "Deaf"),
            named(stack.enter_context(serving(last, INSTANCE_AVAILABILITY)), "Last"),
        )
        with shop(tmp_path, orthanc.peer, destination, DeliveryRules(listeners=peers)) as desk:
            job = desk.run(study_of(series))
    assert (job.state, job.told) == (JobState.DELIVERED, ("First", "Last"))
    assert (len(first.told), len(last.told), len(deaf.told)) == (1, 1, 0)


def test_nobody_is_told_of_instances_that_are_not_delivered(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    class Picky(Store):
        def on_store(self, event: Any) -> int:
            return super().on_store(event) if event.dataset.InstanceNumber == 2 else 0xC000

    ris, store = Desk(0), Picky()
    with serving(ris, INSTANCE_AVAILABILITY) as listener, serving(store, STUDY_ROOT_FIND) as peer:
        rules = DeliveryRules(listeners=(named(listener, "RIS"),))
        with shop(tmp_path, orthanc.peer, peer, rules) as desk:
            job = desk.run(study_of(series))
    assert job.state is JobState.FAILED
    (told,) = ris.told
    (one,) = told.ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in one.ReferencedSOPSequence] == store.stored
    assert store.stored == [series[1].SOPInstanceUID]


def test_listeners_are_told_once_of_what_is_delivered(orthanc: Server, series: list[Dataset], tmp_path: Path) -> None:
    store, listener = Store(), Store()
    with serving(listener, INSTANCE_AVAILABILITY) as ris:
        rules = DeliveryRules(listeners=(replace(ris, name="RIS"),))
        with serving(store, STUDY_ROOT_FIND) as peer, shop(tmp_path, orthanc.peer, peer, rules) as desk:
            job = desk.run(study_of(series))
    assert (job.state, job.told) == (JobState.DELIVERED, ("RIS",))
    (told,) = listener.told
    instances = told.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert sorted(one.ReferencedSOPInstanceUID for one in instances) == sorted(store.stored)
    assert {one.RetrieveAETitle for one in instances} == {"STORE"}
