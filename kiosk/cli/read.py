"""`kiosk read`: what a reader sees, a line an event."""

import json
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from kiosk.cli.reader import opened
from kiosk.config.loader import load
from kiosk.config.model import KioskConfig
from readers.credentials.claim import Claim, Refusal
from readers.credentials.counters import MemoryCounters
from readers.credentials.ladder import Ladder
from readers.credentials.standard import standard_ladder
from readers.feedback import Signal
from readers.reader import (
    Card,
    CardPresented,
    CardRemoved,
    Reader,
    ReaderAttached,
    ReaderDetached,
    ReaderEvent,
    ReaderFault,
)
from readers.recording import Recording, RecordingReader
from readers.uid import Uid
from readers.watch import ReaderWatch, Reading

Line = dict[str, object]


class Printer:
    """Prints events in the order in which they came, and counts the cards."""

    def __init__(self, as_json: bool, count: int | None) -> None:
        self._json = as_json
        self._left = count
        self._lock = threading.Lock()
        self._uids: dict[tuple[str, int], Line] = {}
        self.enough = threading.Event()
        self.unheard: BrokenPipeError | None = None

    def event(self, event: ReaderEvent) -> None:
        """One reader event; a card's own line comes when it has been asked who it is."""
        match event:
            case CardPresented():
                return
            case CardRemoved():
                uid = self._uids.pop((event.reader.name, event.presentation), uid_of(None))
                self.line({"event": "removed", "reader": event.reader.name} | uid)
            case ReaderAttached():
                self.line({"event": "attached", "reader": event.reader.name})
            case ReaderDetached():
                self.line({"event": "detached", "reader": event.reader.name, "reason": event.reason})
            case ReaderFault():
                self.line({"event": "fault", "reader": event.reader.name, "reason": event.reason})

    def card(self, presented: CardPresented, card: Card, answer: Claim | Refusal) -> Signal:
        """A card's line, once it has said who it is; its UID is remembered for the line of its removal."""
        self._uids[presented.reader.name, presented.presentation] = uid_of(card.uid)
        self.line(describe(presented, card, answer))
        return Signal.ACCEPTED if isinstance(answer, Claim) else Signal.REFUSED

    def line(self, line: Line) -> None:
        """One line, flushed: whoever reads it may act on it. When nobody reads any more it is enough."""
        with self._lock:
            text = json.dumps(line) if self._json else "  ".join(f"{key}={value}" for key, value in line.items())
            try:
                print(text, flush=True)
            except BrokenPipeError as error:
                self.unheard = error
                self.enough.set()
            if line["event"] in ("card", "refused") and self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self.enough.set()


def uid_of(uid: Uid | None) -> Line:
    """A UID whole, as upper-case hex without separators, and whether the card made it up for this tap."""
    return {"uid": uid.hex() if uid else None, "random": bool(uid and uid.is_random)}


def describe(presented: CardPresented, card: Card, answer: Claim | Refusal) -> Line:
    """A card's line: its UID and what it proved."""
    event = "card" if isinstance(answer, Claim) else "refused"
    line: Line = {"event": event, "reader": presented.reader.name} | uid_of(card.uid)
    if isinstance(answer, Claim):
        return line | {
            "kind": answer.kind,
            "subject": answer.fingerprint or answer.subject.hex().upper(),
            "assurance": answer.assurance.name,
        }
    return line | {"reason": answer.reason.value, "sentence": answer.sentence}


def run(options: Namespace) -> int:
    """Watches until interrupted, or until --count cards were seen."""
    with ExitStack() as stack:
        config = load(Path(options.config)) if options.config else None
        return _watch(options, config, _ladder(config, stack))


def _ladder(config: KioskConfig | None, stack: ExitStack) -> Ladder:
    """What that kiosk asks a card for; without a configuration what needs no key: PKOC and the UID."""
    if config is None:
        return standard_ladder()
    from kiosk.premises import Premises  # the database's library with it, which a reader alone does not need

    premises = Premises(config)
    if not config.credentials.sun.enabled:
        return premises.ladder(MemoryCounters())
    people = premises.directory()
    stack.callback(people.close)
    return premises.ladder(people.counters)


@contextmanager
def _recorded(reader: Reader, file: str | None) -> Iterator[Reader]:
    """The reader, with all that it tells in a new file of that name; raises ReaderSpecError where it cannot be made."""
    if file is None:
        yield reader
        return
    with Recording(Path(file)) as recording:
        yield RecordingReader(reader, recording)


def _watch(options: Namespace, config: KioskConfig | None, ladder: Ladder) -> int:
    printer = Printer(options.json, options.count)
    spec = options.reader or (config.readers.specs[0] if config else "pcsc")

    def on_card(presented: CardPresented, card: Card) -> Reading:
        answer = ladder.identify(card)
        key = (answer.kind, answer.subject) if isinstance(answer, Claim) else (answer.scheme, answer.uid)
        return Reading(key, partial(printer.card, presented, card, answer))

    def on_crash(error: Exception) -> None:
        print(f"kiosk: the watch stumbled: {type(error).__name__}", file=sys.stderr)

    with opened(spec, options.socket, config) as reader, _recorded(reader, options.record) as watched:
        watch = ReaderWatch(watched, printer.event, on_card, on_crash=on_crash, shows_working=True)
        watch.start()
        try:
            printer.enough.wait()
        finally:
            watch.stop()
    if printer.unheard is not None:
        raise printer.unheard
    return 0
