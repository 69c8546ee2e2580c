"""What does not stay in the outbox: files that no push needs, pushes that are done, pushes nobody came back for."""

import threading
from datetime import timedelta
from typing import Final

from kiosk.clock import Clock
from kiosk.errors import ImagingError, KioskError, StorageFull
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Study
from kiosk.operations.forget_push import ForgetPush
from kiosk.operations.job import read_errand
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.push_claims import PushClaims

FORGET_EVERY: Final = 600.0
"""Seconds between two looks for pushes that have been kept long enough."""
DONE: Final = (JobState.SENT, JobState.DELIVERED)
GIVEN_UP: Final = (JobState.FAILED, JobState.CANCELLED)


class OutboxTidy:
    """Any lane may call it; nothing that a lane works on is touched. A push that failed is kept for `keep`."""

    def __init__(
        self, desk: Desk, outbox: Outbox, spool: Spool, claims: PushClaims, clock: Clock, keep: timedelta
    ) -> None:
        self._desk = desk
        self._outbox = outbox
        self._spool = spool
        self._claims = claims
        self._clock = clock
        self._keep = keep
        self._lock = threading.Lock()
        self._look_at = 0.0
        self._wanted = False

    def start(self) -> None:
        """Wipes what an earlier run left behind. Raises StorageFull."""
        try:
            self._spool.prepare()
        except OSError as error:
            raise StorageFull("The disk does not take the outbox's files.") from error
        self._forget_done()
        self.sweep()

    def want(self) -> None:
        """Another session has begun: what was done before it is shown to nobody again, and goes at the next `look`."""
        with self._lock:
            self._wanted = True

    def look(self) -> None:
        """Forgets what it is time to forget. Raises KioskError."""
        with self._lock:
            wanted, self._wanted = self._wanted, False
            due = self._clock.monotonic() >= self._look_at
            if due:
                self._look_at = self._clock.monotonic() + FORGET_EVERY
        if wanted:
            self._forget_done()
        if due:
            self._forget_given_up()

    def drop_files(self, job_id: str) -> None:
        """What was delivered or given up does not lie here any longer; a retry fetches it again."""
        for file in self._outbox.forget_files(job_id):
            self._spool.remove(file)

    def sweep(self, lanes: int = 0) -> None:
        """Removes files that no push knows: what arrived while a transfer broke off. Only while no more than `lanes`
        are at work: what has just come for another is not written down yet. Half a file goes as soon as nobody writes
        it any more."""
        self._spool.sweep()
        with self._claims.lock:
            if self._claims.count() > lanes:
                return
            needed = self._outbox.files()
            for file in self._spool.names():
                if file not in needed:
                    self._spool.remove(file)

    def _forget_done(self) -> None:
        for job in self._outbox.jobs(DONE):
            self._forget(job.job_id, DONE)

    def _forget_given_up(self) -> None:
        """On record: it was not done, and from now on it cannot be retried."""
        until = self._clock.now() - self._keep
        for job in self._outbox.jobs(GIVEN_UP):
            if job.changed is not None and job.changed < until:
                act = ForgetPush(self._forget_for_good, job, self._outbox.counts(job.job_id), _study_of(job))
                finish(perform(self._desk, System(), act))

    def _forget_for_good(self, job_id: str) -> None:
        if not self._forget(job_id, GIVEN_UP):
            raise KioskError("It is under way again.")

    def _forget(self, job_id: str, states: tuple[JobState, ...]) -> bool:
        """False when a lane or a person has taken it up meanwhile."""
        with self._claims.lock:
            if self._claims.holds(job_id) or self._outbox.job(job_id).state not in states:
                return False
            files = self._outbox.forget(job_id)
        for file in files:
            self._spool.remove(file)
        return True


def _study_of(job: OutboxJob) -> Study | None:
    try:
        return read_errand(job.errand).study
    except ImagingError:
        return None
