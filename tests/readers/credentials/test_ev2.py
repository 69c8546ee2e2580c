"""The worked examples of AN12196, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.ev2 import Ev2Session, SessionKeys, authenticate, session_keys
from readers.credentials.native import NotSupported, ProofFailed, real_uid
from readers.virtual.picc import Ev2Channel
from tests.readers.cards import FIXED_UID, ScriptedCard

ZERO_KEY = bytes(16)
# key number, challenge, RndA, RndB, token, answer, TI, session keys: AN12196 tables 14 (key 0) and 19 (key 3)
HANDSHAKES = [
    (
        0,
        "A04C124213C186F22399D33AC2A30215",
        "13C5DB8A5930439FC3DEF9A4C675360F",
        "B9E2FC789B64BF237CCCAA20EC7E6E48",
        "35C3E05A752E0144BAC0DE51C1F22C56B34408A23D8AEA266CAB947EA8E0118D",
        "3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F08120663",
        "9D00C4DF",
        ("1309C877509E5A215007FF0ED19CA564", "4C6626F5E72EA694202139295C7A7FC7"),
    ),
    (
        3,
        "B875CEB0E66A6C5CD00898DC371F92D1",
        "B98F4C50CF1C2E084FD150E33992B048",
        "91517975190DCEA6104948EFA3085C1B",
        "FF0306E47DFBC50087C4D8A78E88E62DE1E8BE457AA477C707E2F0874916A8B1",
        "0CC9A8094A8EEA683ECAAC5C7BF20584206D0608D477110FC6B3D5D3F65C3A6A",
        "7614281A",
        ("7A93D6571E4B180FCA6AC90C9A7488D4", "FC4AF159B62E549B5812394CAB1918CC"),
    ),
]
CHALLENGE, OURS, ANSWER = HANDSHAKES[0][1], bytes.fromhex(HANDSHAKES[0][2]), HANDSHAKES[0][5]


def answers(*frames: tuple[str, int]) -> ScriptedCard:
    return ScriptedCard([Response(bytes.fromhex(data), word) for data, word in frames], FIXED_UID)


@pytest.mark.parametrize(("number", "challenge", "ours", "theirs", "token", "answer", "identifier", "keys"), HANDSHAKES)
def test_the_handshake_is_that_of_the_note(
    number: int,
    challenge: str,
    ours: str,
    theirs: str,
    token: str,
    answer: str,
    identifier: str,
    keys: tuple[str, str],
) -> None:
    card = answers((challenge, 0x91AF), (answer, 0x9100))
    session = authenticate(card, number, ZERO_KEY, lambda _size: bytes.fromhex(ours))
    sent = [bytes(command).hex().upper() for command in card.sent]
    assert sent == [f"9071000002{number:02X}0000", f"90AF000020{token}00"]
    assert session.identifier.hex().upper() == identifier
    assert session.keys == SessionKeys(*map(bytes.fromhex, keys))
    assert session_keys(ZERO_KEY, bytes.fromhex(ours), bytes.fromhex(theirs)) == session.keys


def test_mac_mode_is_that_of_table_7() -> None:
    mac_key = bytes.fromhex("8248134A386E86EB7FAF54A52E536CB6")
    session = Ev2Session(SessionKeys(ZERO_KEY, mac_key), bytes.fromhex("7A21085E"))
    assert bytes(session.command(0xF5, b"\x02")).hex().upper() == "90F5000009026597A457C8CD442C00"
    data = bytes.fromhex("0040EEEE000100D1FE001F00004400004400002000006A0000")
    assert session.open_mac(data + bytes.fromhex("2A474282E7A47986")) == data


def test_the_hidden_uid_is_told_as_in_table_28() -> None:
    card = answers(("70756055688505B52A5E26E59E329CD6595F672298EA41B7", 0x9100))
    keys = SessionKeys(
        bytes.fromhex("2B4D963C014DC36F24F69A50A394F875"), bytes.fromhex("379D32130CE61705DD5FD8C36B95D764")
    )
    uid = real_uid(card, Ev2Session(keys, bytes.fromhex("DF055522")))
    assert bytes(card.sent[0]).hex().upper() == "90510000088E2C155ADDA99BE300"
    assert uid.hex() == "04958CAA5C5E80"


@pytest.mark.parametrize("counter", [1, 2, 65535])
def test_an_answer_of_another_turn_is_refused(counter: int) -> None:
    mac_key = bytes.fromhex("8248134A386E86EB7FAF54A52E536CB6")
    session = Ev2Session(SessionKeys(ZERO_KEY, mac_key), bytes.fromhex("7A21085E"), counter - 1 or 7)
    data = bytes.fromhex("0040EEEE000100D1FE001F00004400004400002000006A00002A474282E7A47986")
    with pytest.raises(ProofFailed):
        session.open_mac(data)


@pytest.mark.parametrize("bit", range(0, 128, 7))
def test_a_recorded_proof_fails_against_a_new_random_number(bit: int) -> None:
    changed = (int.from_bytes(OURS, "big") ^ 1 << bit).to_bytes(16, "big")
    with pytest.raises(ProofFailed):
        authenticate(answers((CHALLENGE, 0x91AF), (ANSWER, 0x9100)), 0, ZERO_KEY, lambda _size: changed)


@pytest.mark.parametrize(
    "frames",
    [
        [(CHALLENGE, 0x9100)],
        [(CHALLENGE + "00", 0x91AF)],
        [("", 0x9140)],
        [("", 0x91AE)],
        [(CHALLENGE, 0x91AF), ("", 0x91AE)],
        [(CHALLENGE, 0x91AF), ("", 0x6F00)],
        [(CHALLENGE, 0x91AF), (ANSWER, 0x91AF)],
        [(CHALLENGE, 0x91AF), (ANSWER[:32], 0x9100)],
        [(CHALLENGE, 0x91AF), ("", 0x9100)],
    ],
)
def test_a_handshake_that_goes_otherwise_proves_nothing(frames: list[tuple[str, int]]) -> None:
    with pytest.raises(ProofFailed):
        authenticate(answers(*frames), 0, ZERO_KEY, lambda _size: OURS)


@pytest.mark.parametrize("word", [0x911C, 0x6D00, 0x6E00, 0x9000, 0x6A82])
def test_a_card_without_the_command_is_told_from_one_that_fails(word: int) -> None:
    with pytest.raises(NotSupported):
        authenticate(answers(("", word)), 0, ZERO_KEY, lambda _size: OURS)


def test_deciphered_data_of_another_size_are_refused() -> None:
    session = Ev2Session(SessionKeys(ZERO_KEY, ZERO_KEY), bytes(4))
    channel = Ev2Channel(0, ZERO_KEY, ZERO_KEY, bytes(4))
    assert channel.received(0x51, session.command(0x51).data) == b""
    with pytest.raises(ProofFailed):
        session.open_enciphered(channel.enciphered(bytes(8)), 7)


@given(answer=st.binary(max_size=60) | st.binary(min_size=24, max_size=24))
def test_no_random_answer_is_opened(answer: bytes) -> None:
    session = Ev2Session(SessionKeys(ZERO_KEY, ZERO_KEY), bytes(4))
    with pytest.raises(ProofFailed):
        session.open_mac(answer)
    with pytest.raises(ProofFailed):
        session.open_enciphered(answer, 7)


def test_neither_keys_nor_identifier_show_in_text() -> None:
    session = Ev2Session(SessionKeys(b"\x61" * 16, b"\x62" * 16), b"\x63" * 4)
    for text in (repr(session), str(session), repr(session.keys), f"{[session, session.keys]}"):
        assert "a" * 8 not in text
        assert "b" * 8 not in text
        assert "c" * 4 not in text
