"""What a push gives to the destination: each instance once, whatever happens on the way."""

from collections.abc import Generator
from dataclasses import dataclass
from threading import Event

from kiosk.errors import ImagingError, PeerAborted, PeerBusy, PeerRefused, PeerUnreachable, UnreadableObject
from kiosk.imaging.calls import SendState, SentInstance, ToSend
from kiosk.imaging.outbox import ItemState, OutboxItem
from kiosk.operations.facts import TransferState
from kiosk.operations.parcel import Parcel, by_series
from kiosk.operations.turn import TurnOver

ROUNDS = 3
"""How often files are rewritten for a destination that changes its mind about what it takes."""

FIRST_CUT = 50
CUT_SECONDS = 5.0

Sending = Generator[TransferState, None, ImagingError | None]


@dataclass(frozen=True)
class _Answered:
    """What came of some files: why some of them should be tried again later, and whether that is the end for now."""

    later: ImagingError | None = None
    is_end: bool = False


def settle_unknown(parcel: Parcel, cancel: Event) -> None:
    """Asks the destination for the instances of which nobody knows whether it has them: what it has is not sent again.

    One that cannot be asked gets them again: an instance is the same however often it is stored.
    """
    unknown = parcel.items_in(ItemState.SENDING)
    if not unknown:
        return
    try:
        there = held(parcel, unknown, cancel)
    except PeerBusy:
        raise
    except PeerRefused:
        there = frozenset()
    for item in unknown:
        if item.sop_instance_uid in there:
            parcel.outbox.mark_sent(parcel.job_id, item.sop_instance_uid)
    parcel.outbox.mark_left(
        parcel.job_id, [item.sop_instance_uid for item in unknown if item.sop_instance_uid not in there]
    )


def held(parcel: Parcel, items: tuple[OutboxItem, ...], cancel: Event) -> frozenset[str]:
    """Which of these instances the destination lists. Raises PeerLacks for one that answers no queries."""
    uid = parcel.study.study_instance_uid
    wanted = {item.sop_instance_uid for item in items}
    there: set[str] = set()
    for series in by_series(items):
        answers = parcel.imaging.find_instances(parcel.destination, uid, series, cancel)
        there |= {key.sop_instance_uid for key in answers} & wanted
    return frozenset(there)


def send(parcel: Parcel, cancel: Event) -> Sending:
    """Sends what is here, anew in another transfer syntax where the destination wants that; returns why some of it
    should be tried again later.

    It goes in cuts of about `CUT_SECONDS`, each whole: between two of them the parcel's turn may be over, but no turn
    passes without one.
    """
    later: ImagingError | None = None
    left, size, monotonic = _waiting(parcel), FIRST_CUT, parcel.clock.monotonic
    first = True
    while left:
        if not first and parcel.turn.is_over:
            return later or TurnOver()
        cut, left = left[:size], left[size:]
        began = monotonic()
        try:
            answered = yield from _send_cut(parcel, cut, cancel)
        except (PeerUnreachable, PeerRefused, PeerAborted) as error:
            if first:
                raise
            return error  # it has taken some: what is said of the rest now need not hold for ever
        later = answered.later or later
        if answered.is_end:
            break
        size, first = max(FIRST_CUT, int(len(cut) * CUT_SECONDS / max(monotonic() - began, 0.001))), False
    # What is still to be fetched was left when the turn was over.
    return later or (TurnOver() if parcel.items_in(ItemState.WANTED) else None)


def _send_cut(parcel: Parcel, cut: tuple[ToSend, ...], cancel: Event) -> Generator[TransferState, None, _Answered]:
    """These files, each as often as it has to be rewritten."""
    chosen = {file.sop_instance_uid for file in cut}
    answered = _Answered()
    for _ in range(ROUNDS):
        refused: dict[str, SentInstance] = {}
        answered = yield from _send(parcel, cut, refused, cancel)
        for item in parcel.items_in(ItemState.FETCHED) if refused else ():
            if item.sop_instance_uid in refused:
                _rewrite(parcel, item, refused[item.sop_instance_uid], cancel)
                yield TransferState.SENDING
        cut = tuple(file for file in _waiting(parcel) if file.sop_instance_uid in chosen) if refused else ()
        if answered.later is not None or not cut:
            break
    return answered


