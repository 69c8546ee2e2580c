"""One push of 500 small instances to dcmqrscp as shipped, beside `storescu` as shipped.

The loopback of most machines has an MTU of 65536, on which storescu stands still twice an instance; with the 1500 of a
real network (`unshare -n`, `ip link set lo up mtu 1500`) it does so once, and the ratio is about half.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from kiosk.imaging.calls import Sent
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.bench.row import row
from tests.peers import ct_series, drain, run_dcmqrscp, spool_instances

INSTANCES = 500
ROUNDS = 3
GOAL = 10.0
SIDE = 79
"""Rows and columns of 16 bits: 12.5 KB an instance."""


def rows() -> Iterator[dict[str, object]]:
    """Instances a second, association and process start of each included."""
    imaging = WorkerImaging()
    try:
        with tempfile.TemporaryDirectory() as name, run_dcmqrscp() as server:
            imaging.echo(server.peer, Event())
            folder = Path(name)
            rounds = [
                (ours(imaging, server.peer, folder / f"{turn}-ours"), theirs(server.peer, folder / f"{turn}-theirs"))
                for turn in range(ROUNDS)
            ]
        yield row(f"push {INSTANCES} small", "storescu to dcmqrscp", "instances/s", GOAL, rounds)
    finally:
        imaging.close()


def _series(folder: Path) -> Spool:
    spool = Spool(folder)
    spool.prepare()
    return spool


def ours(imaging: WorkerImaging, peer: Peer, folder: Path) -> float:
    """Our rate."""
    spool = _series(folder)
    files = spool_instances(spool, ct_series(INSTANCES, Rows=SIDE, Columns=SIDE, PixelData=bytes(SIDE * SIDE * 2)))
    started = time.monotonic()
    _, result = drain(imaging.send(peer, files, str(folder), Event()))
    seconds = time.monotonic() - started
    if result != Sent(INSTANCES, 0):
        raise SystemExit(f"dcmqrscp did not take everything: {result}")
    return INSTANCES / seconds


def theirs(peer: Peer, folder: Path) -> float:
    """The rate of storescu."""
    spool = _series(folder)
    spool_instances(spool, ct_series(INSTANCES, Rows=SIDE, Columns=SIDE, PixelData=bytes(SIDE * SIDE * 2)))
    command = ["storescu", "-aec", peer.ae_title, "+sd", peer.host, str(peer.port), str(folder)]
    started = time.monotonic()
    subprocess.run(command, check=True, timeout=300)
    return INSTANCES / (time.monotonic() - started)
