"""NTAG 424 DNA with its own AES key: AuthenticateEV2First, then the UID told inside the session (AN12196 5.6, 6.3)."""

from dataclasses import dataclass

from readers.apdu import OK, Command
from readers.credentials import ev2
from readers.credentials.aes_scheme import AesScheme
from readers.credentials.claim import Claim, RefusalReason
from readers.credentials.native import NotSupported, ProofFailed, real_uid, require_equal
from readers.errors import ReaderError
from readers.reader import Card
from readers.uid import Uid

KIND = "ntag424"
SELECT = Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("D2760000850101"), le=0)
KEY_COUNT = 5
MAX_SYSTEM_SIZE = 24
OWN_KEY = "ntag424"
UID_KEY = "ntag424-uid"

SENTENCES = {
    RefusalReason.PROOF_FAILED: "This tag could not prove its key. Hold it still and tap again, or use another one.",
    RefusalReason.KEY_MISSING: "This kiosk has no key for this tag. Tell the administrator, or use another one.",
}


@dataclass(frozen=True)
class Ntag424Keys:
    """Which of a tag's five keys a site uses, and what they are called at home. Holds no keys.

    `uid_key_number` is None where no tag has a random UID. `system_identifier` follows the UID in the diversification
    input (AN10922).
    """

    key_number: int = 0
    uid_key_number: int | None = None
    system_identifier: bytes = b""
    own_key: str = OWN_KEY
    uid_key: str = UID_KEY

    def __post_init__(self) -> None:
        if not all(0 <= number < KEY_COUNT for number in (self.key_number, self.uid_key_number or 0)):
            raise ReaderError(f"A key's number is below {KEY_COUNT}")
        if len(self.system_identifier) > MAX_SYSTEM_SIZE:
            raise ReaderError(f"A system identifier has up to {MAX_SYSTEM_SIZE} bytes")

    def diversification(self, uid: Uid) -> bytes:
        """What a tag's key is made from."""
        return uid.value + self.system_identifier


class Ntag424Scheme(AesScheme[Ntag424Keys]):
    """Authenticates a tag. Once it offers a challenge, only its proof counts.

    Any NFC Forum Type 4 tag has the application that is selected; one without a challenge is another card.
    """

    KIND = KIND
    SENTENCES = SENTENCES

    @property
    def _selection(self) -> Command:
        return SELECT

    @property
    def _selected(self) -> int:
        return OK

    def _prove(self, card: Card, uid: Uid | None) -> Claim:
        if uid is not None:
            return self._prove_own(card, uid)
        hidden = self._hidden_uid(card)
        try:
            return self._prove_own(card, hidden)
        except NotSupported:  # it was asked the same before, and knew how
            raise ProofFailed("The tag left off half-way") from None

    def _prove_own(self, card: Card, uid: Uid) -> Claim:
        own = self._keys.diversified(self._layout.own_key, self._layout.diversification(uid))
        session = ev2.authenticate(card, self._layout.key_number, own, self._random)
        require_equal(real_uid(card, session).value, uid.value, "The UID told in the session")
        return self._claim(uid.value, uid)

    def _hidden_uid(self, card: Card) -> Uid:
        number = self._layout.uid_key_number
        if number is None:
            raise NotSupported("The site has no tags with random UIDs")
        shared = self._keys.shared(self._layout.uid_key)
        return real_uid(card, ev2.authenticate(card, number, shared, self._random))
