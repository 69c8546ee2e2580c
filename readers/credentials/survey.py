"""Everything that a card can prove, scheme by scheme: for enrolment and for the doctor, not for the wall."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readers.credentials.claim import Assurance, Claim, Refusal, Schemes
from readers.credentials.ladder import BUDGET, DEFAULT_LIMITS, SCHEME_BUDGET, attempt, strongest_first
from readers.credentials.limits import LimitedCard, Limits
from readers.reader import Card


@dataclass(frozen=True)
class Finding:
    """What one scheme got out of the card, and how long it took; `answer` None where the card does not have it.

    `assurance` is what a claim of this scheme is worth.
    """

    kind: str
    assurance: Assurance
    answer: Claim | Refusal | None
    seconds: float


def survey(
    card: Card,
    schemes: Schemes,
    monotonic: Callable[[], float],
    budget: float = BUDGET,
    scheme_budget: float = SCHEME_BUDGET,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[Finding, ...]:
    """The findings, strongest scheme first, within the ladder's own limits. Never raises for what a card does.

    It goes on after a claim and ends with a refusal: what is weaker than a proof that failed must not be asked, here no
    more than at the wall. Schemes for which no time is left after a claim are left out.
    """
    overall = monotonic() + budget
    limited = LimitedCard(card, limits, monotonic)
    findings: list[Finding] = []
    for scheme in strongest_first(schemes):
        started = monotonic()
        if started > overall and isinstance(best(findings), Claim):
            break
        answer = attempt(scheme, limited, overall, scheme_budget, monotonic)
        findings.append(Finding(scheme.kind, scheme.assurance, answer, monotonic() - started))
        if isinstance(answer, Refusal):
            break
    return tuple(findings)


def best(findings: Sequence[Finding]) -> Claim | Refusal | None:
    """What the ladder would answer: the strongest scheme that is on the card decides. None where none is."""
    return next((finding.answer for finding in findings if finding.answer is not None), None)
