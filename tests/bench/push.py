"""Pushes beside `storescu` and `dcmsend`, each in turn with ours: to a sink, to storescp, dcmqrscp and Orthanc.

"nd" is TCP_NODELAY=1 in the environment of DCMTK's programs; without it they are as shipped. KIOSK_BENCH_QUICK in the
environment takes few instances and one round: for a look whether it runs, not for its numbers.

The loopback of most machines has an MTU of 65536, on which storescu stands still twice an instance; with the 1500 of a
real network (`unshare -n`, `ip link set lo up mtu 1500`) it does so once, and those ratios are about half.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from kiosk.errors import ImagingError
from kiosk.imaging.calls import Sent, ToSend
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.bench.row import row
from tests.peers import (
    ct_series,
    drain,
    free_port,
    local_peer,
    run_dcmqrscp,
    run_orthanc,
    run_storescp,
    spool_instances,
)

QUICK = bool(os.environ.get("KIOSK_BENCH_QUICK"))
ROUNDS = 1 if QUICK else 5
SIDES = {"ct": 512, "small": 79}
"""Rows and columns of 16 bits: 0.5 MB and 12.5 KB an instance."""
NODELAY = {"TCP_NODELAY": "1"}
IGNORE = ("--ignore", "+xa", "-pdu", "131072")
PATIENCE = 900.0

Run = Callable[[], AbstractContextManager[Peer]]


@dataclass(frozen=True)
class Work:
    """So many instances of that kind to a receiver, beside a sender of DCMTK's with that environment."""

    kind: str
    count: int
    receiver: str
    run: Run
    sender: str
    environment: tuple[tuple[str, str], ...]
    goal: float
    associations: int = 1


def rows() -> Iterator[dict[str, object]]:
    """Instances a second, association and process start of DCMTK's senders included."""
    imaging = WorkerImaging()
    try:
        with tempfile.TemporaryDirectory() as name:
            sink = partial(run_sink, _built(Path(name)))
            for work in works(sink):
                yield _row(imaging, work)
            yield _lost(sink)
    finally:
        imaging.close()


def works(sink: Run) -> Iterator[Work]:
    """The table of goals."""
    nd = tuple(NODELAY.items())
    fast = partial(_storescp, NODELAY)
    plain = partial(_storescp, {})
    yield Work("ct", 1000, "a sink", sink, "storescu", nd, 2.5)
    yield Work("small", 5000, "storescp nd", fast, "storescu", nd, 2.0)
    yield Work("small", 5000, "storescp nd", fast, "dcmsend", nd, 1.7)
    for sender in ("storescu", "dcmsend"):
        yield Work("ct", 100, "storescp as shipped", plain, sender, (), 80.0)
        yield Work("small", 200, "storescp as shipped", plain, sender, (), 80.0)
    yield Work("ct", 100, "dcmqrscp as shipped", _dcmqrscp, "storescu", (), 20.0)
    yield Work("small", 200, "dcmqrscp as shipped", _dcmqrscp, "storescu", (), 10.0)
    yield Work("ct", 100, "Orthanc as shipped", partial(_orthanc, {}), "storescu", (), 8.0)
    yield Work("small", 200, "Orthanc as shipped", partial(_orthanc, {}), "storescu", (), 20.0)
    for kind in SIDES:
        yield Work(kind, 1000, "Orthanc nd", partial(_orthanc, NODELAY), "storescu", nd, 1.1)
        yield Work(kind, 1000, "Orthanc nd, two associations", partial(_orthanc, NODELAY), "storescu", nd, 1.3, 2)


def _row(imaging: WorkerImaging, work: Work) -> dict[str, object]:
    count = max(60, work.count // 20) if QUICK else work.count
    rounds: list[tuple[float, float]] = []
    with work.run() as peer:
        peer = replace(peer, associations=work.associations, timeout=60.0)
        _ours(imaging, peer, "small", 5)  # the worker has loaded what it needs
        for _ in range(ROUNDS):
            rounds.append((_ours(imaging, peer, work.kind, count), _theirs(peer, work, count)))
    environment = " nd" if work.environment else " as shipped"
    name = f"push {count} {work.kind} to {work.receiver}"
    return row(name, f"{work.sender}{environment}", "instances/s", work.goal, rounds)


@contextmanager
def _instances(kind: str, count: int) -> Iterator[tuple[Path, tuple[ToSend, ...]]]:
    """New instances of one series: what a receiver has already, it may take faster."""
    side = SIDES[kind]
    with tempfile.TemporaryDirectory() as name:
        spool = Spool(Path(name), reserve=0)
        datasets = ct_series(count, Rows=side, Columns=side, PixelData=bytes(side * side * 2))
        yield spool.folder, spool_instances(spool, datasets)


def _ours(imaging: WorkerImaging, peer: Peer, kind: str, count: int) -> float:
    with _instances(kind, count) as (folder, files):
        started = time.monotonic()
        _, result = drain(imaging.send(peer, files, str(folder), Event()))
        seconds = time.monotonic() - started
    if result != Sent(count, 0):
        raise SystemExit(f"{peer} did not take everything: {result}")
    return count / seconds


def _theirs(peer: Peer, work: Work, count: int) -> float:
    with _instances(work.kind, count) as (folder, _):
        command = [work.sender, "-aec", peer.ae_title, "-pdu", "131072", "+sd", peer.host, str(peer.port), str(folder)]
        environment = os.environ | dict(work.environment)
        started = time.monotonic()
        subprocess.run(command, check=True, timeout=PATIENCE, env=environment, stdout=subprocess.DEVNULL)
        return count / (time.monotonic() - started)


def _lost(sink: Run) -> dict[str, object]:
    """Answers that are missing after runs over four associations: `ours` is what was answered of `theirs`."""
    runs, count = (2, 100) if QUICK else (20, 1000)
    rounds: list[tuple[float, float]] = []
    with sink() as peer:
        for _ in range(runs):
            with _instances("small", count) as (folder, files):
                answers, _ = drain(send(replace(peer, associations=4), files, Spool(folder), Event()))
            rounds.append((float(len(answers)), float(count)))
    return row(f"{runs} runs of {count} over 4 associations", "every answer", "answers", 1.0, rounds)


def _built(folder: Path) -> Path:
    program = folder / "sink"
    source = Path(__file__).with_name("sink.c")
    subprocess.run(["gcc", "-O2", "-o", str(program), str(source)], check=True, timeout=120)
    return program


@contextmanager
def run_sink(program: Path) -> Iterator[Peer]:
    """The sink on a free port."""
    peer = local_peer("Sink", "SINK", free_port(), timeout=60.0)
    process = subprocess.Popen([program, str(peer.port)])
    try:
        _await(peer)
        yield peer
    finally:
        process.terminate()
        process.wait(10)


def _await(peer: Peer) -> None:
    until = time.monotonic() + 20.0
    with _instances("small", 1) as (folder, files):
        while True:
            try:
                drain(send(peer, files, Spool(folder), Event()))
            except ImagingError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return


@contextmanager
def _storescp(environment: dict[str, str]) -> Iterator[Peer]:
    with run_storescp(*IGNORE, environment=environment) as server:
        yield server.peer


@contextmanager
def _dcmqrscp() -> Iterator[Peer]:
    with run_dcmqrscp() as server:
        yield server.peer


@contextmanager
def _orthanc(environment: dict[str, str]) -> Iterator[Peer]:
    with run_orthanc(environment) as server:
        yield server.peer
