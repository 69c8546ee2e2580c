"""Takes what destinations say of storage commitments, on associations of their own, whenever they say it."""

import logging
import threading
from collections.abc import Callable
from threading import Event

from kiosk.errors import Cancelled, ImagingError, KioskError
from kiosk.imaging.calls import CommitmentReport, Imaging

AGAIN_SECONDS = 5.0
"""Before the worker is asked again that died, or could not have its port."""
STOP_SECONDS = 5.0

log = logging.getLogger(__name__)


class CommitmentWatch:
    """Owns a thread that gives every report to `take`; the thread ends at once where we listen nowhere."""

    def __init__(self, imaging: Imaging, take: Callable[[CommitmentReport], None]) -> None:
        self._imaging = imaging
        self._take = take
        self._stopping = Event()
        self._thread = threading.Thread(target=self._run, name="commitments", daemon=True)

    def start(self) -> None:
        """Listens from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Listens no longer."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for report in self._imaging.reports(self._stopping):
                    self._note(report)
            except Cancelled:
                return
            except ImagingError as error:
                log.error("storage commitments: %s", error)
                self._stopping.wait(AGAIN_SECONDS)
            else:
                return

    def _note(self, report: CommitmentReport) -> None:
        try:
            self._take(report)
        except KioskError as error:  # the push is confirmed by a query when its time is over
            log.error("a report of storage commitment is lost: %s", error)
