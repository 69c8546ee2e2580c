"""`python -m readers [SPEC ...]`: which readers there are, what drives them, what is wrong and how to mend it.

A card that lies on a reader is described, with what it can prove to anybody. Exit status 1 when something is wrong.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from readers.credentials.claim import Schemes
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.pkoc import PkocScheme
from readers.doctor import findings
from readers.doctor_card import CardReport, Seen, examine
from readers.errors import ReaderSpecError
from readers.finding import Finding, State
from readers.registry import open_reader
from readers.usb import usb_readers

WAIT_SECONDS = 1.0
LONGEST_WAIT = 86_400.0
NO_CARD = "No card lies on a reader. Lay one on and look again, or give it time: --wait 20."


def lines(found: Iterable[Seen]) -> Iterator[str]:
    """What is printed for `found`: each fix below its sentence, a card's schemes below the card."""
    for each in found:
        if isinstance(each, Finding):
            yield f"{each.state.value:7} {each.sentence}"
            if each.fix:
                yield f"        fix: {each.fix}"
            continue
        uid = f"UID {each.uid.hex()}, {'random' if each.uid.is_random else 'fixed'}" if each.uid else "no UID"
        yield f"card    {each.what}; {uid}; ATR {each.atr.hex().upper() or 'none'}; on {each.reader.name}"
        yield f"        connected and UID read in {each.connected:.1f} ms"
        for scheme in each.schemes:
            yield f"        {scheme.scheme:10} {scheme.milliseconds:7.1f} ms  {scheme.words}"
        if each.applications:
            yield f"        answers to: {', '.join(each.applications)}"


def as_json(found: Iterable[Seen]) -> Iterator[str]:
    """One JSON object a line: {"finding": state, ...} or {"card": what, ...}; times in milliseconds."""
    for each in found:
        if isinstance(each, Finding):
            yield json.dumps({"finding": each.state.value, "sentence": each.sentence, "fix": each.fix})
        else:
            yield json.dumps(_card(each))


def default_specs() -> list[str]:
    """PC/SC, and whatever is plugged in that PC/SC cannot drive."""
    return ["pcsc", *(f"nfcpy:usb:{reader.ids}" for reader in usb_readers() if not reader.suits_pcscd)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints all findings, then the cards; the exit status is 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m readers", description="Finds card readers and what is wrong.")
    parser.add_argument(
        "spec", nargs="*", metavar="SPEC", help='such as "pcsc", "pcsc:ACR1252*", "nfcpy:usb:04cc:2533"'
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for a card (default: {WAIT_SECONDS:g})",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    specs = options.spec or default_specs()
    schemes = (PkocScheme(RandomNonceSource(), time.monotonic), UidScheme())
    show = as_json if options.json else lines
    wrong = False
    for seen in (findings(specs=specs), _cards(specs, schemes, options.wait)):
        for line in show(seen):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        wrong = wrong or any(isinstance(each, Finding) and each.state is State.WRONG for each in seen)
    return int(wrong)


def _seconds(text: str) -> float:
    """0 to a day; raises ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        raise argparse.ArgumentTypeError(f"0 to {LONGEST_WAIT:g} seconds, please")
    return seconds


def _cards(specs: Sequence[str], schemes: Schemes, seconds: float) -> list[Seen]:
    seen: list[Seen] = []
    for spec in specs:
        try:
            reader = open_reader(spec)
        except ReaderSpecError:  # has a finding already
            continue
        seen += examine(reader, schemes, seconds, time.monotonic)
    return seen or [Finding(State.UNKNOWN, NO_CARD)]


def _card(report: CardReport) -> dict[str, object]:
    return {
        "card": report.what,
        "reader": report.reader.name,
        "backend": report.reader.backend,
        "atr": report.atr.hex().upper(),
        "uid": report.uid.hex() if report.uid else None,
        "random": bool(report.uid and report.uid.is_random),
        "takes_apdus": report.takes_apdus,
        "connected_ms": round(report.connected, 1),
        "schemes": [
            {"scheme": each.scheme, "answered": each.answered, "words": each.words, "ms": round(each.milliseconds, 1)}
            for each in report.schemes
        ],
        "applications": list(report.applications),
    }


if __name__ == "__main__":
    sys.exit(main())
