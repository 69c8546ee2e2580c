"""Retrievals that break off and are taken up again for what is missing, and peers that lie while they send."""

import os
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE

from kiosk.errors import PeerAborted, PeerRefused, PeerUnreachable
from kiosk.imaging.calls import Retrieved, Sent, ToSend
from kiosk.imaging.network import orders
from kiosk.imaging.network.commands import CommandField
from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.network.identity import read_identity
from kiosk.imaging.network.keys import STUDY_ROOT_FIND
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.network.orders import Order, Wish
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import Peer, Receiving, RetrieveBy
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import PatientKey
from tests.kiosk.imaging.certificates import make_authority
from tests.kiosk.imaging.hostile import accept_association, dimse_peer, evt, message, raw_peer, read_message, response
from tests.kiosk.imaging.test_datapath import GROWTH, MEBIBYTE, forget_peak, peak
from tests.kiosk.imaging.test_retrieve import Abrupt, encoded, listing, sending
from tests.peers import ct_instance, ct_series, drain, free_port, local_peer

CT = "1.2.840.10008.5.1.4.1.1.2"
KIOSK = "KIOSK"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener(Receiving(KIOSK, free_port(), "127.0.0.1"))
    listener.open()
    yield listener
    listener.close()


def take(peer: Peer, dataset: Dataset, spool: Spool, **settings: Any) -> tuple[list[Any], object]:
    study, series = str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID)
    return drain(retrieve(peer, study, series, (), spool, Event(), **settings))


def asked_for(event: Any) -> list[str]:
    """The instances an identifier names; none for a whole series."""
    uids = event.identifier.get("SOPInstanceUID", None)
    return [uids] if isinstance(uids, str) else list(uids or ())


def breaking_get(datasets: list[Dataset], asked: list[tuple[str, list[str]]], each: int) -> tuple[Any, Any]:
    def give(event: Any) -> Iterator[Any]:
        uids = asked_for(event)
        asked.append((event.identifier.QueryRetrieveLevel, uids))
        chosen = [dataset for dataset in datasets if not uids or dataset.SOPInstanceUID in uids]
        yield len(chosen)
        for dataset in chosen[:each]:
            yield 0xFF00, dataset
        if len(chosen) > each:
            event.assoc.abort()

    return (evt.EVT_C_GET, give)


def breaking_move(
    datasets: list[Dataset], asked: list[tuple[str, list[str]]], each: int, listener: Listener
) -> tuple[Any, Any]:
    def move(event: Any) -> Iterator[Any]:
        uids = asked_for(event)
        asked.append((event.identifier.QueryRetrieveLevel, uids))
        chosen = [dataset for dataset in datasets if not uids or dataset.SOPInstanceUID in uids]
        entity = AE(ae_title="DIMSE_AE")
        entity.add_requested_context(CT)
        association = entity.associate("127.0.0.1", listener.port, ae_title=KIOSK)
        for dataset in chosen[:each]:
            association.send_c_store(dataset, originator_aet=KIOSK, originator_id=event.request.MessageID)
        association.abort()
        if len(chosen) > each:
            event.assoc.abort()
        yield "127.0.0.1", listener.port
        yield 0

    return (evt.EVT_C_MOVE, move)


@pytest.mark.parametrize("by", list(RetrieveBy))
def test_an_abort_is_followed_by_a_request_for_what_is_missing(
    by: RetrieveBy, spool: Spool, listener: Listener
) -> None:
    datasets = ct_series(9)
    uids = [str(dataset.SOPInstanceUID) for dataset in datasets]
    asked: list[tuple[str, list[str]]] = []
    handlers = {
        RetrieveBy.GET: breaking_get(datasets, asked, 4),
        RetrieveBy.MOVE: breaking_move(datasets, asked, 4, listener),
    }
    with dimse_peer([listing(*datasets), handlers[by]], timeout=1.0) as peer:
        received, result = take(replace(peer, retrieve_by=by), datasets[0], spool, listener=listener)
    assert result == Retrieved(9, 0)
    assert sorted(item.sop_instance_uid for item in received) == sorted(uids)
    assert asked == [("SERIES", []), ("IMAGE", uids[4:]), ("IMAGE", uids[8:])]
    assert len(spool.names()) == 9


