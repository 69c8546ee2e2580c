"""DESFire EV1 with AES keys: AuthenticateAES (0xAA) and the secure messaging that follows it.

The IV is never reset within the handshake nor within the session: each block and each MAC starts where the one before
ended, so that an answer of another session, or out of its turn, never fits.
"""

import zlib
from collections.abc import Callable

from readers.apdu import Command
from readers.credentials.aes import BLOCK, ZEROS, cmac, decrypt, encrypt, rotated_left
from readers.credentials.native import (
    MAC_SIZE,
    Instruction,
    ProofFailed,
    Status,
    ask,
    ask_further,
    native,
    require_equal,
)
from readers.reader import Card

SUCCESS = b"\x00"
CRC_SIZE = 4


class Ev1Session:
    """One side's view of a session; commands go in plain and move the chain, answers carry a MAC or are enciphered."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._iv = ZEROS

    def command(self, instruction: int, header: bytes = b"") -> Command:
        """The command as it is: both sides take its MAC, nobody sends it."""
        self._iv = cmac(self._key, bytes((instruction,)) + header, self._iv)
        return native(instruction, header)

    def open_mac(self, answer: bytes) -> bytes:
        """The data before the 8 bytes of CMAC over data and status; raises ProofFailed."""
        if len(answer) < MAC_SIZE:
            raise ProofFailed("An answer without its MAC")
        data, mac = answer[:-MAC_SIZE], answer[-MAC_SIZE:]
        self._iv = cmac(self._key, data + SUCCESS, self._iv)
        require_equal(self._iv[:MAC_SIZE], mac, "The MAC of an answer")
        return data

    def open_enciphered(self, answer: bytes, size: int) -> bytes:
        """The first `size` bytes, with CRC and padding checked; raises ProofFailed."""
        if len(answer) != size + CRC_SIZE + -(size + CRC_SIZE) % BLOCK:
            raise ProofFailed("An enciphered answer of the wrong length")
        plain = decrypt(self._key, answer, self._iv)
        self._iv = answer[-BLOCK:]
        data, crc, padding = plain[:size], plain[size : size + CRC_SIZE], plain[size + CRC_SIZE :]
        if padding.removeprefix(b"\x80").strip(b"\x00"):
            raise ProofFailed("An enciphered answer with something after its end")
        require_equal(crc32(data + SUCCESS), crc, "The CRC of an answer")
        return data


def authenticate(card: Card, key_number: int, key: bytes, random: Callable[[int], bytes]) -> Ev1Session:
    """Mutual authentication in three passes; raises ProofFailed, or NotSupported where there is no such command."""
    challenge = ask(card, native(Instruction.AUTHENTICATE_AES, bytes((key_number,))))
    if challenge.status_word != Status.MORE or len(challenge.data) != BLOCK:
        raise ProofFailed("No challenge came")
    theirs = decrypt(key, challenge.data)
    ours = random(BLOCK)
    token = encrypt(key, ours + rotated_left(theirs), challenge.data)
    answer = ask_further(card, native(Instruction.ADDITIONAL_FRAME, token))
    if answer.status_word != Status.OK or len(answer.data) != BLOCK:
        raise ProofFailed("The card did not accept the key")
    require_equal(decrypt(key, answer.data, token[-BLOCK:]), rotated_left(ours), "The card's proof")
    return Ev1Session(session_key(ours, theirs))


def session_key(ours: bytes, theirs: bytes) -> bytes:
    """The first and last four bytes of both random numbers, ours being the reader's."""
    return ours[:4] + theirs[:4] + ours[12:] + theirs[12:]


def crc32(data: bytes) -> bytes:
    """CRC-32 without its final inversion, least significant byte first, as these cards reckon it."""
    return (zlib.crc32(data) ^ 0xFFFFFFFF).to_bytes(CRC_SIZE, "little")
