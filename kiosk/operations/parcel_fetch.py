"""What a push takes from the archive: the list of its instances, and those that are not here yet."""

from collections import Counter
from collections.abc import Generator
from threading import Event
from typing import TypeVar

from kiosk.errors import Cancelled, PeerBusy, PeerRefused
from kiosk.imaging.calls import Found
from kiosk.imaging.outbox import ItemState, OutboxItem
from kiosk.imaging.peers import Peer
from kiosk.operations.facts import TransferState
from kiosk.operations.parcel import Parcel, by_series
from kiosk.operations.turn import TurnOver

NOT_SENT = "The archive did not send it."
MOST_INSTANCES = 100_000
"""More than any study has: an archive that lists more is broken or hostile."""

T = TypeVar("T")


def listed(parcel: Parcel, cancel: Event) -> tuple[OutboxItem, ...]:
    """Every instance that was asked for, as the archive lists it now; PeerRefused when that is not all there."""
    archive, uid, wanted = parcel.archive, parcel.study.study_instance_uid, set(parcel.job.series_instance_uids)
    series, found_series = _whole(parcel.imaging.find_series(archive, uid, cancel))
    found = [one.series_instance_uid for one in series if not wanted or one.series_instance_uid in wanted]
    if not wanted:
        _require_all(archive, found_series, "series")
    if lost := len(wanted.difference(found)):
        raise PeerRefused(f"{archive} lists {lost} of the chosen series no more.")
    items: list[OutboxItem] = []
    for one in found:
        keys, found_keys = _whole(parcel.imaging.find_instances(archive, uid, one, cancel))
        _require_all(archive, found_keys, "instances")
        if len(items) + len(keys) > MOST_INSTANCES:
            raise PeerRefused(f"{archive} lists more than {MOST_INSTANCES} instances of this study.")
        items += [OutboxItem(parcel.job_id, key.sop_instance_uid, key.sop_class_uid, one) for key in keys]
    if not items:
        raise PeerRefused(f"{archive} lists no instances of this study.")
    return tuple(items)


def _whole(answers: Generator[T, None, Found]) -> tuple[list[T], Found]:
    """Every answer to a query, and how it ended."""
    items: list[T] = []
    while True:
        try:
            items.append(next(answers))
        except StopIteration as stop:
            return items, stop.value


def _require_all(archive: Peer, found: Found, what: str) -> None:
    """What is listed and cannot be read would be left out without a word."""
    if found.more:
        raise PeerRefused(f"{archive} lists more than {found.count} {what} of this study.")
    if found.unread:
        raise PeerRefused(f"{archive} lists {found.unread} {what} of this study in a way that cannot be read.")


class Fetching:
    """What comes from the archive in one attempt: the SOP class of each instance that came, and of each that did not
    though the archive lists it."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.missing: list[str] = []

    def run(self, parcel: Parcel, cancel: Event) -> Generator[TransferState, None, None]:
        """What one series cannot give does not keep the others from going; a turn that is over ends it early."""
        items = parcel.items
        sizes = Counter(item.series_instance_uid for item in items)
        refused: PeerRefused | None = None
        for series, wanted in by_series(item for item in items if item.state is ItemState.WANTED).items():
            missing = {item.sop_instance_uid: item.sop_class_uid for item in wanted}
            only = () if len(wanted) == sizes[series] else tuple(missing)
            try:
                why = yield from self._series(parcel, series, only, missing, cancel)
            except TurnOver:
                return
            except PeerBusy:
                raise
            except PeerRefused as error:
                refused, why = error, str(error)
            for sop_instance_uid in sorted(missing):
                if cancel.is_set():
                    raise Cancelled
                parcel.outbox.mark_failed(parcel.job_id, sop_instance_uid, why or NOT_SENT)
                self.missing.append(missing[sop_instance_uid])
        if refused is not None and all(item.state is ItemState.FAILED for item in parcel.items):
            raise refused

    def _series(
        self, parcel: Parcel, series: str, only: tuple[str, ...], missing: dict[str, str], cancel: Event
    ) -> Generator[TransferState, None, str]:
        """Takes what comes out of `missing`; returns the archive's reason for what did not come, raises TurnOver when
        it has not come yet."""
        study = parcel.study
        arriving = parcel.imaging.retrieve(
            parcel.archive,
            study.study_instance_uid,
            series,
            only,
            parcel.spool,
            cancel,
            durable=True,
            patient=study.patient.key,
        )
        while True:
            try:
                received = next(arriving)
            except StopIteration as stop:
                return str(stop.value.reason)
            if received.sop_instance_uid not in missing:  # it came to the archive after its instances were listed
                parcel.drop(received.file)
                continue
            parcel.outbox.mark_fetched(parcel.job_id, received)
            self.came.append(received.sop_class_uid)
            del missing[received.sop_instance_uid]
            yield TransferState.FETCHING
            if missing and parcel.turn.is_over:
                arriving.close()
                raise TurnOver
