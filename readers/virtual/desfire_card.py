"""A MIFARE DESFire with AES keys: applications, their keys, and standard data files in MAC mode."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from readers.apdu import Command
from readers.credentials.aes import diversify
from readers.credentials.desfire import DesfireApplication
from readers.uid import Uid
from readers.virtual.aes_card import (
    AUTHENTICATION_ERROR,
    DONE,
    ILLEGAL_COMMAND,
    INTEGRITY_ERROR,
    NATIVE_CLASS,
    PERMISSION_DENIED,
    WRONG_LENGTH,
    AesCard,
    Fault,
)

HISTORICAL = b"\x80"
SELECT_APPLICATION = 0x5A
GET_FILE_IDS = 0x6F
GET_FILE_SETTINGS = 0xF5
READ_DATA = 0xBD
EV2_FIRST = 0x71
APPLICATION_NOT_FOUND = bytes.fromhex("91A0")
BOUNDARY_ERROR = bytes.fromhex("91BE")
FILE_NOT_FOUND = bytes.fromhex("91F0")
INSTRUCTION_NOT_SUPPORTED = bytes.fromhex("6E00")
MAC_MODE = 0x01
NEVER = 0xF


@dataclass(frozen=True, repr=False)
class DataFile:
    """A standard data file in MAC mode, which one key may read."""

    content: bytes
    read_key_number: int


@dataclass(frozen=True, repr=False)
class CardApplication:
    """Keys and files by their numbers."""

    keys: Mapping[int, bytes]
    files: Mapping[int, DataFile]


class DesfireCard(AesCard):
    """A DESFire EV2; with `knows_ev2` false, an EV1. `applications` by the AID's 3 bytes as people write them."""

    def __init__(
        self,
        uid: Uid,
        applications: Mapping[bytes, CardApplication],
        *,
        knows_ev2: bool = True,
        random_uid: bool = False,
        fault: Fault = Fault.NONE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(uid, random_uid=random_uid, fault=fault, sleep=sleep)
        self._applications = applications
        self._knows_ev2 = knows_ev2
        self._selected: CardApplication | None = None

    @property
    def ats_historical(self) -> bytes:
        """One byte, as on every DESFire."""
        return HISTORICAL

    def power_on(self) -> None:
        """Nothing selected, nobody authenticated."""
        super().power_on()
        self._selected = None

    def _key(self, number: int) -> bytes | None:
        return self._selected.keys.get(number) if self._selected is not None else None

    def _execute(self, command: Command) -> bytes:
        if command.cla != NATIVE_CLASS:
            return INSTRUCTION_NOT_SUPPORTED
        if command.ins == SELECT_APPLICATION:
            return self._select(command.data)
        if command.ins not in (GET_FILE_IDS, GET_FILE_SETTINGS, READ_DATA):
            return ILLEGAL_COMMAND
        if self._channel is None or self._selected is None:
            return AUTHENTICATION_ERROR
        header = self._channel.received(command.ins, command.data)
        if header is None:
            self.forget()
            return INTEGRITY_ERROR
        answer = self._data(self._selected, self._channel.key_number, command.ins, header)
        if isinstance(answer, _Refused):
            self.forget()
            return answer.status
        return self.protected(command.ins, self._channel.with_mac(answer))

    def _answer(self, command: Command) -> bytes:
        if command.ins == EV2_FIRST and not self._knows_ev2:
            self.forget()
            return ILLEGAL_COMMAND
        return super()._answer(command)

    def _select(self, identifier: bytes) -> bytes:
        self.forget()
        self._selected = self._applications.get(identifier[::-1])
        return DONE if self._selected is not None else APPLICATION_NOT_FOUND

    def _data(
        self, application: CardApplication, key_number: int, instruction: int, header: bytes
    ) -> "bytes | _Refused":
        if instruction == GET_FILE_IDS:
            return bytes(application.files)
        file = application.files.get(header[0]) if header else None
        if file is None:
            return _Refused(FILE_NOT_FOUND)
        if instruction == GET_FILE_SETTINGS:
            rights = bytes((NEVER << 4 | NEVER, file.read_key_number << 4 | NEVER))
            return bytes((0x00, MAC_MODE)) + rights + len(file.content).to_bytes(3, "little")
        if file.read_key_number != key_number:
            return _Refused(PERMISSION_DENIED)
        if len(header) != 7:
            return _Refused(WRONG_LENGTH)
        offset, size = int.from_bytes(header[1:4], "little"), int.from_bytes(header[4:], "little")
        end = offset + size if size else len(file.content)
        return file.content[offset:end] if offset < end <= len(file.content) else _Refused(BOUNDARY_ERROR)


@dataclass(frozen=True)
class _Refused:
    status: bytes


def issue(
    application: DesfireApplication,
    uid: Uid,
    identity: bytes,
    site_keys: Mapping[str, bytes],
    *,
    knows_ev2: bool = True,
    random_uid: bool = False,
    fault: Fault = Fault.NONE,
    sleep: Callable[[float], None] = time.sleep,
) -> DesfireCard:
    """A card as the site would issue it, with its own keys made from `site_keys`, the site's by name."""
    own = diversify(site_keys[application.read_key], application.diversification(uid))
    keys = {application.read_key_number: own}
    if application.uid_key_number is not None:
        keys[application.uid_key_number] = site_keys[application.uid_key]
    files = {application.file_number: DataFile(identity, application.read_key_number)}
    contents = {application.identifier: CardApplication(keys, files)}
    return DesfireCard(uid, contents, knows_ev2=knows_ev2, random_uid=random_uid, fault=fault, sleep=sleep)
