"""What a card is, for people: from its ATR, its UID, and the version that NXP's cards tell everybody.

A card chooses what it says here. It decides which advice is given, never who somebody is.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from readers.apdu import Command
from readers.atr import ProcessorCard, StorageCard, classify
from readers.credentials.limits import LimitedCard, Limits
from readers.errors import ReaderError
from readers.reader import Card

GET_VERSION = Command(0x90, 0x60, 0x00, 0x00, le=0)
ADDITIONAL_FRAME = Command(0x90, 0xAF, 0x00, 0x00, le=0)
MORE = 0x91AF
NATIVE_STATUS = 0x91
FRAMES = 3
SECONDS = 0.5
LIMITS = Limits(exchanges=FRAMES, received_bytes=256, continuations=1)
HARDWARE_SIZE = 7
NXP = 0x04
DESFIRE_HISTORICAL = b"\x80"
NTAG424_HISTORICAL = bytes.fromhex("C10521300077C1")
DESFIRE_GENERATIONS = {0x00: "DESFire", 0x01: "DESFire EV1", 0x12: "DESFire EV2", 0x22: "DESFire EV2 XL",
                       0x33: "DESFire EV3"}  # fmt: skip


class Family(Enum):
    """What decides which advice helps."""

    STORAGE = "storage"
    DESFIRE = "desfire"
    NTAG424 = "ntag424"
    PHONE = "phone"
    PROCESSOR = "processor"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CardType:
    """The family, and the name that a person would find on the box."""

    family: Family
    name: str


def card_type(card: Card, monotonic: Callable[[], float] = time.monotonic) -> CardType:
    """The type of a card in the field. Sends GetVersion to cards that take APDUs, so ask after the schemes. Never
    raises; a card that leaves meanwhile is what its ATR says.
    """
    kind = classify(card.atr)
    if isinstance(kind, StorageCard):
        return CardType(Family.STORAGE, kind.name)
    if not card.takes_apdus:
        return CardType(Family.UNKNOWN, kind.name)
    historical = kind.historical if isinstance(kind, ProcessorCard) else b""
    try:
        native = _native(card, historical, monotonic)
    except ReaderError:
        native = None
    if native is not None:
        return native
    if card.uid is not None and card.uid.is_random:
        return CardType(Family.PHONE, "phone, watch or card with a random number")
    return CardType(Family.PROCESSOR, kind.name)


def _native(card: Card, historical: bytes, monotonic: Callable[[], float]) -> CardType | None:
    """By the hardware part of GetVersion, the first of its frames; None for a card that is none of NXP's."""
    limited = LimitedCard(card, LIMITS, monotonic)
    limited.allow_until(monotonic() + SECONDS)
    answer = limited.transmit(GET_VERSION)
    hardware = answer.data if answer.status_word == MORE else b""
    if answer.status_word >> 8 != NATIVE_STATUS:
        return None
    for _ in range(FRAMES - 1):
        if answer.status_word == MORE:  # a card left half-way takes the next command for a mistake
            answer = limited.transmit(ADDITIONAL_FRAME)
    if len(hardware) == HARDWARE_SIZE and hardware[0] == NXP:
        return _by_hardware(hardware[1] & 0x0F, hardware[3])
    if historical == NTAG424_HISTORICAL:
        return CardType(Family.NTAG424, "NTAG 424 DNA")
    if historical == DESFIRE_HISTORICAL:
        return CardType(Family.DESFIRE, "DESFire")
    return None


def _by_hardware(kind: int, major: int) -> CardType | None:
    """Type and major version as in NXP's data sheets: 1 DESFire, 2 Plus, 4 NTAG, 8 DESFire Light."""
    match kind:
        case 0x1:
            return CardType(Family.DESFIRE, DESFIRE_GENERATIONS.get(major, "DESFire"))
        case 0x2:
            return CardType(Family.PROCESSOR, "MIFARE Plus")
        case 0x4:
            return CardType(Family.NTAG424, "NTAG 424 DNA")
        case 0x8:
            return CardType(Family.PROCESSOR, "DESFire Light")
    return None
