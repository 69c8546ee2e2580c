"""The commands that set a DESFire up, one function each: what goes to the card, and what its answer means.

With a session they and their answers are protected by it; without one the card must give them to everybody.
"""

from dataclasses import dataclass
from enum import IntEnum

from readers.apdu import Command
from readers.credentials.aes import KEY_SIZE
from readers.credentials.desfire import APPLICATION_SIZE, KEY_COUNT, file_range, select_application
from readers.credentials.native import Instruction as Reading
from readers.credentials.native import SecureSession, Status, ask, ask_further, ask_whole, native
from readers.errors import ReaderError
from readers.reader import Card
from readers.uid import Uid

CARD_LEVEL = bytes(APPLICATION_SIZE)
AES_KEYS = 0x80
MAC_MODE = 0x01
STANDARD_FILE = 0x00
NEVER = 0xF
MASTER = 0
CHUNK = 32
HIDE_UID = 0x02
DESFIRE_TYPE = 0x01
TYPE_MASK = 0x0F
VERSION_FRAMES = 2
VERSION_SIZE = 28
UID_PLACE = slice(14, 21)


class Instruction(IntEnum):
    """Those that change something, and those that look before."""

    GET_VERSION = 0x60
    GET_KEY_SETTINGS = 0x45
    GET_KEY_VERSION = 0x64
    GET_APPLICATION_IDS = 0x6A
    GET_FILE_IDS = 0x6F
    GET_FILE_SETTINGS = 0xF5
    CREATE_APPLICATION = 0xCA
    CREATE_DATA_FILE = 0xCD
    WRITE_DATA = 0x3D
    CHANGE_KEY_SETTINGS = 0x54
    SET_CONFIGURATION = 0x5C


SENTENCES = {
    0x910E: "The card has no room left.",
    0x911E: "Something between reader and card changed a command.",
    0x919D: "The card does not permit this: somebody set it up before.",
    0x91AE: "The card does not permit this: somebody set it up before.",
    0x91CE: "The card has as many applications as it can hold.",
    0x91DE: "The card has one of that number already.",
    0x91EE: "The card's memory is broken.",
    0x91C1: "The card has switched itself off for good.",
}


class CommandRefused(ReaderError):
    """The card did not carry out a command; `status_word` says why."""

    def __init__(self, status_word: int, instruction: int) -> None:
        reason = SENTENCES.get(status_word, "The card refused.")
        super().__init__(f"{reason} (command {instruction:02X}, status {status_word:04X})")
        self.status_word = status_word


@dataclass(frozen=True)
class CardVersion:
    """What GetVersion tells. `uid` is None on a card that hides it; `major` is 1 on EV1, 12h on EV2, 33h on EV3."""

    kind: int
    major: int
    uid: Uid | None

    @property
    def is_desfire(self) -> bool:
        """False for NTAG 424, DESFire Light and the like, which know the same command."""
        return self.kind & TYPE_MASK == DESFIRE_TYPE

    @property
    def name(self) -> str:
        """As people call it."""
        return {0x00: "DESFire", 0x01: "DESFire EV1", 0x12: "DESFire EV2", 0x33: "DESFire EV3"}.get(
            self.major, f"DESFire {self.major:02X}"
        )


@dataclass(frozen=True)
class KeySettings:
    """What the master key allows others, one byte, and how many keys of which kind there are."""

    settings: int
    count: int
    are_aes: bool


@dataclass(frozen=True)
class FileRights:
    """Which key may do what with a file: 15 for none, 14 for everybody."""

    read: int
    write: int
    both: int = NEVER
    change: int = NEVER

    def __bytes__(self) -> bytes:
        """As they go over the air."""
        return bytes((self.both << 4 | self.change, self.read << 4 | self.write))


def select(card: Card, identifier: bytes) -> None:
    """The application with that AID, or CARD_LEVEL; whoever was authenticated is so no more. Raises CommandRefused."""
    response = ask(card, select_application(identifier))
    if response.status_word != Status.OK:
        raise CommandRefused(response.status_word, Reading.SELECT_APPLICATION)


def version(card: Card) -> CardVersion:
    """Raises NotSupported for a card that is of another family altogether, ReaderError for a strange answer."""
    response = ask(card, native(Instruction.GET_VERSION))
    data = response.data
    for _frame in range(VERSION_FRAMES):
        if response.status_word == Status.MORE:
            response = ask_further(card, native(Reading.ADDITIONAL_FRAME))
            data += response.data
    if response.status_word != Status.OK or len(data) != VERSION_SIZE:
        raise ReaderError("The card's version makes no sense")
    uid = Uid(data[UID_PLACE])
    return CardVersion(data[1], data[3], uid if uid.is_valid else None)


