"""Files on their way to the socket: in fragments the peer takes, unchanged, of any size, at no cost of memory."""

import hashlib
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread

import pytest
from pydicom.uid import generate_uid

from kiosk.imaging.calls import SendState, Sent, SentInstance, ToSend
from kiosk.imaging.network.association import Context, associate
from kiosk.imaging.network.commands import CommandField, decode, store_request
from kiosk.imaging.network.datapath import MAXIMUM_PDU
from kiosk.imaging.network.filemeta import encode_file_meta
from kiosk.imaging.network.pace import Pace
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.kiosk.imaging.hostile import accept_association, message, pdu, raw_peer, read_exactly, response
from tests.peers import ct_series, drain, fill, run_storescp, spool_instances

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
MEBIBYTE = 1 << 20
GROWTH = 10 * MEBIBYTE


@dataclass
class Sink:
    """A receiver that keeps sizes and a digest, and answers with success."""

    maximum: int
    digests: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    received: int = 0

    def __call__(self, connection: socket.socket) -> None:
        accept_association(connection, self.maximum)
        room = bytearray(MEBIBYTE)
        command, digest = b"", hashlib.blake2b()
        while True:
            kind, length = struct.unpack(">BxI", read_exactly(connection, 6))
            if kind != 4:
                connection.sendall(pdu(6, bytes(4)))
                return
            self.sizes.append(length)
            inside, context, control = struct.unpack(">IBB", read_exactly(connection, 6))
            assert inside == length - 4
            left = length - 6
            if control & 1:
                command += read_exactly(connection, left)
                continue
            while left:
                count = connection.recv_into(room, min(left, len(room)))
                digest.update(memoryview(room)[:count])
                self.received += count
                left -= count
            if control & 2:
                self.digests.append(digest.hexdigest())
                connection.sendall(message(context, response(CommandField.C_STORE_RSP, decode(command), 0)))
                command, digest = b"", hashlib.blake2b()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


def spooled(spool: Spool, write: Callable[[int], None]) -> tuple[ToSend, int]:
    """A file whose data set `write` makes; and where that begins."""
    uid = str(generate_uid())
    meta = encode_file_meta(CT, uid, EXPLICIT, "TEST")
    with spool.create() as file:
        file.write(meta)
        write(file.stream.fileno())
        name = file.commit()
    return ToSend(uid, CT, EXPLICIT, name, spool.size(name)), len(meta)


def of(data: bytes) -> Callable[[int], None]:
    def write(handle: int) -> None:
        assert os.write(handle, data) == len(data)

    return write


def digest(spool: Spool, file: ToSend, start: int) -> str:
    return hashlib.blake2b((spool.folder / file.file).read_bytes()[start:]).hexdigest()


