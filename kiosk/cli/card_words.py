"""What a card can prove, in words for whoever enrols it."""

from collections.abc import Collection, Iterator, Sequence

from readers.card_type import CardType, Family
from readers.credentials.claim import Assurance, Claim, Refusal
from readers.credentials.pkoc2 import KIND as CERTIFIED_PKOC
from readers.credentials.survey import Finding, best
from readers.text import safe_text
from readers.uid import Uid

WORTH = {
    Assurance.NONE: "proves nothing",
    Assurance.IDENTIFIER: "identifier, which can be copied",
    Assurance.AUTHENTICATED: "proved itself",
}
PERSONALISE = "kiosk credentials desfire personalise"
NUMBER_ONLY = "This card can do no more than show its number. A DESFire card or a phone with a PKOC app proves itself."


def lines(kind: CardType, uid: Uid | None, findings: Sequence[Finding]) -> Iterator[str]:
    """The card, then each scheme that was asked, strongest first: its answer and its milliseconds."""
    yield f"Card: {safe_text(kind.name)}, {_number(uid)}"
    for finding in findings:
        yield f"  {finding.kind:<12} {finding.seconds * 1000:5.0f} ms  {_answer(finding.answer)}"


def advice(kind: CardType, findings: Sequence[Finding], enabled: Collection[str]) -> str:
    """What would let this card, or its owner, prove more; empty where it proved itself or failed to.

    `enabled` are the kinds of the schemes that this kiosk uses.
    """
    found = best(findings)
    if isinstance(found, Claim) and found.assurance >= Assurance.AUTHENTICATED:
        return ""
    if any(isinstance(finding.answer, Refusal) and finding.assurance > Assurance.IDENTIFIER for finding in findings):
        return ""
    match kind.family:
        case Family.DESFIRE:
            return f"This DESFire could prove itself: {_after('desfire', enabled)}`{PERSONALISE}` prepares it."
        case Family.NTAG424:
            return f"This tag could prove itself: {_after('ntag424', enabled)}give it this site's keys."
        case Family.PHONE:
            first = "" if CERTIFIED_PKOC in enabled else _after("pkoc", enabled)
            return f"A phone could prove itself: {first}install a PKOC app on it."
        case Family.STORAGE if isinstance(found, Claim):
            return NUMBER_ONLY
    return ""


def _after(scheme: str, enabled: Collection[str]) -> str:
    return "" if scheme in enabled else f"enable [credentials.{scheme}] in the configuration, then "


def _number(uid: Uid | None) -> str:
    if uid is None:
        return "without a UID"
    if uid.is_random:
        return f"UID {uid.hex()}, random: another one at each tap"
    return f"UID {uid.hex()}, fixed"


def _answer(answer: Claim | Refusal | None) -> str:
    match answer:
        case Claim():
            named = f"  {safe_text(answer.fingerprint)}" if answer.fingerprint else ""
            noted = "".join(f"  ({safe_text(note)})" for note in answer.notes)
            return f"{WORTH[answer.assurance]}{named}{noted}"
        case Refusal():
            return f"refused: {answer.sentence}"
        case None:
            return "not on this card"
