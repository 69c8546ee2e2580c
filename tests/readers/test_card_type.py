"""What a card is, for people, by what it says of itself; never an error, never a decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Response
from readers.card_type import GET_VERSION, CardType, Family, card_type
from readers.credentials.pkoc import PkocScheme
from readers.errors import CardGone, ReaderUnavailable, TransmitFailed
from readers.virtual.card import VirtualCard
from readers.virtual.desfire_card import DesfireCard, issue
from readers.virtual.ntag424_card import Ntag424Card
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, RANDOM_UID, ManualClock, RecordedNonces, ScriptedCard, presented
from tests.readers.credentials.aes_cards import APPLICATION, IDENTITY, SITE_KEYS, UID


def of(card: VirtualCard) -> CardType:
    with presented(card) as connected:
        return card_type(connected)


def version(hardware: str) -> list[Response | Exception]:
    """The three frames of GetVersion: hardware, software, the chip's own number."""
    return [
        Response(bytes.fromhex(hardware), 0x91AF),
        Response(bytes.fromhex(hardware), 0x91AF),
        Response(bytes(14), 0x9100),
    ]


@pytest.mark.parametrize(
    ("card", "family"),
    [
        (UidCard(FIXED_UID), Family.STORAGE),
        (UidCard(FIXED_UID, takes_apdus=True), Family.PROCESSOR),
        (UidCard(RANDOM_UID, takes_apdus=True), Family.PHONE),
        (PkocPhone.generate(), Family.PHONE),
        (DesfireCard(UID, {}), Family.DESFIRE),
        (issue(APPLICATION, UID, IDENTITY, SITE_KEYS, random_uid=True), Family.DESFIRE),
        (Ntag424Card(UID, {}), Family.NTAG424),
    ],
)
def test_the_virtual_cards_are_what_they_play(card: VirtualCard, family: Family) -> None:
    assert of(card).family is family


def test_a_storage_card_has_the_name_of_its_product() -> None:
    assert of(UidCard(FIXED_UID)).name == "MIFARE Classic 1K"


@pytest.mark.parametrize(
    ("hardware", "expected"),
    [
        ("04010101001A05", CardType(Family.DESFIRE, "DESFire EV1")),
        ("04010112001A05", CardType(Family.DESFIRE, "DESFire EV2")),
        ("04010133001A05", CardType(Family.DESFIRE, "DESFire EV3")),
        ("04810142001A05", CardType(Family.DESFIRE, "DESFire")),
        ("04080130001305", CardType(Family.PROCESSOR, "DESFire Light")),
        ("04020211001A05", CardType(Family.PROCESSOR, "MIFARE Plus")),
        ("04040230001105", CardType(Family.NTAG424, "NTAG 424 DNA")),
    ],
)
def test_the_hardware_version_names_the_product(hardware: str, expected: CardType) -> None:
    card = ScriptedCard(version(hardware), uid=FIXED_UID)
    assert card_type(card) == expected
    assert card.sent[0] == GET_VERSION
    assert len(card.sent) == 3  # no card is left half-way


@pytest.mark.parametrize("error", [CardGone("gone"), ReaderUnavailable("lost"), TransmitFailed("broke")])
def test_a_card_that_leaves_is_what_its_atr_says(error: Exception) -> None:
    assert card_type(ScriptedCard([error], uid=FIXED_UID)).family is Family.PROCESSOR


def test_asking_twice_changes_nothing_for_a_proof() -> None:
    phone = PkocPhone.generate()
    with presented(phone) as card:
        before = card_type(card)
        claim = PkocScheme(RecordedNonces(), ManualClock()).identify(card)
        assert card_type(card) == before
    assert claim is not None


answers = st.builds(Response, st.binary(max_size=32), st.sampled_from([0x9000, 0x91AF, 0x9100, 0x6D00, 0x61FF]))
errors = st.sampled_from([CardGone("gone"), TransmitFailed("broke")])


@given(script=st.lists(answers | errors, max_size=6), atr=st.binary(max_size=40))
def test_no_answer_makes_an_error_or_more_than_a_few_exchanges(script: list[Response | Exception], atr: bytes) -> None:
    card = ScriptedCard(script, uid=FIXED_UID)
    card.atr = atr
    assert isinstance(card_type(card).family, Family)
    assert len(card.sent) <= 3