def key_settings(card: Card, session: SecureSession | None = None) -> KeySettings:
    """Of what is selected; raises CommandRefused where only the master key may ask."""
    data = _told(card, session, Instruction.GET_KEY_SETTINGS, b"", 2)
    return KeySettings(data[0], data[1] & 0x0F, bool(data[1] & AES_KEYS))


def key_version(card: Card, number: int, session: SecureSession | None = None) -> int:
    """0 for a key as it was made."""
    return _told(card, session, Instruction.GET_KEY_VERSION, bytes((number,)), 1)[0]


def application_ids(card: Card, session: SecureSession | None = None) -> tuple[bytes, ...]:
    """AIDs as people write them; raises CommandRefused where only the master key may ask."""
    data = _told(card, session, Instruction.GET_APPLICATION_IDS, b"")
    return tuple(data[start : start + APPLICATION_SIZE][::-1] for start in range(0, len(data), APPLICATION_SIZE))


def file_ids(card: Card, session: SecureSession) -> tuple[int, ...]:
    """Numbers of the files in the selected application."""
    return tuple(_told(card, session, Instruction.GET_FILE_IDS, b""))


def file_settings(card: Card, session: SecureSession, number: int) -> bytes:
    """Everything about a file as the card says it: type, mode, rights and, for what it holds, size."""
    return _told(card, session, Instruction.GET_FILE_SETTINGS, bytes((number,)))


def data_file_settings(rights: FileRights, size: int) -> bytes:
    """What `file_settings` says of a standard data file in MAC mode."""
    return bytes((STANDARD_FILE, MAC_MODE)) + bytes(rights) + size.to_bytes(3, "little")


def create_application(
    card: Card, session: SecureSession | None, identifier: bytes, settings: int, key_count: int
) -> None:
    """An application with so many AES keys, all of them zeros."""
    if not 1 <= key_count <= KEY_COUNT:
        raise ReaderError(f"An application has 1 to {KEY_COUNT} keys")
    _told(card, session, Instruction.CREATE_APPLICATION, identifier[::-1] + bytes((settings, AES_KEYS | key_count)), 0)


def create_data_file(card: Card, session: SecureSession, number: int, rights: FileRights, size: int) -> None:
    """A standard data file in MAC mode, all zeros."""
    header = bytes((number, MAC_MODE)) + bytes(rights) + size.to_bytes(3, "little")
    _told(card, session, Instruction.CREATE_DATA_FILE, header, 0)


def write_data(card: Card, session: SecureSession, number: int, content: bytes) -> None:
    """All of a file in MAC mode, in parts that fit into every reader's and every card's frames."""
    for offset in range(0, len(content), CHUNK):
        part = content[offset : offset + CHUNK]
        header = file_range(number, offset, len(part))
        _answered(card, session, session.writing(Instruction.WRITE_DATA, header, part))


def change_key(
    card: Card, session: SecureSession, number: int, key: bytes, new_version: int, *, old: bytes | None
) -> None:
    """`old` None: the session's own key, which ends it. Raises ReaderError for a key that is none."""
    if len(key) != KEY_SIZE:
        raise ReaderError(f"An AES-128 key has {KEY_SIZE} bytes")
    command = session.changing_key(number, key, new_version, old)
    _answered(card, None if old is None else session, command)


def change_key_settings(card: Card, session: SecureSession, settings: int) -> None:
    """Of what is selected, under its master key."""
    _answered(card, session, session.enciphering(Instruction.CHANGE_KEY_SETTINGS, b"", bytes((settings,))))


def hide_uid(card: Card, session: SecureSession) -> None:
    """From the next field on, and for good, the card shows a random UID; under the card's own master key."""
    _answered(card, session, session.enciphering(Instruction.SET_CONFIGURATION, b"\x00", bytes((HIDE_UID,))))


def _told(card: Card, session: SecureSession | None, instruction: int, header: bytes, size: int | None = None) -> bytes:
    command = native(instruction, header) if session is None else session.command(instruction, header)
    data = _answered(card, session, command)
    if size is not None and len(data) != size:
        raise ReaderError("The card gave an answer that makes no sense")
    return data


def _answered(card: Card, session: SecureSession | None, command: Command) -> bytes:
    response = ask_whole(card, command)
    if response.status_word != Status.OK:
        raise CommandRefused(response.status_word, command.ins)
    return response.data if session is None else session.open_mac(response.data)
