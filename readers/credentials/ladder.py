"""Asks a card who it is, strongest scheme first."""

from collections.abc import Callable

from readers.credentials.claim import Claim, CredentialScheme, Refusal, RefusalReason, Schemes
from readers.credentials.limits import LimitedCard, Limits, TimeSpent
from readers.errors import CardGone, ReaderError, ReaderUnavailable
from readers.reader import Card

BUDGET = 2.0
SCHEME_BUDGET = 1.5
DEFAULT_LIMITS = Limits()

SENTENCES = {
    RefusalReason.CARD_GONE: "The card left too soon. Hold it still and tap again.",
    RefusalReason.TWO_CARDS: "Two cards were held to the reader at once. Tap with one of them alone.",
    RefusalReason.TOO_SLOW: "The card took too long to answer. Hold it still and tap again.",
    RefusalReason.MISBEHAVED: "The card gave an answer that makes no sense. Tap again or use another card.",
    RefusalReason.NO_UID: "The card said nothing that this kiosk understands. Use another card.",
}
READER_LOST = "The reader was lost while it read the card. Tap again when it is back."
NO_SCHEME = "ladder"


class Ladder:
    """The order in which schemes are tried: by assurance, and as given among equals.

    The first scheme that is on the card decides. One that is there and fails its proof ends the climb: falling through
    to a weaker one would let a copy of half a badge pass.
    """

    def __init__(
        self,
        schemes: Schemes,
        monotonic: Callable[[], float],
        budget: float = BUDGET,
        scheme_budget: float = SCHEME_BUDGET,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """`budget` is seconds for the whole card, `scheme_budget` for each scheme; `monotonic` gives seconds."""
        self._schemes = strongest_first(schemes)
        self._monotonic = monotonic
        self._budget = budget
        self._scheme_budget = scheme_budget
        self._limits = limits

    @property
    def schemes(self) -> tuple[CredentialScheme, ...]:
        """The rungs, strongest first."""
        return self._schemes

    def identify(self, card: Card) -> Claim | Refusal:
        """What the card claims, or why it claims nothing. Never raises for what a card does."""
        overall = self._monotonic() + self._budget
        limited = LimitedCard(card, self._limits, self._monotonic)
        for scheme in self._schemes:
            outcome = attempt(scheme, limited, overall, self._scheme_budget, self._monotonic)
            if outcome is not None:
                return outcome
        return nothing_said(card)


def strongest_first(schemes: Schemes) -> tuple[CredentialScheme, ...]:
    """By assurance, and as given among equals."""
    return tuple(sorted(schemes, key=lambda scheme: -scheme.assurance))


def attempt(
    scheme: CredentialScheme, card: LimitedCard, overall: float, budget: float, monotonic: Callable[[], float]
) -> Claim | Refusal | None:
    """One scheme's answer within `budget` seconds and before `overall` on that clock; whatever breaks is a Refusal."""
    started = monotonic()
    if started > overall:
        return _refuse(RefusalReason.TOO_SLOW, scheme, card)
    deadline = min(overall, started + budget)
    card.allow_until(deadline)
    try:
        outcome = scheme.identify(card) if scheme.may_apply(card) else None
        if isinstance(outcome, Claim) and not card.still_shows_its_uid():
            return _refuse(RefusalReason.TWO_CARDS, scheme, card)
    except CardGone:
        return _refuse(RefusalReason.CARD_GONE, scheme, card)
    except ReaderUnavailable:
        return Refusal(RefusalReason.CARD_GONE, READER_LOST, scheme.kind, card.uid)
    except TimeSpent:
        return _refuse(RefusalReason.TOO_SLOW, scheme, card)
    except ReaderError:
        return _refuse(RefusalReason.MISBEHAVED, scheme, card)
    if isinstance(outcome, Claim) and monotonic() > deadline:
        return _refuse(RefusalReason.TOO_SLOW, scheme, card)
    return outcome


def nothing_said(card: Card) -> Refusal:
    """No scheme is on the card."""
    return Refusal(RefusalReason.NO_UID, SENTENCES[RefusalReason.NO_UID], NO_SCHEME, card.uid)


def _refuse(reason: RefusalReason, scheme: CredentialScheme, card: Card) -> Refusal:
    return Refusal(reason, SENTENCES[reason], scheme.kind, card.uid)
