"""Where a push stands after an attempt: over, or to be taken up again, and when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from kiosk.clock import Clock
from kiosk.errors import ImagingError, KioskError
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.imaging.peers import Peer
from kiosk.operations.backoff import pause
from kiosk.operations.deliver_push import Delivered
from kiosk.operations.turn import TurnOver


@dataclass(frozen=True)
class DeliveryRules:
    """`listeners` are told of what has been delivered. `patience` is how long a report of storage commitment is awaited
    before the destination is queried, nothing where we do not listen; `keep` how long a push that failed stays;
    `destinations_at_once` how many destinations are pushed to at a time."""

    listeners: tuple[Peer, ...] = ()
    patience: timedelta = timedelta(0)
    keep: timedelta = timedelta(days=7)
    destinations_at_once: int = 4


class Settlement:
    """Writes it into the outbox; `lock` keeps reports of storage commitment from coming in between."""

    def __init__(self, outbox: Outbox, clock: Clock, rules: DeliveryRules, lock: Lock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._rules = rules
        self._lock = lock

    def settle(self, job: OutboxJob, delivered: Delivered) -> None:
        """After an attempt that came to its end."""
        if isinstance(delivered.later, TurnOver):
            self._outbox.set_state(job.job_id, JobState.WAITING, str(delivered.later))
        elif delivered.later is not None:
            self.put_off(job, delivered.later, delivered)
        elif delivered.awaited:
            self._await_report(job, delivered.awaited)
        elif delivered.failed:
            plural = "s" if delivered.failed > 1 else ""
            said = f"{delivered.failed} instance{plural} did not arrive."
            self._outbox.set_state(job.job_id, JobState.FAILED, said)
        elif delivered.left:
            self.put_off(job, ImagingError("Not every instance was answered."), delivered)
        else:
            state = JobState.DELIVERED if delivered.delivered == delivered.sent else JobState.SENT
            self._outbox.set_state(job.job_id, state, delivered.note)

    def _await_report(self, job: OutboxJob, sentence: str) -> None:
        """It may have come in this very moment: then the push goes on at once."""
        with self._lock:
            now = self._outbox.job(job.job_id)
            waits = now.transaction_uid and now.asked is not None
            due: datetime | None = now.asked + self._rules.patience if waits and now.asked else None
            self._outbox.set_state(job.job_id, JobState.CONFIRMING, sentence, due)

    def put_off(self, job: OutboxJob, error: KioskError, delivered: Delivered | None = None) -> None:
        """Later, by itself, with longer pauses; after the last of them a person decides."""
        moved = delivered is not None and delivered.moved > 0
        wait = pause(error, 0 if moved else job.attempts)
        if wait is None:
            self._outbox.set_state(job.job_id, JobState.FAILED, str(error))
            return
        gone = not delivered.left if delivered is not None else job.state is JobState.CONFIRMING
        state = JobState.CONFIRMING if gone else JobState.WAITING
        said = f"{error} Tried again in {wait.total_seconds():g} s."
        self._outbox.put_off(job.job_id, self._clock.now() + wait, said, state, moved=moved)
