"""One push: list what the archive holds, fetch what is missing here, send what the destination does not have yet, and
ask whether it keeps that."""

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import AuditMessage, Outcome, events
from kiosk.errors import ImagingError
from kiosk.imaging.outbox import ItemState, JobState
from kiosk.operations.browse import retrieved
from kiosk.operations.facts import TransferState
from kiosk.operations.parcel import TRIES, Parcel
from kiosk.operations.parcel_confirm import Awaited, NotYet, answers, confirm, tell
from kiosk.operations.parcel_fetch import NOT_SENT, Fetching, listed
from kiosk.operations.parcel_send import relay, send, settle_unknown
from kiosk.operations.perform import Ending, Operation
from kiosk.operations.principal import Delegation, Principal
from kiosk.operations.statement import Statement, who
from kiosk.operations.subjects import patient_ref, peer_node, study_ref, this_node
from kiosk.operations.turn import TurnOver


@dataclass(frozen=True)
class Delivered:
    """What came of one attempt, in instances: `sent` are there, `delivered` of them for certain, `moved` of them since
    the attempt began. `later` is why those that are `left`, or not confirmed, should be tried again; `awaited` that
    the destination will say by itself what it keeps; `note` what the person should know of a push that is over;
    `unasked` of them are there, and nobody can be asked whether they are kept."""

    sent: int
    failed: int
    left: int
    delivered: int = 0
    moved: int = 0
    later: ImagingError | None = None
    awaited: str = ""
    note: str = ""
    unasked: int = 0


@dataclass(frozen=True)
class DeliverPush(Operation[TransferState, Delivered]):
    """Works through one job of the outbox; what earlier attempts did is not done again."""

    name: ClassVar[str] = "deliver"
    permission: ClassVar[Permission | None] = Permission.PUSH
    accepts: ClassVar[tuple[type, ...]] = (Delegation,)

    parcel: Parcel
    fetching: Fetching = field(default_factory=Fetching, repr=False, compare=False)

    def intent(self, by: Principal) -> Statement:
        """What is being sent where."""
        parcel = self.parcel
        said = f"Deliver to {parcel.destination}"
        return Statement(said, patient=patient_ref(parcel.study.patient), details=push_details(parcel))

    def act(self, by: Principal, cancel: Event) -> Generator[TransferState, None, Delivered]:
        """Yields where it stands after each instance."""
        parcel, outbox, job_id = self.parcel, self.parcel.outbox, self.parcel.job_id
        before = outbox.counts(job_id)
        yield TransferState.FETCHING
        outbox.set_state(job_id, JobState.FETCHING)
        if not parcel.items:
            outbox.plan(job_id, listed(parcel, cancel))
        settle_unknown(parcel, cancel)
        if not parcel.is_relayed:
            yield from self.fetching.run(parcel, cancel)
        outbox.set_state(job_id, JobState.SENDING)
        later = yield from (relay if parcel.is_relayed else send)(parcel, cancel)
        moved = outbox.counts(job_id).sent - before.sent
        if later is None:
            yield TransferState.CONFIRMING
            return confirmed(parcel, cancel, moved)
        return delivered(parcel, moved, later)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """DICOM Instances Transferred (PS3.15 A.5.3.7): what came from the archive and what did not, then what went to
        the destination and what did not, a message each."""
        parcel, items = self.parcel, self.parcel.items
        there = [item.sop_class_uid for item in items if item.state.is_there]
        missing = [item.sop_class_uid for item in items if not item.state.is_there]
        goes_on = isinstance(_later(ending), TurnOver)
        words = "it goes on after others" if goes_on else _words(ending)
        messages = self._came(by)
        if there:
            messages += transferred(by, parcel, there, Outcome.SUCCESS, "")
        if (missing or not there) and not goes_on:  # what has not gone yet has not failed
            wrong: Outcome = Outcome.SERIOUS if ending.outcome is Outcome.SUCCESS else ending.outcome
            messages += transferred(by, parcel, missing, wrong, words)
        outcome = ending.outcome
        if missing and outcome is Outcome.SUCCESS and not goes_on:
            outcome = Outcome.SERIOUS
        said = f"Deliver to {parcel.destination}: {len(there)} of {len(items)} instances, {words}"
        counts = (
            ("retrieved", str(sum(bool(item.transfer_syntax_uid) for item in items))),
            ("sent", str(len(there))),
            ("delivered", str(sum(item.state is ItemState.DELIVERED for item in items))),
        )
        details = (*push_details(parcel), ("archive", parcel.archive.ae_title), *counts, *kept_details(parcel, ending))
        return Statement(said, outcome, messages, patient_ref(parcel.study.patient), details=details)

    def _came(self, by: Principal) -> tuple[AuditMessage, ...]:
        archive, study, fetching = self.parcel.archive, self.parcel.study, self.fetching
        messages: tuple[AuditMessage, ...] = ()
        if fetching.came:
            messages += retrieved(by, archive, study, fetching.came, Outcome.SUCCESS, "")
        if fetching.missing:
            messages += retrieved(by, archive, study, fetching.missing, Outcome.SERIOUS, NOT_SENT)
        return messages


