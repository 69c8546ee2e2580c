"""What changes a DESFire, byte for byte: AN12196, and what cards answered readers that others wrote."""

import pytest

from readers.apdu import Command, Response
from readers.credentials import des
from readers.credentials.block_cipher import DES
from readers.credentials.ev1 import Ev1Session, authenticate_des, crc32
from readers.credentials.ev2 import Ev2Session, SessionKeys
from readers.credentials.native import ProofFailed
from readers.virtual.picc import Ev1Channel, Ev2Channel
from tests.readers.cards import ScriptedCard

CHANGE_KEY = 0xC4
WRITE_FULL = 0x8D
ZEROS = bytes(16)

# AN12196 5.14, 5.16: session keys of the examples that change keys
ENCRYPTION = bytes.fromhex("4CF3CB41A22583A61E89B158D252FC53")
MAC = bytes.fromhex("5529860B2FC5FB6154B7F28361D30BF9")
IDENTIFIER = bytes.fromhex("7614281A")
OTHER_KEY = bytes.fromhex("F3847D627727ED3BC9C4CC050489B966")
OWN_KEY = bytes.fromhex("5004BF991F408672B1EF00F08F9E8647")

# Exchanges with an EV1, published with the tests of skelsec/pydesfire
EV1_KEY = bytes.fromhex("00102030405060708090A0B0B0A09080")


def hexadecimal(command: Command) -> str:
    return bytes(command).hex().upper()


def ev2(counter: int) -> Ev2Session:
    return Ev2Session(SessionKeys(ENCRYPTION, MAC), IDENTIFIER, counter)


def ev2_channel(counter: int, encryption: bytes = ENCRYPTION, mac: bytes = MAC) -> Ev2Channel:
    channel = Ev2Channel(0, encryption, mac, IDENTIFIER)
    for _command in range(counter):
        channel.received_plain(0, b"")
    return channel


def test_the_checksum_of_a_key() -> None:
    assert crc32(OTHER_KEY).hex().upper() == "789DFADC"


def test_ev2_changes_another_key() -> None:
    session = ev2(2)
    command = session.changing_key(2, OTHER_KEY, 1, ZEROS)
    assert hexadecimal(command) == (
        "90C4000029022CF362B7BF4311FF3BE1DAA295E8C68DE09050560D19B9E16C2393AE9CD1FAC75D0CE20BCD1D06E600"
    )
    assert session.open_mac(bytes.fromhex("203BB55D1089D587")) == b""
    channel = ev2_channel(2)
    assert channel.new_key(CHANGE_KEY, 2, command.data[1:], ZEROS) == (OTHER_KEY, 1)
    assert channel.with_mac(b"").hex().upper() == "203BB55D1089D587"


def test_ev2_changes_the_key_of_its_session() -> None:
    command = ev2(3).changing_key(0, OWN_KEY, 1, None)
    assert hexadecimal(command) == (
        "90C400002900C0EB4DEEFEDDF0B513A03A95A75491818580503190D4D05053FF75668A01D6FDA6610234BDED643200"
    )
    assert ev2_channel(3).new_key(CHANGE_KEY, 0, command.data[1:], None) == (OWN_KEY, 1)


def test_ev2_writes_in_full_mode() -> None:
    encryption, mac = "7A93D6571E4B180FCA6AC90C9A7488D4", "FC4AF159B62E549B5812394CAB1918CC"
    keys = SessionKeys(bytes.fromhex(encryption), bytes.fromhex(mac))
    session = Ev2Session(keys, IDENTIFIER)
    header, data = bytes.fromhex("030000000A0000"), bytes.fromhex("0102030405060708090A")
    command = session.enciphering(WRITE_FULL, header, data)
    assert hexadecimal(command) == "908D00001F030000000A00006B5E6804909962FC4E3FF5522CF0F8436C0C53315B9C73AA00"
    assert session.open_mac(bytes.fromhex("C26D236E4A7C046D")) == b""
    channel = ev2_channel(0, keys.encryption, keys.mac)
    assert channel.deciphered(WRITE_FULL, header, command.data[7:], len(data)) == data


def test_ev2_writes_in_mac_mode() -> None:
    """AN12343, as proxmark3 tests it."""
    keys = SessionKeys(ZEROS, bytes.fromhex("9366FA195EB566F5BD2BAD4020B83002"))
    session = Ev2Session(keys, bytes.fromhex("E2D3AF69"))
    command = session.writing(WRITE_FULL, bytes.fromhex("00000000190000"), b"\x22" * 25)
    assert command.data[-8:].hex().upper() == "68F2C28C575A1628"
    assert session.open_mac(bytes.fromhex("0820F68898C2A7F1")) == b""


