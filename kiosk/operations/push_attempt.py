"""One attempt at one push, in the name of whoever asked for it, and where the push stands after it."""

import logging
from collections.abc import Callable
from threading import Event
from typing import Final

from kiosk.clock import Clock
from kiosk.errors import Cancelled, ImagingError, KioskError, NotAllowed, PeerBusy, PeerRefused, StorageFull, TrailError
from kiosk.imaging.calls import Imaging
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.operations.deliver_push import ConfirmPush, Delivered, DeliverPush
from kiosk.operations.facts import TransferState
from kiosk.operations.job import read_errand
from kiosk.operations.parcel import Parcel
from kiosk.operations.perform import Desk, Operation, perform, refuse
from kiosk.operations.principal import Delegation, System
from kiosk.operations.push_claims import Claim, PushClaims
from kiosk.operations.push_viewer import PushViewer
from kiosk.operations.settlement import DeliveryRules, Settlement
from kiosk.operations.transfer_meter import TransferMeter

SHOW_EVERY: Final = 0.1
SHOW_SHARE: Final = 20.0
"""Counting thousands of instances takes a while: at most one part in this many of the time goes into showing."""

log = logging.getLogger(__name__)


class PushAttempts:
    """Made by any number of lanes at a time, each with its own claim. `stopping` tells a stop from a cancel."""

    def __init__(
        self,
        desk: Desk,
        imaging: Imaging,
        outbox: Outbox,
        spool: Spool,
        archive: Callable[[str], Peer],
        destination: Callable[[str], Peer],
        clock: Clock,
        rules: DeliveryRules,
        claims: PushClaims,
        viewer: PushViewer,
        stopping: Event,
    ) -> None:
        self._desk = desk
        self._imaging = imaging
        self._outbox = outbox
        self._spool = spool
        self._archive = archive
        self._destination = destination
        self._clock = clock
        self._rules = rules
        self._claims = claims
        self._viewer = viewer
        self._stopping = stopping
        self._settlement = Settlement(outbox, clock, rules, claims.lock)

    def make(self, claim: Claim) -> bool:
        """Leaves the push as it stands in the outbox. False when it waits for the trail."""
        job = claim.job
        try:
            self._settlement.settle(job, self._attempt(claim))
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

    def _attempt(self, claim: Claim) -> Delivered:
        job = claim.job
        parcel, delegation = self._prepared(claim)
        act: Operation[TransferState, Delivered] = DeliverPush(parcel)
        if job.state is JobState.CONFIRMING:
            act = ConfirmPush(parcel)
        work = perform(self._desk, delegation, act, claim.cancel)
        meter, pause = TransferMeter(self._clock.monotonic), SHOW_EVERY
        while True:
            try:
                state = next(work)
            except StopIteration as stop:
                delivered: Delivered = stop.value
                return delivered
            if meter.is_due(pause):
                began = self._clock.monotonic()
                self._viewer.show(self._outbox.job(job.job_id), meter, state)
                pause = max(SHOW_EVERY, SHOW_SHARE * (self._clock.monotonic() - began))

    def _prepared(self, claim: Claim) -> tuple[Parcel, Delegation]:
        """The push and in whose name; raises NotAllowed, on record, for a push that cannot be carried out any more."""
        job: OutboxJob = claim.job
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
            self._claims.turn(claim),
        )
        return parcel, errand.delegation
