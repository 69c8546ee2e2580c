"""C-MOVE to ourselves from dcmqrscp, Orthanc and pynetdicom; what else comes to where we listen is refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless
from pynetdicom import AE

from kiosk.errors import Cancelled, PeerRefused, PeerUnreachable, StorageFull
from kiosk.imaging.calls import Received, Retrieved
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.network.keys import STUDY_ROOT_MOVE
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.network.orders import Order, Wish
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.peers import Peer, Receiving, RetrieveBy
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import PatientKey
from tests.kiosk.imaging.hostile import dimse_peer, evt
from tests.kiosk.imaging.test_retrieve import listing
from tests.peers import (
    Server,
    ct_instance,
    ct_series,
    drain,
    fill,
    free_port,
    local_peer,
    run_dcmqrscp,
    run_orthanc,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
KIOSK = "KIOSK"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@contextmanager
def listening(**settings: Any) -> Iterator[Listener]:
    listener = Listener(Receiving(KIOSK, free_port(), "127.0.0.1", **settings))
    listener.open()
    try:
        yield listener
    finally:
        listener.close()


@pytest.fixture(scope="module")
def moving_orthanc(listener: Listener) -> Iterator[Server]:
    with run_orthanc(DicomModalities={"kiosk": [KIOSK, "127.0.0.1", listener.port]}) as server:
        yield server


@pytest.fixture(scope="module")
def moving_dcmqrscp(listener: Listener) -> Iterator[Server]:
    with run_dcmqrscp(None, "--disable-get", destinations={KIOSK: listener.port}) as server:
        yield server


@pytest.fixture(scope="module")
def series() -> list[Dataset]:
    return ct_series(12, PatientID="M-series")


@pytest.fixture(params=["moving_orthanc", "moving_dcmqrscp"])
def archive(request: pytest.FixtureRequest, series: list[Dataset]) -> Peer:
    server: Server = request.getfixturevalue(request.param)
    fill(server.peer, series)
    return replace(server.peer, retrieve_by=RetrieveBy.MOVE)


def take(
    peer: Peer, listener: Listener, spool: Spool, study: str, series: str = "", *uids: str, **settings: Any
) -> tuple[list[Received], Retrieved]:
    items, result = drain(retrieve(peer, study, series, uids, spool, Event(), listener=listener, **settings))
    assert isinstance(result, Retrieved)
    return [item for item in items if isinstance(item, Received)], result


def study_and_series(dataset: Dataset) -> tuple[str, str]:
    return str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID)


def test_a_series_comes_as_it_was_stored(
    archive: Peer, series: list[Dataset], spool: Spool, listener: Listener
) -> None:
    received, result = take(archive, listener, spool, *study_and_series(series[0]))
    assert result == Retrieved(len(series), 0)
    by_uid = {str(dataset.SOPInstanceUID): dataset for dataset in series}
    assert {item.sop_instance_uid for item in received} == set(by_uid)
    for item in received:
        assert item.size == (spool.folder / item.file).stat().st_size
        assert pydicom.dcmread(spool.path(item.file)) == by_uid[item.sop_instance_uid]


def test_a_study_comes_with_all_its_series(archive: Peer, spool: Spool, listener: Listener) -> None:
    first = ct_series(3, PatientID="M-study")
    second = ct_series(2, PatientID="M-study", StudyInstanceUID=first[0].StudyInstanceUID)
    fill(archive, [*first, *second])
    received, result = take(archive, listener, spool, str(first[0].StudyInstanceUID))
    assert result == Retrieved(5, 0)
    assert {item.series_instance_uid for item in received} == {
        first[0].SeriesInstanceUID,
        second[0].SeriesInstanceUID,
    }


def test_single_instances_come_and_missing_ones_are_counted(
    archive: Peer, series: list[Dataset], spool: Spool, listener: Listener
) -> None:
    wanted = [str(series[3].SOPInstanceUID), str(series[7].SOPInstanceUID)]
    received, result = take(archive, listener, spool, *study_and_series(series[0]), *wanted, "1.2.3.4")
    assert sorted(item.sop_instance_uid for item in received) == sorted(wanted)
    assert (result.completed, result.failed) == (2, 1)
    assert result.reason


def test_compressed_instances_come_compressed(moving_orthanc: Server, spool: Spool, listener: Listener) -> None:
    dataset = ct_instance(PatientID="M-j2k")
    dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    fill(moving_orthanc.peer, [dataset])
    peer = replace(moving_orthanc.peer, retrieve_by=RetrieveBy.MOVE)
    (received,), _ = take(peer, listener, spool, *study_and_series(dataset))
    assert received.transfer_syntax_uid == JPEG2000Lossless
    assert pydicom.dcmread(spool.path(received.file)).PixelData == dataset.PixelData


def test_an_archive_without_c_get_is_asked_by_c_move(
    moving_dcmqrscp: Server, series: list[Dataset], spool: Spool, listener: Listener
) -> None:
    fill(moving_dcmqrscp.peer, series)
    assert moving_dcmqrscp.peer.retrieve_by is RetrieveBy.GET
    _, result = take(moving_dcmqrscp.peer, listener, spool, *study_and_series(series[0]))
    assert result == Retrieved(len(series), 0)


def test_an_archive_without_c_move_is_asked_by_c_get(spool: Spool, listener: Listener) -> None:
    wanted = ct_instance()

    def give(event: Any) -> Iterator[Any]:
        yield 1
        yield 0xFF00, wanted

    with dimse_peer([listing(wanted), (evt.EVT_C_GET, give)], lacks=STUDY_ROOT_MOVE) as peer:
        peer = replace(peer, retrieve_by=RetrieveBy.MOVE)
        _, result = take(peer, listener, spool, *study_and_series(wanted))
    assert result == Retrieved(1, 0)


def test_an_archive_that_does_not_know_us_is_named(dcmqrscp: Server, spool: Spool, listener: Listener) -> None:
    datasets = ct_series(1, PatientID="M-unknown")
    fill(dcmqrscp.peer, datasets)
    peer = replace(dcmqrscp.peer, retrieve_by=RetrieveBy.MOVE)
    with pytest.raises(PeerRefused, match=r"QRSCP.*refused to send: move destination unknown \(A801\)"):
        take(peer, listener, spool, *study_and_series(datasets[0]))


def test_two_at_a_time_each_get_their_own(moving_orthanc: Server, tmp_path: Path, listener: Listener) -> None:
    datasets = ct_series(6, PatientID="M-two")
    fill(moving_orthanc.peer, datasets)
    peer = replace(moving_orthanc.peer, retrieve_by=RetrieveBy.MOVE)
    spools = [Spool(tmp_path / name, reserve=0) for name in "ab"]
    for spool in spools:
        spool.prepare()
    both = [retrieve(peer, *study_and_series(datasets[0]), (), spool, Event(), listener=listener) for spool in spools]
    firsts = [next(transfer) for transfer in both]
    rest = [drain(transfer) for transfer in both]
    for spool, first, (items, result) in zip(spools, firsts, rest, strict=True):
        assert result == Retrieved(6, 0)
        assert len({first.sop_instance_uid, *(item.sop_instance_uid for item in items)}) == 6  # type: ignore[attr-defined] # drained
        assert len(spool.names()) == 6


def test_a_reached_reserve_stops_the_transfer_and_leaves_no_part(
    archive: Peer, series: list[Dataset], tmp_path: Path, listener: Listener
) -> None:
    spool = Spool(tmp_path / "full", reserve=1 << 60)
    spool.prepare()
    with pytest.raises(StorageFull):
        take(archive, listener, spool, *study_and_series(series[0]))
    assert list(spool.folder.iterdir()) == []


def mover(
    listener: Listener, *instances: Dataset, calling: str = "DIMSE_AE", final: int = 0x0000
) -> tuple[Any, Callable[..., Any]]:
    """A C-MOVE handler that sends with an association of its own, as pynetdicom's do."""

    def move(event: Any) -> Iterator[Any]:
        entity = AE(ae_title=calling)
        entity.add_requested_context(CT)
        association = entity.associate("127.0.0.1", listener.port, ae_title=KIOSK)
        for instance in instances:
            if association.is_established and association.accepted_contexts:
                association.send_c_store(instance, originator_aet=KIOSK, originator_id=event.request.MessageID)
        association.release()
        yield "127.0.0.1", listener.port
        yield 0

    return (evt.EVT_C_MOVE, move)


