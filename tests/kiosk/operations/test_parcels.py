"""Pushes to real destinations: what is sent, what is kept, who is told, and what is on record of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless
from pynetdicom import AE, StoragePresentationContexts, build_role, evt

from kiosk.audit import Entry, Outcome
from kiosk.clock import SystemClock
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.network.commitment import STORAGE_COMMITMENT
from kiosk.imaging.network.keys import STUDY_ROOT_FIND
from kiosk.imaging.network.pynetdicom_mend import mend
from kiosk.imaging.outbox import ItemState, JobState, Outbox, OutboxJob
from kiosk.imaging.peers import Peer, Receiving, Verify
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Patient, PersonName, Study
from kiosk.operations import backoff
from kiosk.operations.deliver import Deliverer
from kiosk.operations.hub import Hub
from kiosk.operations.operations import PushRequest
from kiosk.operations.perform import Desk
from kiosk.operations.settlement import DeliveryRules
from tests.kiosk.imaging.test_commitment import Keeper
from tests.kiosk.operations.acts import SESSION
from tests.kiosk.operations.ledgers import MemoryLedger
from tests.peers import Server, ct_series, fill, free_port, local_peer, run_dcmqrscp, run_orthanc, run_storescp

LONGEST_WAIT = 60.0


def study_of(datasets: list[Dataset]) -> Study:
    patient = Patient(str(datasets[0].PatientID), "", PersonName("Doe^Jane"), None, "F")
    uid = str(datasets[0].StudyInstanceUID)
    return Study(uid, patient, None, None, "A1", "Head", ("CT",), PersonName(), "1", 1, len(datasets), "Archive")


@dataclass
class Shop:
    """A deliverer at work between real peers."""

    deliverer: Deliverer
    outbox: Outbox
    spool: Spool
    ledger: MemoryLedger

    def push(self, study: Study) -> str:
        return self.deliverer.add(PushRequest(study, (), "Destination"), SESSION)

    def await_job(self, job_id: str, wanted: Callable[[OutboxJob], bool]) -> OutboxJob:
        until, pause = SystemClock().monotonic() + LONGEST_WAIT, Event()
        while not wanted(job := self.outbox.job(job_id)):
            assert SystemClock().monotonic() < until, f"the push stands at {job}"
            pause.wait(0.05)
        return job

    def run(self, study: Study) -> OutboxJob:
        return self.await_job(self.push(study), lambda job: job.state.is_final)

    def await_empty_spool(self) -> None:
        """The files go after the state has been written: what is delivered once stays delivered."""
        until, pause = SystemClock().monotonic() + LONGEST_WAIT, Event()
        while left := self.spool.names():
            assert SystemClock().monotonic() < until, f"files that no push needs: {left}"
            pause.wait(0.05)

    def await_entries(self, count: int, *acts: str) -> list[Entry]:
        until, pause = SystemClock().monotonic() + LONGEST_WAIT, Event()
        while True:
            found = [entry for entry in self.ledger.entries if entry.act in acts and entry.outcome is not None]
            if len(found) >= count:
                return found
            assert SystemClock().monotonic() < until, found
            pause.wait(0.05)


@contextmanager
def shop(
    folder: Path, archive: Peer, destination: Peer, rules: DeliveryRules | None = None, port: int = 0
) -> Iterator[Shop]:
    archive, destination = replace(archive, name="Archive"), replace(destination, name="Destination")
    receiving = Receiving("KIOSK", port, "127.0.0.1", callers=(archive, destination)) if port else None
    imaging = WorkerImaging(reserve_bytes=0, receiving=receiving)
    outbox, spool, ledger = Outbox(folder / "outbox.db"), Spool(folder / "spool", 0, durable=True), MemoryLedger()
    outbox.open()
    deliverer = Deliverer(
        Desk(ledger, lambda _: True),
        imaging,
        outbox,
        spool,
        lambda _: archive,
        lambda _: destination,
        Hub(),
        SystemClock(),
        rules or DeliveryRules(),
    )
    deliverer.start()
    try:
        yield Shop(deliverer, outbox, spool, ledger)
    finally:
        deliverer.stop()
        imaging.close()
        outbox.close()


class Store:
    """A destination of the suite's own that stores, and does of the rest what a test wants."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.keeper = Keeper()
        self.told: list[Dataset] = []
        self.listed = True

    def on_store(self, event: Any) -> int:
        self.stored.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    def on_find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for uid in self.stored if self.listed else ():
            answer = Dataset()
            answer.QueryRetrieveLevel = "IMAGE"
            answer.SOPInstanceUID = uid
            yield 0xFF00, answer

    def on_create(self, event: Any) -> tuple[int, Dataset]:
        self.told.append(event.attribute_list)
        return 0, Dataset()


