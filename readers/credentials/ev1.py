"""DESFire EV1 with AES keys: AuthenticateAES (0xAA) and the secure messaging that follows it.

The IV is never reset within the handshake nor within the session: each block and each MAC starts where the one before
ended, so that an answer of another session, or out of its turn, never fits.
"""

import zlib
from collections.abc import Callable

from readers.apdu import Command
from readers.credentials.aes import exclusive_or, rotated_left
from readers.credentials.block_cipher import AES, DES, BlockCipher
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

    def __init__(self, key: bytes, cipher: BlockCipher = AES) -> None:
        self._key = key
        self._cipher = cipher
        self._iv = cipher.zeros

    def command(self, instruction: int, header: bytes = b"") -> Command:
        """The command as it is: both sides take its MAC, nobody sends it."""
        self._mac(bytes((instruction,)) + header)
        return native(instruction, header)

    def writing(self, instruction: int, header: bytes, data: bytes) -> Command:
        """The command with its MAC after the data."""
        return native(instruction, header + data + self._mac(bytes((instruction,)) + header + data))

    def enciphering(self, instruction: int, header: bytes, data: bytes) -> Command:
        """The command with its data, their CRC and zeros enciphered."""
        return native(instruction, header + self._seal(data + crc32(bytes((instruction,)) + header + data)))

    def changing_key(self, number: int, key: bytes, version: int, old: bytes | None) -> Command:
        """Another key than the session's goes only as what differs, and with a second CRC, over the key itself."""
        header = bytes((number,))
        data = (key if old is None else exclusive_or(key, old)) + bytes((version,))
        data += crc32(bytes((Instruction.CHANGE_KEY,)) + header + data)
        return native(Instruction.CHANGE_KEY, header + self._seal(data if old is None else data + crc32(key)))

    def open_mac(self, answer: bytes) -> bytes:
        """The data before the 8 bytes of CMAC over data and status; raises ProofFailed."""
        if len(answer) < MAC_SIZE:
            raise ProofFailed("An answer without its MAC")
        data, mac = answer[:-MAC_SIZE], answer[-MAC_SIZE:]
        require_equal(self._mac(data + SUCCESS), mac, "The MAC of an answer")
        return data

    def open_enciphered(self, answer: bytes, size: int) -> bytes:
        """The first `size` bytes, with CRC and padding checked; raises ProofFailed."""
        block = self._cipher.block
        if len(answer) != size + CRC_SIZE + -(size + CRC_SIZE) % block:
            raise ProofFailed("An enciphered answer of the wrong length")
        plain = self._cipher.decrypt(self._key, answer, self._iv)
        self._iv = answer[-block:]
        data, crc, padding = plain[:size], plain[size : size + CRC_SIZE], plain[size + CRC_SIZE :]
        if padding.removeprefix(b"\x80").strip(b"\x00"):
            raise ProofFailed("An enciphered answer with something after its end")
        require_equal(crc32(data + SUCCESS), crc, "The CRC of an answer")
        return data

    def _mac(self, content: bytes) -> bytes:
        self._iv = self._cipher.cmac(self._key, content, self._iv)
        return self._iv[:MAC_SIZE]

    def _seal(self, plain: bytes) -> bytes:
        padded = plain + bytes(-len(plain) % self._cipher.block)
        sealed = self._cipher.encrypt(self._key, padded, self._iv)
        self._iv = sealed[-self._cipher.block :]
        return sealed


def authenticate(card: Card, key_number: int, key: bytes, random: Callable[[int], bytes]) -> Ev1Session:
    """Mutual authentication in three passes; raises ProofFailed, or NotSupported where there is no such command."""
    ours, theirs = _handshake(card, Instruction.AUTHENTICATE_AES, key_number, key, AES, random)
    return Ev1Session(session_key(ours, theirs))


def authenticate_des(card: Card, key_number: int, key: bytes, random: Callable[[int], bytes]) -> Ev1Session:
    """The same with a DES key of 8 bytes (AuthenticateISO): for the key that a card leaves the factory with."""
    ours, theirs = _handshake(card, Instruction.AUTHENTICATE_ISO, key_number, key, DES, random)
    return Ev1Session(ours[:4] + theirs[:4], DES)


def _handshake(
    card: Card, instruction: int, key_number: int, key: bytes, cipher: BlockCipher, random: Callable[[int], bytes]
) -> tuple[bytes, bytes]:
    """Both random numbers, each `key_size` bytes."""
    size = cipher.key_size
    challenge = ask(card, native(instruction, bytes((key_number,))))
    if challenge.status_word != Status.MORE or len(challenge.data) != size:
        raise ProofFailed("No challenge came")
    theirs = cipher.decrypt(key, challenge.data, cipher.zeros)
    ours = random(size)
    token = cipher.encrypt(key, ours + rotated_left(theirs), challenge.data)
    answer = ask_further(card, native(Instruction.ADDITIONAL_FRAME, token))
    if answer.status_word != Status.OK or len(answer.data) != size:
        raise ProofFailed("The card did not accept the key")
    require_equal(cipher.decrypt(key, answer.data, token[-size:]), rotated_left(ours), "The card's proof")
    return ours, theirs


def session_key(ours: bytes, theirs: bytes) -> bytes:
    """The first and last four bytes of both random numbers, ours being the reader's."""
    return ours[:4] + theirs[:4] + ours[12:] + theirs[12:]


def crc32(data: bytes) -> bytes:
    """CRC-32 without its final inversion, least significant byte first, as these cards reckon it."""
    return (zlib.crc32(data) ^ 0xFFFFFFFF).to_bytes(CRC_SIZE, "little")
