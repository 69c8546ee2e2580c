"""What is known of a trail from elsewhere, and holding a chain against it as it is followed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kiosk.audit import store
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.record import Head


@dataclass(frozen=True)
class Evidence:
    """What is known of a trail from elsewhere.

    `public_key`: that of its checkpoints, 32 octets. `anchors`: checkpoints kept elsewhere; of those that do not lie on
    the chain, the ones count that the trail's own key signed. `head`: a head that the chain must lead through.
    `first_mac_key`: K(0), 32 octets, from escrow.
    """

    public_key: bytes = b""
    anchors: Sequence[Checkpoint] = ()
    head: Head | None = None
    first_mac_key: bytes = b""


class Bad(Exception):
    """The first fault of a chain, at a place or at none; `foreign` when the chain agrees with itself."""

    def __init__(self, place: int | None, sentence: str, *, foreign: bool = False) -> None:
        super().__init__(sentence)
        self.place = place
        self.sentence = sentence
        self.foreign = foreign


class Followed(Protocol):
    """A chain as far as it was found good."""

    anchors: int

    @property
    def identity(self) -> store.Identity:
        """What it begins with."""

    @property
    def sequence(self) -> int:
        """Its last record."""

    @property
    def hash(self) -> bytes:
        """The hash of that record."""

    @property
    def checkpoints(self) -> int:
        """The number of its last checkpoint."""


class Known:
    """The evidence, in the order in which the chain must come through it."""

    def __init__(self, chain: Followed, evidence: Evidence) -> None:
        self._chain = chain
        ours = [anchor for anchor in evidence.anchors if anchor.kiosk_id == chain.identity.kiosk_id]
        if evidence.head is not None and evidence.head.sequence < chain.sequence:
            said = f"Record {evidence.head.sequence}, known elsewhere, was deleted here: a sealed segment has it."
            raise Bad(None, said, foreign=True)
        after = [anchor for anchor in ours if anchor.sequence >= chain.sequence]
        self._anchors = sorted(after, key=lambda anchor: (anchor.sequence, anchor.number))
        if ours and not any(anchor.is_signed_by(chain.identity.public_key) for anchor in ours):
            said = "No anchor of this kiosk carries the trail's signature: the trail was begun anew, with another key."
            raise Bad(None, said, foreign=True)
        self._bodies = {anchor.number: anchor for anchor in ours}
        self._head = evidence.head
        self._at = 0

    @property
    def next_place(self) -> int:
        """The next record that something is known of."""
        places = [self._anchors[self._at].sequence] if self._at < len(self._anchors) else []
        if self._head is not None and self._head.sequence > self._chain.sequence:
            places.append(self._head.sequence)
        return max(min(places, default=1 << 62), self._chain.sequence + 1)

    def meet(self) -> None:
        """Holds the chain against what is known of the record where it stands; raises Bad."""
        chain = self._chain
        if self._head is not None and self._head.sequence == chain.sequence and self._head.hash != chain.hash:
            raise Bad(chain.sequence, f"Record {chain.sequence} is not the one that was known elsewhere.", foreign=True)
        while self._at < len(self._anchors) and self._anchors[self._at].sequence <= chain.sequence:
            anchor = self._anchors[self._at]
            self._at += 1
            if anchor.hash == chain.hash:
                chain.anchors += 1
            elif anchor.is_signed_by(chain.identity.public_key):
                place = anchor.sequence
                raise Bad(place, f"Record {place} is not the one that was anchored elsewhere.", foreign=True)

    def meet_checkpoint(self, row: store.CheckpointRow) -> None:
        """Holds a checkpoint against the anchor of its number; raises Bad."""
        anchor = self._bodies.pop(row.number, None)
        if anchor is None or anchor.body == row.body or not anchor.is_signed_by(self._chain.identity.public_key):
            return
        said = f"Checkpoint {row.number} is not the one that was anchored elsewhere."
        raise Bad(row.sequence, said, foreign=True)

    def end(self) -> None:
        """What is known must not lie beyond the end; raises Bad."""
        chain, key = self._chain, self._chain.identity.public_key
        last = max((self._head.sequence if self._head else 0), 0)
        beyond = reversed(self._anchors[self._at :])
        last = max(last, next((anchor.sequence for anchor in beyond if anchor.is_signed_by(key)), 0))
        if last > chain.sequence:
            place = chain.sequence + 1
            raise Bad(place, f"Records from {place} to {last} are missing at the end.", foreign=True)
        for number in sorted(self._bodies):
            if number > chain.checkpoints and self._bodies[number].is_signed_by(key):
                raise Bad(None, f"Checkpoint {number} is anchored elsewhere and missing here.", foreign=True)
