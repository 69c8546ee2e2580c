"""What a trail records of itself: that recording stopped, that it goes on, that it was begun where there had been one.

Keys that were used beside a trail that is gone keep the kiosk locked, and so does an anchor elsewhere. Where trail and
keys went together and nothing is anchored, nothing signed says how far the old one had come. What is left of the kiosk
(its identity, its cursors, its segments) only shows that there was one, and that is on record.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from kiosk.audit import events, reading, store
from kiosk.audit.message import AuditSource, Outcome
from kiosk.audit.participants import Node, Who
from kiosk.audit.record import Actor, Entry, Phase

RECORDING: Final = "audit_recording"
BEGUN_ANEW: Final = "trail_begun_anew"
ANEW: Final = (
    "A new audit trail begins where this kiosk was set up before: an earlier one is gone, and what it held is "
    "only where it was delivered to"
)


def recording(source: AuditSource, log_uri: str, outcome: Outcome, said: str) -> Entry:
    """Audit Recording Stopped, or on success Started (PS3.15 A.5.3.11)."""
    return _entry(RECORDING, outcome, said, _alert(source, log_uri, outcome is not Outcome.SUCCESS, said))


def begun_anew(source: AuditSource, log_uri: str) -> Entry:
    """The first record of a trail that takes the place of another: Audit Recording Stopped, then Started."""
    messages = (*_alert(source, log_uri, True, ANEW), *_alert(source, log_uri, False, ANEW))
    return _entry(BEGUN_ANEW, Outcome.MAJOR, ANEW, messages)


def begun_anew_at(first: Iterable[store.Row]) -> datetime | None:
    """When a trail whose first rows these are took the place of another; None where it did not, or where its first
    record is pruned. Raises TrailError."""
    for row in first:
        if row.sequence == 1:
            record = reading.record_of(row, b"")
            return record.time if record.entry.act == BEGUN_ANEW else None
    return None


def _alert(source: AuditSource, log_uri: str, stopped: bool, said: str) -> events.Messages:
    return events.audit_recording(Who("system"), stopped, log_uri, said, Node(source.source_id))


def _entry(act: str, outcome: Outcome, said: str, messages: events.Messages) -> Entry:
    return Entry(act, uuid.uuid4().hex, Phase.EVENT, Actor("system", "system", ""), said, outcome, messages)
