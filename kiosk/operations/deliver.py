"""The outbox at work: one push after another, each in the name of whoever asked for it."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from threading import Event

from kiosk.clock import Clock
from kiosk.errors import Cancelled, ImagingError, KioskError, NotAllowed, PeerBusy, PeerRefused, StorageFull, TrailError
from kiosk.imaging.calls import CommitmentReport, Imaging
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Study
from kiosk.operations.commitment_watch import CommitmentWatch
from kiosk.operations.deliver_push import ConfirmPush, Delivered, DeliverPush
from kiosk.operations.facts import TransferState
from kiosk.operations.forget_push import ForgetPush
from kiosk.operations.hub import Hub
from kiosk.operations.job import Errand, read_errand, write_errand
from kiosk.operations.operations import PushRequest
from kiosk.operations.parcel import Parcel
from kiosk.operations.parcel_confirm import take_report
from kiosk.operations.perform import Desk, Operation, finish, perform, refuse
from kiosk.operations.principal import Delegation, Session, System
from kiosk.operations.push import delegate
from kiosk.operations.push_progress import push_progress
from kiosk.operations.settlement import DeliveryRules, Settlement
from kiosk.operations.transfer_meter import TransferMeter

LOOK_EVERY = 1.0
"""Seconds between two looks for a push whose pause is over."""
FORGET_EVERY = 600.0
"""Seconds between two looks for pushes that have been kept long enough."""
STOP_SECONDS = 10.0
SHOW_EVERY = 0.1
SHOW_SHARE = 20.0
"""Counting thousands of instances takes a while: at most one part in this many of the time goes into showing."""

log = logging.getLogger(__name__)


class Deliverer:
    """Owns the outbox's thread. Pushes of the person at the terminal are posted to them as they move."""

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
        self._desk = desk
        self._imaging = imaging
        self._outbox = outbox
        self._archive = archive
        self._destination = destination
        self._spool = spool
        self._hub = hub
        self._clock = clock
        self._wake = Event()
        self._tidy = Event()
        self._stopping = Event()
        self._lock = threading.Lock()
        self._viewer: tuple[str, str] | None = None
        self._running: tuple[str, Event] | None = None
        self._unsettled: set[str] = set()
        self._rules = rules or DeliveryRules()
        self._settlement = Settlement(outbox, clock, self._rules, self._lock)
        self._look_at = 0.0
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._watch = CommitmentWatch(imaging, self.take)

    def start(self) -> None:
        """Takes up what an earlier run left; spooled files that no push needs are wiped. Raises StorageFull."""
        try:
            self._spool.prepare()
            for half in self._spool.folder.glob("*.part"):
                half.unlink(missing_ok=True)
        except OSError as error:
            raise StorageFull("The disk does not take the outbox's files.") from error
        self._forget_done()
        self._sweep()
        self._thread.start()
        self._watch.start()

    def stop(self) -> None:
        """Breaks off what runs; it goes on at the next start."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            if self._running is not None:
                self._running[1].set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._watch.stop()

    def take(self, report: CommitmentReport) -> None:
        """A destination says what it keeps; the push goes on at once where that was still awaited."""
        with self._lock:
            job = self._outbox.job_of(report.transaction_uid)
            if job is None or self._destination(job.destination).ae_title != report.ae_title:
                log.info("a report of storage commitment that nobody waits for, or not from there")
                return
            take_report(self._outbox, job, report)
            running = self._running is not None and self._running[0] == job.job_id
            if not running and job.state in (JobState.CONFIRMING, JobState.SENT):
                self._outbox.set_state(job.job_id, JobState.CONFIRMING)
        self._wake.set()

    def viewer_came(self, session_id: str, user_id: str) -> None:
        """The person at the terminal sees their own pushes that are not done."""
        with self._lock:
            self._viewer = (session_id, user_id)
        self._tidy.set()
        self._wake.set()
        try:
            for job in self._outbox.jobs():
                if not job.state.is_done:
                    self._show(job)
        except KioskError as error:  # the session is open, and may look; the outbox tells when it is well again
            log.error("the outbox: %s", error)

    def viewer_left(self) -> None:
        """Nobody is at the terminal."""
        with self._lock:
            self._viewer = None

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
        self._show(self._outbox.job(job_id))
        self._wake.set()
        return job_id

    def about(self, session_id: str, job_id: str) -> tuple[Study, str]:
        """The study and destination of a push of the person at the terminal; NotAllowed for another's or none."""
        job = next((job for job in self._outbox.jobs() if job.job_id == job_id), None)
        with self._lock:
            viewer = self._viewer
        if job is None or viewer != (session_id, job.owner):
            raise NotAllowed("That is not one of your transfers.")
        return read_errand(job.errand).study, job.destination

    def cancel(self, job_id: str) -> None:
        """Stops a push at once, running or waiting; a push that is over stays as it is."""
        with self._lock:
            if self._running is not None and self._running[0] == job_id:
                self._running[1].set()
                return
            if self._outbox.job(job_id).state.is_final:
                return
            self._outbox.set_state(job_id, JobState.CANCELLED, "Cancelled.")
            self._unsettled.discard(job_id)
            self._drop_files(job_id)
        self._show(self._outbox.job(job_id))

    def retry(self, job_id: str) -> None:
        """What failed or was cancelled is tried again, at once; a push that is running goes on."""
        with self._lock:
            if self._running is not None and self._running[0] == job_id:
                return
            self._outbox.retry(job_id)
        self._show(self._outbox.job(job_id))
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                worked = self._turn()
            except KioskError as error:
                worked = False
                log.error("the outbox: %s", error)
            except Exception as error:  # the border of the thread: one push's mishap must not stop every other's
                worked = False
                log.error("the outbox stumbled: %s", type(error).__name__)
            if not worked:
                self._wake.wait(LOOK_EVERY)

    def _turn(self) -> bool:
        """One attempt at one push. False when none is due, or when it waits for the trail."""
        claimed = self._claim()
        if claimed is None:
            return False
        job, cancel = claimed
        try:
            worked = self._deliver(job, cancel)
        except Exception:  # how it stands could not be written down: it is taken up again as soon as it can
            with self._lock:
                self._unsettled.add(job.job_id)
            raise
        finally:
            self._release(job, cancel)
        state = self._outbox.job(job.job_id).state
        if state.is_done or state is JobState.CANCELLED:
            self._drop_files(job.job_id)
        self._sweep()
        self._show(self._outbox.job(job.job_id))
        return worked

    def _claim(self) -> tuple[OutboxJob, Event] | None:
        """The next push that is due, and what cancels it. Written down before anything is done, or not at all."""
        if self._hub.out_of_service:
            return None
        if self._tidy.is_set():
            self._tidy.clear()
            self._forget_done()
        if self._clock.monotonic() >= self._look_at:
            self._look_at = self._clock.monotonic() + FORGET_EVERY
            self._forget_failed()
        with self._lock:
            if self._stopping.is_set():
                return None
            for job_id in tuple(self._unsettled):
                self._outbox.set_state(job_id, JobState.WAITING)
                self._unsettled.discard(job_id)
            job = self._outbox.next_due(self._clock.now())
            if job is None:
                return None
            cancel = Event()
            self._running = (job.job_id, cancel)
            return job, cancel

    def _release(self, job: OutboxJob, cancel: Event) -> None:
        with self._lock:
            self._running = None
            if not cancel.is_set() or self._stopping.is_set():
                return
            # The peer may have failed in the same moment: what a person cancelled must not begin again by itself.
            if job.job_id in self._unsettled or not self._outbox.job(job.job_id).state.is_final:
                self._outbox.set_state(job.job_id, JobState.CANCELLED, "Cancelled.")
                self._unsettled.discard(job.job_id)

    def _deliver(self, job: OutboxJob, cancel: Event) -> bool:
        try:
            self._settlement.settle(job, self._attempt(job, cancel))
        except TrailError as error:
            log.error("a push waits for the trail: %s", error)
            self._outbox.set_state(job.job_id, JobState.WAITING, str(error))
            return False
        except Cancelled:
            if self._stopping.is_set():
                self._outbox.set_state(job.job_id, JobState.WAITING, "Goes on when the kiosk is back.")
            else:
                self._outbox.set_state(job.job_id, JobState.CANCELLED, "Cancelled.")
        except PeerBusy as error:
            self._settlement.put_off(job, error)
        except PeerRefused as error:  # it will say no again: a person decides
            self._outbox.set_state(job.job_id, JobState.FAILED, str(error))
        except (ImagingError, StorageFull) as error:
            self._settlement.put_off(job, error)
        except KioskError as error:
            self._outbox.set_state(job.job_id, JobState.FAILED, str(error))
        except Exception as error:  # a mistake of ours fails this push, on record, and no other
            log.error("a push stumbled: %s", type(error).__name__)
            said = f"It failed unexpectedly ({type(error).__name__})."
            self._outbox.set_state(job.job_id, JobState.FAILED, said)
        return True

    def _attempt(self, job: OutboxJob, cancel: Event) -> Delivered:
        parcel, delegation = self._prepared(job)
        act: Operation[TransferState, Delivered] = DeliverPush(parcel)
        if job.state is JobState.CONFIRMING:
            act = ConfirmPush(parcel)
        work = perform(self._desk, delegation, act, cancel)
        meter, pause = TransferMeter(self._clock.monotonic), SHOW_EVERY
        while True:
            try:
                state = next(work)
            except StopIteration as stop:
                delivered: Delivered = stop.value
                return delivered
            if meter.is_due(pause):
                began = self._clock.monotonic()
                self._show(self._outbox.job(job.job_id), meter, state)
                pause = max(SHOW_EVERY, SHOW_SHARE * (self._clock.monotonic() - began))

    def _prepared(self, job: OutboxJob) -> tuple[Parcel, Delegation]:
        """The push and in whose name; raises NotAllowed, on record, for a push that cannot be carried out any more."""
        try:
            errand = read_errand(job.errand)
        except ImagingError as error:
            refuse(self._desk, System(), DeliverPush.name, NotAllowed(str(error)))
        try:
            archive, destination = self._archive(job.archive), self._destination(job.destination)
        except NotAllowed as refusal:
            refuse(self._desk, errand.delegation, DeliverPush.name, refusal)
        parcel = Parcel(
            self._imaging,
            self._outbox,
            archive,
            destination,
            errand.study,
            job.job_id,
            str(self._spool.folder),
            self._rules.listeners,
            self._rules.patience,
            self._clock,
        )
        return parcel, errand.delegation

    def _drop_files(self, job_id: str) -> None:
        """What was delivered or given up does not lie here any longer; a retry fetches it again."""
        for file in self._outbox.forget_files(job_id):
            self._spool.remove(file)

    def _forget_done(self) -> None:
        """Pushes that are done name patients, and once the next session has begun they are shown to nobody again."""
        for job in self._outbox.jobs((JobState.SENT, JobState.DELIVERED)):
            self._forget(job.job_id)

    def _forget_failed(self) -> None:
        """So do those that failed or were stopped, and that nobody came back for in time: on record."""
        until = self._clock.now() - self._rules.keep
        for job in self._outbox.jobs((JobState.FAILED, JobState.CANCELLED)):
            if job.changed is not None and job.changed < until:
                try:
                    study: Study | None = read_errand(job.errand).study
                except ImagingError:
                    study = None
                act = ForgetPush(self._forget, job, self._outbox.counts(job.job_id), study)
                finish(perform(self._desk, System(), act))

    def _forget(self, job_id: str) -> None:
        for file in self._outbox.forget(job_id):
            self._spool.remove(file)

    def _sweep(self) -> None:
        """Files that no push knows: what arrived while a transfer broke off."""
        needed = self._outbox.files()
        for file in self._spool.names():
            if file not in needed:
                self._spool.remove(file)

    def _show(self, job: OutboxJob, meter: TransferMeter | None = None, state: TransferState | None = None) -> None:
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
