"""The person at the terminal, who sees their own pushes as they move."""

import logging
import threading
from dataclasses import replace

from kiosk.errors import ImagingError
from kiosk.imaging.outbox import Outbox, OutboxJob
from kiosk.operations.facts import TransferState
from kiosk.operations.hub import Hub
from kiosk.operations.push_progress import push_progress
from kiosk.operations.transfer_meter import TransferMeter

log = logging.getLogger(__name__)


class PushViewer:
    """Posts pushes to their owner, if that is who is there; thread-safe."""

    def __init__(self, outbox: Outbox, hub: Hub) -> None:
        self._outbox = outbox
        self._hub = hub
        self._lock = threading.Lock()
        self._viewer: tuple[str, str] | None = None

    def came(self, session_id: str, user_id: str) -> None:
        """This person is at the terminal from now on."""
        with self._lock:
            self._viewer = (session_id, user_id)

    def left(self) -> None:
        """Nobody is."""
        with self._lock:
            self._viewer = None

    def owns(self, session_id: str, job: OutboxJob) -> bool:
        """True when the person of that session is there and the push is theirs."""
        with self._lock:
            return self._viewer == (session_id, job.owner)

    def show(self, job: OutboxJob, meter: TransferMeter | None = None, state: TransferState | None = None) -> None:
        """How it stands; with a meter and a state, how it moves. Raises KioskError for one that is not there."""
        with self._lock:
            viewer = self._viewer
        if viewer is None or viewer[1] != job.owner:
            return
        try:
            progress = push_progress(self._outbox, job, viewer[0])
        except ImagingError as error:
            log.error("a push cannot be shown: %s", error)
            return
        if meter is not None and state is not None:
            meter.note(progress.bytes_done)
            left = meter.seconds_left(progress.bytes_total - progress.bytes_done)
            progress = replace(progress, state=state, rate=meter.rate, seconds_left=left)
        self._hub.publish(progress)
