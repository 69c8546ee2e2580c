"""C-GET from Orthanc and dcmqrscp into the spool, and from servers that send the wrong thing."""

import struct
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, generate_uid

from kiosk.errors import Cancelled, PeerAborted, PeerRefused, PeerUnreachable, StorageFull
from kiosk.imaging.calls import Received, Retrieved
from kiosk.imaging.network.commands import CommandField, store_request
from kiosk.imaging.network.datapath import MAXIMUM_PDU
from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.network.storage_contexts import contexts_for, contexts_for_modality
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.kiosk.imaging.hostile import accept_association, dimse_peer, evt, message, raw_peer, read_message, response
from tests.kiosk.imaging.test_datapath import GROWTH, forget_peak, peak
from tests.peers import Server, ct_instance, ct_series, drain, fill

CT = "1.2.840.10008.5.1.4.1.1.2"
GIBIBYTE = 1 << 30


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


def get(peer: Peer, dataset: Dataset, spool: Spool, *uids: str) -> tuple[list[Received], Retrieved]:
    study, series = str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID)
    items, result = drain(retrieve(peer, study, series, uids, spool, Event()))
    assert isinstance(result, Retrieved)
    return [item for item in items if isinstance(item, Received)], result


def encoded(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture(scope="module")
def series() -> list[Dataset]:
    return ct_series(12, PatientID="R-series")


@pytest.fixture(params=["orthanc", "dcmqrscp"])
def archive(request: pytest.FixtureRequest, series: list[Dataset]) -> Peer:
    server: Server = request.getfixturevalue(request.param)
    fill(server.peer, series)
    return server.peer


def test_a_series_comes_as_it_was_stored(archive: Peer, series: list[Dataset], spool: Spool) -> None:
    received, result = get(archive, series[0], spool)
    assert result == Retrieved(len(series), 0)
    by_uid = {str(dataset.SOPInstanceUID): dataset for dataset in series}
    assert {item.sop_instance_uid for item in received} == set(by_uid)
    for item in received:
        assert item.size == (spool.folder / item.file).stat().st_size
        read = pydicom.dcmread(spool.path(item.file))
        assert read == by_uid[item.sop_instance_uid]
        assert read.file_meta.TransferSyntaxUID == item.transfer_syntax_uid
        assert read.file_meta.MediaStorageSOPInstanceUID == item.sop_instance_uid
        assert item.sop_class_uid == CT
        assert item.series_instance_uid == series[0].SeriesInstanceUID


def test_single_instances_come_and_missing_ones_are_counted(archive: Peer, series: list[Dataset], spool: Spool) -> None:
    wanted = str(series[3].SOPInstanceUID)
    received, result = get(archive, series[0], spool, wanted, "1.2.3.4")
    assert [item.sop_instance_uid for item in received] == [wanted]
    assert (result.completed, result.failed) == (1, 1)
    assert result.reason
    assert len(spool.names()) == 1


def test_many_single_instances_are_asked_for_in_several_requests(orthanc: Server, spool: Spool) -> None:
    datasets = ct_series(230, PatientID="R-many")
    fill(orthanc.peer, datasets)
    uids = [str(dataset.SOPInstanceUID) for dataset in datasets[:-5]]
    received, result = get(orthanc.peer, datasets[0], spool, *uids)
    assert result == Retrieved(225, 0)
    assert sorted(item.sop_instance_uid for item in received) == sorted(uids)


def test_a_series_that_is_not_there_is_empty(archive: Peer, spool: Spool) -> None:
    nowhere = ct_instance()
    assert get(archive, nowhere, spool) == ([], Retrieved(0, 0))


def test_compressed_instances_come_compressed(orthanc: Server, spool: Spool) -> None:
    dataset = ct_instance(PatientID="R-j2k")
    dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    fill(orthanc.peer, [dataset])
    (received,), _ = get(orthanc.peer, dataset, spool)
    assert received.transfer_syntax_uid == JPEG2000Lossless
    assert pydicom.dcmread(spool.path(received.file)).PixelData == dataset.PixelData


def test_a_reached_reserve_stops_the_transfer_and_leaves_no_part(
    archive: Peer, series: list[Dataset], tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "full", reserve=1 << 60)
    spool.prepare()
    with pytest.raises(StorageFull):
        get(archive, series[0], spool)
    assert list(spool.folder.iterdir()) == []


def listing(*instances: Dataset) -> tuple[Any, Any]:
    def find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for instance in instances:
            found = Dataset()
            found.QueryRetrieveLevel = "IMAGE"
            found.SOPInstanceUID = instance.SOPInstanceUID
            found.SOPClassUID = instance.SOPClassUID
            yield 0xFF00, found

    return (evt.EVT_C_FIND, find)


def sending(*instances: Dataset, final: int | None = None) -> tuple[Any, Any]:
    def give(event: Any) -> Iterator[Any]:
        yield len(instances) or 1
        for instance in instances:
            yield 0xFF00, instance
        if final is not None:
            yield final, None

    return (evt.EVT_C_GET, give)


def test_an_instance_that_was_not_asked_for_is_refused(spool: Spool) -> None:
    wanted, other = ct_series(2)
    with dimse_peer([listing(wanted), sending(other, wanted)]) as peer:
        received, result = get(peer, wanted, spool)
    assert [item.sop_instance_uid for item in received] == [wanted.SOPInstanceUID]
    assert result == Retrieved(1, 0)
    assert len(spool.names()) == 1


def test_an_instance_of_another_patient_under_the_wanted_uid_is_refused(spool: Spool) -> None:
    wanted = ct_instance()
    fake = ct_instance(SOPInstanceUID=wanted.SOPInstanceUID, SeriesInstanceUID=wanted.SeriesInstanceUID)
    with dimse_peer([listing(wanted), sending(fake)]) as peer, pytest.raises(PeerRefused, match="not what was asked"):
        get(peer, wanted, spool)
    assert spool.names() == ()


def test_what_could_not_be_sent_is_counted_with_the_archives_reason(spool: Spool) -> None:
    datasets = ct_series(3)
    with dimse_peer([listing(*datasets), sending(*datasets[:2], final=0xA702)]) as peer:
        received, result = get(peer, datasets[0], spool)
    assert len(received) == 2
    assert (result.completed, result.failed) == (2, 1)


@pytest.mark.parametrize("status", [0xA701, 0xA702, 0xA900, 0xC000])
def test_a_refusal_says_the_status_in_words(status: int, spool: Spool) -> None:
    wanted = ct_instance()
    with (
        dimse_peer([listing(wanted), sending(final=status)]) as peer,
        pytest.raises(PeerRefused, match=f"DIMSE_AE.*refused to send.*{status:04X}"),
    ):
        get(peer, wanted, spool)


def test_an_archive_without_c_get_is_named(storescp: Server, spool: Spool) -> None:
    with pytest.raises(PeerRefused, match="STORESCP"):
        get(storescp.peer, ct_instance(), spool)


class Abrupt:
    """Lists three instances, sends one of them whole and a part of the second, then does `end`."""

    def __init__(self, datasets: list[Dataset], end: Any) -> None:
        self._datasets = datasets
        self._end = end

    def __call__(self, connection: Any) -> None:
        accept_association(connection)
        context, request, _ = read_message(connection)
        while request.field == CommandField.C_FIND_RQ:
            for dataset in self._datasets:
                uid = str(dataset.SOPInstanceUID).encode()
                uid += b"\0" * (len(uid) % 2)
                data = b"\x08\x00\x16\x00UI\x1a\x00" + CT.encode() + b"\0"
                data += b"\x08\x00\x18\x00UI" + len(uid).to_bytes(2, "little") + uid
                pending = response(CommandField.C_FIND_RSP, request, 0xFF00, has_data=True)
                connection.sendall(message(context, pending, data))
            connection.sendall(message(context, response(CommandField.C_FIND_RSP, request, 0)))
            context, request, _ = read_message(connection)
        for number, dataset in enumerate(self._datasets[:2]):
            whole = encoded(dataset)
            data = whole[whole.index(b"\x08\x00\x16\x00UI") :]
            sent = message(3, store_request(number + 1, CT, str(dataset.SOPInstanceUID)), data)
            if number == 1:
                connection.sendall(sent[:-700])
                self._end(connection)
                return
            connection.sendall(sent)
            read_message(connection)


def test_an_abort_in_the_middle_keeps_what_came_and_nothing_of_the_rest(spool: Spool) -> None:
    datasets = ct_series(3)
    with raw_peer(Abrupt(datasets, lambda connection: None), timeout=2) as peer:
        study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
        transfer = retrieve(peer, study, series, (), spool, Event())
        first = next(transfer)
        with pytest.raises(PeerAborted, match="HOSTILE_AE"):
            next(transfer)
    assert [path.name for path in spool.folder.iterdir()] == [first.file]
    assert pydicom.dcmread(spool.path(first.file)) == datasets[0]


def test_silence_in_the_middle_ends_with_the_timeout(spool: Spool) -> None:
    datasets = ct_series(3)
    stuck = Abrupt(datasets, lambda connection: connection.recv(10))
    words = r"HOSTILE_AE.*did not answer within 2 s"
    with raw_peer(stuck, timeout=2) as peer, pytest.raises(PeerUnreachable, match=words):
        get(peer, datasets[0], spool)
    assert len(list(spool.folder.iterdir())) == 1


def test_cancelling_in_the_middle_ends_at_once(spool: Spool) -> None:
    datasets = ct_series(3)
    with raw_peer(Abrupt(datasets, lambda connection: connection.recv(10)), timeout=30) as peer:
        cancel = Event()
        study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
        transfer = retrieve(peer, study, series, (), spool, cancel)
        next(transfer)
        cancel.set()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            next(transfer)
        assert time.monotonic() - started < 10


def test_contexts_leave_the_archive_nothing_to_convert_and_stay_within_the_limit() -> None:
    assert {len(context.transfer_syntaxes) for context in contexts_for([CT])} == {1}
    for count in (1, 5, 6, 63, 64, 127, 300):
        contexts = contexts_for(generate_uid() for _ in range(count))
        assert len(contexts) <= 127
        assert len({context.abstract_syntax for context in contexts}) == min(count, 127)
    for modality in ("CT", "SR", "US", "nonsense", ""):
        assert len(contexts_for_modality(modality)) <= 127
        assert CT in {context.abstract_syntax for context in contexts_for_modality(modality)}


class Endless:
    """Lists one instance, and sends it with so many bytes in private elements of 1 GiB at its end."""

    def __init__(self, dataset: Dataset, size: int) -> None:
        self.front = encoded(dataset)
        self.front = self.front[self.front.index(b"\x08\x00\x16\x00UI") :]
        self._uid = str(dataset.SOPInstanceUID)
        self._size = size

    def __call__(self, connection: Any) -> None:
        accept_association(connection)
        context, request, _ = read_message(connection)
        while request.field == CommandField.C_FIND_RQ:
            uid = self._uid.encode() + b"\0" * (len(self._uid) % 2)
            data = b"\x08\x00\x16\x00UI\x1a\x00" + CT.encode() + b"\0"
            data += b"\x08\x00\x18\x00UI" + len(uid).to_bytes(2, "little") + uid
            pending = response(CommandField.C_FIND_RSP, request, 0xFF00, has_data=True)
            connection.sendall(message(context, pending, data))
            connection.sendall(message(context, response(CommandField.C_FIND_RSP, request, 0)))
            context, request, _ = read_message(connection)
        connection.sendall(message(3, store_request(1, CT, self._uid)))
        zeros = bytes(MAXIMUM_PDU - 6)
        self._send(connection, self.front)
        for number, start in enumerate(range(0, self._size, GIBIBYTE)):
            length = min(GIBIBYTE, self._size - start)
            self._send(connection, struct.pack("<HH2sHI", 0x7FE1 + 2 * number, 0x1001, b"OB", 0, length))
            for done in range(0, length, len(zeros)):
                self._send(connection, zeros[: length - done])
        self._send(connection, b"", last=True)
        read_message(connection)
        connection.sendall(message(context, response(CommandField.C_GET_RSP, request, 0)))

    def _send(self, connection: Any, data: bytes, *, last: bool = False) -> None:
        header = struct.pack(">BxIIBB", 4, len(data) + 6, len(data) + 2, 3, 2 if last else 0)
        connection.sendall(header + data)


@pytest.mark.parametrize(
    "size",
    [64 << 20, pytest.param((1 << 32) + (4 << 20), marks=[pytest.mark.long, pytest.mark.timeout(900)])],
    ids=["64 MiB", "over 4 GiB"],
)
def test_an_instance_of_any_size_comes_without_memory(size: int, spool: Spool) -> None:
    dataset = ct_instance()
    source = Endless(dataset, size)
    with raw_peer(source, timeout=60) as peer:
        before = forget_peak()
        (received,), result = get(peer, dataset, spool)
        assert peak() - before < GROWTH
    assert result == Retrieved(1, 0)
    elements = -(-size // GIBIBYTE)
    with spool.open(received.file) as stream:
        start = read_file_meta(stream).data_set
        assert received.size == start + len(source.front) + size + 12 * elements
        stream.seek(start)
        assert stream.read(len(source.front)) == source.front
        stream.seek(start + len(source.front) + (elements - 1) * (GIBIBYTE + 12))
        assert stream.read(4) == struct.pack("<HH", 0x7FE1 + 2 * (elements - 1), 0x1001)
    spool.remove(received.file)
