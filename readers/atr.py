"""What an ATR says about a contactless card (PC/SC part 3, 3.1.3.2.3; ISO/IEC 7816-3 8.2).

The reader makes it up from the anticollision and the ATS, and a card chooses its own ATS: good for deciding which
commands to try, never for deciding who somebody is.
"""

from dataclasses import dataclass
from functools import reduce
from operator import xor

from readers.errors import TlvError

MAX_ATR = 33
STORAGE_HEAD = bytes.fromhex("804F0CA000000306")
ISO_14443_A_PART_3 = 0x03
STORAGE_NAMES = {
    0x0001: "MIFARE Classic 1K",
    0x0002: "MIFARE Classic 4K",
    0x0003: "MIFARE Ultralight or NTAG",
    0x0026: "MIFARE Mini",
    0x002F: "Jewel",
    0x0030: "Topaz",
    0x0036: "MIFARE Plus SL1 2K",
    0x0037: "MIFARE Plus SL1 4K",
    0x0038: "MIFARE Plus SL2 2K",
    0x0039: "MIFARE Plus SL2 4K",
    0x003A: "MIFARE Ultralight C",
    0x003B: "FeliCa",
    0x003D: "MIFARE Ultralight EV1",
}
CODES_BY_SAK = {0x00: 0x0003, 0x08: 0x0001, 0x09: 0x0026, 0x10: 0x0038, 0x11: 0x0039, 0x18: 0x0002}


@dataclass(frozen=True)
class StorageCard:
    """A card below ISO/IEC 14443-4: it has a UID and memory and takes no APDUs. `standard` is PC/SC's SS byte."""

    standard: int
    code: int

    @property
    def name(self) -> str:
        """The product by PC/SC's list, or its number in that list."""
        return STORAGE_NAMES.get(self.code, f"storage card {self.code:04X}")


@dataclass(frozen=True)
class ProcessorCard:
    """A card that takes APDUs. `historical` are the ATS's bytes T1 to Tk."""

    historical: bytes

    @property
    def is_typical_phone(self) -> bool:
        """True without historical bytes: what Android's host card emulation shows, and some passports too."""
        return not self.historical

    @property
    def name(self) -> str:
        """A few words for a list of readers."""
        if self.is_typical_phone:
            return "phone, or a card without historical bytes"
        return "ISO/IEC 14443-4 card"


@dataclass(frozen=True)
class UnknownCard:
    """No ATR, or one that does not add up; `reason` says why."""

    reason: str

    @property
    def name(self) -> str:
        """A few words for a list of readers."""
        return "unknown card"


CardKind = StorageCard | ProcessorCard | UnknownCard


def classify(atr: bytes) -> CardKind:
    """The kind of card behind `atr`; never raises."""
    try:
        historical = historical_bytes(atr)
    except TlvError as error:
        return UnknownCard(str(error))
    if len(historical) == 15 and historical.startswith(STORAGE_HEAD):
        return StorageCard(historical[8], int.from_bytes(historical[9:11], "big"))
    return ProcessorCard(historical)


def historical_bytes(atr: bytes) -> bytes:
    """T1 to Tk of an ATR with its interface bytes and TCK checked (ISO/IEC 7816-3 8.2); raises TlvError."""
    if not 2 <= len(atr) <= MAX_ATR:
        raise TlvError("An ATR has 2 to 33 bytes")
    if atr[0] not in (0x3B, 0x3F):
        raise TlvError("An ATR starts with 3B or 3F")
    count, follow, position, checked = atr[1] & 0x0F, atr[1] >> 4, 2, False
    while follow:
        position += (follow & 0x7).bit_count()
        if not follow & 0x8:
            break
        if position >= len(atr):
            raise TlvError("An ATR that ends within its interface bytes")
        checked = checked or atr[position] & 0x0F != 0
        follow = atr[position] >> 4
        position += 1
    if len(atr) != position + count + checked:
        raise TlvError("An ATR whose length does not add up")
    if checked and reduce(xor, atr[1:]) != 0:
        raise TlvError("An ATR whose check byte is wrong")
    return atr[position : position + count]


def contactless_atr(historical: bytes) -> bytes:
    """The ATR of an ISO/IEC 14443-4 card from its ATS's historical bytes, of which an ATR holds the first 15."""
    kept = historical[:15]
    return _with_check(bytes((0x3B, 0x80 | len(kept), 0x80, 0x01)) + kept)


def storage_atr(sak: int) -> bytes:
    """The ATR of a type A storage card from its SAK (ISO/IEC 14443-3 6.5.3); product 0000 where none is known."""
    code = CODES_BY_SAK.get(sak, 0)
    return contactless_atr(STORAGE_HEAD + bytes((ISO_14443_A_PART_3,)) + code.to_bytes(2, "big") + bytes(4))


def _with_check(body: bytes) -> bytes:
    return body + bytes((reduce(xor, body[1:]),))
