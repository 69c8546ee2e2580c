"""A MIFARE DESFire: as it leaves the factory, as a site issued it, and everything that leads from one to the other."""

import time
from collections.abc import Callable, Mapping
from enum import Enum

from readers.apdu import Command
from readers.credentials.aes import diversify
from readers.credentials.desfire import DesfireApplication
from readers.uid import Uid
from readers.virtual.aes_card import (
    ADDITIONAL_FRAME,
    AUTHENTICATION_ERROR,
    DONE,
    ILLEGAL_COMMAND,
    INTEGRITY_ERROR,
    MORE,
    NATIVE_CLASS,
    WRONG_LENGTH,
    AesCard,
    Fault,
)
from readers.virtual.desfire_management import APPLICATION_NOT_FOUND, Management, Refused, Standing
from readers.virtual.desfire_memory import FACTORY_DES_KEY, FREE, CardApplication, DataFile, DesfireMemory
from readers.virtual.picc import Channel, DesHandshake

HISTORICAL = b"\x80"
SELECT_APPLICATION = 0x5A
GET_VERSION = 0x60
READ_DATA = 0xBD
WRITE_DATA = 0x3D
CHANGE_KEY = 0xC4
CHANGE_KEY_SETTINGS = 0x54
SET_CONFIGURATION = 0x5C
AUTHENTICATE_ISO = 0x1A
EV2_FIRST = 0x71
INSTRUCTION_NOT_SUPPORTED = bytes.fromhex("6E00")
PLAIN_MODE, MAC_MODE, FULL_MODE = 0x00, 0x01, 0x03
RANGE_SIZE = 7
CARD_LEVEL = bytes(3)
PRODUCTION = bytes.fromhex("BA5493A740" + "2423")


class Model(Enum):
    """The hardware's major version, as GetVersion tells it."""

    EV1 = 0x01
    EV2 = 0x12
    EV3 = 0x33


