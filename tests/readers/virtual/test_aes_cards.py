"""What the virtual DESFire and NTAG 424 do for any reader, ours or another."""

import pytest

from readers.credentials import ev1, ev2
from readers.credentials.native import Instruction, ask, native
from readers.uid import Uid
from readers.virtual.aes_card import AesCard
from readers.virtual.desfire_card import CardApplication, DataFile, DesfireCard
from readers.virtual.desfire_memory import MASTER_CHANGEABLE
from readers.virtual.ntag424_card import Ntag424Card, Sun
from tests.readers.cards import presented
from tests.readers.credentials.aes_cards import LAYOUT, TEMPLATE, UID

KEY = b"\x07" * 16
OTHER_KEY = b"\x08" * 16
READ = bytes.fromhex("01000000040000")
SELECT = "905A000003563412" + "00"


def desfire(*, random_uid: bool = False) -> DesfireCard:
    files = {1: DataFile(b"abcdef", read_key_number=2)}
    application = CardApplication({2: KEY, 3: OTHER_KEY}, files, settings=MASTER_CHANGEABLE)
    return DesfireCard(UID, {bytes.fromhex("123456"): application}, random_uid=random_uid)


def said(card: AesCard, *commands: str) -> list[str]:
    card.power_on()
    return [card.exchange(bytes.fromhex(command)).hex().upper() for command in commands]


def test_nothing_is_told_to_a_reader_that_proved_nothing() -> None:
    told = said(desfire(), SELECT, "90BD000007" + READ.hex() + "00", "905100000000", "9051000000", "90F50000010100")
    assert told == ["9100", "91AE", "91AE", "91AE", "91AE"]


def test_there_is_no_key_before_an_application_is_selected() -> None:
    assert said(desfire(), "90AA0000010200", "905A00000311111100", "90AA0000010200") == ["9140", "91A0", "9140"]


@pytest.mark.parametrize("begun", ["90AA0000010200", "9071000002020000"])
def test_a_wrong_token_ends_the_handshake(begun: str) -> None:
    card = desfire()
    told = said(card, SELECT, begun, "90AF000020" + "00" * 32 + "00", "90AF000020" + "00" * 32 + "00")
    assert told[0] == "9100"
    assert told[1].endswith("91AF")
    assert told[2] == "91AE"
    assert told[3] != "9100"


def test_a_key_reads_only_what_it_may_and_ends_its_session_by_trying() -> None:
    with presented(desfire()) as card:
        ask(card, native(Instruction.SELECT_APPLICATION, bytes.fromhex("563412")))
        session = ev2.authenticate(card, 3, OTHER_KEY, lambda size: bytes(size))
        assert ask(card, session.command(Instruction.READ_DATA, READ)).status_word == 0x919D
        assert ask(card, session.command(Instruction.GET_CARD_UID)).status_word == 0x91AE


def test_a_command_with_a_wrong_mac_ends_the_session() -> None:
    with presented(desfire()) as card:
        ask(card, native(Instruction.SELECT_APPLICATION, bytes.fromhex("563412")))
        session = ev2.authenticate(card, 2, KEY, lambda size: bytes(size))
        assert ask(card, native(Instruction.READ_DATA, READ + bytes(8))).status_word == 0x911E
        assert ask(card, session.command(Instruction.READ_DATA, READ)).status_word == 0x91AE


@pytest.mark.parametrize(
    ("header", "word"),
    [("02000000010000", 0x91F0), ("01060000010000", 0x91BE), ("01000000070000", 0x91BE), ("0100", 0x917E)],
)
def test_a_read_beyond_what_there_is_is_refused(header: str, word: int) -> None:
    with presented(desfire()) as card:
        ask(card, native(Instruction.SELECT_APPLICATION, bytes.fromhex("563412")))
        session = ev1.authenticate(card, 2, KEY, lambda size: bytes(size))
        assert ask(card, session.command(Instruction.READ_DATA, bytes.fromhex(header))).status_word == word


def test_a_random_uid_is_new_in_every_field_and_the_real_one_is_hidden() -> None:
    card = desfire(random_uid=True)
    seen: set[Uid] = set()
    for _field in range(4):
        card.power_on()
        assert card.uid == card.uid
        assert card.uid.is_random
        seen.add(card.uid)
    assert len(seen) > 1
    assert card.real_uid == UID


def test_reads_that_follow_one_another_share_a_message() -> None:
    card = Ntag424Card(UID, {}, Sun(TEMPLATE, LAYOUT, KEY, OTHER_KEY))
    select = ("00A4040007D276000085010100", "00A4000C02E104")
    whole, *parts, again = said(
        card, *select, "00B0000053", "00B0000030", "00B0003023", "00A4000C02E104", "00B0000053"
    )[2:]
    first, second, _selected = parts
    assert whole[:-4] == first[:-4] + second[:-4]
    assert again != whole


@pytest.mark.parametrize("raw", ["", "90", "90AA00", "90AA000001", "90AA0000", "907100000102", "00B0000000"])
def test_stumps_of_commands_are_refused(raw: str) -> None:
    for card in (desfire(), Ntag424Card(UID, {})):
        card.power_on()
        assert len(card.exchange(bytes.fromhex(raw))) == 2
