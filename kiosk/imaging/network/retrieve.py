"""Retrieval from an archive: what there is, then all of it by C-GET or C-MOVE, after an abort what is missing."""

from collections.abc import Generator, Sequence
from threading import Event
from typing import Final

from kiosk.errors import Cancelled, PeerAborted, PeerLacks, PeerUnreachable
from kiosk.imaging.calls import Received, Retrieved
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Context, associate
from kiosk.imaging.network.find import Listed, list_instances
from kiosk.imaging.network.get import GET_CONTEXT, Ask, get
from kiosk.imaging.network.identity import is_uid
from kiosk.imaging.network.keys import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.network.move import MOVE_CONTEXT, move
from kiosk.imaging.network.orders import Order, Wish
from kiosk.imaging.network.storage_contexts import contexts_for, contexts_for_modality
from kiosk.imaging.peers import Peer, RetrieveBy
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import PatientKey

INSTANCES_PER_REQUEST: Final = 200
MOST_RESUMPTIONS: Final = 20
RESUME_SECONDS: Final = 0.2


def retrieve(
    peer: Peer,
    study_instance_uid: str,
    series_instance_uid: str,
    sop_instance_uids: tuple[str, ...],
    spool: Spool,
    cancel: Event,
    *,
    patient: PatientKey | None = None,
    listener: Listener | None = None,
) -> Generator[Received, None, Retrieved]:
    """Asks the archive what there is, then gets it; see `Imaging.retrieve`. May raise StorageFull.

    Without a `listener` there is only C-GET. An association that breaks off is followed by another as long as each
    brings something.
    """
    listed = list_instances(peer, study_instance_uid, series_instance_uid, cancel)
    series = {uid: found.series_instance_uid for uid, found in listed.items()}
    wanted = {
        uid: series.get(uid, series_instance_uid) for uid in dict.fromkeys(sop_instance_uids or listed) if is_uid(uid)
    }
    if not wanted:
        return Retrieved(0, 0)
    classes = frozenset(found.sop_class_uid for found in listed.values())
    wish = Wish(study_instance_uid, wanted, patient or PatientKey(), frozenset() if "" in classes else classes)
    order = Order(peer, wish, spool)
    retrieval = _Retrieval(order, listed, listener, cancel)
    # Orthanc refuses a whole list for one instance it does not have: ask for what it said it has.
    known = [uid for uid in wanted if uid in listed] or list(wanted)
    asks = _asks(order, known) if sop_instance_uids else [Ask(series_instance_uid)]
    for _ in range(MOST_RESUMPTIONS):
        before = order.received
        try:
            return order.result((yield from retrieval.run(asks)))
        except (PeerAborted, PeerUnreachable):
            yield from order.arrived()
            if order.received == before:
                raise
        if not order.missing():
            break
        if cancel.wait(RESUME_SECONDS):
            raise Cancelled
        asks = _asks(order, [uid for uid in order.missing() if uid in listed] or order.missing())
    return order.result("it broke off again and again")


def _asks(order: Order, sop_instance_uids: Sequence[str]) -> list[Ask]:
    """Lists of instances to ask for one after the other, each of one series."""
    by_series: dict[str, list[str]] = {}
    for uid in sop_instance_uids:
        by_series.setdefault(order.wish.series[uid], []).append(uid)
    return [
        Ask(series, tuple(uids[start : start + INSTANCES_PER_REQUEST]))
        for series, uids in by_series.items()
        for start in range(0, len(uids), INSTANCES_PER_REQUEST)
    ]


class _Retrieval:
    """One order and the ways in which its archive may be asked."""

    def __init__(self, order: Order, listed: dict[str, Listed], listener: Listener | None, cancel: Event) -> None:
        self._order = order
        self._listed = listed
        self._listener = listener
        self._cancel = cancel

    def run(self, asks: Sequence[Ask]) -> Generator[Received, None, str]:
        """One association, in the way that is configured; in the other where the archive does not grant that one."""
        ways = (self._get, self._move)
        if self._order.peer.retrieve_by is RetrieveBy.MOVE and self._listener is not None:
            ways = (self._move, self._get)
        for way in ways:
            reason = yield from way(asks)
            if reason is not None:
                return reason
        raise status.not_granted(self._order.peer, "retrieval (study root C-GET or C-MOVE)")

    def _get(self, asks: Sequence[Ask]) -> Generator[Received, None, str | None]:
        contexts = [GET_CONTEXT, *self._storage_contexts()]
        try:
            with associate(self._order.peer, contexts, self._cancel) as association:
                context = association.find_context(STUDY_ROOT_GET)
                return None if context is None else (yield from get(association, context, self._order, asks))
        except PeerLacks:
            return None

    def _move(self, asks: Sequence[Ask]) -> Generator[Received, None, str | None]:
        listener = self._listener
        if listener is None:
            return None
        listener.open()
        try:
            with associate(self._order.peer, [MOVE_CONTEXT], self._cancel) as association:
                context = association.find_context(STUDY_ROOT_MOVE)
                if context is None:
                    return None
                title = listener.receiving.ae_title
                return (yield from move(association, context, self._order, asks, listener.orders, title))
        except PeerLacks:
            return None

    def _storage_contexts(self) -> list[Context]:
        classes = {found.sop_class_uid for found in self._listed.values()}
        if classes and "" not in classes:
            return contexts_for(classes)
        return contexts_for_modality(*dict.fromkeys(found.modality for found in self._listed.values()))