@pytest.mark.parametrize(
    ("session_key", "new", "said"),
    [
        (
            "F44B26F5C05DDD7110772281C4D066E8",
            EV1_KEY,
            "90C400002100E9F85E219496C2B58C1090DC3935FAE9E840CF61B383D9531946256B1F110C1000",
        ),
        (
            "C2A1E47B27104712FE6D00A71177A19B",
            bytes.fromhex("10182028303840485058606870788088"),
            "90C4000021002945E3760E60F4A4046BB8A505B31CF559A3A2E05213BC82942CA6AB5DBCECF500",
        ),
    ],
)
def test_ev1_changes_the_key_of_its_session(session_key: str, new: bytes, said: str) -> None:
    command = Ev1Session(bytes.fromhex(session_key)).changing_key(0, new, 0x10, None)
    assert hexadecimal(command) == said
    channel = Ev1Channel(0, bytes.fromhex(session_key))
    assert channel.new_key(CHANGE_KEY, 0, command.data[1:], None) == (new, 0x10)


def test_ev1_changes_another_key() -> None:
    session_key = bytes.fromhex("C2A1E47BD8100044FE6D00A74D7AB17C")
    session = Ev1Session(session_key)
    command = session.changing_key(1, EV1_KEY, 0x10, ZEROS)
    assert hexadecimal(command) == ("90C400002101E7ECCB6BD1CA64BC161A12B1C024F71430337408C8A87EACAB7A1FF18951FCA300")
    assert session.open_mac(bytes.fromhex("2128D3CD9C9ACFFF")) == b""
    channel = Ev1Channel(0, session_key)
    assert channel.new_key(CHANGE_KEY, 1, command.data[1:], ZEROS) == (EV1_KEY, 0x10)
    assert channel.with_mac(b"").hex().upper() == "2128D3CD9C9ACFFF"


def test_a_des_session_enciphers_a_new_key() -> None:
    """The card's new key was 2K3DES there, which goes without a version: the cryptogram is the same otherwise."""
    plain = bytes.fromhex("00102031405060708090A0B0B0A09080")
    padded = plain + crc32(b"\xc4\x00" + plain) + bytes(4)
    assert padded[16:20].hex().upper() == "C5FF0150"
    sealed = DES.encrypt(bytes.fromhex("C86CE25E4C647E56"), padded, DES.zeros)
    assert sealed.hex().upper() == "BEDE0FC6ED347DCF0D51C717DF75D97D2C5A2BA6CAC7479D"


def test_the_factory_s_key_is_proved() -> None:
    ours = bytes.fromhex("849B36C5F8BF4A09")
    scripted = ScriptedCard(_answers("5D994CE085F2408991AF", "913C6DED84221C419100"))
    session = authenticate_des(scripted, 0, bytes(8), lambda _size: ours)
    assert hexadecimal(scripted.sent[0]) == "901A0000010000"
    key = session._key
    assert bytes(byte & 0xFE for byte in key).hex().upper() == "849A36C44ED0B658"
    scripted = ScriptedCard(_answers("5D994CE085F2408991AF", "913C6DED84221C429100"))
    with pytest.raises(ProofFailed):
        authenticate_des(scripted, 0, bytes(8), lambda _size: ours)


@pytest.mark.parametrize(("size", "mac"), [(0, "86F79C13FD306E67"), (16, "BEA4212292462A85"), (20, "3E2F8310C569275E")])
def test_the_mac_of_des(size: int, mac: str) -> None:
    """NIST's message under single DES, as proxmark3 tests it."""
    message = bytes.fromhex("6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51")
    assert des.cmac(bytes.fromhex("0123456789ABCDEF"), message[:size]).hex().upper() == mac


def test_a_key_with_a_wrong_checksum_is_not_taken() -> None:
    for old in (None, ZEROS):
        for channel, session in ((Ev1Channel(0, EV1_KEY), Ev1Session(EV1_KEY)), (ev2_channel(0), ev2(0))):
            sealed = session.changing_key(1, OWN_KEY, 1, old).data[1:]
            spoiled = sealed[:-1] + bytes((sealed[-1] ^ 1,))
            assert channel.new_key(CHANGE_KEY, 1, spoiled, old) is None


def _answers(*raw: str) -> list[Response]:
    return [Response.parse(bytes.fromhex(one)) for one in raw]
