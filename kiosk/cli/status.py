"""`kiosk status`: how far the audit trail has come, and how far each sink of it."""

import json
from argparse import Namespace
from datetime import datetime
from pathlib import Path

from kiosk.audit import Checkpoint, TrailStatus
from kiosk.cli.sight import Delivered, Sight, Unread, sight
from kiosk.config.loader import load
from kiosk.premises import Premises
from kiosk.views.status import waiting_words

WRONG = 1

Json = dict[str, object]


def run(options: Namespace) -> int:
    """Prints it; exit 1 when the trail does not record, or an anchor or a sink does not take what it is sent."""
    premises = Premises(load(Path(options.config)))
    found, now = sight(premises), premises.clock.now()
    if options.json:
        trail, delivered = _trail_json(found), [_sink_json(sink, now) for sink in found.sinks]
        print(json.dumps({"kiosk": premises.config.kiosk.name, "trail": trail, "sinks": delivered}))
    else:
        _print_trail(found)
        for sink in found.sinks:
            _print_sink(sink, now)
    return 0 if found.is_well else WRONG


def _trail_json(found: Sight) -> Json:
    trail = found.trail
    known: Json = {
        "records": trail.head.sequence,
        "head": trail.head.hash.hex(),
        "failure": trail.failure,
        "checkpoint": _checkpoint_json(trail.checkpoint),
        "anchored": trail.anchored,
        "anchored_at": _moment(trail.anchored_at),
        "anchor_fault": trail.anchor_fault,
        "begun_anew": _moment(trail.begun_anew),
        "free_bytes": trail.free_bytes,
        "reserve_bytes": trail.reserve_bytes,
    }
    if found.knows_trail:
        return known
    return {name: value if name == "failure" else value or None for name, value in {**known, "head": None}.items()}


def _checkpoint_json(checkpoint: Checkpoint | None) -> Json | None:
    if checkpoint is None:
        return None
    return {
        "number": checkpoint.number,
        "record": checkpoint.sequence,
        "time": checkpoint.time.isoformat(),
        "occasion": checkpoint.occasion.value,
    }


def _sink_json(found: Delivered, now: datetime) -> Json:
    if isinstance(found, Unread):
        sink = found.sink
        named: Json = {"name": sink.name, "kind": sink.kind.value, "place": sink.place}
        return {**dict.fromkeys(SINK_KEYS), **named, "fault": found.fault}
    waiting = found.waiting
    values = (
        found.name,
        found.kind,
        found.place,
        waiting,
        None if waiting is None else round(found.oldest_seconds(now), 3),
        found.settled,
        _moment(found.sent_at),
        found.fault,
        _moment(found.fault_at),
        found.refused,
        found.note,
    )
    return dict(zip(SINK_KEYS, values, strict=True))


SINK_KEYS = (
    "name",
    "kind",
    "place",
    "depth",
    "oldest_unsent_seconds",
    "settled",
    "sent_at",
    "fault",
    "fault_since",
    "refused",
    "note",
)


def _moment(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _print_trail(found: Sight) -> None:
    trail = found.trail
    if not found.knows_trail:
        print("Audit trail: how long it is cannot be told")
        print(f"  not recording: {trail.failure}")
        if trail.anchored:
            print(f"  {_anchored(trail)}")
        return
    print(f"Audit trail: {trail.head.sequence} records, head {trail.head.hash.hex()[:16]}")
    if trail.failure:
        print(f"  not recording: {trail.failure}")
    checkpoint = trail.checkpoint
    if checkpoint is None:
        print("  no checkpoint yet")
    else:
        print(f"  checkpoint {checkpoint.number} of {_second(checkpoint.time)}, record {checkpoint.sequence}")
    print(f"  {_anchored(trail)}")
    if trail.anchor_fault:
        print(f"  anchors: {trail.anchor_fault}")
    if trail.begun_anew:
        print(f"  begun anew at {_second(trail.begun_anew)}: there was a trail here before, which is gone")


def _anchored(trail: TrailStatus) -> str:
    if not trail.anchored:
        return "no checkpoint is kept elsewhere"
    of = f" of {_second(trail.anchored_at)}" if trail.anchored_at else ""
    return f"kept elsewhere up to checkpoint {trail.anchored}{of}"


def _print_sink(found: Delivered, now: datetime) -> None:
    if isinstance(found, Unread):
        sink = found.sink
        print(f"Sink {sink.name} ({sink.kind.value}, {sink.place}): how far it has come cannot be told")
        print(f"  {found.fault}")
        return
    print(f"Sink {found.name} ({found.kind}, {found.place}): {waiting_words(found, now)}")
    if found.fault:
        since = f" since {_second(found.fault_at)}" if found.fault_at else ""
        print(f"  failing{since}: {found.fault}")
    if found.note:
        print(f"  {found.note}")


def _second(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%SZ}"