@contextmanager
def serving(store: Store, *services: str, port: int = 0) -> Iterator[Peer]:
    mend()
    entity = AE(ae_title="STORE")
    for context in StoragePresentationContexts[:120]:
        entity.add_supported_context(str(context.abstract_syntax))
    for service in services:
        entity.add_supported_context(service, scu_role=True, scp_role=True)
    port = port or free_port()
    handlers = [
        (evt.EVT_C_STORE, store.on_store),
        (evt.EVT_C_FIND, store.on_find),
        (evt.EVT_N_ACTION, store.keeper.on_action),
        (evt.EVT_N_CREATE, store.on_create),
    ]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield local_peer("Destination", "STORE", port, timeout=20)
    finally:
        server.shutdown()


@pytest.fixture
def series(orthanc: Server) -> list[Dataset]:
    datasets = ct_series(4, PatientID="P-parcels")
    fill(orthanc.peer, datasets)
    return datasets


def test_what_the_destination_lists_is_delivered(
    orthanc: Server, dcmqrscp: Server, series: list[Dataset], tmp_path: Path
) -> None:
    with shop(tmp_path, orthanc.peer, dcmqrscp.peer) as desk:
        job = desk.run(study_of(series))
        assert (job.state, job.sentence) == (JobState.DELIVERED, "")
        assert {item.state for item in desk.outbox.items(job.job_id)} == {ItemState.DELIVERED}
        desk.await_empty_spool()
        (entry,) = desk.await_entries(1, "deliver")
    assert entry.outcome is Outcome.SUCCESS
    assert dict(entry.details)["delivered"] == "4"
    assert entry.details[-2:] == (("verify", "commitment"), ("listed", "4"))


def test_what_the_archive_sends_of_another_patient_is_not_passed_on(
    orthanc: Server, dcmqrscp: Server, series: list[Dataset], tmp_path: Path
) -> None:
    before = len(dcmqrscp.stored_files())
    mine = replace(study_of(series), patient=Patient("P-mine", "", PersonName("Doe^Jane"), None, "F"))
    with shop(tmp_path, orthanc.peer, dcmqrscp.peer) as desk:
        job = desk.run(mine)
        counts = desk.outbox.counts(job.job_id)
        desk.await_empty_spool()
    assert job.state is JobState.FAILED
    assert (counts.sent, counts.failed) == (0, 4)
    assert len(dcmqrscp.stored_files()) == before


@pytest.mark.parametrize("verify", [Verify.NONE, Verify.COMMITMENT])
def test_a_destination_that_cannot_be_asked_has_been_sent_it_and_no_more(
    orthanc: Server, storescp: Server, series: list[Dataset], tmp_path: Path, verify: Verify
) -> None:
    with shop(tmp_path, orthanc.peer, replace(storescp.peer, verify=verify)) as desk:
        job = desk.run(study_of(series))
        entry = desk.await_entries(1, "deliver")[0]
    assert job.state is JobState.SENT
    assert ("cannot be asked" in job.sentence) is (verify is Verify.COMMITMENT)
    assert (("unasked", "4") in entry.details) is (verify is Verify.COMMITMENT)


