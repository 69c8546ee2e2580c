"""How the kiosk stands, for anybody who looks: its trail and where that is delivered to. No person and no patient."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kiosk.audit import ReadOnlyTrail, TrailClient, TrailStatus, store
from kiosk.audit.forward import SinkStatus
from kiosk.audit.own_records import begun_anew_at
from kiosk.audit.port import TrailReader
from kiosk.clock import Clock
from kiosk.errors import TrailError


@dataclass(frozen=True)
class TrailSight:
    """The trail and its sinks at one moment."""

    trail: TrailStatus
    sinks: tuple[SinkStatus, ...] = ()


Look = Callable[[], TrailSight]
"""Reads both anew, within seconds, from any thread; raises TrailError when that is not possible."""


@dataclass(frozen=True)
class KioskStatus:
    """What a status screen shows. `out_of_service` says why the kiosk may not be used; empty when it may.

    `sight` is None when trail or cursors cannot be read, and `fault` says why.
    """

    time: datetime
    out_of_service: str
    sight: TrailSight | None
    fault: str = ""


def trail_status(trail: TrailReader) -> TrailStatus:
    """How a trail is, as far as can be told from where it is read; raises TrailError."""
    if isinstance(trail, TrailClient):
        return trail.status()
    checkpoint = None
    if isinstance(trail, ReadOnlyTrail) and (number := store.last_checkpoint(trail.connection)):
        checkpoint = next(trail.checkpoints(number), None)
    anew = begun_anew_at(trail.rows(1, 1))
    return TrailStatus(trail.identity.kiosk_id, trail.head(), checkpoint=checkpoint, begun_anew=anew)


def kiosk_status(look: Look, out_of_service: str, clock: Clock) -> KioskStatus:
    """Everything at once; what cannot be read is said, not raised."""
    try:
        return KioskStatus(clock.now(), out_of_service, look())
    except TrailError as error:
        return KioskStatus(clock.now(), out_of_service, None, str(error))
