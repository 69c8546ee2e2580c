"""All deliveries of one trail: a thread a sink, so that none waits for another."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from kiosk.audit.forward.cursor import CursorFile
from kiosk.audit.forward.delivery import Delivery, OpenTrail, Pace
from kiosk.audit.forward.sink import Sink, SinkError
from kiosk.audit.forward.status import SinkStatus, sink_statuses
from kiosk.audit.message import AuditSource
from kiosk.clock import Clock

LOCK: Final = "forwarder.lock"


class Forwarder:
    """Delivers a trail to every sink. Only one runs on a directory of cursors; it may be another user's than the trail.

    Whoever reads the status or prunes the trail reads the cursors. Where that is another user, the directory is made
    beforehand: the forwarder's own, mode 2750, with a group that those users are in; made here, it is nobody else's
    than the umask says.

    `open_trail` opens the trail for reading (a `ReadOnlyTrail`, or a `TrailClient` that may read), once for every
    stretch. Nothing of this is ever waited for by whoever appends.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        open_trail: OpenTrail,
        directory: Path,
        source: AuditSource,
        clock: Clock,
        pace: Pace | None = None,
    ) -> None:
        self._sinks = tuple(sinks)
        self._open_trail = open_trail
        self._directory = directory
        self._lock: int | None = None
        self._deliveries = tuple(
            Delivery(sink, open_trail, CursorFile(directory, sink.name), source, clock, pace) for sink in sinks
        )

    def start(self) -> None:
        """Takes the directory, making it, and begins; raises SinkError when it cannot be had."""
        try:
            self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._lock = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release()
            raise SinkError(f"A forwarder runs already on {self._directory}.") from None
        except OSError as error:
            self._release()
            raise SinkError(f"The forwarder's directory {self._directory} cannot be used: {error.strerror}.") from None
        for delivery in self._deliveries:
            delivery.start()

    def stop(self) -> None:
        """Sends what can be sent within seconds, and ends."""
        for delivery in self._deliveries:
            delivery.stop()
        for delivery in self._deliveries:
            delivery.join()
        self._release()

    def __enter__(self) -> "Forwarder":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_alive(self) -> bool:
        """Whether every sink's thread runs."""
        return all(delivery.is_alive for delivery in self._deliveries)

    def wake(self) -> None:
        """Looks, and tries again, at once."""
        for delivery in self._deliveries:
            delivery.wake()

    def status(self) -> tuple[SinkStatus, ...]:
        """How each sink stands; raises TrailError when the trail cannot be read."""
        with self._open_trail() as trail:
            return sink_statuses(self._sinks, self._directory, trail)

    def _release(self) -> None:
        handle, self._lock = self._lock, None
        if handle is not None:
            os.close(handle)
