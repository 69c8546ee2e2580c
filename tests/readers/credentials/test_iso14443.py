import pytest

from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.iso14443 import UidScheme
from readers.uid import Uid
from readers.virtual.uid_card import UidCard
from tests.readers.cards import ScriptedCard, presented


@pytest.mark.parametrize("digits", ["04A1B2C3", "04A1B2C3D4E580", "04A1B2C3D4E580112233"])
@pytest.mark.parametrize("takes_apdus", [True, False])
def test_a_fixed_uid_of_any_size_is_an_identifier_and_no_more(digits: str, takes_apdus: bool) -> None:
    with presented(UidCard(Uid.from_hex(digits), takes_apdus=takes_apdus)) as card:
        claim = UidScheme().identify(card)
    assert claim == Claim("iso14443", bytes.fromhex(digits), Uid.from_hex(digits), Assurance.IDENTIFIER)


@pytest.mark.parametrize("digits", ["08A1B2C3", "08B0B2C3D4E580", "08A1B2C3D4E580112233"])
def test_a_random_uid_of_any_size_is_refused_with_the_way_out(digits: str) -> None:
    with presented(UidCard(Uid.from_hex(digits))) as card:
        refusal = UidScheme().identify(card)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.RANDOM_UID
    assert refusal.sentence == "This phone or card shows a different number at every tap. Use the phone app or a card."
    assert refusal.uid == Uid.from_hex(digits)


@pytest.mark.parametrize("digits", ["88A1B2C3", "00000000", "FFFFFFFF", "00" * 7, "FF" * 10])
def test_a_uid_that_no_card_may_carry_is_refused(digits: str) -> None:
    with presented(UidCard(Uid.from_hex(digits))) as card:
        refusal = UidScheme().identify(card)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.INVALID_UID


def test_a_card_without_a_uid_is_refused() -> None:
    refusal = UidScheme().identify(ScriptedCard([], uid=None))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.NO_UID
