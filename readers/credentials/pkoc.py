"""PKOC over NFC: the phone or card signs a nonce with its P-256 key. One SELECT, then one of two profiles.

SE V1 (PSIA PKOC NFC Card Specification 1.1) is here, SE V2 with a certificate in `pkoc2`. Where the site has issuers of
certificates, a card that speaks both is asked for its certificate, and nothing falls back from there.

A signature of SE V1 covers the nonce only, not the reader: the nonce is fresh, redeemed once and short-lived, and a
relay remains possible. The credential is the public key; a directory keys on all of it, never on a truncation.
"""

import hashlib
from collections.abc import Callable

from readers.apdu import OK, Command, Response
from readers.credentials import card_keys
from readers.credentials.challenge import LIFETIME, Challenge, Challenges
from readers.credentials.claim import Assurance, Claim, NonceSource, Proof, Refusal, RefusalReason
from readers.credentials.cvc_issuers import CvcIssuers
from readers.credentials.pkoc2 import VERSION_2, CertifiedPkoc, refuse
from readers.errors import ReaderError, TlvError
from readers.reader import Card
from readers.tlv import build, find, parse
from readers.uid import Uid

KIND = "pkoc"
ALGORITHM = card_keys.P256_NAME
AID = bytes.fromhex("A000000898000001")
SELECT = Command(0x00, 0xA4, 0x04, 0x00, AID, le=0)
GET_INFORMATION = Command(0x00, 0xCA, 0x7F, 0x63, le=0)
VERSION_1 = bytes.fromhex("0100")
VERSION_SIZE = 2

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
    """Asks the PKOC applet of a phone or card for a signature. Once the applet is there, only its proof counts."""

    def __init__(
        self,
        nonces: NonceSource,
        monotonic: Callable[[], float],
        reader_identifier: bytes = bytes(READER_SIZE),
        lifetime: float = LIFETIME,
        issuers: CvcIssuers | None = None,
    ) -> None:
        """`reader_identifier`: 16 bytes of the site and 16 of the reader. `lifetime` of a nonce in seconds.

        `issuers`, open, are those whose certificates count; None where the site has none, and only SE V1 is spoken.
        """
        if len(reader_identifier) != READER_SIZE:
            raise ReaderError(f"Site and reader identifier have {READER_SIZE} bytes together")
        self._challenges = Challenges(nonces, monotonic, lifetime)
        self._certified = None if issuers is None else CertifiedPkoc(issuers, self._challenges)
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

        `card` follows 61xx. Raises what `card.transmit` raises, and TimeSpent for a signature that came too late.
        """
        selected = card.transmit(SELECT)
        if selected.status_word != OK or not selected.data:
            return None
        try:
            versions = versions_in(selected.data)
            if versions and self._certified is not None:
                versions |= self._further_versions(card)
        except TlvError:
            return Refusal(RefusalReason.MISBEHAVED, NONSENSE, KIND, card.uid)
        if not versions:
            return None
        if VERSION_2 in versions and self._certified is not None:
            return self._certified.identify(card)
        if VERSION_1 in versions:
            return self._identify(card)
        if VERSION_2 in versions:
            return refuse(RefusalReason.UNKNOWN_ISSUER, card)
        return Refusal(RefusalReason.MISBEHAVED, UNKNOWN_VERSION, KIND, card.uid)

    def _further_versions(self, card: Card) -> frozenset[bytes]:
        """What the card says beyond its answer to SELECT: phones name SE V1 there, and SE V2 only when asked."""
        information = card.transmit(GET_INFORMATION)
        return versions_in(information.data) if information.status_word == OK else frozenset()

    def _identify(self, card: Card) -> Claim | Refusal:
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


def versions_in(data: bytes) -> frozenset[bytes]:
    """The versions, two bytes each, that an answer to SELECT or GET DATA names; raises TlvError."""
    named = find(parse(data), TAG_VERSION) or b""
    return frozenset(named[start : start + VERSION_SIZE] for start in range(0, len(named), VERSION_SIZE))


def authenticate(nonce: bytes, reader_identifier: bytes, le: int | None) -> Command:
    """The AUTHENTICATE command: version, nonce, and who is asking."""
    data = build(TAG_VERSION, VERSION_1) + build(TAG_NONCE, nonce) + build(TAG_READER, reader_identifier)
    return Command(0x80, 0x80, 0x00, 0x01, data, le)


def is_signed(nonce: bytes, public_key: bytes, signature: bytes) -> bool:
    """True where `signature` (r and s, 32 bytes each) is that of `public_key` (04, X, Y on P-256) over `nonce`.

    This is all that is needed to check a `Proof` again years later.
    """
    return card_keys.is_signed(ALGORITHM, nonce, public_key, signature)


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