def test_an_archive_that_brings_nothing_is_not_asked_again(spool: Spool) -> None:
    datasets = ct_series(3)
    asked: list[tuple[str, list[str]]] = []
    with dimse_peer([listing(*datasets), breaking_get(datasets, asked, 0)]) as peer, pytest.raises(PeerAborted):
        take(peer, datasets[0], spool)
    assert len(asked) == 1


def test_a_duplicate_is_thanked_for_and_kept_once(spool: Spool) -> None:
    (dataset,) = ct_series(1)
    with dimse_peer([listing(dataset), sending(dataset, dataset)]) as peer:
        received, result = take(peer, dataset, spool)
    assert result == Retrieved(1, 0)
    assert len(received) == len(spool.names()) == 1


@pytest.mark.parametrize(
    ("row", "instance", "fits"),
    [
        (PatientKey("P1", "A"), {"PatientID": "P1", "IssuerOfPatientID": "A"}, True),
        (PatientKey("P1", "A"), {"PatientID": "P1"}, True),
        (PatientKey("P1", ""), {"PatientID": "P1", "IssuerOfPatientID": "A"}, True),
        (PatientKey("", ""), {"PatientID": "P2"}, True),
        (PatientKey("", "A"), {"PatientID": "P2", "IssuerOfPatientID": "B"}, True),
        (PatientKey("Ä1", ""), {"PatientID": "Ä1", "SpecificCharacterSet": "ISO_IR 192"}, True),
        (PatientKey("P1", ""), {"PatientID": "P2"}, False),
        (PatientKey("P1", ""), {"PatientID": ""}, False),
        (PatientKey("P1", "A"), {"PatientID": "P1", "IssuerOfPatientID": "B"}, False),
    ],
)
def test_an_instance_of_another_patient_is_refused_by_name(
    row: PatientKey, instance: dict[str, str], fits: bool, spool: Spool
) -> None:
    dataset = ct_instance(**instance)
    with dimse_peer([listing(dataset), sending(dataset)]) as peer:
        if fits:
            assert take(peer, dataset, spool, patient=row)[1] == Retrieved(1, 0)
            return
        with pytest.raises(PeerRefused, match="1 was of another patient than was asked for"):
            take(peer, dataset, spool, patient=row)
    assert spool.names() == ()
    assert "P1" not in repr(row)


def answering(*answers: Callable[[socket.socket, int, Any], None], dataset: Dataset) -> Callable[[socket.socket], None]:
    """Lists one instance, then answers C-MOVE or C-GET by `answers`."""
    listed = Abrupt([dataset], lambda connection: None)

    def behave(connection: socket.socket) -> None:
        # The abstract syntax in the association request, up to the transfer syntax item that follows it.
        if STUDY_ROOT_FIND.encode() + b"\x40" in connection.recv(4096, socket.MSG_PEEK):
            listed(connection)
            return
        accept_association(connection)
        context, request, _ = read_message(connection)
        assert request.field in (CommandField.C_GET_RQ, CommandField.C_MOVE_RQ)
        for answer in answers:
            answer(connection, context, request)
        while connection.recv(65536):
            pass

    return behave


def wrong_message_id(connection: socket.socket, context: int, request: Any) -> None:
    sent = response(request.field | 0x8000, request, 0, responded_to=request.message_id + 7)
    connection.sendall(message(context, sent))


def unknown_status(connection: socket.socket, context: int, request: Any) -> None:
    connection.sendall(message(context, response(request.field | 0x8000, request, 0x1234)))


def wrong_field(connection: socket.socket, context: int, request: Any) -> None:
    connection.sendall(message(context, response(CommandField.C_FIND_RSP, request, 0)))


