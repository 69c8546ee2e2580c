"""MIFARE DESFire with AES keys: mutual authentication, and an identity file read with its MAC.

The key is the card's own, made from the site's key and the UID (AN10922), so one opened card opens no other. A card
with a random UID first tells its real one under a key that all cards share and that can do nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from readers.apdu import Command
from readers.credentials import ev1, ev2
from readers.credentials.aes_scheme import AesScheme, UidHidden
from readers.credentials.claim import Claim, RefusalReason
from readers.credentials.native import (
    Instruction,
    NotSupported,
    ProofFailed,
    SecureSession,
    Status,
    native,
    read_whole,
    real_uid,
)
from readers.errors import ReaderError
from readers.reader import Card
from readers.uid import Uid

KIND = "desfire"
APPLICATION_SIZE = 3
MAX_SYSTEM_SIZE = 21
MAX_FILE_SIZE = 240
KEY_COUNT = 14
FILE_COUNT = 32
READ_KEY = "desfire-read"
UID_KEY = "desfire-uid"

SENTENCES = {
    RefusalReason.PROOF_FAILED: "This card could not prove its key. Hold it still and tap again, or use another card.",
    RefusalReason.KEY_MISSING: "This kiosk has no key for this card. Tell the administrator, or use another card.",
    RefusalReason.RANDOM_UID: "This card hides its number and this kiosk may not ask for it. Use another card.",
}


class Messaging(Enum):
    """The ways to authenticate with an AES key."""

    EV1 = "ev1"
    EV2 = "ev2"


@dataclass(frozen=True)
class DesfireApplication:
    """Where a site keeps its identity on its cards. Holds names of keys, no keys.

    `identifier` is the AID's 3 bytes as people write them. `messagings` are tried in turn; a card that does not know
    the first is asked for the next. `uid_key_number` is None where no card has a random UID.
    """

    identifier: bytes
    file_number: int
    file_size: int
    read_key_number: int
    uid_key_number: int | None = None
    system_identifier: bytes = b""
    read_key: str = READ_KEY
    uid_key: str = UID_KEY
    messagings: tuple[Messaging, ...] = (Messaging.EV2, Messaging.EV1)

    def __post_init__(self) -> None:
        numbers = (self.read_key_number, self.uid_key_number or 0)
        if len(self.identifier) != APPLICATION_SIZE or not any(self.identifier):
            raise ReaderError("An application identifier has 3 bytes and is not 000000")
        if not 1 <= self.file_size <= MAX_FILE_SIZE or not 0 <= self.file_number < FILE_COUNT:
            raise ReaderError(f"A file has a number below {FILE_COUNT} and holds 1 to {MAX_FILE_SIZE} bytes")
        if not all(0 <= number < KEY_COUNT for number in numbers):
            raise ReaderError(f"A key's number is below {KEY_COUNT}")
        if len(self.system_identifier) > MAX_SYSTEM_SIZE or not self.messagings:
            raise ReaderError(f"A system identifier has up to {MAX_SYSTEM_SIZE} bytes, and there is a way to ask")

    def diversification(self, uid: Uid) -> bytes:
        """What a card's key is made from: UID, AID and system identifier (AN10922 2.2.1)."""
        return uid.value + self.identifier + self.system_identifier


class DesfireScheme(AesScheme[DesfireApplication]):
    """Asks a DESFire for its site's application, then for a claim on UID and identity file.

    Once the application is there, only its proof counts.
    """

    KIND = KIND
    SENTENCES = SENTENCES

    @property
    def _selection(self) -> Command:
        return select_application(self._layout.identifier)

    @property
    def _selected(self) -> int:
        return Status.OK

    def _prove(self, card: Card, uid: Uid | None) -> Claim:
        application = self._layout
        if uid is None:
            uid = self._hidden_uid(card)
        own = self._keys.diversified(application.read_key, application.diversification(uid))
        session = authenticate(card, application.messagings, application.read_key_number, own, self._random)
        header = file_range(application.file_number, 0, application.file_size)
        identity = session.open_mac(read_whole(card, session.command(Instruction.READ_DATA, header)))
        if len(identity) != application.file_size:
            raise ProofFailed("An identity file of the wrong size")
        return self._claim(subject(uid, identity), uid)

    def _hidden_uid(self, card: Card) -> Uid:
        application = self._layout
        if application.uid_key_number is None:
            raise UidHidden
        shared = self._keys.shared(application.uid_key)
        session = authenticate(card, application.messagings, application.uid_key_number, shared, self._random)
        return real_uid(card, session)


def authenticate(
    card: Card, messagings: Sequence[Messaging], key_number: int, key: bytes, random: Callable[[int], bytes]
) -> SecureSession:
    """A session in the first of those ways that the card knows; raises ProofFailed, also where it knows none."""
    for messaging in messagings:
        way = ev2.authenticate if messaging is Messaging.EV2 else ev1.authenticate
        try:
            return way(card, key_number, key, random)
        except NotSupported:
            continue
    raise ProofFailed("The card knows none of the site's ways to authenticate")


def file_range(number: int, offset: int, size: int) -> bytes:
    """The header of a command on part of a file: number, and offset and size in bytes, last byte first."""
    return bytes((number,)) + offset.to_bytes(3, "little") + size.to_bytes(3, "little")


def select_application(identifier: bytes) -> Command:
    """SelectApplication; the AID goes over the air last byte first."""
    return native(Instruction.SELECT_APPLICATION, identifier[::-1])


def subject(uid: Uid, identity: bytes) -> bytes:
    """What a directory keys on: the real UID (7 bytes) and the identity file after it.

    Either alone can be written twice; together they are one card as this site issued it.
    """
    return uid.value + identity