def peak() -> int:
    """The most memory this process has held since `forget_peak`."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def forget_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


@pytest.mark.parametrize("maximum", [128, 4097, 16384, 131072, 1 << 24, 0])
def test_fragments_are_as_large_as_the_peer_takes_and_even(maximum: int, spool: Spool) -> None:
    data = b"\x08\x00" + os.urandom(299_998 if maximum != 128 else 29_998)
    file, start = spooled(spool, of(data))
    sink = Sink(maximum)
    with raw_peer(sink, timeout=10) as peer:
        assert drain(send(peer, (file,), spool, Event()))[1] == Sent(1, 0)
    assert sink.digests == [digest(spool, file, start)]
    limit = min(maximum or MAXIMUM_PDU, MAXIMUM_PDU)
    assert limit - 1 <= max(sink.sizes) <= limit
    assert not any(size % 2 for size in sink.sizes)


@pytest.mark.parametrize("size", [0, 8, MAXIMUM_PDU - 6, MAXIMUM_PDU - 4, 2 * (MAXIMUM_PDU - 6)])
def test_data_sets_of_every_length_arrive_whole(size: int, spool: Spool) -> None:
    data = (b"\x08\x00" + os.urandom(size))[:size]
    file, start = spooled(spool, of(data))
    sink = Sink(MAXIMUM_PDU)
    with raw_peer(sink, timeout=10) as peer:
        assert drain(send(peer, (file,), spool, Event()))[1] == Sent(1, 0)
    assert sink.digests == [digest(spool, file, start)]


def sparse(size: int) -> Callable[[int], None]:
    return lambda handle: os.truncate(handle, size)


@pytest.mark.parametrize(
    "size",
    [256 * MEBIBYTE, pytest.param((1 << 32) + 4 * MEBIBYTE, marks=[pytest.mark.long, pytest.mark.timeout(600)])],
)
def test_a_large_instance_costs_no_memory(size: int, spool: Spool) -> None:
    file, start = spooled(spool, sparse(size))
    sink = Sink(MAXIMUM_PDU)
    with raw_peer(sink, timeout=30) as peer:
        before = forget_peak()
        assert drain(send(peer, (file,), spool, Event()))[1] == Sent(1, 0)
        assert peak() - before < GROWTH
    assert sink.received == size - start


def test_a_file_that_becomes_shorter_ends_as_a_sentence(spool: Spool) -> None:
    file, _ = spooled(spool, sparse(64 * MEBIBYTE))
    begun = Event()

    def slow(connection: socket.socket) -> None:
        accept_association(connection, 16384)
        read_exactly(connection, 100_000)
        os.truncate(spool.folder / file.file, 1000)
        begun.set()
        while connection.recv(1 << 16):
            pass

    with raw_peer(slow, timeout=10) as peer:
        answers, result = drain(send(peer, (file,), spool, Event()))
    assert begun.is_set()
    words = " ".join([getattr(result, "reason", ""), *(getattr(answer, "reason", "") for answer in answers)])
    assert "became shorter" in words


def test_large_and_small_instances_are_received_without_cost(tmp_path: Path) -> None:
    """What storescp keeps is what lay in the spool, byte for byte, many in one association."""
    source = Spool(tmp_path / "many", reserve=0)
    source.prepare()
    files = spool_instances(source, ct_series(40))
    with run_storescp() as server:
        answers, result = drain(send(server.peer, files, source, Event()))
        assert result == Sent(40, 0)
        assert all(isinstance(one, SentInstance) and one.state is SendState.STORED for one in answers)
        assert len(server.stored_files()) == 40
        fill(server.peer, ct_series(1))


@contextmanager
def trickle(sink: Sink, bytes_per_second: int) -> Iterator[Peer]:
    with raw_peer(sink, timeout=10) as peer:
        yield replace(peer, bytes_per_second=bytes_per_second)


def test_a_peer_gets_no_more_than_its_rate_over_all_associations(spool: Spool) -> None:
    files = [spooled(spool, sparse(500_000))[0] for _ in range(2)]
    results: list[object] = []
    with trickle(Sink(16384), 1_000_000) as peer:

        def push(file: ToSend) -> None:
            results.append(drain(send(peer, (file,), spool, Event()))[1])

        threads = [Thread(target=push, args=(file,)) for file in files]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert time.monotonic() - started > 0.8
    assert results == [Sent(1, 0), Sent(1, 0)]


def test_a_rate_is_no_silence(spool: Spool) -> None:
    file, _ = spooled(spool, sparse(200_000))
    with trickle(Sink(MAXIMUM_PDU), 150_000) as peer:
        assert drain(send(replace(peer, timeout=0.7), (file,), spool, Event()))[1] == Sent(1, 0)


def test_a_pace_lets_a_pause_be_made_up_for_by_a_burst_only() -> None:
    pace = Pace(1000)
    assert pace.spend(50) < 0.06
    waits = [pace.spend(100) for _ in range(10)]
    assert 0.8 < waits[-1] < 1.2
    assert waits == sorted(waits)


def test_bytes_in_memory_and_in_a_file_go_the_same_way() -> None:
    sink = Sink(4096)
    data = os.urandom(10_000)
    with raw_peer(sink, timeout=10) as peer, associate(peer, [Context(CT, (EXPLICIT,))], Event()) as association:
        (context,) = association.granted
        association.send(context, store_request(association.next_message_id(), CT, "1.2.3"), data)
        assert association.response(1, CommandField.C_STORE_RSP).command.status == 0
    assert sink.digests == [hashlib.blake2b(data).hexdigest()]
