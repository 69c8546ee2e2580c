"""What has been asked for and what came of it: one book for whoever asks and whatever brings it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic
from typing import Final

from kiosk.errors import StorageFull, UnreadableObject
from kiosk.imaging.calls import Received, Retrieved
from kiosk.imaging.network import status
from kiosk.imaging.network.commands import Command
from kiosk.imaging.network.identity import Identity
from kiosk.imaging.network.listing import Listing
from kiosk.imaging.peers import Peer
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import PatientKey

STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
"""What the UIDs of the registered storage SOP classes begin with (PS3.4 B.5)."""
PATIENCE: Final = 30.0
"""How many of a peer's timeouts it may go on saying that there is more to come, without anything coming."""
TELL_SECONDS: Final = 0.05
"""What came is told this often: each telling wakes the kiosk, which takes its time from what is under way."""
MOST_HELD: Final = 500
"""How many instances may come before the archive has said that it has them."""
MOST_BYTES: Final = 1 << 40
"""What one order may bring, whatever the disk would hold: more than any study has."""


class Refusal(Enum):
    """Why an instance was not taken, as its sender and the person are told."""

    NOT_ASKED_FOR = "not what was asked for"
    CLASS_NOT_AGREED = "of a kind that was not agreed"
    NOT_WHAT_IT_SAYS = "not what the request said"
    OTHER_STUDY = "not what was asked for, but of another study or series"
    OTHER_PATIENT = "of another patient than was asked for"
    OVER_QUOTA = "more than may be received at once"

    @property
    def code(self) -> int:
        """The status it is answered with (PS3.4 B.2.3, PS3.7 Annex C)."""
        return _CODES.get(self, status.MISMATCH)


_CODES: Final = {
    Refusal.NOT_ASKED_FOR: status.NOT_AUTHORISED,
    Refusal.CLASS_NOT_AGREED: status.SOP_CLASS_NOT_SUPPORTED,
    Refusal.OVER_QUOTA: status.OUT_OF_RESOURCES,
}


@dataclass(frozen=True)
class Wish:
    """The instances of a study that are wanted. `series` names each one's series, "" where that is not known;
    `patient` is whose they must be, unknown parts of it any. `sop_class_uids` are theirs, none where the archive does
    not tell."""

    study_instance_uid: str
    series: dict[str, str]
    patient: PatientKey = field(default_factory=PatientKey)
    sop_class_uids: frozenset[str] = frozenset()


