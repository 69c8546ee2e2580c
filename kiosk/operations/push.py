"""Putting a push into the outbox, stopping it, sending again what did not go."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import Outcome, PatientRef, events
from kiosk.imaging.peers import Peer
from kiosk.imaging.studies.model import Study
from kiosk.operations.operations import PushAccepted, PushRequest
from kiosk.operations.perform import Deed, Ending
from kiosk.operations.principal import Delegation, Principal, Session
from kiosk.operations.statement import Statement, who
from kiosk.operations.subjects import patient_ref, peer_node, study_ref, this_node

PUSH = "push"


@dataclass(frozen=True)
class Push(Deed[PushAccepted]):
    """A study, or some of its series, is to go to a destination; it goes on after sign-out."""

    name: ClassVar[str] = PUSH
    permission: ClassVar[Permission | None] = Permission.PUSH
    accepts: ClassVar[tuple[type, ...]] = (Session,)

    add: Callable[[PushRequest, Session], str]
    destination: Peer
    request: PushRequest
    found_by: str = ""
    """The act of the query that found the study."""

    def intent(self, by: Principal) -> Statement:
        """What is to go where."""
        return Statement(f"Push to {self.destination}", patient=self._patient, details=self._details)

    def do(self, by: Principal, cancel: Event) -> PushAccepted:
        """Durable in the outbox when it returns."""
        if not isinstance(by, Session):
            raise TypeError("perform lets only sessions push")
        return PushAccepted(self.add(self.request, by))

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Begin Transferring DICOM Instances (PS3.15 A.5.3.3)."""
        messages = events.begin_transfer(
            who(by),
            this_node(self.destination.calling_ae_title),
            peer_node(self.destination),
            (study_ref(self._study),),
            self._patient,
            ending.outcome,
            "" if ending.outcome is Outcome.SUCCESS else ending.words,
        )
        job = (("job", ending.result.job_id),) if isinstance(ending.result, PushAccepted) else ()
        said = f"Push to {self.destination}: {'in the outbox' if job else ending.words}"
        return Statement(said, ending.outcome, messages, self._patient, details=(*self._details, *job))

    @property
    def _study(self) -> Study:
        return self.request.study

    @property
    def _patient(self) -> PatientRef:
        return patient_ref(self.request.study.patient)

    @property
    def _details(self) -> tuple[tuple[str, str], ...]:
        series = tuple(("series", uid) for uid in self.request.series_instance_uids)
        found = (("found_by", self.found_by),) if self.found_by else ()
        return ("study", self._study.study_instance_uid), ("destination", self.destination.ae_title), *found, *series


@dataclass(frozen=True)
class ChangePush(Deed[None]):
    """A person changes the fate of a push that they see: subclasses say how."""

    accepts: ClassVar[tuple[type, ...]] = (Session,)
    words: ClassVar[str]

    change: Callable[[str], None]
    job_id: str
    study: Study
    destination: str

    def intent(self, by: Principal) -> Statement:
        """Which push."""
        return Statement(
            f"{self.words} to {self.destination}", patient=patient_ref(self.study.patient), details=self._details
        )

    def do(self, by: Principal, cancel: Event) -> None:
        """Changes it."""
        self.change(self.job_id)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Whether that worked; the transfer's own messages come with its own outcome."""
        said = f"{self.words} to {self.destination}: {ending.words}"
        return Statement(said, ending.outcome, patient=patient_ref(self.study.patient), details=self._details)

    @property
    def _details(self) -> tuple[tuple[str, str], ...]:
        return ("job", self.job_id), ("study", self.study.study_instance_uid)


@dataclass(frozen=True)
class CancelPush(ChangePush):
    """Stops a push at once; what the destination already has stays there."""

    name: ClassVar[str] = "cancel_push"
    permission: ClassVar[Permission | None] = Permission.CANCEL_PUSH
    words: ClassVar[str] = "Cancel push"


@dataclass(frozen=True)
class RetryPush(ChangePush):
    """Sends again what failed or was cancelled."""

    name: ClassVar[str] = "retry_push"
    permission: ClassVar[Permission | None] = Permission.RETRY_PUSH
    words: ClassVar[str] = "Retry push"


def delegate(session: Session, job_id: str) -> Delegation:
    """The session's one act that goes on without it."""
    return Delegation(
        session.session_id, session.user_id, session.display_name, session.role, session.badge, PUSH, job_id
    )
