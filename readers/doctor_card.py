"""The doctor's look at a card that lies on a reader: what it is, what it can prove, and how long each took."""

import errno
from collections.abc import Callable
from dataclasses import dataclass

from readers.apdu import Command
from readers.atr import ProcessorCard, classify
from readers.card_type import Family, card_type
from readers.credentials.claim import Assurance, Claim, Refusal, Schemes
from readers.credentials.limits import LimitedCard, Limits
from readers.credentials.survey import Finding as Surveyed
from readers.credentials.survey import survey
from readers.errors import CardError, ReaderError, ReaderUnavailable
from readers.finding import Finding, State
from readers.nfcpy_reader import NfcpyUnavailable
from readers.pcsc_calls import PcscUnavailable
from readers.reader import Card, CardPresented, Reader, ReaderInfo
from readers.uid import Uid

LOOK_SECONDS = 2.0
APPLICATIONS = {
    "PKOC": "A000000898000001",
    "PIV": "A00000030800001000",
    "payment": b"2PAY.SYS.DDF01".hex(),
    "NDEF": "D2760000850101",
    "travel document": "A0000002471001",
    "FIDO": "A0000006472F0001",
}
"""What a card may be asked for without a key. Nothing is read from what answers."""
MIFARE_PLUS = (bytes.fromhex("C1052F2F01BCD6"), bytes.fromhex("C1052F2F0035C7"))
YUBIKEY = b"YubiKey"
FOUND = 0x9000
FIXES = {
    errno.EACCES: "install udev/95-kiosk-nfcpy.rules, and add the kiosk's user to their group",
    errno.EBUSY: "end the program that has it: run this doctor as root to see which",
    errno.ENODEV: "plug the reader in",
    errno.ENOENT: "plug the reader in",
    errno.EIO: "change the cable, and look for a reader that is not a PN532 on this port",
    errno.ETIMEDOUT: "change the cable, and check the reader's power",
}


@dataclass(frozen=True)
class SchemeAnswer:
    """What one credential scheme got out of the card, in words, and how many milliseconds it took."""

    scheme: str
    answered: bool
    words: str
    milliseconds: float


@dataclass(frozen=True)
class CardReport:
    """A card as it is. `applications` are those of APPLICATIONS that it has; `connected` is the time to its UID."""

    reader: ReaderInfo
    what: str
    atr: bytes
    uid: Uid | None
    takes_apdus: bool
    connected: float
    schemes: tuple[SchemeAnswer, ...]
    applications: tuple[str, ...]


Seen = CardReport | Finding


def examine(
    reader: Reader, schemes: Schemes, seconds: float, monotonic: Callable[[], float], count: int = 1
) -> list[Seen]:
    """Waits up to `seconds` for cards, reports up to `count` of them, and closes the reader.

    What goes wrong becomes a finding, except that pcscd does not answer: that has one already.
    """
    seen: list[Seen] = []
    try:
        reader.open()
        end = monotonic() + seconds
        while sum(isinstance(each, CardReport) for each in seen) < count:
            left = end - monotonic()
            for event in reader.wait(max(0.0, left)):
                if isinstance(event, CardPresented):
                    seen.append(_look(reader, event, schemes, monotonic))
            if left <= 0:
                break
    except PcscUnavailable:
        return seen
    except ReaderUnavailable as error:
        fix = FIXES.get(error.number, "") if isinstance(error, NfcpyUnavailable) else ""
        seen.append(Finding(State.WRONG, str(error), fix))
    finally:
        reader.close()
    return seen


def kind(card: Card, monotonic: Callable[[], float]) -> str:
    """What a card is, by its ATR (which holds SAK or historical bytes), and by its version where it tells that."""
    found, atr = card_type(card, monotonic), classify(card.atr)
    if found.family is not Family.PROCESSOR or not isinstance(atr, ProcessorCard):
        return found.name
    if YUBIKEY in atr.historical:
        return "YubiKey"
    return "MIFARE Plus" if atr.historical in MIFARE_PLUS else found.name


def _look(reader: Reader, presented: CardPresented, schemes: Schemes, monotonic: Callable[[], float]) -> Seen:
    started = monotonic()
    try:
        with reader.connect(presented) as card:
            connected = monotonic() - started
            surveyed = survey(card, schemes, monotonic)
            limited = LimitedCard(card, Limits(), monotonic)
            limited.allow_until(monotonic() + LOOK_SECONDS)
            applications = _applications(limited) if card.takes_apdus else ()
            return CardReport(
                presented.reader,
                kind(card, monotonic),
                card.atr,
                card.uid,
                card.takes_apdus,
                connected * 1000,
                tuple(_in_words(finding) for finding in surveyed),
                applications,
            )
    except CardError as error:
        return Finding(State.WRONG, f"{presented.reader.name}: {error}", "lay the card flat and leave it there")


def _applications(card: Card) -> tuple[str, ...]:
    """Those that answer a SELECT; a card that breaks off has none more."""
    found = []
    for name, identifier in APPLICATIONS.items():
        try:
            response = card.transmit(Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex(identifier), le=0))
        except ReaderError:
            break
        if response.status_word == FOUND:
            found.append(name)
    return tuple(found)


def _in_words(finding: Surveyed) -> SchemeAnswer:
    match finding.answer:
        case Claim():
            proof = "proved" if finding.assurance is Assurance.AUTHENTICATED else "identified, not proved"
            words = f"{proof}{f', {finding.answer.fingerprint}' if finding.answer.fingerprint else ''}"
        case Refusal():
            words = f"{finding.answer.reason.value}: {finding.answer.sentence}"
        case None:
            words = "not on this card"
    return SchemeAnswer(finding.kind, finding.answer is not None, words, finding.seconds * 1000)