class Order:
    """A wish in the course of being fulfilled by one peer. May be used from any thread.

    `busy` says that the archive was out of resources for it. While a `listing` is under way, what is not
    listed yet is held: nobody is told of it before it is, and what is not in the end goes.
    """

    def __init__(
        self, peer: Peer, wish: Wish, spool: Spool, most_bytes: int = MOST_BYTES, listing: Listing | None = None
    ) -> None:
        self.peer = peer
        self.wish = wish
        self.spool = spool
        self.touched = monotonic()
        self.failure: StorageFull | None = None
        self.busy = False
        self.listing = listing
        self._lock = Lock()
        self._left = most_bytes
        self._counted = 0
        self._kept = self._moved = self.touched
        self._arriving: set[str] = set()
        self._received: set[str] = set()
        self._refusals: Counter[Refusal] = Counter()
        self._arrived: SimpleQueue[Received] = SimpleQueue()
        self._told = 0.0
        self._held: dict[str, Received] = {}
        self._listed = 0

    @property
    def received(self) -> int:
        """How many have come."""
        return len(self._received)

    @property
    def expects_more(self) -> bool:
        """False once everything that is known to be wanted has come, or is coming."""
        open_ended = self.listing is not None and not self.listing.has_ended
        return open_ended or len(self._received) + len(self._arriving) < len(self.wish.series)

    @property
    def is_arriving(self) -> bool:
        """True while an instance is under way."""
        return bool(self._arriving)

    @property
    def sop_class_uids(self) -> frozenset[str]:
        """The classes of what is wanted; none where they are not, or not yet, known."""
        return self.wish.sop_class_uids if self.listing is None else self.listing.settled_sop_class_uids

    def missing(self) -> tuple[str, ...]:
        """What has not come yet, in the order it was wished for. May raise what the listing ended with."""
        if self.listing is not None:
            self.listing.await_end()
            self._judge_held()
        with self._lock:
            return tuple(uid for uid in self.wish.series if uid not in self._received)

    def has(self, sop_instance_uid: str) -> bool:
        """True for an instance that came already."""
        return sop_instance_uid in self._received

    def claim(self, sop_instance_uid: str) -> bool:
        """True for an instance that is wanted now; nobody else gets it until it is released."""
        listing = self.listing
        if listing is not None and (listing.has_ended or len(self._held) >= MOST_HELD):
            listing.await_instance(sop_instance_uid)
        with self._lock:
            if sop_instance_uid not in self.wish.series and (listing is None or listing.has_ended):
                return False
            if sop_instance_uid in self._received or sop_instance_uid in self._arriving:
                return False
            self._arriving.add(sop_instance_uid)
            return True

    def release(self, sop_instance_uid: str) -> None:
        """It is not arriving any more, whether it was taken or not."""
        with self._lock:
            self._arriving.discard(sop_instance_uid)

    def spend(self, count: int) -> bool:
        """Counts bytes that came; False when they are more than may come."""
        self.touched = self._moved = monotonic()
        with self._lock:
            self._left -= count
            return self._left >= 0

    def refusal_of(self, identity: Identity, command: Command) -> Refusal | None:
        """What is wrong with an object that came under a wanted UID; None when nothing is."""
        if (identity.sop_instance_uid, identity.sop_class_uid) != (command.sop_instance_uid, command.sop_class_uid):
            return Refusal.NOT_WHAT_IT_SAYS
        series = self.wish.series.get(identity.sop_instance_uid, "")
        if identity.study_instance_uid != self.wish.study_instance_uid or series not in (
            "",
            identity.series_instance_uid,
        ):
            return Refusal.OTHER_STUDY
        if self.wish.patient.contradicts(identity.patient):
            return Refusal.OTHER_PATIENT
        return None

    def begin(self) -> None:
        """It is being asked for, whole or in part."""
        self.touched = self._moved = self._kept = monotonic()
        self._counted = 0

    def check_progress(self, counts: tuple[int, ...]) -> None:
        """A pending response came: raises PeerUnreachable when for long such have come and counted no further."""
        if sum(counts) > self._counted:
            self._counted = sum(counts)
            self.touched = self._moved = self._kept = monotonic()
        self.check_patience()

    def check_patience(self) -> None:
        """Raises PeerUnreachable when nothing that is of use has come for long."""
        if (seconds := monotonic() - self._moved) > PATIENCE * self.peer.timeout:
            raise status.stalled(self.peer, seconds)

    def take(self, received: Received) -> None:
        """An instance lies in the spool."""
        self._moved = self._kept = monotonic()
        with self._lock:
            self._received.add(received.sop_instance_uid)
            if received.sop_instance_uid not in self.wish.series:
                self._held[received.sop_instance_uid] = received
                return
        self._arrived.put(received)

    def refuse(self, refusal: Refusal) -> None:
        """An instance was not taken: that it came is no progress."""
        self._moved = self._kept
        with self._lock:
            self._refusals[refusal] += 1

    @property
    def has_news(self) -> bool:
        """True when something came since `arrived` was asked last."""
        self._judge_held()
        return not self._arrived.empty()

    @property
    def is_due(self) -> bool:
        """True when what came should be told by now, whatever else is under way."""
        return self.has_news and monotonic() - self._told >= TELL_SECONDS

    def arrived(self) -> Iterator[Received]:
        """What came since this was asked last."""
        self._judge_held()
        self._told = monotonic()
        while True:
            try:
                yield self._arrived.get_nowait()
            except Empty:
                return

    def abandon(self) -> None:
        """Nobody asks any more: what was held goes."""
        with self._lock:
            held, self._held = self._held, {}
        for received in held.values():
            with suppress(UnreadableObject):  # the spool may be gone
                self.spool.remove(received.file)

    def _judge_held(self) -> None:
        """Tells of what has been listed by now; at the end of the listing, the rest goes."""
        if self.listing is None or not self._held:
            return
        ended, listed = self.listing.has_ended, len(self.wish.series)
        if not ended and listed == self._listed:
            return
        self._listed = listed
        refused: list[Received] = []
        with self._lock:
            for uid, received in list(self._held.items()):
                series = self.wish.series.get(uid)
                if series in ("", received.series_instance_uid):
                    self._arrived.put(self._held.pop(uid))
                elif ended or series is not None:
                    refused.append(self._held.pop(uid))
                    self._received.discard(uid)
                    self._refusals[Refusal.NOT_ASKED_FOR if series is None else Refusal.OTHER_STUDY] += 1
        for received in refused:
            self.spool.remove(received.file)

    def result(self, reason: str) -> Retrieved:
        """What came of it; `reason` is the archive's. Counts are of what was asked for, whatever the archive says
        about its sub-operations. Raises PeerRefused when nothing came at all, PeerBusy where it may come later."""
        missing = len(self.missing())
        if not missing:
            return Retrieved(self.received, 0)
        reason = reason or "the archive sent no more"
        for refusal, count in self._refusals.items():
            reason += f"; {count} {'was' if count == 1 else 'were'} {refusal.value}"
        if not self.received:
            raise status.retrieve_refused(self.peer, reason, passing=self.busy and not self._refusals)
        return Retrieved(self.received, missing, reason)


