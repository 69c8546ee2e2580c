"""The worker processes as operations use them: calls, errors, cancelling, dying, limits."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import msgspec
import pytest
from pydicom.uid import generate_uid

from kiosk import errors
from kiosk.errors import Cancelled, PeerUnreachable, StorageFull, UnreadableObject, WorkerDied
from kiosk.imaging.calls import Imaging, Received, Retrieved, Sent
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.network.filemeta import encode_file_meta
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Series, StudyQuery
from kiosk.imaging.worker.requests import Echo, FindStudies
from kiosk.imaging.worker.wire import Channel, Kind, WireError, decode_value, failure, frame, raised
from tests.kiosk.imaging.hostile import raw_peer
from tests.kiosk.imaging.test_find import endless
from tests.peers import Server, ct_series, drain, fill, free_port, local_peer, spool_instances

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture(scope="module")
def shared() -> Iterator[WorkerImaging]:
    imaging = WorkerImaging(reserve_bytes=0)
    yield imaging
    imaging.close()


def hang(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def put(folder: Path, data: bytes) -> str:
    spool = Spool(folder, reserve=0)
    spool.prepare()
    with spool.create() as file:
        file.write(data)
        return file.commit()


def resident(process_id: int) -> int:
    with open(f"/proc/{process_id}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_whole_way_from_query_to_picture_and_push(
    shared: Imaging, orthanc: Server, storescp: Server, tmp_path: Path
) -> None:
    datasets = ct_series(5, PatientID="W-whole", PatientName="Ng^Ada")
    fill(orthanc.peer, datasets)
    spool = str(tmp_path / "spool")
    cancel = Event()
    assert shared.echo(orthanc.peer, cancel).seconds < 5
    studies, _ = drain(shared.find_studies(orthanc.peer, StudyQuery(patient_id="W-whole"), 10, cancel))
    study = str(datasets[0].StudyInstanceUID)
    assert [one.study_instance_uid for one in studies] == [study]  # type: ignore[attr-defined] # drained
    (series,), _ = drain(shared.find_series(orthanc.peer, study, cancel))
    assert isinstance(series, Series)
    received, result = drain(
        shared.retrieve(orthanc.peer, study, series.series_instance_uid, (), spool, cancel, durable=True)
    )
    assert result == Retrieved(5, 0)
    files = tuple(one.file for one in received if isinstance(one, Received))
    contents = shared.read_series(series, files, spool, cancel)
    assert [instance.number for instance in contents.instances] == [1, 2, 3, 4, 5]
    picture = shared.picture(contents.instances[0].file, 0, 16, 16, spool, cancel)
    assert (picture.width, picture.height) == (16, 16)
    rows, _ = drain(shared.tags(files[0], spool, cancel))
    assert "Ng^Ada" in {row.value for row in rows}  # type: ignore[attr-defined] # drained
    sending = spool_instances(Spool(Path(spool)), datasets)
    _, sent = drain(shared.send(storescp.peer, sending, spool, cancel))
    assert sent == Sent(5, 0)


def test_the_kiosk_itself_loads_nothing_of_dicom(orthanc: Server) -> None:
    script = f"""
import sys
from threading import Event
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import Outbox
from kiosk.imaging.peers import Peer
imaging = WorkerImaging()
imaging.echo(Peer("a", "A", "127.0.0.1", {orthanc.peer.port}), Event())
imaging.close()
loaded = {{name.split(".")[0] for name in sys.modules}}
print(sorted(loaded & {{"pydicom", "pynetdicom", "numpy", "PIL", "openjpeg", "pylibjpeg", "textual", "pickle"}}))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_errors_cross_by_class_and_sentence(shared: Imaging, tmp_path: Path) -> None:
    peer = local_peer("Main archive", "PACS", free_port())
    with pytest.raises(PeerUnreachable, match=r"Main archive \(PACS\) cannot be reached: connection refused\."):
        shared.echo(peer, Event())
    with pytest.raises(UnreadableObject, match="not in the spool"):
        shared.picture("0" * 32, 0, 10, 10, str(tmp_path), Event())


