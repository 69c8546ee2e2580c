"""`kiosk status`: how far the audit trail has come, and how far each sink of it."""

import json
from argparse import Namespace
from datetime import datetime
from pathlib import Path

from kiosk.audit import Checkpoint
from kiosk.audit.forward import SinkStatus
from kiosk.cli.forwarding import looking
from kiosk.config.loader import load
from kiosk.premises import Premises
from kiosk.views.status import waiting_words

WRONG = 1


def run(options: Namespace) -> int:
    """Prints it; exit 1 when the trail does not record, or a sink does not take what it is sent."""
    premises = Premises(load(Path(options.config)))
    sight = looking(premises)()
    trail, found = sight.trail, sight.sinks
    head, failure, checkpoint = trail.head, trail.failure, trail.checkpoint
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
        "refused": sink.refused,
        "note": sink.note,
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
    if sink.note:
        print(f"  {sink.note}")
