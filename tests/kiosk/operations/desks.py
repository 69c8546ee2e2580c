"""Deliverers that share their workers: for tests that make many pushes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit import Outcome
from kiosk.clock import SystemClock
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import Outbox
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.operations import backoff, deliver
from kiosk.operations.deliver import Deliverer
from kiosk.operations.hub import Hub
from kiosk.operations.perform import Desk
from kiosk.operations.settlement import DeliveryRules
from tests.kiosk.operations.ledgers import MemoryLedger
from tests.kiosk.operations.test_parcels import Shop


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short: what is waited for is what was in the way."""
    monkeypatch.setattr(backoff, "BROKEN_OFF", (0.05,))
    monkeypatch.setattr(backoff, "BUSY", (0.05,))
    monkeypatch.setattr(deliver, "LOOK_EVERY", 0.02)


@contextmanager
def desk(
    folder: Path, imaging: WorkerImaging, archive: Peer, destination: Peer, spool: Path | None = None
) -> Iterator[Shop]:
    """A deliverer between these two."""
    archive, destination = replace(archive, name="Archive"), replace(destination, name="Destination")
    outbox, ledger = Outbox(folder / "outbox.db"), MemoryLedger()
    files = Spool(spool or folder / "spool", 0, durable=True)
    outbox.open()
    deliverer = Deliverer(
        Desk(ledger, lambda _: True),
        imaging,
        outbox,
        files,
        lambda _: archive,
        lambda _: destination,
        Hub(),
        SystemClock(),
        DeliveryRules(),
    )
    deliverer.start()
    try:
        yield Shop(deliverer, outbox, files, ledger)
    finally:
        deliverer.stop()
        outbox.close()


def sentences(shop: Shop) -> list[str]:
    """How the attempts ended that did not go through, as they are on record."""
    acts = [entry for entry in shop.ledger.entries if entry.act in ("deliver", "confirm")]
    return [act.summary for act in acts if act.outcome not in (None, Outcome.SUCCESS)]


def resident_bytes(process_id: int) -> int:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
