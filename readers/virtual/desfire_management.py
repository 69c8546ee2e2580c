"""How a virtual DESFire lets itself be set up: applications, keys, files and settings, and who may do what to them."""

from collections.abc import Callable
from dataclasses import dataclass

from readers.credentials.aes import KEY_SIZE
from readers.virtual.desfire_memory import (
    FREE,
    FREE_CREATING,
    FREE_LISTING,
    MASTER,
    MASTER_CHANGEABLE,
    NEVER,
    SETTINGS_CHANGEABLE,
    ZERO_AES_KEY,
    CardApplication,
    DataFile,
    DesfireMemory,
)

GET_KEY_SETTINGS = 0x45
GET_KEY_VERSION = 0x64
GET_FREE_MEMORY = 0x6E
GET_APPLICATION_IDS = 0x6A
CREATE_APPLICATION = 0xCA
DELETE_APPLICATION = 0xDA
FORMAT_CARD = 0xFC
GET_FILE_IDS = 0x6F
GET_FILE_SETTINGS = 0xF5
CREATE_DATA_FILE = 0xCD
AES_KEYS = 0x80
DES_KEYS = 0x00
MOST_KEYS = 14
MOST_FILES = 32
MODES = (0, 1, 3)
HIDE_UID = 0x02
FORBID_FORMAT = 0x01
ITSELF = 0xE

WRONG_LENGTH = bytes.fromhex("917E")
OUT_OF_MEMORY = bytes.fromhex("910E")
PERMISSION_DENIED = bytes.fromhex("919D")
PARAMETER_ERROR = bytes.fromhex("919E")
APPLICATION_NOT_FOUND = bytes.fromhex("91A0")
AUTHENTICATION_ERROR = bytes.fromhex("91AE")
BOUNDARY_ERROR = bytes.fromhex("91BE")
NO_SUCH_KEY = bytes.fromhex("9140")
DUPLICATE = bytes.fromhex("91DE")
FILE_NOT_FOUND = bytes.fromhex("91F0")


@dataclass(frozen=True)
class Refused(Exception):
    """The card says no, with that status word; the session is over."""

    status: bytes


@dataclass(frozen=True)
class Standing:
    """Where a command finds the card: what is selected, and the number of the key that the reader proved, if any."""

    selected: CardApplication
    key_number: int | None

    def require_master(self, unless: int = 0) -> None:
        """Raises Refused unless the master key was proved, or that setting gives the command to everybody."""
        if not self.selected.settings & unless and self.key_number != MASTER:
            raise Refused(AUTHENTICATION_ERROR)


