"""MIFARE DESFire with AES keys: mutual authentication, and an identity file read with its MAC.

The key is the card's own, made from the site's key and the UID (AN10922), so one opened card opens no other. A card
with a random UID first tells its real one under a key that all cards share and that can do nothing else.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from readers.apdu import Command
from readers.credentials import ev1, ev2
from readers.credentials.aes_keys import AesKeyStore
from readers.credentials.claim import Assurance, Claim, Refusal, RefusalReason
from readers.credentials.native import (
    Instruction,
    NotSupported,
    ProofFailed,
    SecureSession,
    Status,
    fixed_uid,
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
FINGERPRINT_DIGITS = 16
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


class DesfireScheme:
    """Asks a DESFire for its site's application. Once that is there, only its proof counts."""

    def __init__(
        self,
        application: DesfireApplication,
        keys: AesKeyStore,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`random` makes the reader's half of each challenge."""
        self._application = application
        self._keys = keys
        self._random = random

    @property
    def kind(self) -> str:
        """Its name in claims and in the directory."""
        return KIND

    @property
    def assurance(self) -> Assurance:
        """Card and kiosk answered each other's challenge."""
        return Assurance.AUTHENTICATED

    def may_apply(self, card: Card) -> bool:
        """Any ISO/IEC 14443-4 card may be one: its ATR is its own choice."""
        return card.takes_apdus

    def identify(self, card: Card) -> Claim | Refusal | None:
        """A claim on UID and identity file, a Refusal where the application is there and fails, None where it is not.

        Raises what `card.transmit` raises.
        """
        seen = card.uid
        if card.transmit(select_application(self._application.identifier)).status_word != Status.OK:
            return None
        uid = fixed_uid(seen)
        if uid is None and self._application.uid_key_number is None:
            return _refusal(RefusalReason.RANDOM_UID, seen)
        try:
            return self._prove(card, uid)
        except ProofFailed:
            return _refusal(RefusalReason.PROOF_FAILED, seen)
        except KeyError:
            return _refusal(RefusalReason.KEY_MISSING, seen)

    def _prove(self, card: Card, uid: Uid | None) -> Claim:
        application = self._application
        if uid is None:
            shared = self._keys.shared(application.uid_key)
            uid = real_uid(card, self._authenticate(card, application.uid_key_number or 0, shared))
        own = self._keys.diversified(application.read_key, application.diversification(uid))
        session = self._authenticate(card, application.read_key_number, own)
        identity = session.open_mac(read_whole(card, session.command(Instruction.READ_DATA, self._file())))
        if len(identity) != application.file_size:
            raise ProofFailed("An identity file of the wrong size")
        credential = subject(uid, identity)
        return Claim(KIND, credential, uid, self.assurance, fingerprint(credential))

    def _authenticate(self, card: Card, key_number: int, key: bytes) -> SecureSession:
        for messaging in self._application.messagings:
            authenticate = ev2.authenticate if messaging is Messaging.EV2 else ev1.authenticate
            try:
                return authenticate(card, key_number, key, self._random)
            except NotSupported:
                continue
        raise ProofFailed("The card knows none of the site's ways to authenticate")

    def _file(self) -> bytes:
        application = self._application
        size = application.file_size.to_bytes(3, "little")
        return bytes((application.file_number,)) + bytes(3) + size


def select_application(identifier: bytes) -> Command:
    """SelectApplication; the AID goes over the air last byte first."""
    return native(Instruction.SELECT_APPLICATION, identifier[::-1])


def subject(uid: Uid, identity: bytes) -> bytes:
    """What a directory keys on: the real UID (7 bytes) and the identity file after it.

    Either alone can be written twice; together they are one card as this site issued it.
    """
    return uid.value + identity


def fingerprint(credential: bytes) -> str:
    """The short public form, such as "desfire:9f2c51d07a3b4e6d": for people, not for matching."""
    return f"{KIND}:{hashlib.sha256(credential).hexdigest()[:FINGERPRINT_DIGITS]}"


def _refusal(reason: RefusalReason, uid: Uid | None) -> Refusal:
    return Refusal(reason, SENTENCES[reason], KIND, uid)
