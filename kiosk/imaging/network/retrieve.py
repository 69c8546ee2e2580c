"""Retrieval from an archive: what there is, then all of it by C-GET or C-MOVE, after an abort what is missing."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from threading import Event
from typing import Final

from kiosk.errors import Cancelled, ImagingError, PeerAborted, PeerLacks, PeerRefused, PeerUnreachable, StorageFull
from kiosk.imaging.calls import Received, Retrieved
from kiosk.imaging.network import status
from kiosk.imaging.network.association import Context, associate
from kiosk.imaging.network.get import GET_CONTEXT, Ask, get
from kiosk.imaging.network.identity import is_uid
from kiosk.imaging.network.keys import STUDY_ROOT_GET, STUDY_ROOT_MOVE
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.network.listing import Listing
from kiosk.imaging.network.move import MOVE_CONTEXT, move
from kiosk.imaging.network.orders import Order, Wish
from kiosk.imaging.network.storage_contexts import CLASSES_APART, contexts_for, contexts_for_modality
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
    with Listing(peer, study_instance_uid, series_instance_uid, cancel, CLASSES_APART) as listing:
        if sop_instance_uids:
            listing.await_end()
            series = {uid: listing.series.get(uid, series_instance_uid) for uid in sop_instance_uids if is_uid(uid)}
        else:
            listing.await_outline()
            series = listing.series
        if not series and (sop_instance_uids or listing.has_ended):
            return Retrieved(0, 0)
        wish = Wish(study_instance_uid, series, patient or PatientKey())
        order = Order(peer, wish, spool, listing=listing)
        asks = _asks(order, _known(series, listing)) if sop_instance_uids else [Ask(series_instance_uid)]
        try:
            return (yield from _fulfilled(order, asks, _Retrieval(order, listing, listener, cancel)))
        except StorageFull:
            yield from order.arrived()
            raise
        finally:
            order.abandon()


def _fulfilled(order: Order, asks: Sequence[Ask], retrieval: "_Retrieval") -> Generator[Received, None, Retrieved]:
    """One association after the other, until all has come or no more comes."""
    idle = 0
    while idle < MOST_RESUMPTIONS:
        before, undisturbed = order.received, retrieval.listing.has_ended
        try:
            reason = yield from retrieval.run(asks)
            if reason and order.received == before:
                reason = yield from retrieval.run_one_by_one(asks, reason)
        except (PeerAborted, PeerUnreachable, PeerRefused) as error:
            yield from order.arrived()
            # An archive may serve one association at a time, and its list is another.
            in_the_way = not undisturbed and not retrieval.is_heard
            if not in_the_way and (order.received == before or isinstance(error, PeerRefused)):
                raise
        else:
            missing = order.missing()
            yield from order.arrived()
            if not missing or not retrieval.misses_classes():
                return order.result(reason)
        missing = order.missing()
        yield from order.arrived()
        if not missing:
            break
        idle = 0 if order.received > before else idle + 1
        if retrieval.cancel.wait(RESUME_SECONDS):
            raise Cancelled
        if order.received:
            asks = _asks(order, _known(missing, retrieval.listing))
    return order.result("it broke off again and again")


def _known(sop_instance_uids: Iterable[str], listing: Listing) -> list[str]:
    """Orthanc refuses a whole list for one instance it does not have: what it said it has, if that is any of them."""
    return [uid for uid in sop_instance_uids if uid in listing.series] or list(sop_instance_uids)


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
    """One order and the ways in which its archive may be asked; `is_heard` when the last one got an association."""

    def __init__(self, order: Order, listing: Listing, listener: Listener | None, cancel: Event) -> None:
        self.listing = listing
        self.is_heard = False
        self._order = order
        self._guess: frozenset[str] | None = None
        self._listener = listener
        self.cancel = cancel

    def misses_classes(self) -> bool:
        """True when what is missing is of a SOP class that nobody thought of: looks again, at each instance."""
        guess = self._guess
        if guess is None:
            return False
        if not self.listing.is_thorough:
            try:
                with self.listing.thorough() as self.listing:
                    self.listing.await_end()
            except ImagingError:
                return False
            self._order.listing = self.listing
        instances = self.listing.instances
        return any(uid in instances and instances[uid].sop_class_uid not in guess for uid in self._order.missing())

    def run(self, asks: Sequence[Ask]) -> Generator[Received, None, str]:
        """One association, in the way that is configured; in the other where the archive does not grant that one."""
        ways = (self._get, self._move)
        if self._order.peer.retrieve_by is RetrieveBy.MOVE and self._listener is not None:
            ways = (self._move, self._get)
        self.is_heard = False
        for way in ways:
            reason = yield from way(asks)
            if reason is not None:
                return reason
        raise status.not_granted(self._order.peer, "retrieval (study root C-GET or C-MOVE)")

    def run_one_by_one(self, asks: Sequence[Ask], reason: str) -> Generator[Received, None, str]:
        """Lists brought nothing: some archives refuse a list for one instance of it, or take no lists. `reason` stands
        where the first alone does not come either."""
        if all(len(ask.sop_instance_uids) < 2 for ask in asks):
            return reason
        first, *others = [Ask(ask.series_instance_uid, (uid,)) for ask in asks for uid in ask.sop_instance_uids]
        before = self._order.received
        alone = yield from self.run([first])
        if self._order.received == before:
            return reason
        return alone if not others else (yield from self.run(others))

    def _get(self, asks: Sequence[Ask]) -> Generator[Received, None, str | None]:
        reason = ""
        try:
            for contexts, share in self._shares(asks):
                with associate(self._order.peer, [GET_CONTEXT, *contexts], self.cancel) as association:
                    self.is_heard = True
                    context = association.find_context(STUDY_ROOT_GET)
                    if context is None:
                        return None
                    reason = (yield from get(association, context, self._order, share)) or reason
        except PeerLacks:
            return None
        return reason

    def _move(self, asks: Sequence[Ask]) -> Generator[Received, None, str | None]:
        listener = self._listener
        if listener is None:
            return None
        listener.open()
        try:
            with associate(self._order.peer, [MOVE_CONTEXT], self.cancel) as association:
                self.is_heard = True
                context = association.find_context(STUDY_ROOT_MOVE)
                if context is None:
                    return None
                title = listener.receiving.ae_title
                self._guess = None if self.listing.is_thorough else self.listing.sop_class_uids
                return (yield from move(association, context, self._order, asks, listener.orders, title))
        except PeerLacks:
            return None

    def _shares(self, asks: Sequence[Ask]) -> Iterator[tuple[list[Context], Sequence[Ask]]]:
        """The contexts of one association after another, and what to ask for on it. More classes than one has room for
        would leave the archive syntaxes to choose from: it might convert what it sends."""
        listing, self._guess = self.listing, None
        classes = listing.await_outline()
        if 0 < len(classes) <= CLASSES_APART and not (listing.has_ended and listing.is_thorough):
            self._guess = classes
            yield contexts_for(classes), asks
            return
        listing.await_end()
        apart = sorted(listing.sop_class_uids)
        if not apart:
            yield contexts_for_modality(*dict.fromkeys(listing.modalities.values())), asks
            return
        if len(apart) <= CLASSES_APART:
            yield contexts_for(apart), asks
            return
        for start in range(0, len(apart), CLASSES_APART):
            chosen = apart[start : start + CLASSES_APART]
            if share := self._share(asks, frozenset(chosen)):
                yield contexts_for(chosen), share

    def _share(self, asks: Sequence[Ask], sop_class_uids: frozenset[str]) -> list[Ask]:
        """What of it is of these classes: a series that is so entirely, as a whole."""
        instances = self.listing.instances
        sizes = Counter(found.series_instance_uid for found in instances.values())
        named = {uid for ask in asks for uid in ask.sop_instance_uids} or set(self._order.missing())
        mine = [uid for uid, found in instances.items() if uid in named and found.sop_class_uid in sop_class_uids]
        share: list[Ask] = []
        for ask in _asks(self._order, mine):
            whole = len(ask.sop_instance_uids) == sizes[ask.series_instance_uid]
            share.append(Ask(ask.series_instance_uid) if whole else ask)
        return share
