"""`python -m kiosk.demo.archive`: serves until standard input ends, after one line of JSON with its ports."""

import argparse
import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime

from kiosk.demo.archive.catalogue import Catalogue
from kiosk.demo.archive.launch import ARCHIVE, DESTINATIONS, PARENT_DIED
from kiosk.demo.archive.nodes import ArchiveNode, Node, keep_quiet
from kiosk.demo.department import DEFAULT_SEED, studies_on
from kiosk.demo.odd import odd_studies

_PR_SET_PDEATHSIG = 1


def _die_with(parent: int) -> None:
    """Asks the kernel to end this process with the thread that started it; leaves at once when it is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(PARENT_DIED)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kiosk.demo.archive", description=__doc__)
    parser.add_argument(
        "--ports", default="", help="ports of the archive and the destinations, comma separated; 0: any"
    )
    parser.add_argument("--today", type=date.fromisoformat, default=None, help="the day that counts as today")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another seed, another department")
    parser.add_argument("--odd", action="store_true", help="adds studies that try a client's patience")
    parser.add_argument("--parent", type=int, default=0, help="dies with this process, whose main thread started it")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Runs the archive; returns when standard input ends."""
    arguments = _arguments(words)
    if arguments.parent:
        _die_with(arguments.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_quiet()
    today = arguments.today or datetime.now(UTC).astimezone().date()
    studies = studies_on(today, arguments.seed) + (odd_studies(today) if arguments.odd else ())
    ports = [int(port) for port in arguments.ports.split(",") if port] or [0]
    ports += [0] * (1 + len(DESTINATIONS) - len(ports))
    archive = ArchiveNode(ARCHIVE, Catalogue(studies, ARCHIVE), ports[0])
    destinations = [Node(title, port) for title, port in zip(DESTINATIONS, ports[1:], strict=False)]
    for node in (archive, *destinations):
        node.start()
    sys.stdout.write(json.dumps({node.ae_title: node.port for node in (archive, *destinations)}) + "\n")
    sys.stdout.flush()
    while sys.stdin.buffer.read(4096):
        pass
    # Associations may still be busy; nothing here needs saving.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
