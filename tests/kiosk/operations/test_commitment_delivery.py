"""Storage commitment as a push meets it: before, at once, after a restart, from somebody else, about half of it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role

from kiosk.clock import SystemClock
from kiosk.imaging.network.commitment import STORAGE_COMMITMENT
from kiosk.imaging.network.keys import STUDY_ROOT_FIND
from kiosk.imaging.network.pynetdicom_mend import mend
from kiosk.imaging.outbox import ItemState, JobState, OutboxJob
from kiosk.operations import backoff, deliver
from kiosk.operations.settlement import DeliveryRules
from tests.kiosk.imaging.test_commitment import Keeper
from tests.kiosk.operations.test_parcels import LONGEST_WAIT, Shop, Store, serving, shop, study_of
from tests.peers import Server, ct_series, fill, free_port

PATIENT = DeliveryRules(patience=timedelta(hours=1))
SERVICES = STORAGE_COMMITMENT, STUDY_ROOT_FIND


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are as short as they may be."""
    monkeypatch.setattr(backoff, "BROKEN_OFF", (0.05,))
    monkeypatch.setattr(deliver, "LOOK_EVERY", 0.05)


@pytest.fixture
def series(orthanc: Server) -> list[Dataset]:
    datasets = ct_series(3, PatientID="P-commitment")
    fill(orthanc.peer, datasets)
    return datasets


def report(
    port: int,
    keeper: Keeper,
    transaction: str,
    kept: list[str],
    failed: dict[str, int] | None = None,
    ae_title: str = "STORE",
) -> bool:
    """The destination's own association to us, as soon as we listen; False where it is rejected."""
    mend()
    entity = AE(ae_title=ae_title)
    entity.add_requested_context(STORAGE_COMMITMENT)
    roles = [build_role(STORAGE_COMMITMENT, scu_role=False, scp_role=True)]
    until, pause = SystemClock().monotonic() + LONGEST_WAIT, Event()
    while not (association := entity.associate("127.0.0.1", port, ae_title="KIOSK", ext_neg=roles)).is_established:
        if association.is_rejected:
            return False
        assert SystemClock().monotonic() < until, "the kiosk does not listen"
        pause.wait(0.1)
    keeper.report(association, transaction, kept, failed or {})
    association.release()
    return True


def awaits_report(job: OutboxJob) -> bool:
    return job.state is JobState.CONFIRMING and job.due is not None


def await_transaction(desk: Shop, job_id: str) -> str:
    return desk.await_job(job_id, awaits_report).transaction_uid


