import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from readers.credentials.aes import cmac, decrypt, diversify, encrypt, pad, truncated, unpad
from readers.errors import ReaderError

blocks = st.integers(1, 8).flatmap(lambda count: st.binary(min_size=16 * count, max_size=16 * count))
keys = st.binary(min_size=16, max_size=16)

# RFC 4493, 4
RFC_KEY = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
RFC_MESSAGE = bytes.fromhex(
    "6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51"
    "30C81C46A35CE411E5FBC1191A0A52EFF69F2445DF4F9B17AD2B417BE66C3710"
)


@pytest.mark.parametrize(
    ("size", "mac"),
    [
        (0, "BB1D6929E95937287FA37D129B756746"),
        (16, "070A16B46B4D4144F79BDD9DD04A287C"),
        (40, "DFA66747DE9AE63030CA32611497C827"),
        (64, "51F0BEBF7E3B9D92FC49741779363CFE"),
    ],
)
def test_macs_are_those_of_rfc_4493(size: int, mac: str) -> None:
    assert cmac(RFC_KEY, RFC_MESSAGE[:size]).hex().upper() == mac


@given(key=keys, message=st.binary(max_size=100))
def test_macs_are_those_of_another_implementation(key: bytes, message: bytes) -> None:
    other = CMAC(AES(key))
    other.update(message)
    assert cmac(key, message) == other.finalize()


def test_a_card_key_is_that_of_an10922() -> None:
    master = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
    diversification = bytes.fromhex("04782E21801D803042F54E585020416275")
    assert diversify(master, diversification).hex().upper() == "A8DD63A3B89D54B37CA802473FDA9175"


def test_a_short_diversification_input_still_fills_two_blocks() -> None:
    padded = b"\x01" + bytes(7) + b"\x80" + bytes(23)
    assert diversify(RFC_KEY, bytes(7)) not in (cmac(RFC_KEY, b"\x01" + bytes(7)), cmac(RFC_KEY, padded))


@pytest.mark.parametrize("size", [0, 32])
def test_a_diversification_input_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ReaderError):
        diversify(RFC_KEY, bytes(size))


@given(key=keys, plain=blocks, iv=keys)
def test_what_was_enciphered_comes_back(key: bytes, plain: bytes, iv: bytes) -> None:
    assert decrypt(key, encrypt(key, plain, iv), iv) == plain


@given(message=st.binary(max_size=60))
def test_what_was_padded_comes_back(message: bytes) -> None:
    assert unpad(pad(message)) == message
    assert len(pad(message)) % 16 == 0


@pytest.mark.parametrize("padded", [b"", bytes(16), b"\x01" * 16, b"\x80" + bytes(16)])
def test_data_without_padding_are_refused(padded: bytes) -> None:
    with pytest.raises(ReaderError):
        unpad(padded)


@pytest.mark.parametrize("size", [0, 1, 15, 17])
def test_less_than_whole_blocks_and_other_keys_are_refused(size: int) -> None:
    with pytest.raises(ReaderError):
        encrypt(RFC_KEY, bytes(size))
    with pytest.raises(ReaderError):
        decrypt(RFC_KEY, bytes(size))
    with pytest.raises(ReaderError):
        encrypt(bytes(size), bytes(16))


def test_a_truncated_mac_is_every_second_byte() -> None:
    assert truncated(bytes(range(16))) == bytes((1, 3, 5, 7, 9, 11, 13, 15))
