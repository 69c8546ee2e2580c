"""PKOC over NFC, profile SE V1 (PSIA PKOC NFC Card Specification 1.1): the phone signs a nonce with its P-256 key.

The signature covers the nonce only, not the reader: the nonce is fresh, redeemed once and short-lived, and a relay
remains possible. The credential is the public key; a directory keys on all of it, never on a truncation.
"""

import hashlib
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from readers.apdu import OK, Command, Response
from readers.credentials.challenge import LIFETIME, Challenge, Challenges
from readers.credentials.claim import Assurance, Claim, NonceSource, Proof, Refusal, RefusalReason
from readers.errors import ReaderError, TlvError
from readers.reader import Card
from readers.tlv import build, find, parse
from readers.uid import Uid

KIND = "pkoc"
ALGORITHM = "ecdsa-p256-sha256"
AID = bytes.fromhex("A000000898000001")
SELECT = Command(0x00, 0xA4, 0x04, 0x00, AID, le=0)
VERSION_1 = bytes.fromhex("0100")

TAG_VERSION = 0x5C
TAG_NONCE = 0x4C
TAG_READER = 0x4D
TAG_PUBLIC_KEY = 0x5A
TAG_SIGNATURE = 0x9E

READER_SIZE = 32
KEY_SIZE = 65
COORDINATE_SIZE = 32
SIGNATURE_SIZE = 64
FINGERPRINT_DIGITS = 16

PROOF_FAILED = "This phone could not prove its key. Unlock it and tap again, or use a card."
UNKNOWN_VERSION = "This phone speaks a version of PKOC that this kiosk does not know. Use a card."
NONSENSE = "This phone gave an answer that makes no sense. Tap again or use a card."


class PkocScheme:
    """Asks a phone's PKOC applet for a signature. Once the applet is there, only its proof counts."""

    def __init__(
        self,
        nonces: NonceSource,
        monotonic: Callable[[], float],
        reader_identifier: bytes = bytes(READER_SIZE),
        lifetime: float = LIFETIME,
    ) -> None:
        """`reader_identifier`: 16 bytes of the site and 16 of the reader. `lifetime` of a nonce in seconds."""
        if len(reader_identifier) != READER_SIZE:
            raise ReaderError(f"Site and reader identifier have {READER_SIZE} bytes together")
        self._challenges = Challenges(nonces, monotonic, lifetime)
        self._reader_identifier = reader_identifier

    @property
    def kind(self) -> str:
        """Its name in claims and in the directory."""
        return KIND

    @property
    def assurance(self) -> Assurance:
        """The phone answered a challenge."""
        return Assurance.AUTHENTICATED

    def may_apply(self, card: Card) -> bool:
        """Any ISO/IEC 14443-4 card may be one: the ATR tells nothing more."""
        return card.takes_apdus

    def identify(self, card: Card) -> Claim | Refusal | None:
        """A claim on the public key, a Refusal where the applet is there and fails, None where it is not.

        Raises what `card.transmit` raises, and TimeSpent for a signature that came too late.
        """
        selected = card.transmit(SELECT)
        if selected.status_word != OK or not selected.data:
            return None
        try:
            versions = find(parse(selected.data), TAG_VERSION)
        except TlvError:
            return Refusal(RefusalReason.MISBEHAVED, NONSENSE, KIND, card.uid)
        if versions is None:
            return None
        if VERSION_1 not in {versions[i : i + 2] for i in range(0, len(versions), 2)}:
            return Refusal(RefusalReason.MISBEHAVED, UNKNOWN_VERSION, KIND, card.uid)
        challenge, response = self._authenticate(card)
        if response.status_word != OK:
            return Refusal(RefusalReason.PROOF_FAILED, PROOF_FAILED, KIND, card.uid)
        try:
            public_key, signature = _key_and_signature(response.data)
        except TlvError:
            return Refusal(RefusalReason.MISBEHAVED, NONSENSE, KIND, card.uid)
        return self._verify(challenge, public_key, signature, card.uid)

    def _authenticate(self, card: Card) -> tuple[Challenge, Response]:
        """Some applets refuse Le: those get another nonce without it, for a nonce is never sent twice."""
        challenge = self._challenges.issue()
        response = card.transmit(authenticate(challenge.value, self._reader_identifier, le=0))
        if response.status_word >> 8 == 0x67 or response.status_word == 0x6F00:
            challenge = self._challenges.issue()
            response = card.transmit(authenticate(challenge.value, self._reader_identifier, le=None))
        return challenge, response

    def _verify(self, challenge: Challenge, public_key: bytes, signature: bytes, uid: Uid | None) -> Claim | Refusal:
        nonce = challenge.redeem()
        if not is_signed(nonce.value, public_key, signature):
            return Refusal(RefusalReason.PROOF_FAILED, PROOF_FAILED, KIND, uid)
        proof = Proof(ALGORITHM, nonce.value, signature, public_key, nonce.binding)
        return Claim(KIND, public_key, uid, self.assurance, fingerprint(public_key), proof)


