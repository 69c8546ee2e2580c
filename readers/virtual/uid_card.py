"""A plain badge: a fixed UID and nothing else that it could say."""

from readers.apdu import Command
from readers.atr import contactless_atr, storage_atr
from readers.errors import ReaderError
from readers.uid import Uid

SELECT = 0xA4
FILE_NOT_FOUND = bytes.fromhex("6A82")
INSTRUCTION_NOT_SUPPORTED = bytes.fromhex("6D00")
WRONG_LENGTH = bytes.fromhex("6700")
HISTORICAL = b"\x80"
CLASSIC_1K_SAK = 0x08


class UidCard:
    """A badge with a fixed UID. With `takes_apdus` it is an ISO/IEC 14443-4 card that knows no application."""

    def __init__(self, uid: Uid, *, takes_apdus: bool = False) -> None:
        self._uid = uid
        self._takes_apdus = takes_apdus

    @property
    def uid(self) -> Uid:
        """The same in every field."""
        return self._uid

    @property
    def atr(self) -> bytes:
        """A storage card's ATR, or the one a DESFire shows."""
        return contactless_atr(HISTORICAL) if self._takes_apdus else storage_atr(CLASSIC_1K_SAK)

    @property
    def ats_historical(self) -> bytes:
        """The historical bytes of a DESFire; none for a storage card."""
        return HISTORICAL if self._takes_apdus else b""

    @property
    def takes_apdus(self) -> bool:
        """As it was made."""
        return self._takes_apdus

    def power_on(self) -> None:
        """There is nothing to forget."""

    def exchange(self, raw: bytes) -> bytes:
        """6A82 for any SELECT, 6D00 for anything else; a storage card says nothing at all."""
        if not self._takes_apdus:
            return b""
        try:
            command = Command.parse(raw)
        except ReaderError:
            return WRONG_LENGTH
        return FILE_NOT_FOUND if command.ins == SELECT else INSTRUCTION_NOT_SUPPORTED

    def __repr__(self) -> str:
        return f"UidCard({self._uid.masked})"