def test_what_the_destination_took_and_does_not_list_is_looked_for_again(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    store = Store()
    store.listed = False
    with serving(store, STUDY_ROOT_FIND) as peer, shop(tmp_path, orthanc.peer, peer) as desk:
        job_id = desk.push(study_of(series))
        job = desk.await_job(job_id, lambda job: job.state is JobState.CONFIRMING and "yet" in job.sentence)
        assert "does not list 4 of the instances yet" in job.sentence
        store.listed = True
        job = desk.await_job(job_id, lambda job: job.state.is_final)
        assert job.state is JobState.DELIVERED
        first, last = desk.await_entries(2, "deliver", "confirm")[0], desk.ledger.entries[-1]
    assert len(store.stored) == 4
    assert (first.act, last.act) == ("deliver", "confirm")
    assert not last.messages


def test_what_the_destination_loses_is_sent_again_and_at_last_given_up(
    orthanc: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "BROKEN_OFF", (0.05,))
    datasets = ct_series(3, PatientID="P-lost")
    fill(orthanc.peer, datasets)
    losing, careless = str(datasets[0].SOPInstanceUID), str(datasets[1].SOPInstanceUID)

    class Losing(Store):
        def on_find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
            kept = self.stored
            self.stored = [uid for uid in kept if uid != losing and (uid != careless or kept.count(uid) > 1)]
            yield from super().on_find(event)
            self.stored = kept

    store = Losing()
    with serving(store, STUDY_ROOT_FIND) as peer, shop(tmp_path, orthanc.peer, peer) as desk:
        job = desk.run(study_of(datasets))
        counts = desk.outbox.counts(job.job_id)
    assert job.state is JobState.FAILED
    assert (counts.delivered, counts.failed) == (2, 1)
    assert [(one.sop_instance_uid, "does not list" in one.reason) for one in counts.failures] == [(losing, True)]
    assert [store.stored.count(str(one.SOPInstanceUID)) for one in datasets] == [3, 2, 1]


def test_a_report_that_comes_late_and_twice_delivers_once(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    store, port = Store(), free_port()
    rules = DeliveryRules(patience=timedelta(hours=1))

    def report(transaction: str, kept: list[str], failed: dict[str, int]) -> None:
        entity = AE(ae_title="STORE")
        entity.add_requested_context(STORAGE_COMMITMENT)
        roles = [build_role(STORAGE_COMMITMENT, scu_role=False, scp_role=True)]
        until, pause = SystemClock().monotonic() + LONGEST_WAIT, Event()
        while not (association := entity.associate("127.0.0.1", port, ae_title="KIOSK", ext_neg=roles)).is_established:
            assert SystemClock().monotonic() < until, "the kiosk does not listen"
            pause.wait(0.05)
        store.keeper.report(association, transaction, kept, failed)
        association.release()

    services = STORAGE_COMMITMENT, STUDY_ROOT_FIND
    with serving(store, *services) as peer, shop(tmp_path, orthanc.peer, peer, rules, port) as desk:
        job_id = desk.push(study_of(series))
        job = desk.await_job(job_id, lambda job: job.state is JobState.CONFIRMING and job.due is not None)
        assert "will say what it keeps" in job.sentence
        asked = str(store.keeper.asked[0].TransactionUID)
        assert asked == job.transaction_uid
        report("2.25.1", store.stored, {})
        assert desk.outbox.counts(job_id).delivered == 0
        report(asked, store.stored[:3], {store.stored[3]: 0x0112})
        report(asked, store.stored, {})
        job = desk.await_job(job_id, lambda job: job.state.is_final)
        assert (job.state, job.sentence) == (JobState.FAILED, "1 instance did not arrive.")
        counts = desk.outbox.counts(job_id)
        assert (counts.delivered, counts.failed) == (3, 1)
        assert "is not kept: no such SOP instance (0112)" in counts.failures[0].reason
        desk.deliverer.retry(job_id)
        desk.await_job(job_id, lambda job: job.state is JobState.CONFIRMING and job.due is not None)
        again = str(store.keeper.asked[1].TransactionUID)
        assert again != asked
        report(again, store.stored[3:4], {})
        assert desk.await_job(job_id, lambda job: job.state.is_final).state is JobState.DELIVERED
        entries = desk.await_entries(4, "deliver", "confirm")
    assert [dict(entry.details).get("commitment_owed") for entry in entries] == [asked, None, again, None]
    assert entries[1].details[-2:] == (("commitment", f"{asked} 3"), ("not_committed", f"{asked} 1"))
    assert entries[3].details[-2:] == (("commitment", f"{asked} 3"), ("commitment", f"{again} 1"))
    assert store.stored[4:] == store.stored[3:4]
    assert store.keeper.answers == [0] * 4


def test_a_report_that_never_comes_is_replaced_by_a_query(
    orthanc: Server, series: list[Dataset], tmp_path: Path
) -> None:
    store, port = Store(), free_port()
    rules = DeliveryRules(patience=timedelta(seconds=1))
    services = STORAGE_COMMITMENT, STUDY_ROOT_FIND
    with serving(store, *services) as peer, shop(tmp_path, orthanc.peer, peer, rules, port) as desk:
        job = desk.run(study_of(series))
        last = desk.await_entries(2, "deliver", "confirm")[-1]
    assert job.state is JobState.DELIVERED
    assert len(store.keeper.asked) == 1
    assert last.details[-2:] == (("listed", "4"), ("commitment_owed", str(store.keeper.asked[0].TransactionUID)))


def test_orthanc_commits_itself(orthanc: Server, series: list[Dataset], tmp_path: Path) -> None:
    port = free_port()
    modalities = {"kiosk": {"AET": "KIOSK", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}}
    rules = DeliveryRules(patience=timedelta(hours=1))
    with (
        run_orthanc(DicomModalities=modalities, DicomAlwaysAllowFind=False) as destination,
        shop(tmp_path, orthanc.peer, destination.peer, rules, port) as desk,
    ):
        assert desk.run(study_of(series)).state is JobState.DELIVERED


def test_a_destination_that_refuses_the_syntax_gets_it_in_another_one(orthanc: Server, tmp_path: Path) -> None:
    pixels = b"".join(number.to_bytes(2, "little") for number in range(1024))
    datasets = ct_series(2, PatientID="P-rewritten", PixelData=pixels)
    for dataset in datasets:
        dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    fill(orthanc.peer, datasets)
    with run_storescp("+B") as plain, shop(tmp_path, orthanc.peer, plain.peer) as desk:
        assert desk.run(study_of(datasets)).state is JobState.SENT
        arrived = [pydicom.dcmread(path) for path in plain.stored_files()]
    assert sorted(one.SOPInstanceUID for one in arrived) == sorted(one.SOPInstanceUID for one in datasets)
    assert all(one.PixelData == pixels for one in arrived)


def test_a_destination_that_is_killed_gets_the_rest_once_it_is_back(orthanc: Server, tmp_path: Path) -> None:
    datasets = ct_series(60, PatientID="P-killed", Rows=256, Columns=256, PixelData=bytes(131072))
    fill(orthanc.peer, datasets)
    port = free_port()
    with run_storescp(port=port) as first, shop(tmp_path, orthanc.peer, first.peer) as desk:
        job_id = desk.push(study_of(datasets))
        while len(first.stored_files()) < 5 and first.process.poll() is None:
            Event().wait(0.001)
        first.process.kill()
        first.process.wait(LONGEST_WAIT)
        arrived = {path.name for path in first.stored_files()}
        desk.await_job(job_id, lambda job: job.attempts > 0 or job.state.is_final)
        with run_storescp(port=port) as second:
            assert desk.await_job(job_id, lambda job: job.state.is_final).state is JobState.SENT
            again = {path.name for path in second.stored_files()}
    assert len(arrived | again) == 60
    assert len(arrived & again) <= 1


def test_an_archive_that_feeds_the_destination_sends_it_itself(tmp_path: Path) -> None:
    port = free_port()
    with run_dcmqrscp() as destination:
        there = {"there": {"AET": "QRSCP", "Host": "127.0.0.1", "Port": destination.peer.port}}
        with run_orthanc(DicomModalities=there) as archive:
            datasets = ct_series(5, PatientID="P-relayed")
            fill(archive.peer, datasets)
            fed = replace(destination.peer, fed_by=("Archive",))
            with shop(tmp_path, archive.peer, fed, port=port) as desk:
                job = desk.run(study_of(datasets))
                items = desk.outbox.items(job.job_id)
                (entry,) = desk.await_entries(1, "deliver")
        assert len(destination.stored_files()) == 5
    assert job.state is JobState.DELIVERED
    assert {item.file for item in items} == {""}
    assert dict(entry.details) | {"retrieved": "0", "sent": "5", "delivered": "5"} == dict(entry.details)
    (message,) = entry.messages
    assert "ORTHANC" in {participant.user_id for participant in message.participants} | {
        title for participant in message.participants for title in participant.alternative_user_id
    }


def test_a_push_that_nobody_came_back_for_is_removed_on_record(orthanc: Server, tmp_path: Path) -> None:
    rules = DeliveryRules(keep=timedelta(milliseconds=1))
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.open()
    outbox.add(OutboxJob("old", "a.weber", b"{}", "Archive", "Destination", "1.2.3", (), JobState.FAILED))
    outbox.add(OutboxJob("new", "a.weber", b"{}", "Archive", "Destination", "1.2.3", (), JobState.DELIVERED))
    outbox.close()
    Event().wait(0.01)
    with shop(tmp_path, orthanc.peer, orthanc.peer, rules) as desk:
        (entry,) = desk.await_entries(1, "forget_push")
        assert desk.outbox.jobs() == ()
    assert dict(entry.details)["job"] == "old"
    assert threading.active_count() < 50
