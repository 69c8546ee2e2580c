"""Storage commitment: asked for, answered at once, late, twice, for nothing, on either association."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_role, evt

from kiosk.errors import PeerAborted, PeerBusy, PeerLacks, PeerRefused, UnreadableObject
from kiosk.imaging.calls import CommitmentReport, InstanceKey
from kiosk.imaging.network.commitment import (
    STORAGE_COMMITMENT,
    WELL_KNOWN_INSTANCE,
    ask_commitment,
    decode_report,
    encode_request,
)
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.network.pynetdicom_mend import mend
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import Peer, Receiving
from kiosk.imaging.spool import Spool
from tests.kiosk.imaging.certificates import Site
from tests.peers import ct_series, drain, free_port, local_peer, run_orthanc, spool_instances

CT = "1.2.840.10008.5.1.4.1.1.2"
INSTANCES = tuple(InstanceKey(f"1.2.3.{number}", CT, None) for number in range(3))


def information(transaction: str, kept: Sequence[str], failed: dict[str, int]) -> Dataset:
    """The event's information as pynetdicom writes it."""
    dataset = Dataset()
    dataset.TransactionUID = transaction
    for keyword, uids in (("ReferencedSOPSequence", kept), ("FailedSOPSequence", tuple(failed))):
        items = []
        for uid in uids:
            item = Dataset()
            item.ReferencedSOPClassUID = CT
            item.ReferencedSOPInstanceUID = uid
            if uid in failed:
                item.FailureReason = failed[uid]
            items.append(item)
        if items:
            setattr(dataset, keyword, Items(items))
    return dataset


class Keeper:
    """A peer that says of instances that it keeps them; `act` does so when it was asked."""

    def __init__(self, status: int = 0, act: Callable[["Keeper", Any, Dataset], None] | None = None) -> None:
        self.status = status
        self.asked: list[Dataset] = []
        self.answers: list[int] = []
        self._act = act
        self._threads: list[Thread] = []

    def on_action(self, event: Any) -> tuple[int, None]:
        self.asked.append(event.action_information)
        if self._act is not None:
            thread = Thread(target=self._act, args=(self, event.assoc, event.action_information), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self.status, None

    def report(self, association: Any, transaction: str, kept: Sequence[str], failed: dict[str, int]) -> None:
        event_type = 2 if failed else 1
        status, _ = association.send_n_event_report(
            information(transaction, kept, failed), event_type, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
        )
        self.answers.append(int(status.Status) if "Status" in status else -1)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)


@pytest.fixture
def serve() -> Iterator[Callable[[Keeper], Peer]]:
    servers: list[Any] = []

    def start(keeper: Keeper) -> Peer:
        mend()
        entity = AE(ae_title="KEEPER")
        entity.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
        port = free_port()
        servers.append(
            entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_ACTION, keeper.on_action)])
        )
        return local_peer("Keeper", "KEEPER", port, timeout=20)

    yield start
    for server in servers:
        server.shutdown()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_report_is_read_as_the_standard_writes_it(syntax: str) -> None:
    from pynetdicom.dsutils import encode

    told = information("1.2.9", ["1.2.3.0", "1.2.3.1"], {"1.2.3.2": 0x0112, "1.2.3.1": 0x0110})
    raw = encode(told, syntax == ImplicitVRLittleEndian, True)
    assert raw is not None
    report = decode_report(local_peer("Keeper", "KEEPER", 1), raw, syntax)
    assert report.transaction_uid == "1.2.9"
    assert report.kept == ("1.2.3.0",)
    assert [(one.sop_instance_uid, one.reason) for one in report.failed] == [
        ("1.2.3.2", "no such SOP instance (0112)"),
        ("1.2.3.1", "processing failure (0110)"),
    ]


@pytest.mark.parametrize("data", [b"", b"\x08", encode_request("not a uid", (), ExplicitVRLittleEndian), bytes(100)])
def test_a_report_that_names_no_transaction_is_none(data: bytes) -> None:
    with pytest.raises(UnreadableObject):
        decode_report(local_peer("Keeper", "KEEPER", 1), data, ExplicitVRLittleEndian)


def test_an_answer_on_the_association_that_asked_is_returned(serve: Callable[[Keeper], Peer]) -> None:
    def act(keeper: Keeper, association: Any, asked: Dataset) -> None:
        keeper.report(association, asked.TransactionUID, ["1.2.3.0", "1.2.3.1"], {"1.2.3.2": 0x0112})

    keeper = Keeper(act=act)
    asked = ask_commitment(serve(keeper), "1.2.77", INSTANCES, Event(), wait=20)
    keeper.join()
    assert asked.report is not None
    assert (asked.report.ae_title, asked.report.transaction_uid) == ("KEEPER", "1.2.77")
    assert asked.report.kept == ("1.2.3.0", "1.2.3.1")
    assert [one.sop_instance_uid for one in asked.report.failed] == ["1.2.3.2"]
    references = keeper.asked[0].ReferencedSOPSequence
    assert [item.ReferencedSOPInstanceUID for item in references] == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
    assert {item.ReferencedSOPClassUID for item in references} == {CT}
    assert keeper.answers == [0]


def test_an_answer_about_another_transaction_is_no_answer(serve: Callable[[Keeper], Peer]) -> None:
    def act(keeper: Keeper, association: Any, asked: Dataset) -> None:
        keeper.report(association, "1.2.78", ["1.2.3.0"], {})

    keeper = Keeper(act=act)
    assert ask_commitment(serve(keeper), "1.2.77", INSTANCES, Event(), wait=1.0).report is None
    keeper.join()
    assert keeper.answers == [0]