def test_a_report_on_the_association_that_asked_ends_the_push_at_once(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    """And nobody needs to listen for it."""
    store = Store()

    def act(keeper: Keeper, association: Any, asked: Dataset) -> None:
        keeper.report(association, asked.TransactionUID, store.stored[:2], {store.stored[2]: 0x0213})

    store.keeper = Keeper(act=act)
    with serving(store, *SERVICES) as peer, shop(tmp_path, orthanc.peer, peer) as desk:
        job = desk.run(study_of(series))
        counts = desk.outbox.counts(job.job_id)
    store.keeper.join()
    assert (job.state, job.sentence) == (JobState.FAILED, "1 instance did not arrive.")
    assert (counts.delivered, counts.failed) == (2, 1)
    assert "is not kept: resource limitation (0213)" in counts.failures[0].reason
    assert store.keeper.answers == [0]


def test_a_report_that_comes_before_the_answer_to_the_request_is_believed(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    port, store = free_port(), Store()

    class Hasty(Keeper):
        def on_action(self, event: Any) -> tuple[int, None]:
            assert report(port, self, event.action_information.TransactionUID, store.stored)
            return super().on_action(event)

    store.keeper = Hasty()
    with serving(store, *SERVICES) as peer, shop(tmp_path, orthanc.peer, peer, PATIENT, port) as desk:
        assert desk.run(study_of(series)).state is JobState.DELIVERED
    assert len(store.keeper.asked) == 1
    assert store.keeper.answers == [0]


def test_a_report_that_comes_after_the_kiosk_was_restarted_is_believed(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    port, store = free_port(), Store()
    with serving(store, *SERVICES) as peer:
        with shop(tmp_path, orthanc.peer, peer, PATIENT, port) as desk:
            job_id = desk.push(study_of(series))
            transaction = await_transaction(desk, job_id)
        with shop(tmp_path, orthanc.peer, peer, PATIENT, port) as desk:
            assert report(port, store.keeper, transaction, store.stored)
            assert desk.await_job(job_id, lambda job: job.state.is_final).state is JobState.DELIVERED
    assert len(store.stored) == 3
    assert len(store.keeper.asked) == 1


def test_only_the_destination_is_believed_about_what_it_keeps(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    """The archive may call us as well, and even knows the transaction."""
    port, store = free_port(), Store()
    with (
        serving(store, *SERVICES) as peer,
        shop(tmp_path, orthanc.peer, peer, PATIENT, port) as desk,
    ):
        job_id = desk.push(study_of(series))
        transaction = await_transaction(desk, job_id)
        uids = [str(dataset.SOPInstanceUID) for dataset in series]
        assert report(port, store.keeper, transaction, uids, ae_title="ORTHANC")
        assert not report(port, store.keeper, transaction, uids, ae_title="STRANGER")
        assert report(port, store.keeper, "2.25.4711", uids)
        assert report(port, store.keeper, transaction, [], {uid: 0x0112 for uid in uids[:1]} | {"1.2.3.4": 0x0112})
        job = desk.await_job(job_id, lambda job: job.state.is_final)
        items = {item.sop_instance_uid: item for item in desk.outbox.items(job_id)}
    assert (job.state, job.sentence) == (JobState.FAILED, "3 instances did not arrive.")
    assert {item.state for item in items.values()} == {ItemState.FAILED}
    assert "no such SOP instance (0112)" in items[uids[0]].reason
    assert all("says nothing of it" in items[uid].reason for uid in uids[1:])
    assert "1.2.3.4" not in items


def test_a_destination_that_refuses_to_commit_is_queried(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    store = Store()
    store.keeper.status = 0x0211
    with serving(store, *SERVICES) as peer, shop(tmp_path, orthanc.peer, peer, PATIENT, free_port()) as desk:
        assert desk.run(study_of(series)).state is JobState.DELIVERED
    assert len(store.keeper.asked) == 1


def test_a_destination_that_is_out_of_resources_is_asked_to_commit_again(
    orthanc: Server, series: list[Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "BUSY", (0.05,))
    port, store = free_port(), Store()

    class Busy(Keeper):
        def on_action(self, event: Any) -> tuple[int, None]:
            super().on_action(event)
            return (0x0213, None) if len(self.asked) < 3 else (0, None)

    store.keeper = Busy()
    with serving(store, *SERVICES) as peer, shop(tmp_path, orthanc.peer, peer, PATIENT, port) as desk:
        job_id = desk.push(study_of(series))
        transaction = await_transaction(desk, job_id)
        assert report(port, store.keeper, transaction, store.stored)
        assert desk.await_job(job_id, lambda job: job.state.is_final).state is JobState.DELIVERED
    asked = [str(one.TransactionUID) for one in store.keeper.asked]
    assert len(set(asked)) == 3
    assert asked[-1] == transaction


def test_a_late_report_of_a_push_that_only_counted_as_sent_makes_it_delivered(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    """It offers no queries: when the patience is over the push is sent, and no more."""
    port, store = free_port(), Store()
    rules = replace(PATIENT, patience=timedelta(seconds=1))
    with serving(store, STORAGE_COMMITMENT) as peer, shop(tmp_path, orthanc.peer, peer, rules, port) as desk:
        job = desk.run(study_of(series))
        assert job.state is JobState.SENT
        assert "cannot be asked" in job.sentence
        transaction = str(store.keeper.asked[0].TransactionUID)
        assert report(port, store.keeper, transaction, store.stored)
        desk.await_job(job.job_id, lambda job: job.state is JobState.DELIVERED)
        assert {item.state for item in desk.outbox.items(job.job_id)} == {ItemState.DELIVERED}
