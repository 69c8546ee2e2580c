"""Native commands of DESFire and NTAG 424 in their ISO wrapping: 90 INS 00 00 Lc data 00, answered with 91xx."""

from enum import IntEnum
from hmac import compare_digest
from typing import Protocol

from readers.apdu import Command, Response
from readers.errors import ReaderError
from readers.reader import Card
from readers.uid import Uid

NATIVE_CLASS = 0x90
STATUS_CLASS = 0x91
MAX_FRAMES = 16
MAX_ANSWER = 1024
MAC_SIZE = 8
REAL_UID_SIZE = 7


class Instruction(IntEnum):
    """The few that a reader needs."""

    SELECT_APPLICATION = 0x5A
    AUTHENTICATE_ISO = 0x1A
    AUTHENTICATE_AES = 0xAA
    AUTHENTICATE_EV2_FIRST = 0x71
    ADDITIONAL_FRAME = 0xAF
    GET_CARD_UID = 0x51
    READ_DATA = 0xBD
    CHANGE_KEY = 0xC4


class Status(IntEnum):
    """Status words that decide what comes next."""

    OK = 0x9100
    ILLEGAL_COMMAND = 0x911C
    MORE = 0x91AF


class ProofFailed(ReaderError):
    """The card does not hold the key it should, or somebody changed what it said."""


class NotSupported(ReaderError):
    """The card does not know this command at all."""


class SecureSession(Protocol):
    """What both sides hold after mutual authentication. Every command and every answer moves it on."""

    def command(self, instruction: int, header: bytes = b"") -> Command:
        """A command without data to write, protected as the session demands."""

    def writing(self, instruction: int, header: bytes, data: bytes) -> Command:
        """A command that brings data in MAC mode: anybody may read them on the way, nobody change them."""

    def enciphering(self, instruction: int, header: bytes, data: bytes) -> Command:
        """A command that brings data in full mode."""

    def changing_key(self, number: int, key: bytes, version: int, old: bytes | None) -> Command:
        """ChangeKey. `number` as it goes over the air; `old` None where it is the key that opened the session."""

    def open_mac(self, answer: bytes) -> bytes:
        """The data of an answer in MAC mode; raises ProofFailed where the MAC is wrong or missing."""

    def open_enciphered(self, answer: bytes, size: int) -> bytes:
        """The `size` bytes of an answer in full mode; raises ProofFailed where they do not add up."""


def native(instruction: int, data: bytes = b"") -> Command:
    """The wrapped command, which always expects an answer."""
    return Command(NATIVE_CLASS, instruction, 0x00, 0x00, data, le=0)


def ask(card: Card, command: Command) -> Response:
    """One frame and its answer; raises NotSupported where the card knows no such command."""
    response = card.transmit(command)
    if response.status_word == Status.ILLEGAL_COMMAND or response.status_word >> 8 != STATUS_CLASS:
        raise NotSupported(f"Native command {command.ins:02X} is not known to the card")
    return response


def ask_further(card: Card, command: Command) -> Response:
    """One frame of an exchange that has begun: a card that no longer knows the command fails; raises ProofFailed."""
    try:
        return ask(card, command)
    except NotSupported:
        raise ProofFailed("The card left an exchange half-way") from None


def ask_whole(card: Card, command: Command) -> Response:
    """An answer over as many frames as it takes, with its last status; raises what `ask_further` does.

    Raises ReaderError for one without end.
    """
    response = ask_further(card, command)
    data = response.data
    for _frame in range(MAX_FRAMES):
        if response.status_word != Status.MORE:
            break
        response = ask_further(card, native(Instruction.ADDITIONAL_FRAME))
        data += response.data
    if response.status_word == Status.MORE or len(data) > MAX_ANSWER:
        raise ReaderError("The card's answer never ended")
    return Response(data, response.status_word)


def read_whole(card: Card, command: Command) -> bytes:
    """The data of such an answer; raises ProofFailed for a refusal, ReaderError for one without end."""
    response = ask_whole(card, command)
    if response.status_word != Status.OK:
        raise ProofFailed(f"Status word {response.status_word:04X}")
    return response.data


def real_uid(card: Card, session: SecureSession) -> Uid:
    """GetCardUID: the UID behind a random one, told in full mode; raises ProofFailed."""
    answer = read_whole(card, session.command(Instruction.GET_CARD_UID))
    uid = Uid(session.open_enciphered(answer, REAL_UID_SIZE))
    if uid.is_random or not uid.is_valid:
        raise ProofFailed("Not a UID that a card is made with")
    return uid


def fixed_uid(uid: Uid | None) -> Uid | None:
    """What the reader saw, where it can be the card's own: these cards are made with 7 bytes, and 4 are random."""
    if uid is None or uid.is_random or not uid.is_valid or len(uid.value) != REAL_UID_SIZE:
        return None
    return uid


def require_equal(left: bytes, right: bytes, what: str) -> None:
    """Raises ProofFailed unless both are the same; takes the same time wherever they differ."""
    if not compare_digest(left, right):
        raise ProofFailed(f"{what} is wrong")