def test_what_was_not_asked_for_is_refused_and_what_was_is_taken(spool: Spool, listener: Listener) -> None:
    wanted, other = ct_series(2)
    with dimse_peer([listing(wanted), mover(listener, other, wanted)]) as peer:
        peer = replace(peer, retrieve_by=RetrieveBy.MOVE)
        received, result = take(peer, listener, spool, *study_and_series(wanted))
    assert [item.sop_instance_uid for item in received] == [wanted.SOPInstanceUID]
    assert result == Retrieved(1, 0)
    assert len(spool.names()) == 1


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"PatientID": "Somebody"}, "1 was of another patient"),
        ({"StudyInstanceUID": "1.2.3"}, "of another study"),
    ],
    ids=["patient", "study"],
)
def test_a_wanted_uid_with_other_contents_is_refused_by_name(
    attributes: dict[str, str], why: str, spool: Spool, listener: Listener
) -> None:
    wanted = ct_instance(PatientID="Right")
    uids = {"SOPInstanceUID": wanted.SOPInstanceUID, "SeriesInstanceUID": wanted.SeriesInstanceUID}
    fake = ct_instance(**{"StudyInstanceUID": wanted.StudyInstanceUID, "PatientID": "Right"} | uids | attributes)
    with dimse_peer([listing(wanted), mover(listener, fake)], timeout=3) as peer:
        peer = replace(peer, retrieve_by=RetrieveBy.MOVE)
        with pytest.raises(PeerRefused, match=why):
            take(peer, listener, spool, *study_and_series(wanted), patient=PatientKey("Right", ""))
    assert spool.names() == ()


