"""EV2 secure messaging of DESFire EV2, EV3 and NTAG 424: AuthenticateEV2First (0x71) and what follows (AN12196 5).

Session keys come from both random numbers; a transaction identifier and a command counter are in every MAC, so that an
answer of another session, or out of its turn, never fits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from readers.apdu import Command
from readers.credentials.aes import BLOCK, cmac, decrypt, encrypt, exclusive_or, pad, rotated_left, truncated, unpad
from readers.credentials.ev1 import crc32
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
from readers.errors import ReaderError
from readers.reader import Card

COMMAND_LABEL = bytes.fromhex("A55A")
ANSWER_LABEL = bytes.fromhex("5AA5")
KEY_CONTEXT = bytes.fromhex("00010080")
NO_CAPABILITIES = b"\x00"
SUCCESS = b"\x00"
IDENTIFIER_SIZE = 4
CAPABILITIES_SIZE = 12


@dataclass(frozen=True, repr=False)
class SessionKeys:
    """For enciphering and for MACs, 16 bytes each."""

    encryption: bytes
    mac: bytes


@dataclass(repr=False)
class Ev2Session:
    """One transaction: its keys, its identifier (TI, 4 bytes) and how many commands it has seen."""

    keys: SessionKeys
    identifier: bytes
    counter: int = field(default=0)

    def command(self, instruction: int, header: bytes = b"") -> Command:
        """The command with its MAC after the header."""
        return native(instruction, header + self._mac(bytes((instruction,)), header))

    def writing(self, instruction: int, header: bytes, data: bytes) -> Command:
        """The command with its MAC after the data."""
        return self.command(instruction, header + data)

    def enciphering(self, instruction: int, header: bytes, data: bytes) -> Command:
        """The command with its data padded and enciphered, and the MAC over that."""
        iv = encrypt(self.keys.encryption, COMMAND_LABEL + self.identifier + self._count() + bytes(8))
        return self.command(instruction, header + encrypt(self.keys.encryption, pad(data), iv))

    def changing_key(self, number: int, key: bytes, version: int, old: bytes | None) -> Command:
        """Another key than the session's goes with a checksum and only as what differs (AN12196 5.16)."""
        data = key + bytes((version,)) if old is None else exclusive_or(key, old) + bytes((version,)) + crc32(key)
        return self.enciphering(Instruction.CHANGE_KEY, bytes((number,)), data)

    def open_mac(self, answer: bytes) -> bytes:
        """The data before the 8 bytes of MAC; raises ProofFailed."""
        self.counter += 1
        if len(answer) < MAC_SIZE:
            raise ProofFailed("An answer without its MAC")
        data, mac = answer[:-MAC_SIZE], answer[-MAC_SIZE:]
        require_equal(self._mac(SUCCESS, data), mac, "The MAC of an answer")
        return data

    def open_enciphered(self, answer: bytes, size: int) -> bytes:
        """The `size` bytes, deciphered once their MAC is seen to be right; raises ProofFailed."""
        sealed = self.open_mac(answer)
        try:
            data = unpad(decrypt(self.keys.encryption, sealed, self._answer_iv()))
        except ReaderError:
            raise ProofFailed("An enciphered answer that does not add up") from None
        if len(data) != size:
            raise ProofFailed("An enciphered answer of the wrong length")
        return data

    def _mac(self, code: bytes, content: bytes) -> bytes:
        return truncated(cmac(self.keys.mac, code + self._count() + self.identifier + content))

    def _answer_iv(self) -> bytes:
        return encrypt(self.keys.encryption, ANSWER_LABEL + self.identifier + self._count() + bytes(8))

    def _count(self) -> bytes:
        return self.counter.to_bytes(2, "little")


def authenticate(card: Card, key_number: int, key: bytes, random: Callable[[int], bytes]) -> Ev2Session:
    """Mutual authentication in three passes; raises ProofFailed, or NotSupported where there is no such command."""
    first = native(Instruction.AUTHENTICATE_EV2_FIRST, bytes((key_number,)) + NO_CAPABILITIES)
    challenge = ask(card, first)
    if challenge.status_word != Status.MORE or len(challenge.data) != BLOCK:
        raise ProofFailed("No challenge came")
    theirs = decrypt(key, challenge.data)
    ours = random(BLOCK)
    answer = ask_further(card, native(Instruction.ADDITIONAL_FRAME, encrypt(key, ours + rotated_left(theirs))))
    if answer.status_word != Status.OK or len(answer.data) != IDENTIFIER_SIZE + BLOCK + CAPABILITIES_SIZE:
        raise ProofFailed("The card did not accept the key")
    plain = decrypt(key, answer.data)
    identifier, proof = plain[:IDENTIFIER_SIZE], plain[IDENTIFIER_SIZE : IDENTIFIER_SIZE + BLOCK]
    require_equal(proof, rotated_left(ours), "The card's proof")
    return Ev2Session(session_keys(key, ours, theirs), identifier)


def session_keys(key: bytes, ours: bytes, theirs: bytes) -> SessionKeys:
    """Both keys of a session from both random numbers, ours being the reader's (AN12196 5.6)."""
    context = KEY_CONTEXT + ours[:2] + exclusive_or(ours[2:8], theirs[:6]) + theirs[6:] + ours[8:]
    return SessionKeys(cmac(key, COMMAND_LABEL + context), cmac(key, ANSWER_LABEL + context))
