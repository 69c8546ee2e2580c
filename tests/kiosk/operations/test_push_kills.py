"""Workers and kiosks killed in the middle of pushes: every instance arrives once, as it was, and is on record."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from kiosk.imaging.network.filemeta import read_file_meta
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
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


@dataclass
class Killer:
    """Runs kiosks until a push is over, killing them or their network worker at random moments of it. `span` is how
    many seconds a push takes that is left alone, `struck` how many kills struck."""

    archive: Server
    destination: Server
    chance: random.Random
    span: float = 0.0
    struck: int = 0

    def push(self, folder: Path, kills: int) -> None:
        """One push, with at most so many kills."""
        # dcmqrscp's own processes trip over each other's index and forget instances they have stored.
        associations = 1 if self.destination.peer.ae_title == "QRSCP" else 2
        until = self.struck + kills
        deadline = time.monotonic() + DEADLINE + 10 * kills
        while time.monotonic() < deadline:
            process = start(folder, self.archive, self.destination, associations)
            assert process.stdout is not None
            victims = [process.pid, int(process.stdout.readline().split()[0])]
            began = time.monotonic()
            while victims and self.struck < until:
                time.sleep(self.chance.uniform(0, self.span))  # a random moment, not a wait for one
                if process.poll() is not None:
                    break
                self.struck += 1
                victim = victims.pop(self.chance.randrange(len(victims)))
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
            try:
                said, _ = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                pytest.fail("the push did not end")
            assert process.returncode in (0, -signal.SIGKILL), "it ended by itself"
            if said:
                assert said == "done\n", "it did itself what is for its workers"
                self.span = self.span if kills else time.monotonic() - began
                return
        pytest.fail("the push did not end")


def pixels_of(stream: bytes) -> tuple[str, bytes]:
    """SOP Instance UID and the bytes of the data set as they lie in the file."""
    meta = read_file_meta(BytesIO(stream))
    return meta.sop_instance_uid, stream[meta.data_set :]


def check(folder: Path, job_id: str, datasets: list[Dataset], archive: Server, destination: Server) -> None:
    """Everything arrived once, as the archive has it; the outbox says so of every instance, and so does the record."""
    wanted = {str(one.SOPInstanceUID) for one in datasets}
    outbox = Outbox(folder / "outbox.db")
    outbox.open()
    jobs, items, files = outbox.jobs(), outbox.items(job_id), outbox.files()
    outbox.close()
    assert not files
    # After a kill once it was over, the next start has forgotten it: what that start found is still written there.
    assert lines(folder / "stands")[-1] == f"{job_id} delivered: delivered={len(wanted)}"
    assert [(job.job_id, job.state) for job in jobs] in ([(job_id, JobState.DELIVERED)], [])
    assert not jobs or {item.sop_instance_uid for item in items} == wanted
    sources = dict(pixels_of(path.read_bytes()) for path in archive.stored_files() if is_dicom(path))
    arrived = [pixels_of(path.read_bytes()) for path in destination.stored_files() if is_dicom(path)]
    mine = [(uid, data) for uid, data in arrived if uid in wanted]
    assert Counter(uid for uid, _ in mine) == Counter(wanted)
    assert all(sources[uid] == data for uid, data in mine)
    last = [line for line in lines(folder / "record") if " OUTCOME " in line][-1].split()
    assert {f"job={job_id}", f"delivered={len(wanted)}"} <= {*last}
    assert not any((folder / "spool").iterdir())


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def run(folder: Path, killer: Killer, kills: int) -> list[str]:
    """One push of a new series; where it stood at every start of a kiosk."""
    folder.mkdir()
    datasets = ct_series(
        INSTANCES, PatientID="P-kill", Rows=256, Columns=256, PixelData=bytes(range(256)) * 512, BitsStored=16,
        HighBit=15,
    )  # fmt: skip
    fill(killer.archive.peer, datasets)
    job_id = queue(folder, datasets)
    killer.push(folder, kills)
    check(folder, job_id, datasets, killer.archive, killer.destination)
    return lines(folder / "stands")


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
    with (run_dcmqrscp if to == "dcmqrscp" else run_orthanc)() as destination:
        killer = Killer(dcmqrscp, destination, random.Random(kills))
        run(tmp_path / "alone", killer, 0)
        stood: list[str] = []
        pushes = itertools.count(1)
        while killer.struck < kills:
            stood += run(tmp_path / str(next(pushes)), killer, min(8, kills - killer.struck))
    half_way = [line for line in stood if "sen" in line.partition(":")[2] or "fetched" in line]
    assert len(half_way) >= kills // 15, f"the kills struck before or after the push: {stood}"


def test_the_files_of_both_peers_are_read_alike(dcmqrscp: Server, orthanc: Server) -> None:
    datasets = ct_series(1, PatientID="P-alike")
    for server in (dcmqrscp, orthanc):
        fill(server.peer, datasets)
        found = [path for path in server.stored_files() if is_dicom(path)]
        assert str(datasets[0].SOPInstanceUID) in [str(pydicom.dcmread(path).SOPInstanceUID) for path in found]
