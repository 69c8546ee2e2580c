"""How the trail and its deliveries stand, found out by a command: of a trail out of reach, what can still be told."""

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace

from kiosk.audit import Head, ReadOnlyTrail, Surroundings, TrailClient, TrailStatus, standing
from kiosk.audit.forward import Sink, SinkStatus, sink_status
from kiosk.audit.port import TrailReader
from kiosk.cli.forwarding import cursors, sinks, trail_opener
from kiosk.errors import TrailError
from kiosk.operations.status import trail_status
from kiosk.premises import Premises


@dataclass(frozen=True)
class Unread:
    """A sink of which nothing is known, and why."""

    sink: Sink
    fault: str


Delivered = SinkStatus | Unread


@dataclass(frozen=True)
class Sight:
    """What was found. Where nobody could read the trail, its head has no hash, `failure` says why, and what is not
    known is 0."""

    trail: TrailStatus
    sinks: tuple[Delivered, ...]

    @property
    def knows_trail(self) -> bool:
        """False when the trail cannot be read."""
        return bool(self.trail.head.hash)

    @property
    def is_well(self) -> bool:
        """The trail can be recorded in, its anchors and every sink take what they are sent."""
        return not (self.trail.failure or self.trail.anchor_fault or any(sink.fault for sink in self.sinks))


def sight(premises: Premises) -> Sight:
    """As the trail's daemon tells; without one, or when it does not answer, as the file shows. Raises nothing."""
    try:
        return _seen(premises, trail_opener(premises)())
    except TrailError as error:
        failure = str(error)
    socket = premises.config.audit.socket
    if socket is None:
        return Sight(TrailStatus("", Head(0, b""), failure), _delivered(premises, None))
    with suppress(TrailError):  # not this user's to read: what the daemon itself can tell has to do
        found = _seen(premises, ReadOnlyTrail(premises.trail_path))
        return replace(found, trail=replace(found.trail, failure=failure))
    told = TrailStatus("", Head(0, b""))
    with suppress(TrailError):
        told = TrailClient(socket).told()
    return Sight(replace(told, failure=told.failure or failure), _delivered(premises, None))


def _seen(premises: Premises, opened: AbstractContextManager[TrailReader]) -> Sight:
    config = premises.config
    around = Surroundings(
        premises.trail_keys, premises.anchors, config.limits.disk_reserve_bytes, config.audit.clock_seconds
    )
    with opened as trail:
        if isinstance(trail, ReadOnlyTrail):
            found = standing(trail, premises.clock.now(), around)
        else:
            found = trail_status(trail)
        return Sight(found, _delivered(premises, trail))


def _delivered(premises: Premises, trail: TrailReader | None) -> tuple[Delivered, ...]:
    found: list[Delivered] = []
    for sink in sinks(premises):
        try:
            found.append(sink_status(sink, cursors(premises), trail))
        except TrailError as error:
            found.append(Unread(sink, str(error)))
    return tuple(found)