class Orders:
    """The orders that are open. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._number = 0
        self._open: dict[int, tuple[Order, str]] = {}

    @contextmanager
    def open(self, order: Order, address: str) -> Iterator[int]:
        """Takes what the order wants from its peer, at `address` too, until this ends; gives the order's number, which
        serves as the message id of its C-MOVE."""
        with self._lock:
            while True:
                self._number = self._number % 65535 + 1
                if self._number not in self._open:
                    break
            number = self._number
            self._open[number] = order, address
        try:
            yield number
        finally:
            with self._lock:
                del self._open[number]

    def peers(self) -> list[tuple[Peer, str]]:
        """Who was asked for something, and at which address."""
        with self._lock:
            return [(order.peer, address) for order, address in self._open.values()]

    def of(self, peer: Peer) -> list[Order]:
        """What this peer was asked for."""
        with self._lock:
            return [order for order, _ in self._open.values() if order.peer == peer]

    def want(self, peer: Peer, sop_class_uid: str) -> bool:
        """True when this peer was asked for objects of that class."""
        return any(
            sop_class_uid in classes if classes else sop_class_uid.startswith(STORAGE)
            for classes in (order.sop_class_uids for order in self.of(peer))
        )

    def refuse(self, peer: Peer) -> None:
        """This peer brought what nobody asked for."""
        for order in self.of(peer):
            order.refuse(Refusal.NOT_ASKED_FOR)

    def duplicates(self, peer: Peer, sop_instance_uid: str) -> bool:
        """True for an instance that this peer has sent already: it is welcome, and not needed."""
        return any(order.has(sop_instance_uid) for order in self.of(peer))

    def claim(self, peer: Peer, command: Command) -> Order | None:
        """The order of this peer that wants this instance, the one whose request brought it first; it is claimed."""
        with self._lock:
            mine = [(number, order) for number, (order, _) in self._open.items() if order.peer == peer]
        mine.sort(key=lambda entry: entry[0] != command.originator_message_id)
        return next((order for _, order in mine if order.claim(command.sop_instance_uid)), None)
