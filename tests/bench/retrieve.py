"""Retrieval beside `getscu` and `movescu`, each in turn with ours, from Orthanc and dcmqrscp, TCP_NODELAY=1 everywhere.

Ours is all that a person waits for: the listing of what there is, the checks, files in the spool, and each of them
told to the kiosk. Theirs gets the study without looking, and includes the start of a process.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from pydicom.uid import generate_uid

from kiosk.imaging.calls import Retrieved
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import Peer, Receiving, RetrieveBy
from kiosk.imaging.spool import Spool
from tests.bench.instances import write_series
from tests.bench.receivers import NODELAY, QUICK, dcmqrscp, finish, orthanc
from tests.bench.row import row
from tests.peers import drain, free_port

ROUNDS = 1 if QUICK else 7
COUNT = 100 if QUICK else 1000
OURS, THEIRS = "KIOSK", "MOVESCU"

Run = Callable[[Mapping[str, str], Mapping[str, int]], AbstractContextManager[Peer]]


@dataclass(frozen=True)
class Way:
    """How a study is asked for, beside which program of DCMTK's, and how much faster it has to come."""

    word: str
    by: RetrieveBy
    program: str
    goal: float


WAYS = (Way("C-GET", RetrieveBy.GET, "getscu +B", 1.0), Way("C-MOVE", RetrieveBy.MOVE, "movescu", 1.6))


@dataclass(frozen=True)
class Study:
    """Where a study lies, who listens on which port, and the kiosk's workers."""

    archive: Peer
    study_instance_uid: str
    their_port: int
    imaging: WorkerImaging
    place: Path


def rows() -> Iterator[dict[str, object]]:
    """Instances a second."""
    for name, run in (("Orthanc nd", orthanc), ("dcmqrscp nd", dcmqrscp)):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield from _from(name, run, Path(folder))


def _from(name: str, run: Run, place: Path) -> Iterator[dict[str, object]]:
    our_port, their_port = free_port(), free_port()
    imaging = WorkerImaging(receiving=Receiving(OURS, our_port, "127.0.0.1"))
    try:
        with run(NODELAY, {OURS: our_port, THEIRS: their_port}) as peer:
            archive = replace(peer, timeout=60.0)
            little, study = (
                Study(archive, _filled(archive, place, count), their_port, imaging, place) for count in (5, COUNT)
            )
            for way in WAYS:
                yield _row(name, way, little, study)
    finally:
        imaging.close()


def _filled(archive: Peer, place: Path, count: int) -> str:
    study = str(generate_uid())
    spool = Spool(Path(tempfile.mkdtemp(dir=place)), reserve=0)
    drain(send(archive, write_series(spool, "ct", count, study), spool, Event()))
    return study


def _row(archive: str, way: Way, little: Study, study: Study) -> dict[str, object]:
    theirs = {RetrieveBy.GET: _getscu, RetrieveBy.MOVE: _movescu}[way.by]
    _timed(study.place, partial(_ours, little, way), 5)  # the worker has loaded what it needs
    rounds = []
    for _ in range(ROUNDS):
        ours = _timed(study.place, partial(_ours, study, way), COUNT)
        rounds.append((ours, _timed(study.place, partial(theirs, study), COUNT)))
    return row(f"{way.word} of {COUNT} ct from {archive}", f"{way.program} nd", "instances/s", way.goal, rounds)


def _timed(place: Path, retrieve: Callable[[Path], None], count: int) -> float:
    """Instances a second; every one of them must lie in the folder then.

    They are emptied and stay: ext4 is slow to give a new file the place of one that was removed a moment ago.
    """
    folder = Path(tempfile.mkdtemp(dir=place))
    started = time.monotonic()
    retrieve(folder)
    seconds = time.monotonic() - started
    kept = [path for path in folder.iterdir() if path.stat().st_size]
    for path in kept:
        os.truncate(path, 0)
    if len(kept) != count:
        raise SystemExit(f"{len(kept)} of {count} instances came")
    return count / seconds


def _ours(study: Study, way: Way, folder: Path) -> None:
    archive = replace(study.archive, retrieve_by=way.by)
    items, result = drain(
        study.imaging.retrieve(archive, study.study_instance_uid, "", (), str(folder), Event(), patient=None)
    )
    if result != Retrieved(len(items), 0):
        raise SystemExit(f"{archive} did not send everything: {result}")


def _getscu(study: Study, folder: Path) -> None:
    _run(study, folder, ["getscu", "+B"])


def _movescu(study: Study, folder: Path) -> None:
    _run(study, folder, ["movescu", "-aet", THEIRS, "-aem", THEIRS, "+P", str(study.their_port)])


def _run(study: Study, folder: Path, command: list[str]) -> None:
    archive = study.archive
    keys = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study.study_instance_uid}")
    wish = [word for key in keys for word in ("-k", key)]
    place = [
        "-od",
        str(folder),
        "-S",
        "-pdu",
        "131072",
        "-aec",
        archive.ae_title,
        *wish,
        archive.host,
        str(archive.port),
    ]
    finish([*command, *place], NODELAY)