def _waiting(parcel: Parcel) -> tuple[ToSend, ...]:
    """What an association broke off at comes last: it must not keep the others from going."""
    waiting = sorted(parcel.items_in(ItemState.FETCHED), key=lambda item: item.attempts)
    return tuple(
        ToSend(item.sop_instance_uid, item.sop_class_uid, item.transfer_syntax_uid, item.file, item.size)
        for item in waiting
    )


def _send(
    parcel: Parcel, files: tuple[ToSend, ...], refused: dict[str, SentInstance], cancel: Event
) -> Generator[TransferState, None, _Answered]:
    outbox, job_id = parcel.outbox, parcel.job_id
    open_ones = dict.fromkeys(file.sop_instance_uid for file in files)
    outbox.mark_sending(job_id, open_ones)
    later: ImagingError | None = None
    taken = 0
    answers = parcel.imaging.send(parcel.destination, files, parcel.spool, cancel)
    while True:
        try:
            sent = next(answers)
        except StopIteration as stop:
            outbox.mark_left(job_id, [*open_ones, *refused])
            if stop.value.reason:
                return _Answered(PeerAborted(stop.value.reason), is_end=True)
            return _Answered(later, is_end=isinstance(later, PeerBusy) and not taken)
        except (PeerUnreachable, PeerRefused, PeerAborted):  # no association came about: nothing has gone
            outbox.mark_left(job_id, [*open_ones, *refused])
            raise
        open_ones.pop(sent.sop_instance_uid, None)
        match sent.state:
            case SendState.STORED | SendState.STORED_WITH_WARNING:
                outbox.mark_sent(job_id, sent.sop_instance_uid, sent.reason)
                taken += 1
            case SendState.FAILED:
                outbox.mark_failed(job_id, sent.sop_instance_uid, sent.reason)
            case SendState.RETRY_LATER:
                outbox.mark_unsent(job_id, sent.sop_instance_uid, sent.reason)
                later = PeerBusy(f"{parcel.destination}: {sent.reason}.")
            case SendState.UNANSWERED:
                outbox.mark_unanswered(job_id, sent.sop_instance_uid, sent.reason)
                later = later or PeerAborted(sent.reason)
            case SendState.ANOTHER_SYNTAX:
                refused[sent.sop_instance_uid] = sent
        yield TransferState.SENDING


def _rewrite(parcel: Parcel, item: OutboxItem, answer: SentInstance, cancel: Event) -> None:
    """The instance in the syntax that the destination takes; one that cannot be written so has failed."""
    try:
        written = parcel.imaging.transcode(item.file, answer.transfer_syntax_uid, parcel.spool, cancel, durable=True)
    except UnreadableObject as error:
        parcel.outbox.mark_failed(parcel.job_id, item.sop_instance_uid, f"{answer.reason}; {error}")
        return
    parcel.outbox.mark_transcoded(parcel.job_id, item.sop_instance_uid, written)
    parcel.drop(item.file)


def relay(parcel: Parcel, cancel: Event) -> Sending:
    """Has the archive send to the destination what that does not have yet, series by series; between two of them the
    parcel's turn may be over."""
    outbox, job_id, study = parcel.outbox, parcel.job_id, parcel.study.study_instance_uid
    later: ImagingError | None = None
    sizes = {series: len(items) for series, items in by_series(parcel.items).items()}
    for series, items in by_series(parcel.items_in(ItemState.WANTED, ItemState.FETCHED)).items():
        if parcel.turn.is_over:
            return later or TurnOver()
        uids = [item.sop_instance_uid for item in items]
        outbox.mark_sending(job_id, uids)
        only = () if len(uids) == sizes[series] else tuple(uids)
        moving = parcel.imaging.relay(parcel.archive, parcel.destination.ae_title, study, series, only, cancel)
        while True:
            try:
                next(moving)
            except StopIteration as stop:
                relayed = stop.value
                break
            except PeerBusy:
                outbox.mark_left(job_id, uids)
                raise
            except PeerRefused as error:
                for uid in uids:
                    outbox.mark_failed(job_id, uid, str(error))
                relayed = None
                break
            yield TransferState.SENDING
        if relayed is None:
            continue
        failed = set(relayed.failed).intersection(uids)
        for uid in failed:
            outbox.mark_failed(job_id, uid, relayed.reason)
        if relayed.reason and not failed:  # which of them went is for the destination to say
            later = PeerAborted(f"{parcel.archive}: {relayed.reason}.")
            continue
        for uid in uids:
            if uid not in failed:
                outbox.mark_sent(job_id, uid)
        yield TransferState.SENDING
    return later
