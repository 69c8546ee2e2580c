"""From rows of SCardGetStatusChange to events: what came, what left, and what did both while nobody looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from readers.pcsc_calls import STATE_CHANGED, STATE_PRESENT, STATE_UNKNOWN, SlotState
from readers.reader import CardPresented, CardRemoved, ReaderAttached, ReaderDetached, ReaderEvent, ReaderInfo
from readers.text import safe_text

BACKEND = "pcsc"
COUNTER_MASK = 0xFFFF


@dataclass
class Slot:
    """One reader. `flags` is 0 until it was asked for the first time; `presented` is the card that lies on it."""

    info: ReaderInfo
    flags: int = 0
    presented: CardPresented | None = None

    @property
    def counter(self) -> int:
        """How many insertions and removals the daemon has counted (pcsc-lite: the upper 16 bits)."""
        return self.flags >> 16 & COUNTER_MASK


class Slots:
    """All readers of one daemon that are watched, by the daemon's names. Presentations are never numbered twice."""

    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}
        self._presentations = count(1)

    def forget(self) -> None:
        """Drops everything without events: the daemon is gone and its counters with it."""
        self._slots.clear()

    def watched(self) -> list[SlotState]:
        """The rows to wait on. A CHANGED bit passed back in would end every wait at once."""
        return [SlotState(name, slot.flags & ~STATE_CHANGED) for name, slot in self._slots.items()]

    def place_of(self, presented: CardPresented) -> tuple[str, int] | None:
        """The daemon's name and the counter at which that card was presented; None when it has left."""
        for name, slot in self._slots.items():
            if slot.presented is not None and slot.presented.presentation == presented.presentation:
                return name, slot.counter
        return None

    def listed(self, names: Sequence[str]) -> list[ReaderEvent]:
        """Takes in which readers there are."""
        events: list[ReaderEvent] = []
        for name in [name for name in self._slots if name not in names]:
            slot = self._slots.pop(name)
            events += self._remove(slot)
            events.append(ReaderDetached(slot.info, f"The reader {slot.info.name} was unplugged."))
        for name in names:
            if name not in self._slots:
                slot = self._slots[name] = Slot(ReaderInfo(safe_text(name), BACKEND))
                events.append(ReaderAttached(slot.info))
        return events

    def changed(self, state: SlotState) -> list[ReaderEvent]:
        """Takes in one row. A card that came and went since the last row is presented and removed again."""
        slot = self._slots.get(state.name)
        if slot is None or state.flags & STATE_UNKNOWN:
            return []
        before, first = slot.counter, slot.flags == 0
        slot.flags = state.flags
        steps = 0 if first else (slot.counter - before) & COUNTER_MASK
        present = bool(state.flags & STATE_PRESENT)
        if slot.presented is None:
            if present:
                return [self._present(slot, state.atr)]
            return [self._present(slot, state.atr), *self._remove(slot)] if steps >= 2 else []
        if not present:
            return self._remove(slot)
        return [*self._remove(slot), self._present(slot, state.atr)] if steps >= 2 else []

    def _present(self, slot: Slot, atr: bytes) -> CardPresented:
        slot.presented = CardPresented(slot.info, next(self._presentations), atr)
        return slot.presented

    def _remove(self, slot: Slot) -> list[ReaderEvent]:
        if slot.presented is None:
            return []
        removed = CardRemoved(slot.info, slot.presented.presentation)
        slot.presented = None
        return [removed]
