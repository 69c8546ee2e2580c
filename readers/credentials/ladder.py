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
        self._schemes = sorted(schemes, key=lambda scheme: -scheme.assurance)
        self._monotonic = monotonic
        self._budget = budget
        self._scheme_budget = scheme_budget
        self._limits = limits

    def identify(self, card: Card) -> Claim | Refusal:
        """What the card claims, or why it claims nothing. Never raises for what a card does."""
        overall = self._monotonic() + self._budget
        limited = LimitedCard(card, self._limits, self._monotonic)
        for scheme in self._schemes:
            outcome = self._try(scheme, limited, overall)
            if outcome is not None:
                return outcome
        return Refusal(RefusalReason.NO_UID, SENTENCES[RefusalReason.NO_UID], NO_SCHEME, card.uid)

    def _try(self, scheme: CredentialScheme, card: LimitedCard, overall: float) -> Claim | Refusal | None:
        started = self._monotonic()
        if started > overall:
            return _refuse(RefusalReason.TOO_SLOW, scheme, card)
        deadline = min(overall, started + self._scheme_budget)
        card.allow_until(deadline)
        try:
            outcome = scheme.identify(card) if scheme.may_apply(card) else None
        except CardGone:
            return _refuse(RefusalReason.CARD_GONE, scheme, card)
        except ReaderUnavailable:
            return Refusal(RefusalReason.CARD_GONE, READER_LOST, scheme.kind, card.uid)
        except TimeSpent:
            return _refuse(RefusalReason.TOO_SLOW, scheme, card)
        except ReaderError:
            return _refuse(RefusalReason.MISBEHAVED, scheme, card)
        if isinstance(outcome, Claim) and self._monotonic() > deadline:
            return _refuse(RefusalReason.TOO_SLOW, scheme, card)
        return outcome


def _refuse(reason: RefusalReason, scheme: CredentialScheme, card: Card) -> Refusal:
    return Refusal(reason, SENTENCES[reason], scheme.kind, card.uid)