def test_only_kinds_of_objects_that_were_asked_for_are_agreed_on(spool: Spool, listener: Listener) -> None:
    wish = Wish("1.2", {"1.2.3": ""}, sop_class_uids=frozenset({CT}))
    with listener.orders.open(Order(local_peer("Archive", "PACS", 104), wish, spool), "127.0.0.1"):
        entity = AE(ae_title="PACS")
        for sop_class in (CT, "1.2.840.10008.5.1.4.1.1.4", STUDY_ROOT_MOVE):
            entity.add_requested_context(sop_class)
        association = entity.associate("127.0.0.1", listener.port, ae_title=KIOSK)
        assert [context.abstract_syntax for context in association.accepted_contexts] == [CT]
        association.release()


def test_who_was_not_asked_is_turned_away(spool: Spool, listener: Listener) -> None:
    wanted = ct_instance()
    with dimse_peer([listing(wanted), mover(listener, wanted, calling="STRANGER")], timeout=3) as peer:
        peer = replace(peer, retrieve_by=RetrieveBy.MOVE)
        with pytest.raises(PeerRefused):
            take(peer, listener, spool, *study_and_series(wanted))
    assert spool.names() == ()


def test_an_order_takes_no_more_than_its_quota(spool: Spool, listener: Listener) -> None:
    wanted = ct_instance()
    peer = local_peer("Archive", "PACS", 104)
    uid = str(wanted.SOPInstanceUID)
    order = Order(peer, Wish(str(wanted.StudyInstanceUID), {uid: ""}), spool, most_bytes=1000)
    with listener.orders.open(order, "127.0.0.1"):
        entity = AE(ae_title="PACS")
        entity.add_requested_context(CT)
        association = entity.associate("127.0.0.1", listener.port, ae_title=KIOSK)
        assert association.send_c_store(wanted).Status == 0xA700
        association.release()
    with pytest.raises(PeerRefused, match="more than may be received"):
        order.result("")
    assert list(spool.folder.iterdir()) == []


def test_silence_of_the_archive_ends_with_its_timeout(spool: Spool, listener: Listener) -> None:
    wanted = ct_instance()
    released = Event()

    def hang(event: Any) -> Iterator[Any]:
        released.wait(30)
        yield None, None

    with dimse_peer([listing(wanted), (evt.EVT_C_MOVE, hang)], timeout=0.5) as peer:
        peer = replace(peer, retrieve_by=RetrieveBy.MOVE)
        try:
            with pytest.raises(PeerUnreachable, match=r"did not answer within 0\.5 s"):
                take(peer, listener, spool, *study_and_series(wanted))
        finally:
            released.set()


def test_cancelling_ends_it(moving_orthanc: Server, spool: Spool, listener: Listener) -> None:
    datasets = ct_series(30, PatientID="M-cancel")
    fill(moving_orthanc.peer, datasets)
    cancel = Event()
    peer = replace(moving_orthanc.peer, retrieve_by=RetrieveBy.MOVE)
    transfer = retrieve(peer, *study_and_series(datasets[0]), (), spool, cancel, listener=listener)
    next(transfer)
    cancel.set()
    with pytest.raises(Cancelled):
        drain(transfer)


def test_the_worker_listens_and_moves(series: list[Dataset], tmp_path: Path) -> None:
    port = free_port()
    with run_dcmqrscp(None, "--disable-get", destinations={KIOSK: port}) as server:
        fill(server.peer, series)
        imaging = WorkerImaging(reserve_bytes=0, receiving=Receiving(KIOSK, port, callers=(server.peer,)))
        try:
            listening = imaging.listen(Event())
            assert listening is not None
            assert listening.port == port
            study, number = study_and_series(series[0])
            spool = str(tmp_path / "spool")
            items, result = drain(imaging.retrieve(server.peer, study, number, (), spool, Event()))
            assert result == Retrieved(len(series), 0)
            assert len(items) == len(series)
        finally:
            imaging.close()