def test_no_answer_at_once_is_no_failure(serve: Callable[[Keeper], Peer]) -> None:
    started = time.monotonic()
    assert ask_commitment(serve(Keeper()), "1.2.77", INSTANCES, Event(), wait=0.2).report is None
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(("status", "kind"), [(0x0213, PeerBusy), (0x0110, PeerRefused), (0x0123, PeerRefused)])
def test_a_peer_may_say_no(serve: Callable[[Keeper], Peer], status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="refused storage commitment") as refusal:
        ask_commitment(serve(Keeper(status)), "1.2.77", INSTANCES, Event(), wait=0.2)
    assert type(refusal.value) is kind


def test_a_peer_that_does_not_offer_it_is_told_apart(storescp: Any) -> None:
    with pytest.raises(PeerLacks):
        ask_commitment(storescp.peer, "1.2.77", INSTANCES, Event())


@pytest.fixture
def listener() -> Iterator[Listener]:
    caller = local_peer("Keeper", "KEEPER", 104)
    listener = Listener(Receiving("KIOSK", 0, "127.0.0.1", callers=(caller,)))
    listener.open()
    yield listener
    listener.close()


def call(listener: Listener, ae_title: str = "KEEPER", *, role: bool = True, **more: Any) -> Any:
    """An association that the peer opens to us, as the SCP of storage commitment."""
    mend()
    entity = AE(ae_title=ae_title)
    entity.add_requested_context(STORAGE_COMMITMENT)
    roles = [build_role(STORAGE_COMMITMENT, scu_role=False, scp_role=True)] if role else []
    return entity.associate("127.0.0.1", listener.port, ae_title="KIOSK", ext_neg=roles, **more)


def test_reports_come_on_an_association_of_the_peers_own_however_often(listener: Listener) -> None:
    keeper = Keeper()
    with listener.reports as reports:
        association = call(listener)
        assert association.is_established
        for transaction in ("1.2.77", "1.2.77", "1.2.78"):
            keeper.report(association, transaction, ["1.2.3.0"], {"1.2.3.1": 0x0112})
        association.release()
        assert keeper.answers == [0, 0, 0]
        came = [reports.next(20) for _ in range(3)]
    assert [report.transaction_uid for report in came if report is not None] == ["1.2.77", "1.2.77", "1.2.78"]
    assert came[0] is not None
    assert (came[0].ae_title, came[0].kept) == ("KEEPER", ("1.2.3.0",))


def test_a_peer_with_tls_reports_over_tls_and_not_without(site: Site) -> None:
    caller = replace(local_peer("Keeper", "KEEPER", 104), tls=site.tls)
    listener = Listener(Receiving("KIOSK", 0, "127.0.0.1", callers=(caller,)))
    listener.open()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.authority.file)
    context.load_cert_chain(site.archive.certificate, site.archive.key)
    keeper = Keeper()
    try:
        with listener.reports as reports:
            assert call(listener).is_rejected
            association = call(listener, tls_args=(context, "127.0.0.1"))
            assert association.is_established
            keeper.report(association, "1.2.77", ["1.2.3.0"], {})
            association.release()
            report = reports.next(20)
            assert reports.next(0) is None
    finally:
        listener.close()
    assert report is not None
    assert (report.transaction_uid, report.kept) == ("1.2.77", ("1.2.3.0",))


def test_a_report_that_cannot_be_read_is_refused_and_the_next_one_is_taken(listener: Listener) -> None:
    keeper = Keeper()
    with listener.reports as reports:
        association = call(listener)
        keeper.report(association, "", ["1.2.3.0"], {})
        keeper.report(association, "1.2.77", ["1.2.3.0"], {})
        association.release()
        assert keeper.answers == [0x0110, 0]
        assert isinstance(reports.next(20), CommitmentReport)
        assert reports.next(0) is None


def test_nobody_reports_who_is_not_known_or_when_nobody_listens(listener: Listener) -> None:
    assert not call(listener).is_established
    with listener.reports:
        assert call(listener, "STRANGER").is_rejected
        assert call(listener).is_established


def test_orthanc_says_what_it_keeps_on_an_association_of_its_own(tmp_path: Path) -> None:
    receiving = Receiving("KIOSK", 0, "127.0.0.1")
    port = free_port()
    modalities = {"kiosk": {"AET": "KIOSK", "Host": "127.0.0.1", "Port": port, "AllowStorageCommitment": True}}
    spool = Spool(tmp_path, reserve=0)
    with run_orthanc(DicomModalities=modalities) as orthanc:
        listener = Listener(replace(receiving, port=port, callers=(orthanc.peer,)))
        listener.open()
        try:
            files = spool_instances(spool, ct_series(3))
            drain(send(orthanc.peer, files, spool, Event()))
            instances = [InstanceKey(file.sop_instance_uid, file.sop_class_uid, None) for file in files]
            strange = InstanceKey(str(generate_uid()), CT, None)
            transaction = str(generate_uid(prefix=None))
            with listener.reports as reports:
                asked = ask_commitment(orthanc.peer, transaction, [*instances, strange], Event(), wait=0.5)
                report = asked.report or reports.next(30)
        finally:
            listener.close()
    assert report is not None
    assert report.transaction_uid == transaction
    assert sorted(report.kept) == sorted(one.sop_instance_uid for one in instances)
    assert [(one.sop_instance_uid, one.reason) for one in report.failed] == [
        (strange.sop_instance_uid, "no such SOP instance (0112)")
    ]


def test_a_peer_that_breaks_off_before_it_answers_has_not_been_asked(serve: Callable[[Keeper], Peer]) -> None:
    class Aborting(Keeper):
        def on_action(self, event: Any) -> tuple[int, None]:
            event.assoc.abort()
            return 0, None

    with pytest.raises(PeerAborted):
        ask_commitment(serve(Aborting()), "1.2.77", INSTANCES, Event())
