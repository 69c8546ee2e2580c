"""Cards that are tapped for a command, each surveyed while it lies there."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from queue import Empty, Queue

from kiosk.cli.reader import opened
from kiosk.config.model import KioskConfig
from kiosk.errors import NotAllowed
from readers.card_type import CardType, card_type
from readers.credentials.claim import Claim, Refusal, RefusalReason
from readers.credentials.ladder import Ladder, nothing_said
from readers.credentials.survey import Finding, best, survey
from readers.feedback import Signal
from readers.reader import Card, CardPresented, ReaderDetached, ReaderEvent, ReaderFault
from readers.uid import Uid
from readers.watch import ReaderWatch, Reading

PATIENCE = 60.0
"""Seconds that a command waits for one tap."""
SETTLE = 0.3
"""Seconds from a card's removal to a second tap of it: shorter than at the wall, for here the second tap is meant."""
AGAIN = frozenset({RefusalReason.CARD_GONE, RefusalReason.TOO_SLOW})


@dataclass(frozen=True)
class Tapped:
    """A card and what it said; `answer` is what it would say at the wall."""

    kind: CardType
    uid: Uid | None
    findings: tuple[Finding, ...]
    answer: Claim | Refusal

    @property
    def key(self) -> tuple[object, ...]:
        """Whose card it is, the same at every tap."""
        if isinstance(self.answer, Claim):
            return self.answer.kind, self.answer.subject
        return self.answer.scheme, self.uid


class Taps:
    """The taps on one or more readers, in the order in which they came."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._tapped: Queue[Tapped] = Queue()

    def wait(self, patience: float = PATIENCE) -> Tapped:
        """The next card that stayed long enough to be asked everything. Raises NotAllowed after `patience` seconds."""
        end = time.monotonic() + patience
        while True:
            try:
                tapped = self._tapped.get(timeout=max(end - time.monotonic(), 0.0))
            except Empty:
                raise NotAllowed("Nobody tapped in time.") from None
            if not (isinstance(tapped.answer, Refusal) and tapped.answer.reason in AGAIN):
                return tapped
            say(tapped.answer.sentence)

    def read(self, _: CardPresented, card: Card) -> Reading:
        """The reader's thread: asks the card everything; the tap counts unless the card bounced."""
        findings = survey(card, self._ladder.schemes, time.monotonic)
        tapped = Tapped(card_type(card), card.uid, findings, best(findings) or nothing_said(card))
        return Reading(tapped.key, partial(self._take, tapped))

    def _take(self, tapped: Tapped) -> Signal:
        self._tapped.put(tapped)
        return Signal.ACCEPTED if isinstance(tapped.answer, Claim) else Signal.REFUSED


@contextmanager
def taps(specs: Sequence[str], socket: str | None, ladder: Ladder, config: KioskConfig) -> Iterator[Taps]:
    """Watches the readers of `specs` while the block runs; raises what opening them raises."""
    taken = Taps(ladder)
    with ExitStack() as stack:
        for reader in [stack.enter_context(opened(spec, socket, config)) for spec in specs]:
            watch = ReaderWatch(reader, _on_event, taken.read, on_crash=_on_crash, settle=SETTLE)
            watch.start()
            stack.callback(watch.stop)
        yield taken


def say(sentence: str) -> None:
    """For whoever sits there; standard output is for results."""
    print(sentence, file=sys.stderr, flush=True)


def _on_event(event: ReaderEvent) -> None:
    if isinstance(event, ReaderDetached | ReaderFault):
        say(event.reason)


def _on_crash(error: Exception) -> None:
    say(f"kiosk: the reader stumbled: {type(error).__name__}")
