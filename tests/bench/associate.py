"""An association asked whether its peer is there, and released, beside a process of `echoscu` that does the same.

Ours is a call of the kiosk to its worker, from the question to the answer.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from threading import Event

from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.peers import Peer
from tests.bench.receivers import NODELAY, QUICK, Run, finish, orthanc, storescp
from tests.bench.row import cost_row

ROUNDS = 1 if QUICK else 7
COUNT = 10 if QUICK else 50
GOAL = 0.1


def rows() -> Iterator[dict[str, object]]:
    """Milliseconds."""
    receivers: tuple[tuple[str, Run], ...] = (
        ("storescp nd", partial(storescp, NODELAY)),
        ("Orthanc nd", partial(orthanc, NODELAY)),
    )
    imaging = WorkerImaging()
    try:
        for name, run in receivers:
            with run() as peer:
                yield _row(imaging, name, replace(peer, timeout=60.0))
    finally:
        imaging.close()


def _row(imaging: WorkerImaging, name: str, peer: Peer) -> dict[str, object]:
    ours = partial(imaging.echo, peer, Event())
    theirs = partial(finish, ["echoscu", "-aec", peer.ae_title, peer.host, str(peer.port)], NODELAY)
    ours()  # the worker has loaded what it needs
    rounds = [(_milliseconds(ours), _milliseconds(theirs)) for _ in range(ROUNDS)]
    return cost_row(f"associate, echo and release, {name}", "echoscu nd, a process", "ms", GOAL, rounds)


def _milliseconds(ask: Callable[[], object]) -> float:
    """Of one, when asked again and again."""
    started = time.monotonic()
    for _ in range(COUNT):
        ask()
    return (time.monotonic() - started) / COUNT * 1000
