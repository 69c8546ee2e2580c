"""Several calls at a time: what hangs or dies in one keeps nobody from the others."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from kiosk.clock import SystemClock
from kiosk.errors import Cancelled
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import StudyQuery
from tests.kiosk.imaging.hostile import raw_peer
from tests.peers import Server, ct_series, drain, fill, spool_instances

LONGEST_WAIT = 60.0
PUSHES = 6
PATIENCE = 300.0


@pytest.fixture
def imaging() -> Iterator[WorkerImaging]:
    imaging = WorkerImaging(reserve_bytes=0)
    yield imaging
    imaging.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


def test_somebody_who_browses_waits_for_no_push(imaging: WorkerImaging, orthanc: Server, spool: Spool) -> None:
    datasets = ct_series(3, PatientID="W-browse")
    fill(orthanc.peer, datasets)
    files = spool_instances(spool, datasets)
    cancel, reached = Event(), threading.Semaphore(0)

    def hang(connection: socket.socket) -> None:
        reached.release()
        while connection.recv(65536):
            pass

    def push(peer: Peer) -> None:
        with pytest.raises(Cancelled):
            drain(imaging.send(peer, files, str(spool.folder), cancel))

    with ExitStack() as stack:
        peers = [stack.enter_context(raw_peer(hang, timeout=PATIENCE)) for _ in range(PUSHES)]
        pushes = [Thread(target=push, args=(peer,), daemon=True) for peer in peers]
        for thread in pushes:
            thread.start()
        for _ in pushes:
            assert reached.acquire(timeout=LONGEST_WAIT)
        began = SystemClock().monotonic()
        found, _ = drain(imaging.find_studies(orthanc.peer, StudyQuery(patient_id="W-browse"), 10, Event()))
        (series,), _ = drain(imaging.find_series(orthanc.peer, str(datasets[0].StudyInstanceUID), Event()))
        assert len(found) == 1
        assert series.series_instance_uid == datasets[0].SeriesInstanceUID  # type: ignore[attr-defined] # drained
        assert SystemClock().monotonic() - began < PATIENCE / 10
        assert all(thread.is_alive() for thread in pushes)
        cancel.set()
        for thread in pushes:
            thread.join(LONGEST_WAIT)
            assert not thread.is_alive()


def test_what_kills_the_rewriting_of_files_leaves_whoever_looks_at_one_alone(
    imaging: WorkerImaging, spool: Spool
) -> None:
    pixels = b"".join(number.to_bytes(2, "little") for number in range(1024))
    (dataset,) = ct_series(1, PatientID="W-rewritten", PixelData=pixels)
    dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    (file,) = spool_instances(spool, [dataset])
    folder = str(spool.folder)
    assert imaging.picture(file.file, 0, 16, 16, folder, Event()).width == 16
    before = imaging.process_ids
    written = imaging.transcode(file.file, str(ExplicitVRLittleEndian), folder, Event())
    assert pixels in spool.path(written.file).read_bytes()
    (writing,) = {*imaging.process_ids} - {*before}
    os.kill(writing, signal.SIGKILL)
    until = SystemClock().monotonic() + LONGEST_WAIT
    while writing in imaging.process_ids:
        assert SystemClock().monotonic() < until
        Event().wait(0.01)
    assert imaging.picture(file.file, 0, 16, 16, folder, Event()).width == 16
    assert imaging.process_ids == before
    assert imaging.transcode(file.file, str(ExplicitVRLittleEndian), folder, Event()).size == written.size


def test_files_are_rewritten_one_at_a_time(imaging: WorkerImaging, spool: Spool) -> None:
    """One that waits for another can still be cancelled."""
    cancel = Event()
    cancel.set()
    with imaging._writes, pytest.raises(Cancelled):
        imaging.transcode("0" * 32, str(ExplicitVRLittleEndian), str(spool.folder), cancel)