def test_a_full_disk_is_said(orthanc: Server, tmp_path: Path) -> None:
    datasets = ct_series(1, PatientID="W-full")
    fill(orthanc.peer, datasets)
    imaging = WorkerImaging(reserve_bytes=1 << 60)
    try:
        study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
        with pytest.raises(StorageFull):
            drain(imaging.retrieve(orthanc.peer, study, series, (), str(tmp_path / "spool"), Event()))
    finally:
        imaging.close()


def test_cancelling_ends_a_call_within_a_second_and_the_worker_goes_on(shared: WorkerImaging, orthanc: Server) -> None:
    shared.echo(orthanc.peer, Event())
    before = shared.process_ids
    with raw_peer(hang, timeout=30) as peer:
        cancel = Event()
        failures: list[BaseException] = []

        def call() -> None:
            try:
                shared.echo(peer, cancel)
            except Cancelled as error:
                failures.append(error)

        thread = Thread(target=call)
        thread.start()
        time.sleep(0.2)
        cancel.set()
        thread.join(1)
        assert not thread.is_alive()
        assert len(failures) == 1
    with raw_peer(endless, timeout=30) as peer:
        cancel = Event()
        answers = shared.find_studies(peer, StudyQuery(), 10_000_000, cancel)
        next(answers)
        cancel.set()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            drain(answers)
        assert time.monotonic() - started < 1.5
    assert shared.process_ids == before


def test_a_generator_that_is_left_ends_the_call_in_the_worker(shared: WorkerImaging, orthanc: Server) -> None:
    closed = Event()

    def watched(connection: socket.socket) -> None:
        try:
            endless(connection)
        except OSError:
            closed.set()

    with raw_peer(watched, timeout=30) as peer:
        answers = shared.find_studies(peer, StudyQuery(), 10_000_000, Event())
        next(answers)
        answers.close()
        assert closed.wait(3)
    assert shared.echo(orthanc.peer, Event()).seconds < 5


def test_a_killed_worker_is_said_and_the_next_call_works(shared: WorkerImaging, orthanc: Server) -> None:
    shared.echo(orthanc.peer, Event())
    victim = shared.process_ids[0]
    with raw_peer(endless, timeout=30) as peer:
        answers = shared.find_studies(peer, StudyQuery(), 10_000_000, Event())
        next(answers)
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(WorkerDied):
            drain(answers)
    assert shared.echo(orthanc.peer, Event()).seconds < 5
    assert victim not in shared.process_ids


def test_a_poisoned_file_never_breaks_a_transfer(shared: WorkerImaging, tmp_path: Path) -> None:
    file = put(tmp_path / "spool", b"x")
    with pytest.raises(UnreadableObject):
        shared.picture(file, 0, 10, 10, str(tmp_path / "spool"), Event())
    with raw_peer(endless, timeout=30) as peer:
        answers = shared.find_studies(peer, StudyQuery(), 10_000_000, Event())
        next(answers)
        os.kill(shared.process_ids[1], signal.SIGKILL)
        time.sleep(0.2)
        next(answers)
        answers.close()


def test_a_closed_worker_takes_no_calls_and_leaves_no_process(orthanc: Server) -> None:
    imaging = WorkerImaging()
    imaging.start()
    process_ids = imaging.process_ids
    assert len(process_ids) == 2
    imaging.close()
    for process_id in process_ids:
        assert not Path(f"/proc/{process_id}").exists()
    with pytest.raises(WorkerDied):
        imaging.echo(orthanc.peer, Event())


def test_the_workers_die_with_the_kiosk() -> None:
    script = """
import sys, time
from kiosk.imaging.client import WorkerImaging
imaging = WorkerImaging()
imaging.start()
print(*imaging.process_ids, flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process_ids = [int(word) for word in process.stdout.readline().split()]
    assert len(process_ids) == 2
    process.kill()
    process.wait(10)
    process.stdout.close()
    deadline = time.monotonic() + 5
    while any(running(process_id) for process_id in process_ids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(process_id: int) -> bool:
    """False for a process that is gone or that only waits for its parent to ask."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def deflate_bomb() -> bytes:
    """204 KB that inflate to 200 MB: a private element full of zeros before everything worth reading."""
    size = 200 * 1024 * 1024
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = struct.pack("<HH2sHI", 0x0008, 0x0001, b"UN", 0, size)
    body = compressor.compress(head) + b"".join(compressor.compress(bytes(1 << 20)) for _ in range(200))
    body += compressor.flush()
    return encode_file_meta(CT, generate_uid(), "1.2.840.10008.1.2.1.99", "TEST") + body


