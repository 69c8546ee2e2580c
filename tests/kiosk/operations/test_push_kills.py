"""Workers and kiosks killed in the middle of pushes: every instance arrives once, as it was, and is on record."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.outbox import ItemState, JobState, Outbox, OutboxJob
from kiosk.operations.job import Errand, write_errand
from kiosk.operations.push import delegate
from tests.kiosk.operations.acts import SESSION
from tests.kiosk.operations.test_parcels import study_of
from tests.peers import Server, ct_series, fill, run_dcmqrscp, run_orthanc

INSTANCES = 30
DEADLINE = 120.0


def queue(folder: Path, datasets: list[Dataset]) -> str:
    """A push in an outbox that no process has opened."""
    study = study_of(datasets)
    outbox = Outbox(folder / "outbox.db")
    outbox.open()
    job_id = outbox.new_job_id()
    errand = write_errand(Errand(study, delegate(SESSION, job_id)))
    outbox.add(
        OutboxJob(job_id, "a.weber", errand, "Archive", "Destination", study.study_instance_uid, (), JobState.WAITING)
    )
    outbox.close()
    return job_id


def start(folder: Path, archive: Server, destination: Server, associations: int) -> subprocess.Popen[str]:
    peers = [f"{server.peer.ae_title}:{server.peer.port}" for server in (archive, destination)]
    command = [sys.executable, "-m", "tests.kiosk.operations.push_process", str(folder), *peers, str(associations)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def push_with_kills(folder: Path, archive: Server, destination: Server, kills: int, seed: int) -> int:
    """Runs kiosks until the push is over, killing so many of them, or their network worker; the kills that struck."""
    chance, struck = random.Random(seed), 0
    # dcmqrscp's own processes trip over each other's index and forget instances they have stored.
    associations = 1 if destination.peer.ae_title == "QRSCP" else 2
    deadline = time.monotonic() + DEADLINE + 10 * kills
    while time.monotonic() < deadline:
        process = start(folder, archive, destination, associations)
        assert process.stdout is not None
        workers = [int(word) for word in process.stdout.readline().split()]
        if struck < kills:
            time.sleep(chance.uniform(0.1, 1.2))  # a random moment, not a wait for one
            if process.poll() is None:
                struck += 1
                with suppress(ProcessLookupError):
                    os.kill(chance.choice([process.pid, workers[0]]), signal.SIGKILL)
        try:
            said, _ = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            pytest.fail("the push did not end")
        if "done" in said:
            return struck
    pytest.fail("the push did not end")


def pixels_of(stream: bytes) -> tuple[str, bytes]:
    """SOP Instance UID and the bytes of the data set as they lie in the file."""
    meta = read_file_meta(BytesIO(stream))
    return meta.sop_instance_uid, stream[meta.data_set :]


def check(folder: Path, job_id: str, datasets: list[Dataset], archive: Server, destination: Server) -> None:
    """Everything arrived once, as the archive has it, and the record says so."""
    outbox = Outbox(folder / "outbox.db")
    outbox.open()
    # A kill after the delivery is on record: the next start has forgotten the job, which the record below still shows.
    jobs, items, files = outbox.jobs(), outbox.items(job_id), outbox.files()
    outbox.close()
    assert not files
    if jobs:
        assert [(job.job_id, job.state) for job in jobs] == [(job_id, JobState.DELIVERED)]
        assert {item.state for item in items} == {ItemState.DELIVERED}
        assert sorted(item.sop_instance_uid for item in items) == sorted(str(one.SOPInstanceUID) for one in datasets)
    wanted = {str(one.SOPInstanceUID) for one in datasets}
    sources = dict(pixels_of(path.read_bytes()) for path in archive.stored_files() if is_dicom(path))
    arrived = [pixels_of(path.read_bytes()) for path in destination.stored_files() if is_dicom(path)]
    mine = [(uid, data) for uid, data in arrived if uid in wanted]
    assert Counter(uid for uid, _ in mine) == Counter(wanted)
    assert all(sources[uid] == data for uid, data in mine)
    ended = [line for line in (folder / "record").read_text().splitlines() if " OUTCOME " in line]
    assert f"job={job_id}" in ended[-1]
    assert f"delivered={len(wanted)}" in ended[-1]
    assert not any((folder / "spool").iterdir())


def is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def run(folder: Path, destination: Server, archive: Server, kills: int, seed: int) -> int:
    datasets = ct_series(
        INSTANCES, PatientID=f"P-kill-{seed}", Rows=256, Columns=256, PixelData=bytes(range(256)) * 512, BitsStored=16,
        HighBit=15,
    )  # fmt: skip
    fill(archive.peer, datasets)
    job_id = queue(folder, datasets)
    struck = push_with_kills(folder, archive, destination, kills, seed)
    check(folder, job_id, datasets, archive, destination)
    return struck


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("to", "kills"),
    [
        ("dcmqrscp", 8),
        ("orthanc", 7),
        pytest.param("dcmqrscp", 150, marks=pytest.mark.long),
        pytest.param("orthanc", 150, marks=pytest.mark.long),
    ],
)
def test_kills_lose_nothing_and_repeat_nothing(to: str, kills: int, tmp_path: Path, dcmqrscp: Server) -> None:
    struck = seed = 0
    with (run_dcmqrscp if to == "dcmqrscp" else run_orthanc)() as destination:
        while struck < kills:
            seed += 1
            folder = tmp_path / str(seed)
            folder.mkdir()
            struck += run(folder, destination, dcmqrscp, min(8, kills - struck), seed)


def test_the_files_of_both_peers_are_read_alike(dcmqrscp: Server, orthanc: Server) -> None:
    datasets = ct_series(1, PatientID="P-alike")
    for server in (dcmqrscp, orthanc):
        fill(server.peer, datasets)
        found = [path for path in server.stored_files() if is_dicom(path)]
        assert str(datasets[0].SOPInstanceUID) in [str(pydicom.dcmread(path).SOPInstanceUID) for path in found]
