import traceback
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Command, Response
from readers.credentials.claim import Assurance, Claim, Nonce, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.pkoc import PkocScheme
from readers.errors import CardGone, ReaderError, ReaderUnavailable, StatusWordError, TlvError, TransmitFailed
from readers.reader import Card
from readers.virtual.pkoc_phone import Fault, PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import (
    FIXED_UID,
    RANDOM_UID,
    ManualClock,
    RecordedNonces,
    ScriptedCard,
    TransitPhone,
    presented,
)


def ladder(clock: ManualClock | None = None) -> Ladder:
    clock = clock or ManualClock()
    return Ladder([UidScheme(), PkocScheme(RecordedNonces(), clock)], clock)


def reason(outcome: Claim | Refusal) -> RefusalReason:
    assert isinstance(outcome, Refusal)
    return outcome.reason


def test_the_strongest_scheme_decides_whatever_the_order_given() -> None:
    with presented(TransitPhone(ec.generate_private_key(ec.SECP256R1()))) as card:
        claim = ladder().identify(card)
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.assurance) == ("pkoc", Assurance.AUTHENTICATED)


@pytest.mark.parametrize("takes_apdus", [True, False])
def test_a_badge_without_anything_better_is_its_uid(takes_apdus: bool) -> None:
    with presented(UidCard(FIXED_UID, takes_apdus=takes_apdus)) as card:
        claim = ladder().identify(card)
    assert claim == Claim("iso14443", FIXED_UID.value, FIXED_UID, Assurance.IDENTIFIER)


def test_a_phone_without_the_app_is_refused_for_its_random_uid() -> None:
    with presented(UidCard(RANDOM_UID, takes_apdus=True)) as card:
        assert reason(ladder().identify(card)) is RefusalReason.RANDOM_UID


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.WRONG_KEY, {RefusalReason.PROOF_FAILED}),
        (Fault.STALE_NONCE, {RefusalReason.PROOF_FAILED}),
        (Fault.RANDOM_LENGTHS, {RefusalReason.PROOF_FAILED, RefusalReason.MISBEHAVED}),
        (Fault.DROPPED, {RefusalReason.CARD_GONE}),
        (Fault.ENDLESS_61XX, {RefusalReason.MISBEHAVED}),
        (Fault.SLOW, {RefusalReason.TOO_SLOW}),
    ],
)
def test_a_phone_with_a_fault_never_falls_back_to_its_fixed_uid(fault: Fault, expected: set[RefusalReason]) -> None:
    clock = ManualClock()
    phone = TransitPhone(ec.generate_private_key(ec.SECP256R1()), fault, sleep=clock.advance)
    with presented(phone) as card:
        outcome = ladder(clock).identify(card)
    assert reason(outcome) in expected
    assert isinstance(outcome, Refusal)
    assert (outcome.scheme, outcome.uid) == ("pkoc", FIXED_UID)


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.SWAPPED_ORDER, Fault.REFUSES_LE])
def test_an_unusual_phone_that_keeps_to_the_profile_passes(fault: Fault) -> None:
    phone = PkocPhone.generate(fault)
    with presented(phone) as card:
        claim = ladder().identify(card)
    assert isinstance(claim, Claim)
    assert claim.subject == phone.public_key


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CardGone("gone"), RefusalReason.CARD_GONE),
        (ReaderUnavailable("lost"), RefusalReason.CARD_GONE),
        (TransmitFailed("broke"), RefusalReason.MISBEHAVED),
        (TlvError("nonsense"), RefusalReason.MISBEHAVED),
        (StatusWordError(0x6F00, "SELECT"), RefusalReason.MISBEHAVED),
        (ReaderError("anything"), RefusalReason.MISBEHAVED),
    ],
)
def test_every_error_of_an_exchange_is_a_refusal(error: ReaderError, expected: RefusalReason) -> None:
    assert reason(ladder().identify(ScriptedCard([error], uid=FIXED_UID))) is expected


