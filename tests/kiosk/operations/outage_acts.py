"""What is pushed on a network and a disk of its own: `python -m tests.kiosk.operations.outage_acts NAME DIR`, run in
a namespace of both."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

from pydicom.dataset import Dataset

from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import JobState, OutboxCounts
from kiosk.imaging.peers import Peer, Verify
from kiosk.operations import backoff, deliver
from tests.kiosk.audit.forward.namespace import set_loopback
from tests.kiosk.operations.desks import desk, sentences
from tests.kiosk.operations.test_parcels import Shop, study_of
from tests.kiosk.operations.test_push_kills import is_dicom, pixels_of
from tests.peers import Server, ct_series, fill, run_dcmqrscp, run_orthanc

TIMEOUT = 1.0
PATIENCE = 60.0


def instances(count: int) -> list[Dataset]:
    """A series of as many instances of 128 KB."""
    return ct_series(count, PatientID="P-outage", Rows=256, Columns=256, PixelData=bytes(range(256)) * 512)


def slow(peer: Peer) -> Peer:
    """The peer, at a pace that leaves time to strike."""
    return replace(peer, timeout=TIMEOUT, bytes_per_second=4_000_000, verify=Verify.QUERY)


def await_count(shop: Shop, job_id: str, enough: Callable[[OutboxCounts], bool]) -> None:
    """Waits until it is so far, and no further."""
    until, pause = time.monotonic() + PATIENCE, Event()
    while not enough(shop.outbox.counts(job_id)):
        assert time.monotonic() < until, shop.outbox.job(job_id)
        pause.wait(0.005)


def check(datasets: list[Dataset], archive: Server, destination: Server) -> None:
    """Everything has arrived once, as it was, as soon as the destination has put away what broke off."""
    wanted = {str(one.SOPInstanceUID) for one in datasets}
    sources = dict(pixels_of(path.read_bytes()) for path in archive.stored_files() if is_dicom(path))
    until = time.monotonic() + PATIENCE
    while True:
        try:
            arrived = [pixels_of(path.read_bytes()) for path in destination.stored_files() if is_dicom(path)]
            mine = [(uid, data) for uid, data in arrived if uid in wanted]
            assert Counter(uid for uid, _ in mine) == Counter(wanted), Counter(uid for uid, _ in mine)
            assert all(sources[uid] == data for uid, data in mine)
        except (AssertionError, OSError):
            if time.monotonic() > until:
                raise
            Event().wait(0.2)
        else:
            return


def network(folder: Path) -> None:
    """Cut while it is fetched, shortly while it is sent, and for long."""
    set_loopback(True)
    datasets = instances(40)
    with run_dcmqrscp() as archive, run_orthanc() as destination:
        fill(archive.peer, datasets)
        imaging = WorkerImaging(reserve_bytes=0)
        with desk(folder, imaging, slow(archive.peer), slow(destination.peer)) as shop:
            job_id = shop.push(study_of(datasets))
            await_count(shop, job_id, lambda counts: counts.fetched >= 5)
            set_loopback(False)
            shop.await_job(job_id, lambda job: "Tried again" in job.sentence)
            set_loopback(True)
            await_count(shop, job_id, lambda counts: counts.sent >= 3)
            set_loopback(False)
            Event().wait(0.3)  # shorter than anybody gives up
            set_loopback(True)
            await_count(shop, job_id, lambda counts: counts.sent >= 15)
            set_loopback(False)
            said = len(sentences(shop))
            shop.await_job(job_id, lambda _: len(sentences(shop)) > said + 1)
            set_loopback(True)
            job = shop.await_job(job_id, lambda job: job.state.is_final)
            assert (job.state, job.sentence) == (JobState.DELIVERED, ""), job
            told = sentences(shop)
        imaging.close()
        assert all("did not answer" in one or "cannot be reached" in one or "closed" in one for one in told), told
        check(datasets, archive, destination)


def disk(folder: Path) -> None:
    """Full while it is fetched; then it grows."""
    _fill_and_grow(folder, folder / "small" / "spool")


def whole_disk(folder: Path) -> None:
    """The same where the outbox lies on the same disk, and cannot even write down that it waits."""
    _fill_and_grow(folder / "small", folder / "small" / "spool")


def _fill_and_grow(outbox: Path, spool: Path) -> None:
    set_loopback(True)
    small = spool.parent
    small.mkdir()
    _mount(small, "size=3m")
    datasets = instances(40)
    with run_dcmqrscp() as archive, run_orthanc() as destination:
        fill(archive.peer, datasets)
        imaging = WorkerImaging(reserve_bytes=0)
        with desk(outbox, imaging, slow(archive.peer), slow(destination.peer), spool) as shop:
            job_id = shop.push(study_of(datasets))
            until = time.monotonic() + PATIENCE
            while not sentences(shop):
                assert time.monotonic() < until
                Event().wait(0.01)
            said = sentences(shop)
            assert all("disk" in one for one in said), said
            assert 0 < shop.outbox.counts(job_id).fetched < 40
            _mount(small, "remount,size=64m")
            job = shop.await_job(job_id, lambda job: job.state.is_final)
            assert (job.state, job.sentence) == (JobState.DELIVERED, ""), job
            shop.await_empty_spool()
        imaging.close()
        check(datasets, archive, destination)


def _mount(at: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)], check=True)


if __name__ == "__main__":
    vars(backoff).update(BROKEN_OFF=(0.2,), BUSY=(0.2,))
    vars(deliver).update(LOOK_EVERY=0.1)
    {"network": network, "disk": disk, "whole_disk": whole_disk}[sys.argv[1]](Path(sys.argv[2]))
