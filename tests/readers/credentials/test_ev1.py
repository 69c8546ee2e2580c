"""Public traces of DESFire EV1 cards with AES keys, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.apdu import Response
from readers.credentials.aes import encrypt
from readers.credentials.ev1 import Ev1Session, authenticate, crc32, session_key
from readers.credentials.native import NotSupported, ProofFailed, real_uid
from readers.virtual.picc import Ev1Channel
from tests.readers.cards import FIXED_UID, ScriptedCard

CHALLENGE = "B969FDFE56FD91FC9DE6F6F213B8FD1E"
OURS = bytes.fromhex("F44B26F5686F3A391CD38EBD10772281")
TOKEN = "36AAD7DF6E436BA08D18613830A70D5AD43E3D3F4A8D47541EEE623A934E4774"
PROOF = "800DB680BC146BD121D6578F2D2E2059"
SESSION_KEY = "F44B26F5C05DDD7110772281C4D066E8"

FILE_KEY = bytes.fromhex("10182028303840485058606870788088")
FILE_OURS = bytes.fromhex("40E7D27174CBA675E8EFBAB99C530E3D")
FILE_HANDSHAKE = ("B351CB2465D4F33AC627FD6E87A168F2", "A2EE144B1012FBEB7B2F11132D95A454")
COUNT = bytes(range(0x50))
FILE_SESSION = [
    (0xCD, "05001100500000", "", "A75316AD1596B953"),
    (0x6F, "", "05", "2D5FF67FFEC9D2D3"),
    (0xF5, "05", "00001100500000", "2AAC7517024E09DC"),
    (0x3D, "05000000340000" + COUNT[:0x34].hex(), "", "765C9DAA50ECB62F"),
    (0x3D, "053400001C0000" + COUNT[0x34:].hex(), "", "3E0AED986B8B0F37"),
    (0xBD, "05000000300000", COUNT[:0x30].hex(), "4C65F1F842262BAC"),
    (0xBD, "05300000200000", COUNT[0x30:].hex(), "F02205CF913C03C9"),
    (0xDF, "05", "", "1BEF0D32B6D1D7F9"),
]


def answers(*frames: tuple[str, int]) -> ScriptedCard:
    return ScriptedCard([Response(bytes.fromhex(data), word) for data, word in frames], FIXED_UID)


def test_the_handshake_is_that_of_the_trace() -> None:
    card = answers((CHALLENGE, 0x91AF), (PROOF, 0x9100))
    authenticate(card, 0, bytes(16), lambda size: OURS[:size])
    assert [bytes(command).hex().upper() for command in card.sent] == ["90AA0000010000", f"90AF000020{TOKEN}00"]
    theirs = bytes.fromhex("C05DDD714FD788A6B7B754F3C4D066E8")
    assert session_key(OURS, theirs).hex().upper() == SESSION_KEY


def test_every_mac_of_a_session_with_a_file_is_that_of_the_trace() -> None:
    card = answers((FILE_HANDSHAKE[0], 0x91AF), (FILE_HANDSHAKE[1], 0x9100))
    session = authenticate(card, 0, FILE_KEY, lambda size: FILE_OURS[:size])
    for instruction, header, data, mac in FILE_SESSION:
        command = session.command(instruction, bytes.fromhex(header))
        assert command.data == bytes.fromhex(header)
        assert session.open_mac(bytes.fromhex(data + mac)) == bytes.fromhex(data)


@pytest.mark.parametrize("skipped", range(len(FILE_SESSION) - 1))
def test_an_answer_out_of_its_turn_is_refused(skipped: int) -> None:
    card = answers((FILE_HANDSHAKE[0], 0x91AF), (FILE_HANDSHAKE[1], 0x9100))
    session = authenticate(card, 0, FILE_KEY, lambda size: FILE_OURS[:size])
    for instruction, header, data, mac in FILE_SESSION[:skipped]:
        session.command(instruction, bytes.fromhex(header))
        session.open_mac(bytes.fromhex(data + mac))
    instruction, header, data, mac = FILE_SESSION[skipped + 1]
    session.command(instruction, bytes.fromhex(header))
    with pytest.raises(ProofFailed):
        session.open_mac(bytes.fromhex(data + mac))


@pytest.mark.parametrize("bit", range(0, 128, 7))
def test_a_recorded_proof_fails_against_a_new_random_number(bit: int) -> None:
    changed = (int.from_bytes(OURS, "big") ^ 1 << bit).to_bytes(16, "big")
    with pytest.raises(ProofFailed):
        authenticate(answers((CHALLENGE, 0x91AF), (PROOF, 0x9100)), 0, bytes(16), lambda _size: changed)


@pytest.mark.parametrize(
    "frames",
    [
        [(CHALLENGE, 0x9100)],
        [(CHALLENGE[2:], 0x91AF)],
        [("", 0x9140)],
        [("", 0x91AE)],
        [(CHALLENGE, 0x91AF), ("", 0x91AE)],
        [(CHALLENGE, 0x91AF), ("", 0x6F00)],
        [(CHALLENGE, 0x91AF), (PROOF, 0x91AF)],
        [(CHALLENGE, 0x91AF), (PROOF + "00", 0x9100)],
        [(CHALLENGE, 0x91AF), ("", 0x9100)],
    ],
)
def test_a_handshake_that_goes_otherwise_proves_nothing(frames: list[tuple[str, int]]) -> None:
    with pytest.raises(ProofFailed):
        authenticate(answers(*frames), 0, bytes(16), lambda _size: OURS)


@pytest.mark.parametrize("word", [0x911C, 0x6D00, 0x6E00, 0x9000, 0x6A82])
def test_a_card_without_the_command_is_told_from_one_that_fails(word: int) -> None:
    with pytest.raises(NotSupported):
        authenticate(answers(("", word)), 0, bytes(16), lambda _size: OURS)


def test_the_crc_is_not_inverted_at_its_end() -> None:
    assert crc32(b"123456789") == (0xCBF43926 ^ 0xFFFFFFFF).to_bytes(4, "little")


def test_a_uid_comes_out_of_its_cipher() -> None:
    channel = Ev1Channel(0, bytes(16))
    channel.received(0x51, b"")
    card = ScriptedCard([Response(channel.enciphered(FIXED_UID.value), 0x9100)])
    assert real_uid(card, Ev1Session(bytes(16))) == FIXED_UID


@pytest.mark.parametrize(
    ("crc", "padding", "opens"),
    [
        (crc32(FIXED_UID.value + b"\x00"), bytes(5), True),
        (crc32(FIXED_UID.value + b"\x00"), b"\x80" + bytes(4), True),
        (crc32(FIXED_UID.value + b"\x00"), bytes(4) + b"\x01", False),
        (crc32(FIXED_UID.value), bytes(5), False),
        (bytes(4), bytes(5), False),
    ],
)
def test_a_uid_is_taken_only_with_its_crc_and_nothing_after_it(crc: bytes, padding: bytes, opens: bool) -> None:
    sealed = encrypt(bytes(16), FIXED_UID.value + crc + padding)
    if opens:
        assert Ev1Session(bytes(16)).open_enciphered(sealed, 7) == FIXED_UID.value
    else:
        with pytest.raises(ProofFailed):
            Ev1Session(bytes(16)).open_enciphered(sealed, 7)


@given(answer=st.binary(max_size=40) | st.binary(min_size=16, max_size=16))
def test_no_random_answer_is_opened(answer: bytes) -> None:
    with pytest.raises(ProofFailed):
        Ev1Session(bytes(16)).open_mac(answer)
    with pytest.raises(ProofFailed):
        Ev1Session(bytes(16)).open_enciphered(answer, 7)