class Scheme:
    """A scheme that takes its time and says what it is told."""

    def __init__(self, clock: ManualClock, seconds: float, outcome: Claim | Refusal | None, strong: bool) -> None:
        self.kind = "strong" if strong else "weak"
        self.assurance = Assurance.AUTHENTICATED if strong else Assurance.IDENTIFIER
        self._clock, self._seconds, self._outcome = clock, seconds, outcome

    def may_apply(self, card: Card) -> bool:
        return True

    def identify(self, card: Card) -> Claim | Refusal | None:
        self._clock.advance(self._seconds)
        return self._outcome


CLAIM = Claim("any", b"1", None, Assurance.IDENTIFIER)


def test_a_claim_that_used_up_its_scheme_budget_does_not_count() -> None:
    clock = ManualClock()
    assert reason(Ladder([Scheme(clock, 1.6, CLAIM, True)], clock).identify(ScriptedCard([]))) is RefusalReason.TOO_SLOW


def test_the_whole_climb_has_a_budget_too() -> None:
    clock = ManualClock()
    schemes = [Scheme(clock, 1.4, None, True), Scheme(clock, 0.7, CLAIM, False)]
    assert reason(Ladder(schemes, clock).identify(ScriptedCard([]))) is RefusalReason.TOO_SLOW


def test_a_ladder_without_a_scheme_for_the_card_refuses() -> None:
    assert reason(Ladder([], ManualClock()).identify(ScriptedCard([]))) is RefusalReason.NO_UID


def test_a_nonce_source_that_repeats_itself_makes_no_claim() -> None:
    class Stuck:
        def fresh(self) -> Nonce:
            return Nonce(bytes(16))

    clock = ManualClock()
    stuck = Ladder([PkocScheme(Stuck(), clock)], clock)
    outcomes: list[Claim | Refusal] = []
    for _tap in range(2):
        with presented(PkocPhone.generate()) as card:
            outcomes.append(stuck.identify(card))
    assert isinstance(outcomes[0], Claim)
    assert isinstance(outcomes[1], Refusal)


errors = st.sampled_from([CardGone("gone"), TransmitFailed("broke"), TlvError("x"), ReaderUnavailable("lost")])
data = st.binary(max_size=300) | st.just(bytes.fromhex("5C020100"))
words = st.sampled_from([0x9000, 0x6100, 0x6110, 0x6700, 0x6F00, 0x6A82]) | st.integers(0, 0xFFFF)
responses = st.builds(Response, data, words)


@given(script=st.lists(responses | errors, max_size=30))
def test_no_random_card_makes_a_claim_or_an_error(script: Sequence[Response | Exception]) -> None:
    assert isinstance(ladder().identify(ScriptedCard(script)), Refusal)


@given(script=st.lists(responses | errors, max_size=30))
def test_no_random_card_with_a_fixed_uid_is_more_than_its_uid(script: Sequence[Response | Exception]) -> None:
    outcome = ladder().identify(ScriptedCard(script, uid=FIXED_UID))
    assert isinstance(outcome, Refusal) or outcome.assurance is Assurance.IDENTIFIER


def test_neither_uid_nor_key_shows_in_text_or_traceback() -> None:
    phone = TransitPhone(ec.generate_private_key(ec.SECP256R1()))
    with presented(phone) as card:
        claim = ladder().identify(card)
        refusal = ladder().identify(ScriptedCard([CardGone("gone")], uid=FIXED_UID))
        assert isinstance(claim, Claim)
        assert claim.proof is not None
        try:
            card.transmit(Command(0x80, 0x80, 0x00, 0x01, claim.subject, 0)).expect("AUTHENTICATE")
        except StatusWordError:
            told = traceback.format_exc()
        shown = [told]
        for thing in (claim, claim.proof, refusal, card, phone, UidCard(FIXED_UID), FIXED_UID):
            shown += [str(thing), repr(thing), f"{[thing]}"]
    secrets = [FIXED_UID.value, claim.subject, claim.subject[1:33], claim.proof.signature]
    for text in shown:
        for secret in secrets:
            assert secret.hex() not in text.lower()
            assert repr(secret)[2:-1] not in text
