"""Who takes instances in benches: the sink, and DCMTK's and Orthanc's servers as benches run them.

"nd" is TCP_NODELAY=1 in the environment of DCMTK's programs and Orthanc; without it they are as shipped.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Timer

from kiosk.errors import ImagingError
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from tests.bench.instances import instances
from tests.peers import drain, free_port, local_peer, run_dcmqrscp, run_orthanc, run_storescp

QUICK = bool(os.environ.get("KIOSK_BENCH_QUICK"))
"""Few instances and one round: for a look whether it runs, not for its numbers."""
NODELAY = {"TCP_NODELAY": "1"}
PATIENCE = 900.0

Run = Callable[[], AbstractContextManager[Peer]]


def finish(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Runs a program to its end, in a session of its own as our worker is: the scheduler shares between sessions.

    Nobody looks every now and then whether it has ended, as a wait with a timeout would: that costs it up to 50 ms.
    """
    variables = os.environ | environment
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, start_new_session=True)
    watch = Timer(PATIENCE, process.kill)
    watch.start()
    try:
        status = process.wait()
    finally:
        watch.cancel()
        process.kill()
        process.wait()
    if status:
        raise SystemExit(f"{command[0]} ended with status {status}")


def built(source: str, folder: Path) -> Path:
    """A C program of this folder, compiled."""
    program = folder / source.removesuffix(".c")
    subprocess.run(
        ["gcc", "-O2", "-o", str(program), str(Path(__file__).with_name(source))], check=True, timeout=PATIENCE
    )
    return program


@contextmanager
def run_sink(program: Path) -> Iterator[Peer]:
    """The sink on a free port."""
    peer = local_peer("Sink", "SINK", free_port(), timeout=60.0)
    process = subprocess.Popen([program, str(peer.port)])
    try:
        await_receiver(peer)
        yield peer
    finally:
        process.terminate()
        process.wait(10)


def await_receiver(peer: Peer) -> None:
    """Waits until it takes an instance."""
    until = time.monotonic() + 30.0
    with instances("small", 1) as (folder, files):
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
def storescp(environment: Mapping[str, str]) -> Iterator[Peer]:
    """DCMTK's storescp, which keeps nothing."""
    with run_storescp("--ignore", "+xa", "-pdu", "131072", environment=dict(environment)) as server:
        yield server.peer


@contextmanager
def dcmqrscp(environment: Mapping[str, str], destinations: Mapping[str, int] | None = None) -> Iterator[Peer]:
    """DCMTK's archive; it moves to `destinations`, ports of this machine by AE title."""
    with run_dcmqrscp(dict(environment), destinations=destinations) as server:
        yield server.peer


@contextmanager
def orthanc(environment: Mapping[str, str], destinations: Mapping[str, int] | None = None) -> Iterator[Peer]:
    """Debian's Orthanc; it moves to `destinations`, ports of this machine by AE title."""
    known = {title.lower(): [title, "127.0.0.1", port] for title, port in (destinations or {}).items()}
    with run_orthanc(dict(environment), DicomModalities=known) as server:
        yield server.peer
