"""The outbox at work: a few lanes, each with one push at a time, each push in the name of whoever asked for it."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from kiosk.clock import Clock
from kiosk.errors import KioskError, NotAllowed
from kiosk.imaging.calls import CommitmentReport, Imaging
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Study
from kiosk.operations.bell import Bell
from kiosk.operations.commitment_watch import CommitmentWatch
from kiosk.operations.hub import Hub
from kiosk.operations.job import Errand, read_errand, write_errand
from kiosk.operations.operations import PushRequest
from kiosk.operations.outbox_tidy import OutboxTidy
from kiosk.operations.parcel_confirm import take_report
from kiosk.operations.perform import Desk
from kiosk.operations.principal import Session
from kiosk.operations.push import delegate
from kiosk.operations.push_attempt import PushAttempts
from kiosk.operations.push_claims import Claim, PushClaims
from kiosk.operations.push_viewer import PushViewer
from kiosk.operations.settlement import DeliveryRules

LOOK_EVERY = 1.0
"""Seconds between two looks for a push whose pause is over."""
STOP_SECONDS = 10.0

log = logging.getLogger(__name__)


class Deliverer:
    """Owns the outbox's threads: pushes to as many destinations at a time as the rules say, one to each.

    A destination that hangs keeps nobody from the others; pushes to the same one take turns (`PushClaims`). Pushes of
    the person at the terminal are posted to them as they move.
    """

    def __init__(
        self,
        desk: Desk,
        imaging: Imaging,
        outbox: Outbox,
        spool: Spool,
        archive: Callable[[str], Peer],
        destination: Callable[[str], Peer],
        hub: Hub,
        clock: Clock,
        rules: DeliveryRules | None = None,
    ) -> None:
        rules = rules or DeliveryRules()
        self._outbox = outbox
        self._destination = destination
        self._hub = hub
        self._clock = clock
        self._news = Bell()
        self._stopping = Event()
        self._viewer = PushViewer(outbox, hub)
        self._claims = PushClaims(outbox, clock, rules.destinations_at_once)
        self._tidy = OutboxTidy(desk, outbox, spool, self._claims, clock, rules.keep)
        self._attempts = PushAttempts(
            desk,
            imaging,
            outbox,
            spool,
            archive,
            destination,
            clock,
            rules,
            self._claims,
            self._viewer,
            self._stopping,
        )
        self._threads = [
            Thread(target=self._run, name=f"outbox-{number}", daemon=True)
            for number in range(1, rules.destinations_at_once + 1)
        ]
        self._watch = CommitmentWatch(imaging, self.take)

    def start(self) -> None:
        """Takes up what an earlier run left; spooled files that no push needs are wiped. Raises StorageFull."""
        self._tidy.start()
        for thread in self._threads:
            thread.start()
        self._watch.start()

    def stop(self) -> None:
        """Breaks off what runs; it goes on at the next start."""
        self._stopping.set()
        self._news.ring()
        self._claims.cancel_all()
        until = self._clock.monotonic() + STOP_SECONDS
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - self._clock.monotonic()))
        self._watch.stop()

    def take(self, report: CommitmentReport) -> None:
        """A destination says what it keeps; the push goes on at once where that was still awaited."""
        with self._claims.lock:
            job = self._outbox.job_of(report.transaction_uid)
            if job is None or self._destination(job.destination).ae_title != report.ae_title:
                log.info("a report of storage commitment that nobody waits for, or not from there")
                return
            take_report(self._outbox, job, report)
            running = self._claims.running(job.job_id) is not None
            if not running and job.state in (JobState.CONFIRMING, JobState.SENT):
                self._outbox.set_state(job.job_id, JobState.CONFIRMING)
        self._news.ring()

    def viewer_came(self, session_id: str, user_id: str) -> None:
        """The person at the terminal sees their own pushes that are not done."""
        self._viewer.came(session_id, user_id)
        self._tidy.want()
        self._news.ring()
        try:
            for job in self._outbox.jobs():
                if not job.state.is_done:
                    self._viewer.show(job)
        except KioskError as error:  # the session is open, and may look; the outbox tells when it is well again
            log.error("the outbox: %s", error)

    def viewer_left(self) -> None:
        """Nobody is at the terminal."""
        self._viewer.left()

    def add(self, request: PushRequest, session: Session) -> str:
        """A push, durable in the outbox when this returns its job ID."""
        job_id = self._outbox.new_job_id()
        errand = Errand(request.study, delegate(session, job_id))
        self._outbox.add(
            OutboxJob(
                job_id=job_id,
                owner=session.user_id,
                errand=write_errand(errand),
                archive=request.study.archive,
                destination=request.destination,
                study_instance_uid=request.study.study_instance_uid,
                series_instance_uids=request.series_instance_uids,
                state=JobState.WAITING,
            )
        )
        self._viewer.show(self._outbox.job(job_id))
        self._news.ring()
        return job_id

    def about(self, session_id: str, job_id: str) -> tuple[Study, str]:
        """The study and destination of a push of the person at the terminal; NotAllowed for another's or none."""
        job = next((job for job in self._outbox.jobs() if job.job_id == job_id), None)
        if job is None or not self._viewer.owns(session_id, job):
            raise NotAllowed("That is not one of your transfers.")
        return read_errand(job.errand).study, job.destination

    def cancel(self, job_id: str) -> None:
        """Stops a push at once, running or waiting; a push that is over stays as it is."""
        with self._claims.lock:
            claim = self._claims.running(job_id)
            if claim is not None:
                claim.cancel.set()
                return
            if self._outbox.job(job_id).state.is_final:
                return
            self._outbox.set_state(job_id, JobState.CANCELLED, "Cancelled.")
            self._claims.forget(job_id)
            self._tidy.drop_files(job_id)
        self._viewer.show(self._outbox.job(job_id))

    def retry(self, job_id: str) -> None:
        """What failed or was cancelled is tried again, at once; a push that is running goes on."""
        self._claims.retry(job_id)
        self._viewer.show(self._outbox.job(job_id))
        self._news.ring()

    def _run(self) -> None:
        while not self._stopping.is_set():
            heard = self._news.heard()
            try:
                worked = self._turn()
            except KioskError as error:
                worked = False
                log.error("the outbox: %s", error)
            except Exception as error:  # the border of the thread: one push's mishap must not stop every other's
                worked = False
                log.error("the outbox stumbled: %s", type(error).__name__)
            if not worked:
                self._news.wait(heard, LOOK_EVERY)

    def _turn(self) -> bool:
        """One attempt at one push. False when none is due, or when it waits for the trail."""
        if self._hub.out_of_service:
            return False
        self._tidy.look()
        claim = self._claims.take(self._stopping)
        if claim is None:
            return False
        try:
            worked = self._attempt(claim)
            self._put_away(claim.job.job_id)
        finally:
            self._claims.leave(claim)
        return worked

    def _attempt(self, claim: Claim) -> bool:
        written = False
        try:
            worked = self._attempts.make(claim)
            written = True
            return worked
        finally:
            self._claims.settle(claim, self._stopping, written=written)

    def _put_away(self, job_id: str) -> None:
        state = self._outbox.job(job_id).state
        if state.is_done or state is JobState.CANCELLED:
            self._tidy.drop_files(job_id)
        self._tidy.sweep(lanes=1)
        self._viewer.show(self._outbox.job(job_id))
