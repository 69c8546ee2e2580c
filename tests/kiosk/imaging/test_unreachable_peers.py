"""Peers that are not there, say no, say nothing, or say what no peer may say: each ends as a sentence, in time."""

import resource
import socket
import struct
import time
from threading import Event, Timer

import pytest

from kiosk.errors import Cancelled, PeerAborted, PeerBusy, PeerRefused, PeerUnreachable
from kiosk.imaging.network.echo import echo
from kiosk.imaging.peers import Peer
from tests.kiosk.imaging.hostile import accept_association, dimse_peer, pdu, raw_peer, read_message, read_pdu
from tests.peers import Server, free_port, local_peer


def hang(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def test_echo_is_answered_by_every_real_peer(orthanc: Server, dcmqrscp: Server, storescp: Server) -> None:
    for server in (orthanc, dcmqrscp, storescp):
        assert echo(server.peer, Event()).seconds < server.peer.timeout


def test_a_closed_port_is_named_as_refused() -> None:
    peer = local_peer("Main archive", "PACS", free_port())
    with pytest.raises(PeerUnreachable, match=r"Main archive \(PACS\) cannot be reached: connection refused\."):
        echo(peer, Event())


def test_an_unknown_host_name_is_named() -> None:
    with pytest.raises(PeerUnreachable, match=r"PACS.*the host name is not known"):
        echo(Peer("Archive", "PACS", "archive.invalid", 104, timeout=5), Event())


def test_a_peer_that_never_answers_ends_with_its_timeout() -> None:
    with raw_peer(hang, timeout=0.5) as peer:
        started = time.monotonic()
        with pytest.raises(PeerUnreachable, match=r"HOSTILE_AE.*did not answer within 0.5 s"):
            echo(peer, Event())
        assert 0.4 < time.monotonic() - started < 2


def test_a_peer_that_stops_in_the_middle_of_a_pdu_ends_with_its_timeout() -> None:
    def stop_half_way(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(b"\x02\x00\x00\x00\x01\x00" + bytes(40))
        hang(connection)

    with raw_peer(stop_half_way, timeout=0.5) as peer, pytest.raises(PeerUnreachable, match="did not answer"):
        echo(peer, Event())


def test_a_peer_that_accepts_and_then_hangs_ends_with_its_timeout() -> None:
    def accept_and_hang(connection: socket.socket) -> None:
        accept_association(connection)
        hang(connection)

    with raw_peer(accept_and_hang, timeout=0.5) as peer, pytest.raises(PeerUnreachable, match="did not answer"):
        echo(peer, Event())


def test_cancelling_ends_a_hanging_call_within_a_second() -> None:
    with raw_peer(hang, timeout=30) as peer:
        cancel = Event()
        Timer(0.2, cancel.set).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            echo(peer, cancel)
        assert time.monotonic() - started < 1.2


def test_a_peer_that_hangs_up_is_named() -> None:
    with raw_peer(lambda connection: None) as peer, pytest.raises(PeerAborted, match=r"HOSTILE_AE.*closed"):
        echo(peer, Event())


def test_a_peer_that_aborts_is_named_with_its_reason() -> None:
    def abort(connection: socket.socket) -> None:
        accept_association(connection)
        read_message(connection)
        connection.sendall(pdu(7, bytes((0, 0, 2, 1))))
        hang(connection)

    with raw_peer(abort) as peer, pytest.raises(PeerAborted, match=r"HOSTILE_AE.*aborted.*unrecognised PDU"):
        echo(peer, Event())


def test_a_peer_that_releases_in_the_middle_is_named() -> None:
    def release(connection: socket.socket) -> None:
        accept_association(connection)
        read_message(connection)
        connection.sendall(pdu(5, bytes(4)))
        hang(connection)

    with raw_peer(release) as peer, pytest.raises(PeerAborted, match="ended the association in the middle"):
        echo(peer, Event())


def test_a_rejected_association_says_why() -> None:
    with (
        dimse_peer([], require_calling_aet=["SOMEONE"]) as peer,
        pytest.raises(PeerRefused, match=r"DIMSE_AE.*rejected.*does not know our AE title KIOSK"),
    ):
        echo(peer, Event())
    with (
        dimse_peer([], require_called_aet=True) as peer,
        pytest.raises(PeerRefused, match="it is not called WRONG"),
    ):
        echo(Peer(peer.name, "WRONG", peer.host, peer.port, timeout=3), Event())


@pytest.mark.parametrize(("source", "reason"), [(3, 2), (9, 9), (0, 0)])
def test_every_rejection_becomes_a_sentence(source: int, reason: int) -> None:
    def reject(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(pdu(3, bytes((0, 1, source, reason))))
        hang(connection)

    with raw_peer(reject) as peer, pytest.raises(PeerRefused, match="HOSTILE_AE"):
        echo(peer, Event())


@pytest.mark.parametrize(("result", "source", "is_passing"), [(1, 1, False), (2, 1, True), (1, 3, True)])
def test_a_rejection_that_may_pass_is_told_apart(result: int, source: int, is_passing: bool) -> None:
    def reject(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(pdu(3, bytes((0, result, source, 1))))
        hang(connection)

    with raw_peer(reject) as peer, pytest.raises(PeerRefused) as refused:
        echo(peer, Event())
    assert isinstance(refused.value, PeerBusy) is is_passing


@pytest.mark.parametrize("kind", [2, 4])
def test_a_pdu_of_four_gigabytes_is_not_believed(kind: int) -> None:
    def announce(connection: socket.socket) -> None:
        if kind == 4:
            accept_association(connection)
            read_message(connection)
        else:
            read_pdu(connection)
        connection.sendall(struct.pack(">BxI", kind, 0xFFFFFFFF))
        hang(connection)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with raw_peer(announce, timeout=3) as peer:
        started = time.monotonic()
        with pytest.raises(PeerAborted, match="4294967295 bytes"):
            echo(peer, Event())
        assert time.monotonic() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize(
    "answer",
    [
        pdu(2, b""),
        pdu(2, bytes(200)),
        pdu(2, bytes(68) + b"\x21\x00\xff\xff" + bytes(20)),
        pdu(3, b""),
        pdu(5, bytes(4)),
        pdu(99, bytes(4)),
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["empty", "zeros", "item too long", "empty rejection", "release", "unknown", "HTTP"],
)
def test_what_is_no_answer_ends_the_association(answer: bytes) -> None:
    def babble(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(answer)

    with raw_peer(babble) as peer, pytest.raises((PeerAborted, PeerRefused), match="HOSTILE_AE"):
        echo(peer, Event())


@pytest.mark.parametrize(
    "answer",
    [
        pdu(4, b"\x00"),
        pdu(4, struct.pack(">IBB", 0, 1, 3)),
        pdu(4, struct.pack(">IBB", 500, 1, 3) + bytes(20)),
        pdu(4, struct.pack(">IBB", 22, 1, 3) + bytes(20)),
        pdu(4, struct.pack(">IBB", 22, 1, 2) + bytes(20)),
        pdu(4, struct.pack(">IBB", 10, 1, 3) + struct.pack("<HHI", 0, 0x100, 0xFFFFFFFF)),
    ],
    ids=["short", "no length", "length too long", "zeros", "data first", "element too long"],
)
def test_a_message_that_does_not_add_up_ends_the_association(answer: bytes) -> None:
    def babble(connection: socket.socket) -> None:
        accept_association(connection)
        read_message(connection)
        connection.sendall(answer)
        hang(connection)

    with raw_peer(babble) as peer, pytest.raises(PeerAborted, match="HOSTILE_AE"):
        echo(peer, Event())
