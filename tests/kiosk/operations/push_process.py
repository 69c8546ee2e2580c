"""`python -m tests.kiosk.operations.push_process FOLDER ARCHIVE DESTINATION`: a deliverer to be killed by a test.

Peers are TITLE:PORT. Takes up what the outbox in the folder holds, writes the audit messages it owes to `record` there,
one line a record, durable; prints the worker's process ids once they are known, and `done` when nothing is left.
"""

import os
import sys
import threading
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


def peer(word: str, name: str, associations: int = 1) -> Peer:
    """A peer on loopback from TITLE:PORT."""
    title, port = word.split(":")
    return Peer(name, title, "127.0.0.1", int(port), timeout=20, associations=associations)


def main() -> None:
    """Until killed, or until everything is delivered."""
    vars(backoff)["BROKEN_OFF"] = (0.2, 0.5, 1)
    folder = Path(sys.argv[1])
    archive, destination = peer(sys.argv[2], "Archive"), peer(sys.argv[3], "Destination", int(sys.argv[4]))
    imaging = WorkerImaging(reserve_bytes=0)
    imaging.start()
    outbox = Outbox(folder / "outbox.db")
    outbox.open()
    desk = Desk(FileLedger(folder / "record"), lambda _: True)
    spool = Spool(folder / "spool", 0, durable=True)
    deliverer = Deliverer(desk, imaging, outbox, spool, lambda _: archive, lambda _: destination, Hub(), SystemClock())
    sys.stdout.write(" ".join(map(str, imaging.process_ids)) + "\n")
    sys.stdout.flush()
    deliverer.start()
    pause = threading.Event()
    while not all(job.state.is_final for job in outbox.jobs()):
        pause.wait(0.05)
    deliverer.stop()
    imaging.close()
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
