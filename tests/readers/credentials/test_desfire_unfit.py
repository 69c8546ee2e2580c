"""Cards that do not become the site's, each with its own reason, and not a byte of them written."""

from dataclasses import replace
from typing import Any

import pytest

from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.desfire_issue import DesfireIssue
from readers.credentials.desfire_state import NotPersonalisable, Unfit, look
from readers.errors import CardGone, ReaderError
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from readers.virtual.desfire_card import CardApplication, DataFile, DesfireCard, blank
from readers.virtual.desfire_memory import DesfireMemory
from readers.virtual.faults import Fault
from readers.virtual.ntag424_card import Ntag424Card
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.torn_card import TornCard
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, EchoCard, ScriptedCard, presented
from tests.readers.credentials.aes_cards import APPLICATION, OTHER_UID, UID
from tests.readers.credentials.desfire_blanks import (
    FOREIGN_KEYS,
    HIDING,
    ISSUE,
    ISSUING_KEYS,
    KEYS,
    MAKES,
    ZERO_AES,
    carried_out,
    commands_for,
    image,
    version,
    written,
)


def reason(card: VirtualCard, issue: DesfireIssue = ISSUE, keys: MemoryKeys = KEYS, only: Uid | None = None) -> Unfit:
    before = image(card) if isinstance(card, DesfireCard) else ""
    with pytest.raises(NotPersonalisable) as refused:
        written(card, issue, keys, only)
    assert str(refused.value)
    if isinstance(card, DesfireCard):
        assert image(card) == before
    return refused.value.reason


def test_another_site_s_card_is_refused() -> None:
    for make in MAKES.values():
        for issue in (ISSUE, HIDING):
            card = make()
            written(card, issue, FOREIGN_KEYS)
            assert reason(card) is Unfit.FOREIGN
            assert reason(card, HIDING) is Unfit.FOREIGN


def test_another_site_s_card_that_it_never_finished_is_refused() -> None:
    """Unless there is nothing of that site on it yet but what ours would be like, too."""
    total = commands_for(blank(UID))
    refused = 0
    for commands in range(total):
        card = blank(UID)
        with pytest.raises(CardGone), presented(TornCard(card, commands, heard=False)) as connected:
            carried_out(connected, HIDING, FOREIGN_KEYS)
        application = card.memory.applications.get(APPLICATION.identifier)
        if application is not None and any(application.versions.values()):
            assert reason(card) is Unfit.FOREIGN
            refused += 1
        else:
            assert written(card)[1].claim.uid == UID
    assert refused


def _with(**changed: Any) -> DesfireCard:
    memory = DesfireMemory({APPLICATION.identifier: CardApplication(dict.fromkeys(range(4), ZERO_AES), settings=1)})
    application = memory.applications[APPLICATION.identifier]
    for name, value in changed.items():
        setattr(application, name, value)
    return DesfireCard(UID, memory)


@pytest.mark.parametrize(
    "card",
    [
        DesfireCard(UID, {b"\x01\x02\x03": CardApplication({0: ZERO_AES})}),
        DesfireCard(UID, DesfireMemory({}, settings=0x0B)),
        _with(settings=0x0F),
        _with(keys=dict.fromkeys(range(3), ZERO_AES)),
        _with(files={2: DataFile(bytes(32), 2, 0)}),
        _with(files={1: DataFile(bytes(31), 2, 0)}),
        _with(files={1: DataFile(bytes(32), 0xE, 0)}),
        _with(files={1: DataFile(bytes(32), 2, 0, mode=3)}),
        _with(files={1: DataFile(bytes(32), 2, 0), 4: DataFile(bytes(32), 2, 0)}),
    ],
)
def test_a_card_with_something_on_it_is_refused(card: DesfireCard) -> None:
    assert reason(card) is Unfit.NOT_BLANK


@pytest.mark.parametrize(
    "card",
    [
        blank(UID, master_key=b"\x02" * 8),
        blank(UID, master_key=b"\x01" * 16),
        DesfireCard(UID, DesfireMemory({}, master_key=b"\x01" * 16, master_version=1)),
        DesfireCard(UID, DesfireMemory({}, master_key=ZERO_AES, settings=0x09)),
        _with(keys=dict.fromkeys(range(4), b"\x07" * 16)),
        _with(versions={2: 9}),
        _with(versions={2: 1}),
        _with(versions={0: 1}),
    ],
)
def test_a_card_under_somebody_else_s_keys_is_refused(card: DesfireCard) -> None:
    assert reason(card) is Unfit.FOREIGN


@pytest.mark.parametrize(
    "card",
    [
        UidCard(FIXED_UID),
        UidCard(FIXED_UID, takes_apdus=True),
        PkocPhone.generate(),
        EchoCard(),
        Ntag424Card(UID, {}),
    ],
)
def test_a_card_of_another_kind_is_refused(card: VirtualCard) -> None:
    assert reason(card) is Unfit.NOT_DESFIRE


@pytest.mark.parametrize(
    ("kind", "major", "unfit"),
    [(0x01, 0, Unfit.TOO_OLD), (0x04, 0x30, Unfit.NOT_DESFIRE), (0x08, 1, Unfit.NOT_DESFIRE)],
)
def test_a_card_that_only_knows_the_same_question_is_refused(kind: int, major: int, unfit: Unfit) -> None:
    scripted = ScriptedCard(list(version(kind, major)), UID)
    with pytest.raises(NotPersonalisable) as refused:
        look(scripted, ISSUE, KEYS)
    assert refused.value.reason is unfit
    assert len(scripted.sent) == 4


def test_a_card_that_hides_its_uid_is_refused_unless_it_is_ours() -> None:
    without = DesfireIssue(replace(APPLICATION, uid_key_number=None))
    hidden = DesfireCard(UID, {}, random_uid=True)
    assert reason(hidden) is Unfit.HIDDEN_UID
    ours = blank(UID)
    written(ours, HIDING)
    assert reason(ours, without) is Unfit.HIDDEN_UID


def test_a_card_that_shows_another_uid_than_it_tells_is_refused() -> None:
    assert reason(DesfireCard(UID, {}, fault=Fault.TWO_UIDS)) is Unfit.TWO_UIDS


def test_only_the_card_that_was_asked_for_is_written() -> None:
    assert reason(blank(UID), only=OTHER_UID) is Unfit.OTHER_CARD
    assert written(blank(UID), only=UID)[1].written


@pytest.mark.parametrize("name", ISSUE.key_names)
def test_a_kiosk_without_one_of_the_keys_writes_nothing(name: str) -> None:
    fewer = MemoryKeys({one: key for one, key in ISSUING_KEYS.items() if one != name})
    assert reason(blank(UID), keys=fewer) is Unfit.KEY_MISSING


@pytest.mark.parametrize(
    "wrong",
    [
        {"application": replace(APPLICATION, read_key_number=0)},
        {"application": replace(APPLICATION, uid_key_number=0)},
        {"application": replace(APPLICATION, uid_key_number=2)},
        {"application": replace(APPLICATION, uid_key="desfire-read")},
        {"application": replace(APPLICATION, uid_key_number=None), "hides_uid": True},
        {"master_key": "desfire-card"},
        {"card_key": "desfire-read"},
    ],
)
def test_a_way_to_issue_that_gives_too_much_away_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ReaderError):
        replace(ISSUE, **wrong)
