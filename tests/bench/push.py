"""Pushes beside `storescu` and `dcmsend`, each in turn with ours: to a sink, to storescp, dcmqrscp and Orthanc.

"nd" is TCP_NODELAY=1 in the environment of DCMTK's programs; without it they are as shipped. KIOSK_BENCH_QUICK in the
environment takes few instances and one round: for a look whether it runs, not for its numbers.

The loopback of most machines has an MTU of 65536, on which storescu stands still twice an instance; with the 1500 of a
real network (`unshare -n`, `ip link set lo up mtu 1500`) it does so once, and those ratios are about half.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from kiosk.imaging.calls import Sent
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.bench.instances import SIDES, instances
from tests.bench.receivers import NODELAY, QUICK, Run, built, dcmqrscp, finish, orthanc, run_sink, storescp
from tests.bench.row import row
from tests.peers import drain

ROUNDS = 1 if QUICK else 5
SLOW_ROUNDS = 1 if QUICK else 3
"""Where a sender or a receiver takes its time."""


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

    @property
    def is_quick(self) -> bool:
        """False where either of the two stands still for most of the time."""
        return bool(self.environment) and "Orthanc" not in self.receiver


def rows() -> Iterator[dict[str, object]]:
    """Instances a second, association and process start of DCMTK's senders included."""
    imaging = WorkerImaging()
    try:
        with tempfile.TemporaryDirectory() as name:
            sink = partial(run_sink, built("sink.c", Path(name)))
            for work in works(sink):
                yield _row(imaging, work)
            yield _lost(sink)
    finally:
        imaging.close()


def works(sink: Run) -> Iterator[Work]:
    """The table of goals."""
    nd = tuple(NODELAY.items())
    fast = partial(storescp, NODELAY)
    plain = partial(storescp, {})
    yield Work("ct", 1000, "a sink", sink, "storescu", nd, 2.5)
    yield Work("small", 5000, "storescp nd", fast, "storescu", nd, 2.0)
    yield Work("small", 5000, "storescp nd", fast, "dcmsend", nd, 1.7)
    for sender in ("storescu", "dcmsend"):
        yield Work("ct", 100, "storescp as shipped", plain, sender, (), 80.0)
        yield Work("small", 200, "storescp as shipped", plain, sender, (), 80.0)
    yield Work("ct", 100, "dcmqrscp as shipped", partial(dcmqrscp, {}), "storescu", (), 20.0)
    yield Work("small", 200, "dcmqrscp as shipped", partial(dcmqrscp, {}), "storescu", (), 10.0)
    yield Work("ct", 100, "Orthanc as shipped", partial(orthanc, {}), "storescu", (), 8.0)
    yield Work("small", 200, "Orthanc as shipped", partial(orthanc, {}), "storescu", (), 20.0)
    for kind in SIDES:
        yield Work(kind, 1000, "Orthanc nd", partial(orthanc, NODELAY), "storescu", nd, 1.1)
        yield Work(kind, 1000, "Orthanc nd, two associations", partial(orthanc, NODELAY), "storescu", nd, 1.3, 2)


def _row(imaging: WorkerImaging, work: Work) -> dict[str, object]:
    count = max(60, work.count // 20) if QUICK else work.count
    rounds: list[tuple[float, float]] = []
    with work.run() as peer:
        peer = replace(peer, associations=work.associations, timeout=60.0)
        _ours(imaging, peer, "small", 5)  # the worker has loaded what it needs
        for _ in range(ROUNDS if work.is_quick else SLOW_ROUNDS):
            rounds.append((_ours(imaging, peer, work.kind, count), _theirs(peer, work, count)))
    environment = " nd" if work.environment else " as shipped"
    name = f"push {count} {work.kind} to {work.receiver}"
    return row(name, f"{work.sender}{environment}", "instances/s", work.goal, rounds)


def _ours(imaging: WorkerImaging, peer: Peer, kind: str, count: int) -> float:
    with instances(kind, count) as (folder, files):
        started = time.monotonic()
        _, result = drain(imaging.send(peer, files, str(folder), Event()))
        seconds = time.monotonic() - started
    if result != Sent(count, 0):
        raise SystemExit(f"{peer} did not take everything: {result}")
    return count / seconds


def _theirs(peer: Peer, work: Work, count: int) -> float:
    with instances(work.kind, count) as (folder, _):
        command = [work.sender, "-aec", peer.ae_title, "-pdu", "131072", "+sd", peer.host, str(peer.port), str(folder)]
        started = time.monotonic()
        finish(command, dict(work.environment))
        return count / (time.monotonic() - started)


def _lost(sink: Run) -> dict[str, object]:
    """Answers that are missing after runs over four associations: `ours` is what was answered of `theirs`."""
    runs, count = (2, 100) if QUICK else (20, 1000)
    rounds: list[tuple[float, float]] = []
    with sink() as peer:
        for _ in range(runs):
            with instances("small", count) as (folder, files):
                answers, _ = drain(send(replace(peer, associations=4), files, Spool(folder), Event()))
            rounds.append((float(len(answers)), float(count)))
    return row(f"{runs} runs of {count} over 4 associations", "every answer", "answers", 1.0, rounds)
