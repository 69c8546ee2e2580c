"""A push that failed, or was stopped, and that nobody came back for: it names a patient, and does not stay for ever."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import Outcome
from kiosk.imaging.outbox import OutboxCounts, OutboxJob
from kiosk.imaging.studies.model import Study
from kiosk.operations.perform import Deed, Ending
from kiosk.operations.principal import Principal, System
from kiosk.operations.statement import Statement
from kiosk.operations.subjects import patient_ref


@dataclass(frozen=True)
class ForgetPush(Deed[None]):
    """Removes a push with its files; `study` is None where the push cannot be read any more."""

    name: ClassVar[str] = "forget_push"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    forget: Callable[[str], None]
    job: OutboxJob
    counts: OutboxCounts
    study: Study | None

    def intent(self, by: Principal) -> Statement:
        """Which push, and how far it had got."""
        return self._said("because it has been kept long enough", None)

    def do(self, by: Principal, cancel: Event) -> None:
        """Removes it."""
        self.forget(self.job.job_id)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Whether it is gone."""
        return self._said(ending.words, ending.outcome)

    def _said(self, how: str, outcome: Outcome | None) -> Statement:
        job, counts = self.job, self.counts
        patient = patient_ref(self.study.patient) if self.study is not None else None
        details = (
            ("job", job.job_id),
            ("owner", job.owner),
            ("study", job.study_instance_uid),
            ("state", job.state.value),
            ("sent", str(counts.sent)),
            ("of", str(counts.total)),
        )
        return Statement(f"Forget push to {job.destination}, {how}", outcome, patient=patient, details=details)