class Management:
    """Carries out commands on a memory. Each takes a standing and a header, and returns data or raises Refused."""

    def __init__(self, memory: DesfireMemory) -> None:
        self._memory = memory
        self.commands: dict[int, tuple[int, Callable[[Standing, bytes], bytes]]] = {
            GET_KEY_SETTINGS: (0, self._key_settings),
            GET_KEY_VERSION: (1, self._key_version),
            GET_FREE_MEMORY: (0, self._free_memory),
            GET_APPLICATION_IDS: (0, self._application_ids),
            CREATE_APPLICATION: (5, self._create_application),
            DELETE_APPLICATION: (3, self._delete_application),
            FORMAT_CARD: (0, self._format),
            GET_FILE_IDS: (0, self._file_ids),
            GET_FILE_SETTINGS: (1, self._file_settings),
            CREATE_DATA_FILE: (7, self._create_file),
        }

    def run(self, instruction: int, standing: Standing, header: bytes) -> bytes:
        """One of `commands`; raises Refused."""
        size, command = self.commands[instruction]
        if len(header) != size:
            raise Refused(WRONG_LENGTH)
        return command(standing, header)

    def old_key(self, standing: Standing, number_byte: int) -> tuple[int, bytes | None]:
        """The key's number, and its value where that must be known to change it; raises Refused."""
        application, proved = standing.selected, standing.key_number
        on_card = application is self._memory.card
        number, kind = number_byte & 0x3F, number_byte & 0xC0
        if kind != (AES_KEYS if on_card else 0):
            raise Refused(PARAMETER_ERROR)
        if number not in application.keys:
            raise Refused(NO_SUCH_KEY)
        if proved is None:
            raise Refused(AUTHENTICATION_ERROR)
        changer = number if number == MASTER or application.change_key_number == ITSELF else None
        if changer is None:
            changer = application.change_key_number
        frozen = number == MASTER and not application.settings & MASTER_CHANGEABLE
        if frozen or changer == NEVER or changer != proved:
            raise Refused(PERMISSION_DENIED)
        return number, None if number == proved else application.keys[number]

    def change_key(self, standing: Standing, number: int, key: bytes, version: int) -> None:
        """Puts it in place."""
        standing.selected.keys[number] = key
        standing.selected.versions[number] = version

    def change_settings(self, standing: Standing, settings: int) -> None:
        """ChangeKeySettings; raises Refused."""
        standing.require_master()
        if not standing.selected.settings & SETTINGS_CHANGEABLE:
            raise Refused(PERMISSION_DENIED)
        standing.selected.settings = settings & 0x0F if standing.selected is self._memory.card else settings

    def configure(self, standing: Standing, option: int, value: int) -> None:
        """SetConfiguration, of which there is option 00: what it switches on stays on. Raises Refused."""
        if standing.selected is not self._memory.card or option != 0x00 or value & ~(HIDE_UID | FORBID_FORMAT):
            raise Refused(PARAMETER_ERROR)
        standing.require_master()
        self._memory.hides_uid |= bool(value & HIDE_UID)
        self._memory.forbids_format |= bool(value & FORBID_FORMAT)

    def file(self, standing: Standing, header: bytes, *, writing: bool) -> tuple[DataFile, int, int]:
        """The file that the 7 bytes of `header` name, from where to where; raises Refused for who may not."""
        if len(header) != 7:
            raise Refused(WRONG_LENGTH)
        file = standing.selected.files.get(header[0])
        if file is None:
            raise Refused(FILE_NOT_FOUND)
        allowed = (file.write_key_number if writing else file.read_key_number, file.both_key_number)
        if FREE not in allowed and standing.key_number not in allowed:
            raise Refused(AUTHENTICATION_ERROR if standing.key_number is None else PERMISSION_DENIED)
        offset, size = int.from_bytes(header[1:4], "little"), int.from_bytes(header[4:], "little")
        end = offset + size if size else len(file.content)
        if not offset < end <= len(file.content):
            raise Refused(BOUNDARY_ERROR)
        return file, offset, end

    def _key_settings(self, standing: Standing, _: bytes) -> bytes:
        standing.require_master(unless=FREE_LISTING)
        keys = standing.selected.keys
        kind = AES_KEYS if all(len(key) == KEY_SIZE for key in keys.values()) else DES_KEYS
        return bytes((standing.selected.settings, len(keys) | kind))

    def _key_version(self, standing: Standing, header: bytes) -> bytes:
        if header[0] not in standing.selected.keys:
            raise Refused(NO_SUCH_KEY)
        return bytes((standing.selected.versions.get(header[0], 0),))

    def _free_memory(self, _: Standing, __: bytes) -> bytes:
        return self._memory.free.to_bytes(3, "little")

    def _application_ids(self, standing: Standing, _: bytes) -> bytes:
        self._require_card(standing)
        standing.require_master(unless=FREE_LISTING)
        return b"".join(identifier[::-1] for identifier in self._memory.applications)

    def _create_application(self, standing: Standing, header: bytes) -> bytes:
        self._require_card(standing)
        standing.require_master(unless=FREE_CREATING)
        identifier, settings, count = header[2::-1], header[3], header[4] & 0x0F
        if header[4] & 0xF0 != AES_KEYS or not 1 <= count <= MOST_KEYS or not any(identifier):
            raise Refused(PARAMETER_ERROR)
        if identifier in self._memory.applications:
            raise Refused(DUPLICATE)
        application = CardApplication(dict.fromkeys(range(count), ZERO_AES_KEY), settings=settings)
        if application.cost > self._memory.free:
            raise Refused(OUT_OF_MEMORY)
        self._memory.applications[identifier] = application
        return b""

    def _delete_application(self, standing: Standing, header: bytes) -> bytes:
        self._require_card(standing)
        standing.require_master()
        if self._memory.applications.pop(header[::-1], None) is None:
            raise Refused(APPLICATION_NOT_FOUND)
        return b""

    def _format(self, standing: Standing, _: bytes) -> bytes:
        self._require_card(standing)
        standing.require_master()
        if self._memory.forbids_format:
            raise Refused(PERMISSION_DENIED)
        self._memory.applications.clear()
        return b""

    def _file_ids(self, standing: Standing, _: bytes) -> bytes:
        self._require_application(standing)
        standing.require_master(unless=FREE_LISTING)
        return bytes(standing.selected.files)

    def _file_settings(self, standing: Standing, header: bytes) -> bytes:
        self._require_application(standing)
        standing.require_master(unless=FREE_LISTING)
        file = standing.selected.files.get(header[0])
        if file is None:
            raise Refused(FILE_NOT_FOUND)
        return bytes((0x00, file.mode)) + file.rights + len(file.content).to_bytes(3, "little")

    def _create_file(self, standing: Standing, header: bytes) -> bytes:
        self._require_application(standing)
        standing.require_master(unless=FREE_CREATING)
        number, mode, size = header[0], header[1], int.from_bytes(header[4:], "little")
        if number >= MOST_FILES or mode not in MODES or not size:
            raise Refused(PARAMETER_ERROR)
        if number in standing.selected.files:
            raise Refused(DUPLICATE)
        rights = (header[3] >> 4, header[3] & 0xF, header[2] >> 4, header[2] & 0xF)
        if any(right not in (*standing.selected.keys, FREE, NEVER) for right in rights):
            raise Refused(PARAMETER_ERROR)
        if size > self._memory.free:
            raise Refused(OUT_OF_MEMORY)
        standing.selected.files[number] = DataFile(bytes(size), *rights, mode=mode)
        return b""

    def _require_card(self, standing: Standing) -> None:
        if standing.selected is not self._memory.card:
            raise Refused(PERMISSION_DENIED)

    def _require_application(self, standing: Standing) -> None:
        if standing.selected is self._memory.card:
            raise Refused(PERMISSION_DENIED)
