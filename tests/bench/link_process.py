"""`python -m tests.bench.link_process ASSOCIATIONS`, in a network namespace of its own: pushes over the link.

Prints what it measured as JSON, rounds of (ours, theirs) in instances a second.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

from kiosk.imaging.calls import Sent
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.peers import Peer
from tests.bench.instances import instances
from tests.bench.receivers import NODELAY, QUICK, await_receiver, built, finish
from tests.peers import drain, local_peer

ROUNDS = 1 if QUICK else 5
COUNT = 60 if QUICK else 200
ONE_WAY_MICROSECONDS = 10_000
BITS_PER_SECOND = 1_000_000_000
QUEUE_BYTES = 4_000_000
PORT = 11112
START_SECONDS = 30.0


def main() -> None:
    """Both ends of the link, and what goes over it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    imaging = WorkerImaging()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as name, _far_sink(Path(name)) as sink:
            _ours(imaging, sink, 5)  # the worker has loaded what it needs
            peer = replace(sink, associations=int(sys.argv[1]))
            rounds = [(_ours(imaging, peer, COUNT), _theirs(peer)) for _ in range(ROUNDS)]
    finally:
        imaging.close()
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    print(json.dumps({"count": COUNT, "congestion control": control, "rounds": rounds}))


@contextmanager
def _far_sink(folder: Path) -> Iterator[Peer]:
    """The sink in another namespace, with the link to there."""
    sink = subprocess.Popen(["unshare", "--net", str(built("sink.c", folder)), str(PORT), "0.0.0.0"])
    try:
        _await_namespace(sink)
        numbers = (sink.pid, ONE_WAY_MICROSECONDS, BITS_PER_SECOND, QUEUE_BYTES)
        command = [str(built("link.c", folder)), *map(str, numbers)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as link:
            try:
                assert link.stdout is not None
                if link.stdout.readline() != "up\n":
                    raise SystemExit("The link cannot be made.")
                peer = replace(local_peer("Sink", "SINK", PORT, timeout=60.0), host="10.77.0.2")
                await_receiver(peer)
                yield peer
            finally:
                link.kill()
    finally:
        sink.kill()
        sink.wait()


def _await_namespace(process: subprocess.Popen[bytes]) -> None:
    """Waits until it has one of its own."""
    until = time.monotonic() + START_SECONDS
    while os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit("A network namespace cannot be made.")
        time.sleep(0.01)


def _ours(imaging: WorkerImaging, peer: Peer, count: int) -> float:
    with instances("ct", count) as (folder, files):
        started = time.monotonic()
        _, result = drain(imaging.send(peer, files, str(folder), Event()))
        seconds = time.monotonic() - started
    if result != Sent(count, 0):
        raise SystemExit(f"{peer} did not take everything: {result}")
    return count / seconds


def _theirs(peer: Peer) -> float:
    with instances("ct", COUNT) as (folder, _):
        place = ["-aec", peer.ae_title, "-pdu", "131072", "+sd", peer.host, str(peer.port), str(folder)]
        started = time.monotonic()
        finish(["storescu", *place], NODELAY)
        return COUNT / (time.monotonic() - started)


if __name__ == "__main__":
    main()
