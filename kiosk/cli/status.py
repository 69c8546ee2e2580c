"""`kiosk status`: how far the audit trail has come, and how far each sink of it."""

import json
from argparse import Namespace
from datetime import datetime
from pathlib import Path

from kiosk.audit import Checkpoint, ReadOnlyTrail, TrailClient, store
from kiosk.audit.forward import SinkStatus, sink_statuses
from kiosk.audit.port import TrailReader
from kiosk.cli.forwarding import cursors, sinks, trail_opener
from kiosk.config.loader import load
from kiosk.premises import Premises

WRONG = 1


def run(options: Namespace) -> int:
    """Prints it; exit 1 when the trail does not record, or a sink does not take what it is sent."""
    premises = Premises(load(Path(options.config)))
    with trail_opener(premises)() as trail:
        head, failure, checkpoint = trail.head(), *_health(trail)
        found = sink_statuses(sinks(premises), cursors(premises), trail)
    now = premises.clock.now()
    if options.json:
        print(
            json.dumps(
                {
                    "kiosk": premises.config.kiosk.name,
                    "trail": {
                        "records": head.sequence,
                        "head": head.hash.hex(),
                        "failure": failure,
                        "checkpoint": _checkpoint_json(checkpoint),
                    },
                    "sinks": [_sink_json(sink, now) for sink in found],
                }
            )
        )
    else:
        _print_trail(head.sequence, head.hash, failure, checkpoint)
        for sink in found:
            _print_sink(sink, now)
    return WRONG if failure or any(sink.fault for sink in found) else 0


def _health(trail: TrailReader) -> tuple[str, Checkpoint | None]:
    """Why it does not record, as far as can be told from here, and its newest checkpoint."""
    if isinstance(trail, TrailClient):
        status = trail.status()
        return status.failure, status.checkpoint
    if isinstance(trail, ReadOnlyTrail):
        number = store.last_checkpoint(trail.connection)
        return "", next(trail.checkpoints(number), None) if number else None
    return "", None


def _checkpoint_json(checkpoint: Checkpoint | None) -> dict[str, object] | None:
    if checkpoint is None:
        return None
    return {
        "number": checkpoint.number,
        "record": checkpoint.sequence,
        "time": checkpoint.time.isoformat(),
        "occasion": checkpoint.occasion.value,
    }


def _sink_json(sink: SinkStatus, now: datetime) -> dict[str, object]:
    return {
        "name": sink.name,
        "kind": sink.kind,
        "place": sink.place,
        "depth": sink.waiting,
        "oldest_unsent_seconds": round(sink.oldest_seconds(now), 3),
        "settled": sink.settled,
        "sent_at": sink.sent_at.isoformat() if sink.sent_at else None,
        "fault": sink.fault,
        "fault_since": sink.fault_at.isoformat() if sink.fault_at else None,
    }


def _print_trail(records: int, value: bytes, failure: str, checkpoint: Checkpoint | None) -> None:
    print(f"Audit trail: {records} records, head {value.hex()[:16]}")
    if failure:
        print(f"  not recording: {failure}")
    if checkpoint is None:
        print("  no checkpoint yet")
    else:
        print(f"  checkpoint {checkpoint.number} of {checkpoint.time:%Y-%m-%d %H:%M:%SZ}, record {checkpoint.sequence}")


def _print_sink(sink: SinkStatus, now: datetime) -> None:
    print(f"Sink {sink.name} ({sink.kind}, {sink.place}): {waiting_words(sink, now)}")
    if sink.fault:
        since = f" since {sink.fault_at:%Y-%m-%d %H:%M:%SZ}" if sink.fault_at else ""
        print(f"  failing{since}: {sink.fault}")


def waiting_words(sink: SinkStatus, now: datetime) -> str:
    """How much waits, and for how long the oldest has."""
    if not sink.waiting:
        return "everything is sent"
    records = "1 record waits" if sink.waiting == 1 else f"{sink.waiting} records wait"
    return f"{records}, the oldest for {_duration(sink.oldest_seconds(now))}"


def _duration(seconds: float) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count = int(seconds // size)
        if count:
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "less than a second"
