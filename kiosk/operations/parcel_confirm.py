"""Whether the destination keeps what it was sent, and who is told that it does."""

import uuid
from collections import Counter
from dataclasses import dataclass
from threading import Event

from kiosk.errors import ImagingError, PeerAborted, PeerBusy, PeerLacks, PeerRefused
from kiosk.imaging.calls import Available, CommitmentReport, InstanceKey
from kiosk.imaging.outbox import LISTED, ItemState, JobState, Outbox, OutboxItem, OutboxJob
from kiosk.imaging.peers import Verify
from kiosk.operations.parcel import TRIES, Parcel, by_series
from kiosk.operations.parcel_send import held

NOT_LISTED = "It was sent, and the destination does not list it."
LOOKS = 3
"""How often what was sent is looked for before it is sent again: archives take a while to list it, and some lose it."""
SENDS = 3
NOT_NAMED = "It was sent, and the destination says nothing of it in its storage commitment."


@dataclass(frozen=True)
class Confirmed:
    """Nothing more is to be asked; what could not be asked is in `note`."""

    note: str = ""


@dataclass(frozen=True)
class Awaited:
    """The destination will say what it keeps."""

    sentence: str


@dataclass(frozen=True)
class NotYet:
    """What it says now is to be asked again later."""

    error: ImagingError


Confirmation = Confirmed | Awaited | NotYet


def confirm(parcel: Parcel, cancel: Event) -> Confirmation:
    """Asks the destination as it is configured. What it does not keep has failed."""
    if parcel.destination.verify is Verify.NONE or not _unconfirmed(parcel):
        return Confirmed()
    parcel.outbox.set_state(parcel.job_id, JobState.CONFIRMING)
    if parcel.destination.verify is Verify.COMMITMENT:
        awaited = _commitment(parcel, cancel)
        if awaited is not None:
            return awaited
    return _query(parcel, cancel) if _unconfirmed(parcel) else Confirmed()


def take_report(outbox: Outbox, job: OutboxJob, report: CommitmentReport) -> None:
    """Notes what the destination of a job keeps; from then on the same report is one of which nobody knows."""
    unconfirmed = {
        item.sop_instance_uid for item in outbox.items(job.job_id) if item.state in (ItemState.SENT, ItemState.WARNED)
    }
    answer = report.transaction_uid
    outbox.mark_delivered(job.job_id, unconfirmed.intersection(report.kept), answer)
    failed = {one.sop_instance_uid: f"It was sent, and is not kept: {one.reason}" for one in report.failed}
    for sop_instance_uid in unconfirmed.difference(report.kept):
        outbox.mark_failed(job.job_id, sop_instance_uid, failed.get(sop_instance_uid, NOT_NAMED), answer)
    outbox.ask_commitment(job.job_id, "")


def answers(parcel: Parcel) -> tuple[tuple[str, str], ...]:
    """What the destination has said of keeping what it was sent, as details of a record.

    "verify" is how it is to be asked; "commitment" and "not_committed" are the Transaction UID of a storage commitment
    and how many instances it says are kept or not; "listed" and "not_listed" count what a query at image level found;
    "commitment_owed" is the Transaction UID of a commitment that was asked for and has not come.
    """
    kept, lost = (
        Counter(item.answer for item in parcel.items_in(state) if item.answer)
        for state in (ItemState.DELIVERED, ItemState.FAILED)
    )
    owed = parcel.job.transaction_uid
    return (
        ("verify", parcel.destination.verify.value),
        *_counted(kept, "commitment", "listed"),
        *_counted(lost, "not_committed", "not_listed"),
        *((("commitment_owed", owed),) if owed else ()),
    )


def _counted(said: Counter[str], committed: str, listed: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (listed, str(count)) if answer == LISTED else (committed, f"{answer} {count}") for answer, count in said.items()
    )


def tell(parcel: Parcel, cancel: Event) -> ImagingError | None:
    """Notifies every listener that has not been yet; returns why one could not be."""
    failure: ImagingError | None = None
    delivered = by_series(parcel.items_in(ItemState.DELIVERED))
    if not delivered:
        return None
    available = tuple(
        Available(parcel.study.study_instance_uid, series, _keys(items), parcel.destination.ae_title)
        for series, items in delivered.items()
    )
    for listener in parcel.listeners:
        if listener.name in parcel.job.told:
            continue
        try:
            parcel.imaging.notify(listener, available, cancel)
        except ImagingError as error:
            failure = error
        else:
            parcel.outbox.mark_told(parcel.job_id, listener.name)
    return failure


def _commitment(parcel: Parcel, cancel: Event) -> Awaited | None:
    """None when the destination has said all it will, does not say it, or is not to be waited for any longer."""
    job = parcel.job
    if job.attempts >= TRIES:
        return None
    sentence = f"{parcel.destination} will say what it keeps."
    if job.transaction_uid and job.asked is not None:
        return Awaited(sentence) if parcel.clock.now() < job.asked + parcel.patience else None
    transaction = f"2.25.{uuid.uuid4().int}"
    parcel.outbox.ask_commitment(parcel.job_id, transaction)
    try:
        asked = parcel.imaging.commit(parcel.destination, transaction, _keys(_unconfirmed(parcel)), cancel)
    except (PeerRefused, PeerAborted) as error:
        parcel.outbox.ask_commitment(parcel.job_id, "")
        if isinstance(error, PeerBusy):
            raise
        return None  # it does not offer it, or not to us: Orthanc aborts the association of whom it does not know
    except ImagingError:
        parcel.outbox.ask_commitment(parcel.job_id, "")
        raise
    if asked.report is not None:
        take_report(parcel.outbox, job, asked.report)
    return Awaited(sentence) if parcel.job.transaction_uid and parcel.patience else None


def _query(parcel: Parcel, cancel: Event) -> Confirmation:
    sent = _unconfirmed(parcel)
    try:
        there = held(parcel, sent, cancel)
    except PeerLacks:
        return Confirmed(f"{parcel.destination} cannot be asked whether it keeps what it was sent.")
    except PeerBusy:
        raise
    except PeerRefused as error:  # it took what it was sent: that it will not say so is no failure of the push
        return NotYet(error) if parcel.job.attempts < LOOKS else Confirmed(str(error))
    parcel.outbox.mark_delivered(parcel.job_id, there)
    missing = [item for item in sent if item.sop_instance_uid not in there]
    if not missing:
        return Confirmed()
    not_listed = f"{parcel.destination} does not list {len(missing)} of the instances"
    if parcel.job.attempts < LOOKS:
        return NotYet(PeerAborted(f"{not_listed} yet."))
    again = [item.sop_instance_uid for item in missing if item.attempts < SENDS]
    parcel.outbox.mark_left(parcel.job_id, again)
    for item in missing:
        if item.attempts >= SENDS:
            parcel.outbox.mark_failed(parcel.job_id, item.sop_instance_uid, NOT_LISTED, LISTED)
    return NotYet(PeerAborted(f"{not_listed}: they are sent again.")) if again else Confirmed()


def _unconfirmed(parcel: Parcel) -> tuple[OutboxItem, ...]:
    return parcel.items_in(ItemState.SENT, ItemState.WARNED)


def _keys(items: tuple[OutboxItem, ...] | list[OutboxItem]) -> tuple[InstanceKey, ...]:
    return tuple(InstanceKey(item.sop_instance_uid, item.sop_class_uid, None) for item in items)
