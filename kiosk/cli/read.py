"""`kiosk read`: what a reader sees, a line an event."""

import json
import sys
import threading
from argparse import Namespace
from functools import partial

from readers.credentials.claim import Claim, Refusal
from readers.credentials.standard import standard_ladder
from readers.reader import Card, CardPresented, CardRemoved, ReaderAttached, ReaderDetached, ReaderEvent, ReaderFault
from readers.registry import open_reader
from readers.text import safe_text
from readers.watch import ReaderWatch, Reading

Line = dict[str, object]


class Printer:
    """Prints events in the order in which they came, and counts the cards."""

    def __init__(self, as_json: bool, count: int | None) -> None:
        self._json = as_json
        self._left = count
        self._lock = threading.Lock()
        self.enough = threading.Event()

    def event(self, event: ReaderEvent) -> None:
        """One reader event; a card's own line comes when it has been asked who it is."""
        match event:
            case CardPresented():
                return
            case CardRemoved():
                self.line({"event": "removed", "reader": event.reader.name})
            case ReaderAttached():
                self.line({"event": "attached", "reader": event.reader.name})
            case ReaderDetached():
                self.line({"event": "detached", "reader": event.reader.name, "reason": event.reason})
            case ReaderFault():
                self.line({"event": "fault", "reader": event.reader.name, "reason": event.reason})

    def line(self, line: Line) -> None:
        """One line, flushed: whoever reads it may act on it."""
        with self._lock:
            text = json.dumps(line) if self._json else "  ".join(f"{key}={value}" for key, value in line.items())
            print(text, flush=True)
            if line["event"] in ("card", "refused") and self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self.enough.set()


def describe(presented: CardPresented, card: Card, answer: Claim | Refusal) -> Line:
    """A card's line: its UID whole, as upper-case hex, and what it proved."""
    uid = card.uid
    line: Line = {
        "event": "card" if isinstance(answer, Claim) else "refused",
        "reader": safe_text(presented.reader.name),
        "uid": uid.hex() if uid else None,
        "random": uid.is_random if uid else None,
    }
    if isinstance(answer, Claim):
        return line | {
            "kind": answer.kind,
            "subject": answer.fingerprint or answer.subject.hex().upper(),
            "assurance": answer.assurance.name,
        }
    return line | {"reason": answer.reason.value, "sentence": answer.sentence}


def run(options: Namespace) -> int:
    """Watches until interrupted, or until --count cards were seen."""
    printer = Printer(options.json, options.count)
    ladder = standard_ladder()

    def on_card(presented: CardPresented, card: Card) -> Reading:
        answer = ladder.identify(card)
        key = (answer.kind, answer.subject) if isinstance(answer, Claim) else (answer.scheme, answer.uid)
        return Reading(key, partial(printer.line, describe(presented, card, answer)))

    def on_crash(error: Exception) -> None:
        print(f"kiosk: the watch stumbled: {type(error).__name__}", file=sys.stderr)

    watch = ReaderWatch(open_reader(options.reader), printer.event, on_card, on_crash=on_crash)
    watch.start()
    try:
        printer.enough.wait()
    finally:
        watch.stop()
    return 0
