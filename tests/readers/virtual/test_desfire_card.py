"""What a virtual DESFire lets itself be told, by whom, and what it says to everybody else."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from readers.credentials import desfire_commands as commands
from readers.credentials import ev1, ev2
from readers.credentials.desfire import file_range
from readers.credentials.desfire_commands import AES_KEYS, CARD_LEVEL, CommandRefused, FileRights
from readers.credentials.native import Instruction, SecureSession, ask, native, read_whole
from readers.errors import ReaderError
from readers.reader import Card
from readers.virtual.desfire_card import (
    FULL_MODE,
    PLAIN_MODE,
    CardApplication,
    DataFile,
    DesfireCard,
    Model,
    blank,
)
from readers.virtual.desfire_memory import DesfireMemory
from tests.readers.cards import presented
from tests.readers.credentials.aes_cards import UID

KEY = b"\x07" * 16
NEW_KEY = b"\x09" * 16
ZERO_AES = bytes(16)
APPLICATION = bytes.fromhex("123456")
FREE = 0xE

WAYS = {"EV1": ev1.authenticate, "EV2": ev2.authenticate}


def zeros(size: int) -> bytes:
    return bytes(size)


def issued(*, settings: int = 0x0B, mode: int = 1, read: int = 1, write: int = 2) -> DesfireCard:
    keys = {number: bytes((number + 1,)) * 16 for number in range(3)}
    files = {4: DataFile(bytes(range(100)), read, write, mode=mode)}
    memory = DesfireMemory(
        {APPLICATION: CardApplication(keys, files, settings=settings)}, master_key=KEY, master_version=3
    )
    return DesfireCard(UID, memory)


@contextmanager
def opened(
    card: DesfireCard, way: str, number: int, place: bytes = APPLICATION
) -> Iterator[tuple[Card, SecureSession]]:
    """The card under one of its keys."""
    key = KEY if place == CARD_LEVEL else card.memory.applications[place].keys[number]
    with presented(card) as connected:
        commands.select(connected, place)
        yield connected, WAYS[way](connected, number, key, zeros)


def refused(card: Card, session: SecureSession | None, raw: str) -> str:
    """The status of a command without data to write."""
    data = bytes.fromhex(raw)
    command = native(data[0], data[1:]) if session is None else session.command(data[0], data[1:])
    return f"{card.transmit(command).status_word:04X}"


@pytest.mark.parametrize("model", Model)
def test_a_blank_tells_what_it_is(model: Model) -> None:
    with presented(blank(UID, model=model)) as card:
        version = commands.version(card)
        assert (version.name, version.is_desfire, version.uid) == (f"DESFire {model.name}", True, UID)
        settings = commands.key_settings(card)
        assert (settings.settings, settings.count, settings.are_aes) == (0x0F, 1, False)
        assert commands.key_version(card, 0) == 0
        assert commands.application_ids(card) == ()


def test_a_card_that_hides_its_uid_does_not_tell_it_with_its_version() -> None:
    with presented(DesfireCard(UID, {}, random_uid=True)) as card:
        assert commands.version(card).uid is None


@pytest.mark.parametrize("way", WAYS)
def test_a_version_in_a_session_carries_a_mac(way: str) -> None:
    with opened(issued(), way, 0, CARD_LEVEL) as (card, session):
        whole = session.open_mac(read_whole(card, session.command(0x60)))
        assert whole[14:21] == UID.value


def test_anybody_makes_an_application_on_a_blank_and_nobody_on_a_locked_card() -> None:
    with presented(blank(UID)) as card:
        commands.create_application(card, None, APPLICATION, 0x0F, 2)
        assert commands.application_ids(card) == (APPLICATION,)
        with pytest.raises(CommandRefused) as again:
            commands.create_application(card, None, APPLICATION, 0x0F, 2)
        assert again.value.status_word == 0x91DE
    with presented(DesfireCard(UID, DesfireMemory({}, master_key=KEY, settings=0x09))) as card:
        for raw in ("CA563412 0F82", "6A", "45", "DA563412", "FC"):
            assert refused(card, None, raw) == "91AE"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ("CA0000000F82", "919E"),
        ("CA5634120F02", "919E"),
        ("CA5634120F80", "919E"),
        ("CA5634120F8F", "919E"),
        ("CA5634120FA2", "919E"),
        ("CA5634120F", "917E"),
        ("6A00", "917E"),
        ("6401", "9140"),
        ("64", "917E"),
        ("CD0401202F640000", "919D"),
        ("6F", "919D"),
        ("C400", "91AE"),
        ("5C0002", "91AE"),
        ("540F", "91AE"),
        ("3D04000000010000FF", "91F0"),
        ("0A00", "911C"),
        ("5A0000", "917E"),
    ],
)
def test_a_blank_refuses_what_makes_no_sense(raw: str, status: str) -> None:
    with presented(blank(UID)) as card:
        assert refused(card, None, raw) == status


@pytest.mark.parametrize("way", WAYS)
def test_an_application_is_listed_and_changed_by_its_master_alone(way: str) -> None:
    card = issued(settings=0x01)
    for raw in ("6F", "F504", "45", "CD0501202F0A0000"):
        with opened(card, way, 1) as (connected, session):
            assert refused(connected, session, raw) == "91AE"
    with opened(card, way, 0) as (connected, session):
        assert commands.file_ids(connected, session) == (4,)
        commands.create_data_file(connected, session, 5, FileRights(1, 0), 10)
        assert commands.file_settings(connected, session, 5).hex().upper() == "0001FF100A0000"
        with pytest.raises(CommandRefused, match="one of that number"):
            commands.create_data_file(connected, session, 5, FileRights(1, 0), 10)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", [PLAIN_MODE, 1, FULL_MODE])
def test_a_file_is_written_and_read_in_its_mode(way: str, mode: int) -> None:
    card = issued(mode=mode)
    header, data = file_range(4, 30, 5), b"hello"
    with opened(card, way, 2) as (connected, session):
        if mode == FULL_MODE:
            command = session.enciphering(commands.Instruction.WRITE_DATA, header, data)
        elif mode == PLAIN_MODE:
            command = native(commands.Instruction.WRITE_DATA, header + data)
        else:
            command = session.writing(commands.Instruction.WRITE_DATA, header, data)
        assert ask(connected, command).status_word == 0x9100
    assert card.memory.applications[APPLICATION].files[4].content[30:35] == data
    with opened(card, way, 1) as (connected, session):
        whole = file_range(4, 28, 9)
        expected = b"\x1c\x1dhello\x23\x24"
        if mode == PLAIN_MODE:
            assert read_whole(connected, native(Instruction.READ_DATA, whole))[:9] == expected
            return
        answer = read_whole(connected, session.command(Instruction.READ_DATA, whole))
        told = session.open_enciphered(answer, 9) if mode == FULL_MODE else session.open_mac(answer)
        assert told == expected
        assert mode == 1 or expected not in answer


@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_written_by_its_own_key_alone_and_within_its_bounds(way: str) -> None:
    card = issued()
    before = card.memory.applications[APPLICATION].files[4].content
    for number in (0, 1):
        with opened(card, way, number) as (connected, session), pytest.raises(CommandRefused) as denied:
            commands.write_data(connected, session, 4, b"x")
        assert denied.value.status_word == 0x919D
    with opened(card, way, 2) as (connected, session), pytest.raises(CommandRefused) as beyond:
        commands.write_data(connected, session, 4, bytes(101))
    assert beyond.value.status_word == 0x91BE
    assert card.memory.applications[APPLICATION].files[4].content == bytes(96) + before[96:]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_changed_on_the_way_is_not_written(way: str) -> None:
    for mode in (1, FULL_MODE):
        card = issued(mode=mode)
        before = card.memory.applications[APPLICATION].files[4].content
        with opened(card, way, 2) as (connected, session):
            write = session.writing if mode == 1 else session.enciphering
            good = write(commands.Instruction.WRITE_DATA, file_range(4, 0, 3), b"abc")
            bad = good.data[:-1] + bytes((good.data[-1] ^ 1,))
            assert ask(connected, native(good.ins, bad)).status_word == 0x911E
            with pytest.raises(ReaderError):
                commands.write_data(connected, session, 4, b"abc")
        assert card.memory.applications[APPLICATION].files[4].content == before


def test_a_file_that_is_free_is_read_without_a_key() -> None:
    card = issued(mode=PLAIN_MODE, read=FREE)
    with presented(card) as connected:
        commands.select(connected, APPLICATION)
        assert read_whole(connected, native(Instruction.READ_DATA, file_range(4, 0, 2))) == b"\x00\x01"
        assert refused(connected, None, "3D04000000010000FF") == "91AE"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("settings", "proved", "changes"),
    [
        (0x0B, 0, {0, 1, 2}),
        (0x0A, 0, {1, 2}),
        (0x0B, 1, set()),
        (0x1B, 0, {0}),
        (0x1B, 1, {1, 2}),
        (0xEB, 2, {2}),
        (0xFB, 0, {0}),
        (0xFB, 2, set()),
    ],
)
def test_a_key_is_changed_by_whom_the_settings_name(way: str, settings: int, proved: int, changes: set[int]) -> None:
    for number in range(3):
        card = issued(settings=settings)
        old = card.memory.applications[APPLICATION].keys[number]
        with opened(card, way, proved) as (connected, session):
            own = number == proved
            if number in changes:
                commands.change_key(connected, session, number, NEW_KEY, 7, old=None if own else old)
                if own:
                    assert refused(connected, None, "F504") == "9100"
                else:
                    assert commands.key_version(connected, number, session) == 7
            else:
                with pytest.raises(CommandRefused) as denied:
                    commands.change_key(connected, session, number, NEW_KEY, 7, old=None if own else old)
                assert denied.value.status_word == 0x919D
        kept = card.memory.applications[APPLICATION].keys[number]
        assert kept == (NEW_KEY if number in changes else old)


@pytest.mark.parametrize("way", WAYS)
def test_another_key_is_changed_only_by_who_knows_it(way: str) -> None:
    card = issued()
    with opened(card, way, 0) as (connected, session), pytest.raises(CommandRefused) as wrong:
        commands.change_key(connected, session, 1, NEW_KEY, 1, old=NEW_KEY)
    assert wrong.value.status_word == 0x911E
    assert card.memory.applications[APPLICATION].keys[1] == b"\x02" * 16


@pytest.mark.parametrize("way", WAYS)
def test_the_card_s_own_key_takes_its_kind_along(way: str) -> None:
    for number, status in ((0, 0x919E), (0x40, 0x919E), (0x81, 0x9140)):
        with opened(issued(), way, 0, CARD_LEVEL) as (connected, session), pytest.raises(CommandRefused) as wrong:
            commands.change_key(connected, session, number, NEW_KEY, 1, old=None)
        assert wrong.value.status_word == status
    card = issued()
    with opened(card, way, 0, CARD_LEVEL) as (connected, session):
        commands.change_key(connected, session, AES_KEYS, NEW_KEY, 1, old=None)
    assert card.memory.card.keys == {0: NEW_KEY}


def test_the_factory_s_key_becomes_an_aes_key() -> None:
    card = blank(UID)
    with presented(card) as connected:
        assert refused(connected, None, "AA00") == "91AE"
        assert refused(connected, None, "710000") == "91AE"
        session = ev1.authenticate_des(connected, 0, bytes(8), zeros)
        commands.change_key(connected, session, AES_KEYS, NEW_KEY, 1, old=None)
        assert refused(connected, None, "1A00") == "91AE"
        ev2.authenticate(connected, 0, NEW_KEY, zeros)
    assert card.memory.card.versions == {0: 1}


def test_a_session_under_the_factory_s_key_carries_macs() -> None:
    with presented(blank(UID)) as card:
        session = ev1.authenticate_des(card, 0, bytes(8), zeros)
        commands.create_application(card, session, APPLICATION, 0x0F, 1)
        assert commands.application_ids(card, session) == (APPLICATION,)
        commands.change_key_settings(card, session, 0x09)
        assert commands.key_settings(card, session).settings == 0x09
        assert refused(card, session, "FC") == "9100"


@pytest.mark.parametrize("way", WAYS)
def test_settings_are_changed_until_they_are_frozen(way: str) -> None:
    card = issued()
    with opened(card, way, 0) as (connected, session):
        commands.change_key_settings(connected, session, 0x01)
        with pytest.raises(CommandRefused) as frozen:
            commands.change_key_settings(connected, session, 0x0F)
        assert frozen.value.status_word == 0x919D
    assert card.memory.applications[APPLICATION].settings == 0x01
    with opened(issued(), way, 1) as (connected, session), pytest.raises(CommandRefused) as denied:
        commands.change_key_settings(connected, session, 0x01)
    assert denied.value.status_word == 0x91AE


@pytest.mark.parametrize("way", WAYS)
def test_a_uid_is_hidden_from_the_next_field_on_and_for_good(way: str) -> None:
    card = issued()
    with opened(card, way, 0, CARD_LEVEL) as (connected, session):
        commands.hide_uid(connected, session)
        assert connected.uid == UID
    for _field in range(2):
        card.power_on()
        assert card.uid.is_random
    with opened(card, way, 0, CARD_LEVEL) as (connected, session):
        off = session.enciphering(commands.Instruction.SET_CONFIGURATION, b"\x00", b"\x00")
        assert ask(connected, off).status_word == 0x9100
    card.power_on()
    assert card.uid.is_random
    with opened(card, way, 1) as (connected, session), pytest.raises(CommandRefused) as denied:
        commands.hide_uid(connected, session)
    assert denied.value.status_word == 0x919E


def test_formatting_leaves_keys_and_settings_and_can_be_forbidden() -> None:
    card = issued()
    with opened(card, "EV2", 0, CARD_LEVEL) as (connected, session):
        assert refused(connected, session, "FC") == "9100"
    assert not card.memory.applications
    assert card.memory.card.keys == {0: KEY}
    card = issued()
    card.memory.forbids_format = True
    with opened(card, "EV2", 0, CARD_LEVEL) as (connected, session):
        assert refused(connected, session, "FC") == "919D"
    assert card.memory.applications


def test_memory_is_used_up_and_given_back() -> None:
    card = DesfireCard(UID, DesfireMemory({}, room=200))
    with presented(card) as connected:
        commands.create_application(connected, None, APPLICATION, 0x0F, 1)
        before = int.from_bytes(read_whole(connected, native(0x6E)), "little")
        assert before == 200 - 64 - 32
        with pytest.raises(CommandRefused, match="no room"):
            commands.create_application(connected, None, b"\x01\x02\x03", 0x0F, 2)
        session = ev1.authenticate_des(connected, 0, bytes(8), zeros)
        assert refused(connected, session, "DA563412") == "9100"
    assert card.memory.free == 200
