"""Everything a card can prove, within the ladder's limits and never past a proof that failed."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Command, Response
from readers.credentials.claim import Assurance, Claim, CredentialScheme, Refusal, RefusalReason
from readers.credentials.desfire import select_application
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.limits import Limits
from readers.credentials.pkoc import PkocScheme
from readers.credentials.survey import Finding, best, survey
from readers.errors import CardGone, ReaderUnavailable, TransmitFailed
from readers.reader import Card
from readers.virtual.aes_card import Fault
from readers.virtual.card import VirtualCard
from readers.virtual.desfire_card import issue
from readers.virtual.ntag424_card import Ntag424Card
from readers.virtual.pkoc_phone import PkocPhone
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
from tests.readers.credentials.aes_cards import (
    APPLICATION,
    IDENTITY,
    KEYS,
    SITE_KEYS,
    UID,
    desfire_scheme,
    ntag424_scheme,
)


def schemes(clock: ManualClock) -> list[CredentialScheme]:
    return [UidScheme(), PkocScheme(RecordedNonces(), clock), desfire_scheme(), ntag424_scheme()]


def look(card: VirtualCard) -> tuple[Finding, ...]:
    clock = ManualClock()
    with presented(card) as connected:
        return survey(connected, schemes(clock), clock)


def kinds(findings: Sequence[Finding], answer: type) -> list[str]:
    return [finding.kind for finding in findings if isinstance(finding.answer, answer)]


def test_it_goes_on_after_a_claim_to_everything_weaker() -> None:
    findings = look(TransitPhone(ec.generate_private_key(ec.SECP256R1())))
    assert [finding.kind for finding in findings] == ["pkoc", "desfire", "ntag424", "iso14443"]
    assert kinds(findings, Claim) == ["pkoc", "iso14443"]
    claim = best(findings)
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.assurance) == ("pkoc", Assurance.AUTHENTICATED)


def test_a_desfire_is_found_by_its_key_and_by_its_number() -> None:
    findings = look(issue(APPLICATION, UID, IDENTITY, SITE_KEYS))
    assert kinds(findings, Claim) == ["desfire", "iso14443"]
    assert [finding.assurance for finding in findings][-1] is Assurance.IDENTIFIER


def test_after_a_proof_that_failed_nothing_weaker_is_asked() -> None:
    findings = look(issue(APPLICATION, UID, IDENTITY, SITE_KEYS, fault=Fault.WRONG_KEY))
    assert [finding.kind for finding in findings] == ["pkoc", "desfire"]
    refusal = best(findings)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.PROOF_FAILED


def test_a_phone_without_the_app_is_refused_for_its_random_uid() -> None:
    findings = look(UidCard(RANDOM_UID, takes_apdus=True))
    assert kinds(findings, Refusal) == ["iso14443"]
    refusal = best(findings)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.RANDOM_UID


def test_a_phone_with_a_random_uid_is_its_key_all_the_same() -> None:
    phone = PkocPhone.generate()
    claim = best(look(phone))
    assert isinstance(claim, Claim)
    assert claim.subject == phone.public_key


def test_a_card_that_nothing_is_asked_of_has_no_best() -> None:
    assert best(()) is None


def test_the_seconds_are_those_of_each_scheme() -> None:
    clock = ManualClock()
    asked = [
        Timed("strong", Assurance.AUTHENTICATED, 0.75, None, clock),
        Timed("weak", Assurance.IDENTIFIER, 0.25, None, clock),
    ]
    findings = survey(ScriptedCard([]), asked, clock)
    assert [(finding.kind, finding.seconds) for finding in findings] == [("strong", 0.75), ("weak", 0.25)]


def test_schemes_that_no_time_is_left_for_are_left_out_after_a_claim() -> None:
    clock = ManualClock()
    claim = Claim("strong", b"1", None, Assurance.AUTHENTICATED)
    asked = [
        Timed("strong", Assurance.AUTHENTICATED, 1.0, claim, clock),
        Timed("slow", Assurance.AUTHENTICATED, 1.4, None, clock),
        Timed("weak", Assurance.IDENTIFIER, 0.1, None, clock),
    ]
    findings = survey(ScriptedCard([]), asked, clock)
    assert [finding.kind for finding in findings] == ["strong", "slow"]
    assert best(findings) is claim


def test_a_claim_that_used_up_its_budget_does_not_count() -> None:
    clock = ManualClock()
    slow = Timed("slow", Assurance.AUTHENTICATED, 1.6, Claim("slow", b"1", None, Assurance.AUTHENTICATED), clock)
    refusal = best(survey(ScriptedCard([]), [slow], clock))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.TOO_SLOW


def test_all_schemes_share_the_exchanges_of_one_presentation() -> None:
    clock = ManualClock()
    card = ScriptedCard([Response(b"", 0x6A82)] * 20, uid=FIXED_UID)
    findings = survey(card, [Chatty(1), Chatty(2), Chatty(3)], clock, limits=Limits(exchanges=10))
    assert len(card.sent) == 10
    assert [type(finding.answer) for finding in findings] == [type(None), type(None), Refusal]
    refusal = best(findings)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.MISBEHAVED


@pytest.mark.parametrize("error", [CardGone("gone"), ReaderUnavailable("lost"), TransmitFailed("broke")])
def test_whatever_breaks_ends_it_with_a_refusal(error: Exception) -> None:
    clock = ManualClock()
    findings = survey(ScriptedCard([error], uid=FIXED_UID), schemes(clock), clock)
    assert [finding.kind for finding in findings] == ["pkoc"]
    assert isinstance(best(findings), Refusal)


@dataclass
class Timed:
    """A scheme that takes its time and says what it is told."""

    kind: str
    assurance: Assurance
    takes: float
    answer: Claim | Refusal | None
    clock: ManualClock

    def may_apply(self, card: Card) -> bool:
        return True

    def identify(self, card: Card) -> Claim | Refusal | None:
        self.clock.advance(self.takes)
        return self.answer


@dataclass
class Chatty:
    """A scheme that needs four exchanges to find out that it is not on the card."""

    number: int
    assurance: Assurance = Assurance.IDENTIFIER

    @property
    def kind(self) -> str:
        return f"chatty{self.number}"

    def may_apply(self, card: Card) -> bool:
        return True

    def identify(self, card: Card) -> Claim | Refusal | None:
        for _ in range(4):
            card.transmit(select_application(b"\x01\x02\x03"))
        return None


def _said(answer: str, kind: str, worth: Assurance) -> Claim | Refusal | None:
    if answer == "claim":
        return Claim(kind, b"1", None, worth)
    return Refusal(RefusalReason.PROOF_FAILED, "No.", kind) if answer == "refusal" else None


assurances = st.sampled_from([Assurance.IDENTIFIER, Assurance.AUTHENTICATED])
answers = st.sampled_from(["claim", "refusal", "none"])
rungs = st.lists(st.tuples(assurances, st.floats(0, 1.8), answers), max_size=6)


@given(rungs=rungs)
def test_its_best_is_what_the_ladder_answers(rungs: list[tuple[Assurance, float, str]]) -> None:
    def made(clock: ManualClock) -> list[CredentialScheme]:
        return [
            Timed(f"{number}", worth, takes, _said(answer, f"{number}", worth), clock)
            for number, (worth, takes, answer) in enumerate(rungs)
        ]

    clock, other = ManualClock(), ManualClock()
    found = best(survey(ScriptedCard([]), made(clock), clock))
    climbed = Ladder(made(other), other).identify(ScriptedCard([]))
    if found is None:
        assert isinstance(climbed, Refusal)
        assert climbed.reason is RefusalReason.NO_UID
    else:
        assert found == climbed


@given(script=st.lists(st.builds(Response, st.binary(max_size=64), st.integers(0, 0xFFFF)), max_size=30))
def test_no_random_card_is_more_than_its_uid(script: list[Response]) -> None:
    clock = ManualClock()
    findings = survey(ScriptedCard(script, uid=FIXED_UID), schemes(clock), clock)
    assert not [one for one in findings if isinstance(one.answer, Claim) and one.kind != "iso14443"]


def test_a_tag_of_the_site_is_found_by_its_key() -> None:
    keys = {1: KEYS.diversified("ntag424", UID.value + b"imaging"), 2: SITE_KEYS["ntag424-uid"]}
    findings = look(Ntag424Card(UID, keys))
    assert kinds(findings, Claim) == ["ntag424", "iso14443"]


def test_its_exchanges_are_those_of_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Command] = []
    clock = ManualClock()
    with presented(UidCard(FIXED_UID)) as card:
        monkeypatch.setattr(type(card), "transmit", lambda _, command: sent.append(command))
        findings = survey(card, schemes(clock), clock)
    assert kinds(findings, Claim) == ["iso14443"]
    assert sent == []  # a storage card is sent nothing
