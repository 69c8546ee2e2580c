"""Whatever schemes do and however slow a card is: what one presentation may cost, and who decides."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Command, Response
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.ladder import Ladder
from readers.credentials.limits import Limits
from readers.errors import CardGone, ReaderError, ReaderUnavailable, TlvError, TransmitFailed
from readers.reader import Card
from tests.readers.cards import FIXED_UID, ManualClock

BUDGET, SCHEME_BUDGET = 2.0, 1.5
LIMITS = Limits(exchanges=12, received_bytes=600, continuations=3)
NOT_SELECTED = Command(0x00, 0xA4, 0x04, 0x00, le=0)
LONGEST_ANSWER = 258
ERRORS: tuple[type[ReaderError], ...] = (CardGone, TransmitFailed, ReaderUnavailable, TlvError)
ENDINGS = ("claim", "refusal", "nothing", *(error.__name__ for error in ERRORS))


@dataclass(frozen=True)
class Plan:
    """What a scheme does: so many APDUs, so long a thought after them, and then its end."""

    assurance: Assurance
    apdus: int
    thinks: float
    ending: str
    applies: bool


class PlannedScheme:
    def __init__(self, number: int, plan: Plan, clock: ManualClock, asked: list[int]) -> None:
        self.kind = f"scheme-{number}"
        self.assurance = plan.assurance
        self.started: float | None = None
        self._number = number
        self._plan = plan
        self._clock = clock
        self._asked = asked

    def may_apply(self, card: Card) -> bool:
        return self._plan.applies

    def identify(self, card: Card) -> Claim | Refusal | None:
        self._asked.append(self._number)
        self.started = self._clock()
        for _ in range(self._plan.apdus):
            card.transmit(NOT_SELECTED)
        self._clock.advance(self._plan.thinks)
        for error in ERRORS:
            if self._plan.ending == error.__name__:
                raise error("planned")
        if self._plan.ending == "claim":
            return Claim(self.kind, b"somebody", card.uid, self.assurance)
        if self._plan.ending == "refusal":
            return Refusal(RefusalReason.PROOF_FAILED, "No.", self.kind, card.uid)
        return None


class SlowCard:
    """Takes so many seconds for each answer in turn, and says more comes as often as it is told to."""

    uid = FIXED_UID
    atr = bytes.fromhex("3B80800101")
    takes_apdus = True

    def __init__(self, clock: ManualClock, answers: Sequence[tuple[float, int, bool]]) -> None:
        self._clock = clock
        self._answers = answers
        self.asked_at: list[float] = []
        self.told = 0

    def transmit(self, command: Command) -> Response:
        seconds, size, has_more = self._answers[len(self.asked_at) % len(self._answers)]
        self.asked_at.append(self._clock())
        self._clock.advance(seconds)
        self.told += size + 2
        return Response(bytes(size), 0x6110 if has_more else 0x9000)


plans = st.builds(
    Plan,
    st.sampled_from([Assurance.IDENTIFIER, Assurance.AUTHENTICATED]),
    st.integers(0, 15),
    st.sampled_from([0.0, 0.1, 1.0, 1.6, 2.5]),
    st.sampled_from(ENDINGS),
    st.booleans(),
)
answers = st.lists(
    st.tuples(st.sampled_from([0.0, 0.05, 0.4, 1.6]), st.integers(0, 256), st.booleans()), min_size=1, max_size=6
)


@given(st.lists(plans, max_size=5), answers)
def test_no_card_and_no_scheme_costs_more_than_the_ladder_allows(
    wanted: list[Plan], told: list[tuple[float, int, bool]]
) -> None:
    clock = ManualClock()
    start, asked = clock(), list[int]()
    card = SlowCard(clock, told)
    schemes = [PlannedScheme(number, plan, clock, asked) for number, plan in enumerate(wanted)]
    outcome = Ladder(schemes, clock, BUDGET, SCHEME_BUDGET, LIMITS).identify(card)
    assert len(card.asked_at) <= LIMITS.exchanges
    assert card.told <= LIMITS.received_bytes + LONGEST_ANSWER
    assert all(moment <= start + BUDGET for moment in card.asked_at)
    for scheme in schemes:
        if scheme.started is not None:
            assert scheme.started <= start + BUDGET
    assert asked == sorted(asked, key=lambda number: (-wanted[number].assurance, number))
    assert all(wanted[number].ending == "nothing" for number in asked[:-1])
    if isinstance(outcome, Claim):
        decided = schemes[asked[-1]]
        assert outcome.kind == decided.kind
        assert decided.started is not None
        assert clock() <= min(start + BUDGET, decided.started + SCHEME_BUDGET)


@given(st.lists(plans, max_size=5), answers)
def test_the_first_that_is_there_decides_where_nothing_is_slow(
    wanted: list[Plan], told: list[tuple[float, int, bool]]
) -> None:
    clock = ManualClock()
    card = SlowCard(clock, [(0.0, size % 16, False) for _, size, _ in told])
    quick = [Plan(plan.assurance, plan.apdus % 3, 0.0, plan.ending, plan.applies) for plan in wanted]
    schemes = [PlannedScheme(number, plan, clock, []) for number, plan in enumerate(quick)]
    outcome = Ladder(schemes, clock, BUDGET, SCHEME_BUDGET, LIMITS).identify(card)
    ranked = sorted(enumerate(quick), key=lambda item: -item[1].assurance)
    first = next((item for item in ranked if item[1].applies and item[1].ending != "nothing"), None)
    if first is None:
        assert isinstance(outcome, Refusal)
        assert outcome.reason is RefusalReason.NO_UID
        return
    number, plan = first
    if plan.ending == "claim":
        assert isinstance(outcome, Claim)
        assert (outcome.kind, outcome.assurance) == (f"scheme-{number}", plan.assurance)
        return
    assert isinstance(outcome, Refusal)
    assert outcome.scheme == f"scheme-{number}"
    expected = {
        "refusal": RefusalReason.PROOF_FAILED,
        "CardGone": RefusalReason.CARD_GONE,
        "ReaderUnavailable": RefusalReason.CARD_GONE,
    }
    assert outcome.reason is expected.get(plan.ending, RefusalReason.MISBEHAVED)