def nested() -> bytes:
    """100,000 sequences within each other, each of undefined length."""
    sequence = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    level = sequence + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return encode_file_meta(CT, generate_uid(), "1.2.840.10008.1.2.1", "TEST") + level * 100_000


@pytest.mark.parametrize("kind", ["deflate bomb", "deep nesting", "noise"])
def test_a_poisoned_file_ends_as_a_sentence_and_costs_the_kiosk_nothing(
    kind: str, shared: WorkerImaging, orthanc: Server, tmp_path: Path
) -> None:
    makers = {"deflate bomb": deflate_bomb, "deep nesting": nested, "noise": lambda: os.urandom(100_000)}
    data = makers[kind]()
    assert len(data) < 3_000_000
    spool = str(tmp_path / "spool")
    file = put(Path(spool), data)
    before = resident(os.getpid())
    with pytest.raises((UnreadableObject, WorkerDied)) as caught:
        shared.picture(file, 0, 10, 10, spool, Event())
    assert str(caught.value).endswith(".")
    assert resident(os.getpid()) - before < 20_000_000
    assert shared.echo(orthanc.peer, Event()).seconds < 5
    series = Series("1.2", "1.2.3", 1, "CT", "", "", 1)
    contents = shared.read_series(series, (file,), spool, Event())
    assert len(contents.instances) <= 1


def test_a_reading_call_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    imaging = WorkerImaging(reading_seconds=0.05)
    try:
        imaging.start()
        first = imaging.process_ids[1]
        started = time.monotonic()
        with pytest.raises(UnreadableObject, match=r"longer than 0\.05 s"):
            imaging.picture(put(tmp_path / "spool", b"x"), 0, 10, 10, str(tmp_path / "spool"), Event())
        assert time.monotonic() - started < 3
        assert not running(first)
    finally:
        imaging.close()


def test_a_worker_takes_no_more_memory_than_it_may(tmp_path: Path) -> None:
    imaging = WorkerImaging(memory_bytes=40 * 1024 * 1024)
    try:
        with pytest.raises(WorkerDied):
            imaging.echo(Peer("a", "A", "127.0.0.1", free_port()), Event())
    finally:
        imaging.close()


def test_values_cross_unchanged() -> None:
    request = FindStudies(local_peer("A", "B", 1), StudyQuery(patient_name="山田*", modalities=("CT",)), 7)
    sent = frame(Kind.CALL, 3, request)
    assert decode_value(sent, FindStudies) == request


@pytest.mark.parametrize(
    "body",
    [
        {"peer": {"name": "a", "ae_title": "A", "host": "h", "port": "104"}},
        {"peer": {"name": "a", "ae_title": "A", "host": "h"}},
        {"peer": {"name": 1, "ae_title": "A", "host": "h", "port": 104}},
        {"peer": "a"},
        [1, 2],
    ],
)
def test_a_value_of_another_shape_is_refused(body: object) -> None:
    sent = frame(Kind.CALL, 1, Echo(local_peer("A", "B", 1)))
    forged = type(sent)(sent.kind, sent.call, sent.name, msgspec.msgpack.encode(body))
    with pytest.raises(WireError):
        decode_value(forged, Echo)


def test_a_value_under_another_name_is_refused() -> None:
    sent = frame(Kind.RESULT, 1, Sent(1, 2))
    with pytest.raises(WireError):
        decode_value(sent, Retrieved)


@pytest.mark.parametrize("data", [struct.pack(">I", 0xFFFFFFFF), struct.pack(">I", 3) + b"abc"])
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(data)
        with pytest.raises(WireError):
            Channel(theirs).read()


def test_every_error_of_the_kiosk_crosses_and_an_unknown_one_becomes_the_nearest() -> None:
    class Special(UnreadableObject):
        pass

    for kind in (errors.PeerRefused, errors.StorageFull, errors.Cancelled, errors.WorkerDied):
        crossed = raised(failure(1, kind("words")))
        assert type(crossed) is kind
        assert str(crossed) == "words"
    assert type(raised(failure(1, Special("words")))) is UnreadableObject