def four_gigabytes(connection: socket.socket, context: int, request: Any) -> None:
    connection.sendall(struct.pack(">BxI", 4, 0xFFFFFFFF))


def pending_for_ever(connection: socket.socket, context: int, request: Any) -> None:
    pending = message(context, response(request.field | 0x8000, request, 0xFF00))
    while True:
        connection.sendall(pending)


@pytest.mark.parametrize("by", list(RetrieveBy))
@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (wrong_message_id, PeerAborted, "a question that was not asked"),
        (wrong_field, PeerAborted, "a question that was not asked"),
        (unknown_status, PeerRefused, r"unknown status \(1234\)"),
        (four_gigabytes, PeerAborted, "4294967295 bytes"),
        (pending_for_ever, PeerUnreachable, "more to come, and sent nothing"),
    ],
)
def test_a_peer_that_lies_is_named_and_costs_nothing(
    by: RetrieveBy,
    answer: Callable[[socket.socket, int, Any], None],
    error: type[Exception],
    words: str,
    spool: Spool,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orders, "PATIENCE", 1.0)
    dataset = ct_instance()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with raw_peer(answering(answer, dataset=dataset), timeout=1.0) as peer, pytest.raises(error, match=words):
        take(replace(peer, retrieve_by=by), dataset, spool, listener=listener)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert list(spool.folder.iterdir()) == []


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_a_large_instance_comes_and_goes_without_memory(secure: bool, spool: Spool, tmp_path: Path) -> None:
    """Sent by our own sender to our own listener, both in this process."""
    authority = make_authority(tmp_path / "site", "site")
    tls = authority.tls(authority.issue("both")) if secure else None
    dataset = ct_instance()
    del dataset.PixelData
    front = encoded(dataset)
    size = 64 * MEBIBYTE
    with spool.create() as file:
        file.write(front + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, size))
        os.truncate(file.stream.fileno(), file.size + size)
        name = file.commit()
    with spool.open(name) as opened:
        meta = read_file_meta(opened)
    sent = ToSend(meta.sop_instance_uid, meta.sop_class_uid, meta.transfer_syntax_uid, name, spool.size(name))
    caller = replace(local_peer("Archive", "PACS", 104, 30), tls=tls)
    arrived = Spool(tmp_path / "arrived", reserve=0)
    arrived.prepare()
    wish = Wish(str(dataset.StudyInstanceUID), {meta.sop_instance_uid: str(dataset.SeriesInstanceUID)})
    order = Order(caller, wish, arrived)
    listener = Listener(Receiving(KIOSK, free_port(), "127.0.0.1"))
    listener.open()
    try:
        ours = replace(Peer("Kiosk", KIOSK, "127.0.0.1", listener.port, "PACS", timeout=30), tls=tls)
        with listener.orders.open(order, "127.0.0.1"):
            before = forget_peak()
            assert drain(send(ours, (sent,), spool, Event()))[1] == Sent(1, 0)
            assert peak() - before < GROWTH
    finally:
        listener.close()
    (received,) = order.arrived()
    with arrived.open(received.file) as opened, spool.open(name) as original:
        opened.seek(read_file_meta(opened).data_set)
        original.seek(meta.data_set)
        while piece := original.read(MEBIBYTE):
            assert opened.read(MEBIBYTE) == piece
        assert not opened.read(1)


def test_an_identity_behind_a_large_private_element_is_found(tmp_path: Path) -> None:
    dataset = ct_instance(PatientID="Far")
    dataset.private_block(0x0009, "SITE", create=True).add_new(1, "OB", bytes(200_000))
    (tmp_path / "far.dcm").write_bytes(encoded(dataset))
    with (tmp_path / "far.dcm").open("rb") as stream:
        meta = read_file_meta(stream)
        identity = read_identity(stream, meta.data_set, meta.transfer_syntax_uid)
    assert identity.patient == PatientKey("Far", "")
    assert identity.series_instance_uid == dataset.SeriesInstanceUID