@dataclass(frozen=True)
class ConfirmPush(Operation[TransferState, Delivered]):
    """Learns what the destination keeps of a push that went, and tells whoever is to know. What went is on record
    already; what turns out not to be kept is not."""

    name: ClassVar[str] = "confirm"
    permission: ClassVar[Permission | None] = Permission.PUSH
    accepts: ClassVar[tuple[type, ...]] = (Delegation,)

    parcel: Parcel

    def intent(self, by: Principal) -> Statement:
        """What is being asked for."""
        parcel = self.parcel
        said = f"Confirm delivery to {parcel.destination}"
        return Statement(said, patient=patient_ref(parcel.study.patient), details=push_details(parcel))

    def act(self, by: Principal, cancel: Event) -> Generator[TransferState, None, Delivered]:
        """Asks, or takes what came by itself."""
        yield TransferState.CONFIRMING
        return confirmed(self.parcel, cancel, 0)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """How many are delivered; DICOM Instances Transferred (PS3.15 A.5.3.7) for those that are not kept."""
        parcel, items = self.parcel, self.parcel.items
        lost = [item.sop_class_uid for item in items if item.state is ItemState.FAILED]
        messages: tuple[AuditMessage, ...] = ()
        outcome = ending.outcome
        if lost:
            outcome = Outcome.SERIOUS if outcome is Outcome.SUCCESS else outcome
            messages = transferred(by, parcel, lost, Outcome.SERIOUS, "not kept by the destination")
        certain = sum(item.state is ItemState.DELIVERED for item in items)
        said = f"Confirm delivery to {parcel.destination}: {certain} of {len(items)} instances, {_words(ending)}"
        counts = ("sent", str(sum(item.state.is_there for item in items))), ("delivered", str(certain))
        details = (*push_details(parcel), *counts, *kept_details(parcel, ending))
        return Statement(said, outcome, messages, patient_ref(parcel.study.patient), details=details)


def _later(ending: Ending) -> ImagingError | None:
    return ending.result.later if isinstance(ending.result, Delivered) else None


def _words(ending: Ending) -> str:
    """An attempt that came to its end is not done where something was in the way of the rest."""
    later = _later(ending)
    return str(later) if later is not None else ending.words


def confirmed(parcel: Parcel, cancel: Event, moved: int) -> Delivered:
    """Asks what the destination keeps, and tells the listeners once it has said so."""
    match confirm(parcel, cancel):
        case NotYet(error):
            return delivered(parcel, moved, error)
        case Awaited(sentence):
            return delivered(parcel, moved, awaited=sentence)
        case answer:
            untold = tell(parcel, cancel)
            if untold is not None and parcel.job.attempts < TRIES:
                return delivered(parcel, moved, untold)
            standing = delivered(parcel, moved, note=str(untold) if untold is not None else answer.note)
            return replace(standing, unasked=standing.sent - standing.delivered if answer.note else 0)


def delivered(
    parcel: Parcel, moved: int, later: ImagingError | None = None, awaited: str = "", note: str = ""
) -> Delivered:
    """How the job stands, counted."""
    items = parcel.items
    failed = sum(item.state is ItemState.FAILED for item in items)
    sent = sum(item.state.is_there for item in items)
    certain = sum(item.state is ItemState.DELIVERED for item in items)
    return Delivered(sent, failed, len(items) - sent - failed, certain, moved, later, awaited, note)


def transferred(
    by: Principal, parcel: Parcel, sop_class_uids: list[str], outcome: Outcome, why: str
) -> tuple[AuditMessage, ...]:
    """Instances went to the destination, or did not: from here, or from the archive itself."""
    source = peer_node(parcel.archive) if parcel.is_relayed else this_node(parcel.destination.calling_ae_title)
    study = parcel.study
    return events.transferred(
        who(by),
        source,
        peer_node(parcel.destination),
        (study_ref(study, sop_class_uids),),
        patient_ref(study.patient),
        outcome,
        why,
    )


def kept_details(parcel: Parcel, ending: Ending) -> tuple[tuple[str, str], ...]:
    """How it is known what the destination keeps (`answers`); "unasked" are instances of which it cannot be asked."""
    unasked = ending.result.unasked if isinstance(ending.result, Delivered) else 0
    return (*answers(parcel), *((("unasked", str(unasked)),) if unasked else ()))


def push_details(parcel: Parcel) -> tuple[tuple[str, str], ...]:
    """What both records name a push by."""
    return (
        ("job", parcel.job_id),
        ("study", parcel.study.study_instance_uid),
        ("destination", parcel.destination.ae_title),
    )