class DesfireCard(AesCard):
    """A DESFire with these applications, by the AID's 3 bytes as people write them; an EV2, or another `model`."""

    def __init__(
        self,
        uid: Uid,
        applications: Mapping[bytes, CardApplication] | DesfireMemory,
        *,
        model: Model = Model.EV2,
        random_uid: bool = False,
        fault: Fault = Fault.NONE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Applications alone are on a card whose own key is the factory's."""
        memory = applications if isinstance(applications, DesfireMemory) else DesfireMemory(applications)
        memory.hides_uid |= random_uid
        self.memory = memory
        self._model = model
        self._management = Management(memory)
        self._selected = memory.card
        self._version_parts: list[bytes] = []
        super().__init__(uid, random_uid=memory.hides_uid, fault=fault, sleep=sleep)

    @property
    def ats_historical(self) -> bytes:
        """One byte, as on every DESFire."""
        return HISTORICAL

    def power_on(self) -> None:
        """The card itself is selected, nobody authenticated; a UID that was hidden since the last field is random."""
        self._random_uid = self.memory.hides_uid
        super().power_on()
        self._selected = self.memory.card

    def forget(self) -> None:
        """Ends the session and whatever was under way."""
        super().forget()
        self._version_parts = []

    def _key(self, number: int) -> bytes | None:
        return self._selected.keys.get(number)

    def _answer(self, command: Command) -> bytes:
        if command.cla == NATIVE_CLASS and command.ins == EV2_FIRST and self._model is Model.EV1:
            self.forget()
            return ILLEGAL_COMMAND
        if command.cla == NATIVE_CLASS and command.ins == AUTHENTICATE_ISO:
            return self._begin(command.data, DesHandshake, 1)
        if command.ins == ADDITIONAL_FRAME and self._version_parts:
            part = self._version_parts.pop(0)
            return part + (MORE if self._version_parts else DONE)
        return super()._answer(command)

    def _execute(self, command: Command) -> bytes:
        if command.cla != NATIVE_CLASS:
            return INSTRUCTION_NOT_SUPPORTED
        try:
            return self._carry_out(command.ins, command.data)
        except Refused as refused:
            self.forget()
            return refused.status

    def _carry_out(self, instruction: int, data: bytes) -> bytes:
        if instruction == SELECT_APPLICATION:
            return self._select(data)
        if instruction in (READ_DATA, WRITE_DATA):
            return self._read(data) if instruction == READ_DATA else self._write(data)
        if instruction in (CHANGE_KEY, CHANGE_KEY_SETTINGS, SET_CONFIGURATION):
            return self._change(self._proved(), instruction, data)
        if instruction != GET_VERSION and instruction not in self._management.commands:
            return ILLEGAL_COMMAND
        header = data if self._channel is None else _intact(self._channel.received(instruction, data))
        if instruction == GET_VERSION:
            return self._version()
        answer = self._management.run(instruction, self._standing, header)
        return self._told(instruction, answer)

    @property
    def _standing(self) -> Standing:
        return Standing(self._selected, None if self._channel is None else self._channel.key_number)

    def _proved(self) -> Channel:
        if self._channel is None:
            raise Refused(AUTHENTICATION_ERROR)
        return self._channel

    def _told(self, instruction: int, answer: bytes) -> bytes:
        if self._channel is None:
            return answer + DONE
        return self.protected(instruction, self._channel.with_mac(answer))

    def _select(self, identifier: bytes) -> bytes:
        self.forget()
        if len(identifier) != len(CARD_LEVEL):
            raise Refused(WRONG_LENGTH)
        self._selected = self.memory.applications.get(identifier[::-1], self.memory.card)
        found = identifier == CARD_LEVEL or self._selected is not self.memory.card
        return DONE if found else APPLICATION_NOT_FOUND

    def _version(self) -> bytes:
        hardware = bytes((0x04, 0x01, 0x01, self._model.value, 0x00, 0x1A, 0x05))
        uid = bytes(len(self._own_uid.value)) if self._random_uid else self._own_uid.value
        last = uid + PRODUCTION
        whole = last if self._channel is None else self._channel.with_mac(2 * hardware + last)[2 * len(hardware) :]
        self._version_parts = [hardware, whole]
        return hardware + MORE

    def _read(self, data: bytes) -> bytes:
        file, start, end = self._management.file(self._standing, data[:RANGE_SIZE], writing=False)
        channel, content = self._channel, file.content[start:end]
        if channel is None:
            return content + DONE
        if file.mode == PLAIN_MODE or FREE in (file.read_key_number, file.both_key_number):
            channel.received_plain(READ_DATA, data)
            return self.protected(READ_DATA, channel.plain(content))
        _intact(channel.received(READ_DATA, data))
        sealed = channel.enciphered(content) if file.mode == FULL_MODE else channel.with_mac(content)
        return self.protected(READ_DATA, sealed)

    def _write(self, data: bytes) -> bytes:
        header, rest = data[:RANGE_SIZE], data[RANGE_SIZE:]
        file, start, end = self._management.file(self._standing, header, writing=True)
        channel = self._channel
        if channel is None:
            new = rest
        elif file.mode == PLAIN_MODE or FREE in (file.write_key_number, file.both_key_number):
            new = channel.received_plain(WRITE_DATA, data)[RANGE_SIZE:]
        elif file.mode == MAC_MODE:
            new = _intact(channel.received_mac(WRITE_DATA, data))[RANGE_SIZE:]
        else:
            new = _intact(channel.deciphered(WRITE_DATA, header, rest, end - start))
        if len(new) != end - start:
            raise Refused(WRONG_LENGTH)
        file.content = file.content[:start] + new + file.content[end:]
        if channel is None or file.mode == PLAIN_MODE:
            return DONE if channel is None else channel.plain(b"") + DONE
        return self._told(WRITE_DATA, b"")

    def _change(self, channel: Channel, instruction: int, data: bytes) -> bytes:
        standing = self._standing
        if instruction == CHANGE_KEY:
            number, old = self._management.old_key(standing, data[0] if data else 0xFF)
            key = channel.new_key(instruction, data[0], data[1:], old)
            if key is None:
                raise Refused(INTEGRITY_ERROR)
            self._management.change_key(standing, number, *key)
            if old is None:
                self.forget()
                return DONE
        elif instruction == CHANGE_KEY_SETTINGS:
            value = _intact(channel.deciphered(instruction, b"", data, 1))
            self._management.change_settings(standing, value[0])
        else:
            value = _intact(channel.deciphered(instruction, data[:1], data[1:], 1))
            self._management.configure(standing, data[0], value[0])
        return self._told(instruction, b"")


def _intact(content: bytes | None) -> bytes:
    """Raises Refused where the protection of a command was wrong."""
    if content is None:
        raise Refused(INTEGRITY_ERROR)
    return content


def blank(
    uid: Uid,
    *,
    master_key: bytes = FACTORY_DES_KEY,
    model: Model = Model.EV2,
    fault: Fault = Fault.NONE,
    sleep: Callable[[float], None] = time.sleep,
) -> DesfireCard:
    """A card as it leaves the factory: empty, its own key DES and all zeros; some are delivered with an AES one."""
    return DesfireCard(uid, DesfireMemory({}, master_key=master_key), model=model, fault=fault, sleep=sleep)


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
    """A card that a site issued, with its own keys made from `site_keys`, the site's by name."""
    own = diversify(site_keys[application.read_key], application.diversification(uid))
    keys = {application.read_key_number: own}
    if application.uid_key_number is not None:
        keys[application.uid_key_number] = site_keys[application.uid_key]
    files = {application.file_number: DataFile(identity, application.read_key_number)}
    contents = {application.identifier: CardApplication(keys, files)}
    model = Model.EV2 if knows_ev2 else Model.EV1
    return DesfireCard(uid, contents, model=model, random_uid=random_uid, fault=fault, sleep=sleep)


__all__ = ["CardApplication", "DataFile", "DesfireCard", "Model", "blank", "issue"]
