"""`python -m tests.kiosk.operations.push_process FOLDER ARCHIVE DESTINATION`: a deliverer to be killed by a test.

Peers are TITLE:PORT. Takes up what the outbox in the folder holds, writes the audit messages it owes to `record` there,
one line a record, durable; prints the workers' process ids once they can work, and `done` when nothing is left,
followed by what this process has touched that is for its workers only: objects in the spool, and peers.

How the pushes stand goes to `stands`, before anything is done with them and again at the end: a line for each, its
states in words. A push that is over is forgotten at the next start, and there its end stays to be read.
"""

import os
import re
import sys
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from kiosk.audit import Entry, Receipt
from kiosk.clock import SystemClock
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import Outbox
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.operations import backoff
from kiosk.operations.deliver import Deliverer
from kiosk.operations.hub import Hub
from kiosk.operations.perform import Desk

SPOOLED = re.compile(r"(^|/)[0-9a-f]{32}$")


class FileLedger:
    """A line for each record: act, phase and the details, on the disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")

    def append(self, entry: Entry) -> Receipt:
        """Durable when it returns."""
        details = " ".join(f"{name}={value}" for name, value in entry.details)
        self._file.write(f"{entry.act} {entry.phase.name} {details}\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return Receipt(1, bytes(32), datetime.now(UTC))


def watch(touched: list[str]) -> None:
    """From now on, what is opened under the name of a spooled object and whom this process connects to is noted."""

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and SPOOLED.search(str(arguments[0])):
            touched.append(f"object:{arguments[0]}")
        if event == "socket.connect":
            touched.append(f"peer:{arguments[1]}")

    sys.addaudithook(hear)


def note(path: Path, outbox: Outbox) -> None:
    """Adds how every push stands: its state, and how many of its instances stand where."""
    with path.open("a") as file:
        for job in outbox.jobs():
            states = Counter(item.state.value for item in outbox.items(job.job_id))
            counts = " ".join(f"{state}={count}" for state, count in sorted(states.items()))
            file.write(f"{job.job_id} {job.state.value}: {counts}\n")
        file.flush()
        os.fsync(file.fileno())


def peer(word: str, name: str, associations: int = 1) -> Peer:
    """A peer on loopback from TITLE:PORT."""
    title, port = word.split(":")
    return Peer(name, title, "127.0.0.1", int(port), timeout=20, associations=associations)


def main() -> None:
    """Until killed, or until everything is delivered."""
    touched: list[str] = []
    watch(touched)
    vars(backoff)["BROKEN_OFF"] = (0.2, 0.5, 1)
    folder = Path(sys.argv[1])
    archive, destination = peer(sys.argv[2], "Archive"), peer(sys.argv[3], "Destination", int(sys.argv[4]))
    imaging = WorkerImaging(reserve_bytes=0)
    imaging.start()
    outbox = Outbox(folder / "outbox.db")
    outbox.open()
    note(folder / "stands", outbox)
    desk = Desk(FileLedger(folder / "record"), lambda _: True)
    spool = Spool(folder / "spool", 0, durable=True)
    deliverer = Deliverer(desk, imaging, outbox, spool, lambda _: archive, lambda _: destination, Hub(), SystemClock())
    imaging.echo(archive, threading.Event())
    sys.stdout.write(" ".join(map(str, imaging.process_ids)) + "\n")
    sys.stdout.flush()
    deliverer.start()
    pause = threading.Event()
    while not all(job.state.is_final for job in outbox.jobs()):
        pause.wait(0.01)
    deliverer.stop()
    note(folder / "stands", outbox)
    imaging.close()
    sys.stdout.write(" ".join(["done", *touched]) + "\n")


if __name__ == "__main__":
    main()
