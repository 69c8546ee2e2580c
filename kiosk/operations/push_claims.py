"""Who works on which push: never two on one, and never two pushes to one destination at a time."""

from dataclasses import dataclass, field
from threading import Event, Lock

from kiosk.clock import Clock
from kiosk.imaging.outbox import JobState, Outbox, OutboxJob
from kiosk.operations.turn import Turn


@dataclass(eq=False)
class Claim:
    """One push in one lane's hands; setting `cancel` stops it. When it is `settled`, only its files are still to be
    put away: what is done with the push from then on is for the outbox. `again` is a retry that came as it ended."""

    job: OutboxJob
    cancel: Event = field(default_factory=Event)
    settled: bool = False
    again: bool = False


class PushClaims:
    """Thread-safe. `lock` is held by whoever changes a push that may be claimed at the same time.

    A person's small push does not wait for hours behind another's 5,000 instances: pushes to one destination take
    turns. Each begins in the order in which it was asked for, keeps its lane for `TURN_SECONDS` and until it is done
    if nobody else waits for that lane, and else goes to the end of the line.
    """

    def __init__(self, outbox: Outbox, clock: Clock, lanes: int) -> None:
        self.lock = Lock()
        self._outbox = outbox
        self._clock = clock
        self._lanes = lanes
        self._claims: dict[str, Claim] = {}
        self._unsettled: set[str] = set()

    def take(self, stopping: Event) -> Claim | None:
        """The push whose turn it is; None when there is none, or when `stopping` is set."""
        with self.lock:
            if stopping.is_set():
                return None
            for job_id in tuple(self._unsettled.difference(self._claims)):
                self._outbox.set_state(job_id, JobState.WAITING)
                self._unsettled.discard(job_id)
            job = self._outbox.next_due(self._clock.now(), self._busy())
            if job is None:
                return None
            claim = self._claims[job.job_id] = Claim(job)
            return claim

    def settle(self, claim: Claim, stopping: Event, *, written: bool) -> None:
        """The work on it has ended. Where it could not be `written` down how, it is taken up again as soon as it can.

        What a person cancelled must not begin again by itself: the peer may have failed in the same moment.
        """
        job_id = claim.job.job_id
        with self.lock:
            claim.settled = True
            if not written:
                self._unsettled.add(job_id)
            if not claim.cancel.is_set() or stopping.is_set():
                return
            if not written or not self._outbox.job(job_id).state.is_final:
                self._outbox.set_state(job_id, JobState.CANCELLED, "Cancelled.")
                self._unsettled.discard(job_id)

    def retry(self, job_id: str) -> None:
        """A push that has ended is wanted again; one that is still going on goes on."""
        with self.lock:
            claim = self.running(job_id)
            if claim is None:
                self._outbox.retry(job_id)
            elif self._outbox.job(job_id).state.is_final:
                claim.again = True

    def leave(self, claim: Claim) -> None:
        """The destination is free for the next push."""
        with self.lock:
            del self._claims[claim.job.job_id]
            if claim.again:
                self._outbox.retry(claim.job.job_id)

    def running(self, job_id: str) -> Claim | None:
        """Whoever works on that push. For holders of the lock."""
        claim = self._claims.get(job_id)
        return claim if claim is not None and not claim.settled else None

    def holds(self, job_id: str) -> bool:
        """True while a lane has the push in its hands, settled or not. For holders of the lock."""
        return job_id in self._claims

    def count(self) -> int:
        """How many lanes are at work. For holders of the lock."""
        return len(self._claims)

    def forget(self, job_id: str) -> None:
        """The push has been settled by a person. For holders of the lock."""
        self._unsettled.discard(job_id)

    def cancel_all(self) -> None:
        """Breaks off whatever runs."""
        with self.lock:
            for claim in self._claims.values():
                claim.cancel.set()

    def turn(self, claim: Claim) -> Turn:
        """The turn that this push has now."""
        return Turn(self._clock.monotonic, lambda: self._others_wait(claim))

    def _others_wait(self, claim: Claim) -> bool:
        """Whether another push could go if this one stopped: to the same destination, or to any while every lane is
        taken."""
        with self.lock:
            busy = self._busy() - {claim.job.destination}
            full = len(self._claims) >= self._lanes
        waiting = (job.destination for job in self._outbox.due(self._clock.now()))
        return any(to == claim.job.destination or (full and to not in busy) for to in waiting)

    def _busy(self) -> frozenset[str]:
        return frozenset(claim.job.destination for claim in self._claims.values())
