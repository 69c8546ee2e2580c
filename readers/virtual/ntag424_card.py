"""An NTAG 424 DNA: an NDEF file that carries a new message at each read, and keys to authenticate with."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from readers.apdu import Command
from readers.credentials.aes import cmac, diversify, encrypt, truncated
from readers.credentials.ntag424 import Ntag424Keys
from readers.credentials.ntag424_sun import SunTag
from readers.credentials.sdm import SunLayout
from readers.uid import Uid
from readers.virtual.aes_card import AUTHENTICATE_AES, ILLEGAL_COMMAND, AesCard, Fault

HISTORICAL = bytes.fromhex("C10521300077C1")
NDEF_APPLICATION = bytes.fromhex("D2760000850101")
NDEF_FILE = bytes.fromhex("E104")
SELECT = 0xA4
READ_BINARY = 0xB0
OK = bytes.fromhex("9000")
FILE_NOT_FOUND = bytes.fromhex("6A82")
NOT_ALLOWED = bytes.fromhex("6985")
BEYOND_END = bytes.fromhex("6B00")
INSTRUCTION_NOT_SUPPORTED = bytes.fromhex("6D00")
FILE_SIZE = 256
UID_AND_COUNTER = b"\xc7"
PADDING = bytes.fromhex("0123456789")


@dataclass(frozen=True, repr=False)
class Sun:
    """Secure dynamic messaging as the tag keeps it: the file it is written into, where, and with which keys."""

    template: bytes
    layout: SunLayout
    meta_key: bytes
    file_key: bytes
    padding: bytes = field(default=PADDING)


class Ntag424Card(AesCard):
    """`keys` by number, 0 to 4. Without `sun` the NDEF file is empty."""

    def __init__(
        self,
        uid: Uid,
        keys: Mapping[int, bytes],
        sun: Sun | None = None,
        *,
        counter: int = 0,
        random_uid: bool = False,
        fault: Fault = Fault.NONE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`counter`: how often it was read before."""
        super().__init__(uid, random_uid=random_uid, fault=fault, sleep=sleep)
        self._keys = keys
        self._sun = sun
        self._counter = counter
        self._selected = b""
        self._mirrored: bytes | None = None

    @property
    def ats_historical(self) -> bytes:
        """Some bytes, unlike a phone's."""
        return HISTORICAL

    def power_on(self) -> None:
        """Nothing selected, nobody authenticated."""
        super().power_on()
        self._selected, self._mirrored = b"", None

    def _key(self, number: int) -> bytes | None:
        return self._keys.get(number) if self._selected else None

    def _answer(self, command: Command) -> bytes:
        if command.ins != READ_BINARY:
            self._mirrored = None
        if command.ins == AUTHENTICATE_AES:
            self.forget()
            return ILLEGAL_COMMAND
        return super()._answer(command)

    def _execute(self, command: Command) -> bytes:
        if command.cla != 0x00:
            return ILLEGAL_COMMAND
        if command.ins == SELECT:
            return self._select(command)
        if command.ins == READ_BINARY:
            return self._read(command)
        return INSTRUCTION_NOT_SUPPORTED

    def _select(self, command: Command) -> bytes:
        self.forget()
        if command.p1 == 0x04 and command.data == NDEF_APPLICATION:
            self._selected = NDEF_APPLICATION
            return OK
        if command.p1 == 0x00 and command.data == NDEF_FILE and self._selected:
            self._selected = NDEF_FILE
            return OK
        return FILE_NOT_FOUND

    def _read(self, command: Command) -> bytes:
        if self._selected != NDEF_FILE:
            return NOT_ALLOWED
        if self._mirrored is None:
            self._mirrored = self._file()
        offset = command.p1 << 8 | command.p2
        if offset >= FILE_SIZE:
            return BEYOND_END
        return self._mirrored[offset : offset + (command.le or FILE_SIZE)] + OK

    def _file(self) -> bytes:
        """The file of this read; it is one more, whoever reads."""
        sun = self._sun
        if sun is None:
            return bytes(FILE_SIZE)
        self._counter += 1
        content = bytearray(sun.template.ljust(FILE_SIZE, b"\x00"))
        own = self._own_uid.value + self._counter.to_bytes(3, "little")
        meta_key = bytes(16) if self.fault is Fault.FORGED else sun.meta_key
        file_key = bytes(16) if self.fault in (Fault.FORGED, Fault.WRONG_KEY) else sun.file_key
        picc_data = encrypt(meta_key, UID_AND_COUNTER + own + sun.padding)
        _write(content, sun.layout.picc_data, picc_data)
        covered = bytes(content[sun.layout.mac_input : sun.layout.mac])
        key = cmac(file_key, bytes.fromhex("3CC300010080") + own)
        _write(content, sun.layout.mac, truncated(cmac(key, covered)))
        if self.fault is Fault.TAMPERED:
            content[sun.layout.picc_data] = ord("0") if content[sun.layout.picc_data] != ord("0") else ord("1")
        elif self.fault is Fault.WITHOUT_MAC:
            content[sun.layout.mac : sun.layout.mac + 16] = b"0" * 16
        return bytes(content)


def issue(
    uid: Uid,
    site_keys: Mapping[str, bytes],
    layout: Ntag424Keys | None = None,
    sun: SunTag | None = None,
    template: bytes = b"",
    *,
    random_uid: bool = False,
    fault: Fault = Fault.NONE,
    sleep: Callable[[float], None] = time.sleep,
) -> Ntag424Card:
    """A tag as the site would issue it, with its own keys made from `site_keys`, the site's by name."""
    keys: dict[int, bytes] = {}
    if layout is not None:
        keys[layout.key_number] = diversify(site_keys[layout.own_key], layout.diversification(uid))
        if layout.uid_key_number is not None:
            keys[layout.uid_key_number] = site_keys[layout.uid_key]
    message = None
    if sun is not None:
        file_key = diversify(site_keys[sun.file_key], sun.diversification(uid))
        message = Sun(template, sun.layout, site_keys[sun.meta_key], file_key)
    return Ntag424Card(uid, keys, message, random_uid=random_uid, fault=fault, sleep=sleep)


def _write(content: bytearray, offset: int, value: bytes) -> None:
    digits = value.hex().upper().encode("ascii")
    content[offset : offset + len(digits)] = digits
