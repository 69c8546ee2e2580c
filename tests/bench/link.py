"""Pushes over a link of 20 ms round trip and 1 Gbit/s beside `storescu`: ours uses the associations that a peer allows.

The link is a TUN forwarder that holds packets between two network namespaces, which only root may make: the bench runs
itself again in one of them, the sink in the other.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.receivers import PATIENCE
from tests.bench.row import row

GOAL = 3.0
ASSOCIATIONS = 6
UNSHARE = ("unshare", "--net", "--kill-child=SIGTERM")


def rows() -> Iterator[dict[str, object]]:
    """Instances a second. Where the link cannot be made, a row says so, and its goal is missed."""
    if os.geteuid() or not Path("/dev/net/tun").exists():
        yield {"work": "push over a link", "skipped": "only root can make it, with /dev/net/tun", "met": False}
        return
    command = [*UNSHARE, sys.executable, "-m", "tests.bench.link_process", str(ASSOCIATIONS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.terminate()
        process.wait()
    if process.returncode:
        raise SystemExit("The link did not work.")
    found = json.loads(output)
    name = (
        f"push {found['count']} ct over 20 ms and 1 Gbit/s ({found['congestion control']}), {ASSOCIATIONS} associations"
    )
    yield row(name, "storescu nd, one association", "instances/s", GOAL, [tuple(one) for one in found["rounds"]])