def authenticate(nonce: bytes, reader_identifier: bytes, le: int | None) -> Command:
    """The AUTHENTICATE command: version, nonce, and who is asking."""
    data = build(TAG_VERSION, VERSION_1) + build(TAG_NONCE, nonce) + build(TAG_READER, reader_identifier)
    return Command(0x80, 0x80, 0x00, 0x01, data, le)


def is_signed(nonce: bytes, public_key: bytes, signature: bytes) -> bool:
    """True where `signature` (r and s, 32 bytes each) is that of `public_key` (04, X, Y on P-256) over `nonce`.

    This is all that is needed to check a `Proof` again years later.
    """
    if len(public_key) != KEY_SIZE or public_key[0] != 0x04 or len(signature) != SIGNATURE_SIZE:
        return False
    r, s = (int.from_bytes(part, "big") for part in (signature[:COORDINATE_SIZE], signature[COORDINATE_SIZE:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        key.verify(encode_dss_signature(r, s), nonce, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def fingerprint(public_key: bytes) -> str:
    """The short public form of a key, such as "pkoc:9f2c51d07a3b4e6d": for people, not for matching."""
    return f"{KIND}:{hashlib.sha256(public_key).hexdigest()[:FINGERPRINT_DIGITS]}"


def credential(public_key: bytes) -> bytes:
    """The PKOC credential: the key's X coordinate, 32 bytes (PKOC Core 2.0.1, 4.7); raises ReaderError."""
    if len(public_key) != KEY_SIZE or public_key[0] != 0x04:
        raise ReaderError("A PKOC key is an uncompressed P-256 point")
    return public_key[1 : 1 + COORDINATE_SIZE]


def derived_identifier(public_key: bytes, size: int) -> bytes:
    """The rightmost `size` bytes (8 to 32) of the credential, as older panels keep it; raises ReaderError.

    For finding a person in an access system's export, never for deciding who taps.
    """
    if not 8 <= size <= COORDINATE_SIZE:
        raise ReaderError("A derived identifier has 8 to 32 bytes")
    return credential(public_key)[-size:]


def _key_and_signature(data: bytes) -> tuple[bytes, bytes]:
    """Both values of the answer, in either order; raises TlvError where one is missing, doubled or misshapen."""
    objects = parse(data)
    keys = [item.value for item in objects if item.tag == TAG_PUBLIC_KEY]
    signatures = [item.value for item in objects if item.tag == TAG_SIGNATURE]
    if len(keys) != 1 or len(signatures) != 1:
        raise TlvError("One key and one signature were expected")
    if len(keys[0]) != KEY_SIZE or len(signatures[0]) != SIGNATURE_SIZE:
        raise TlvError("A key or a signature of the wrong size")
    return keys[0], signatures[0]
