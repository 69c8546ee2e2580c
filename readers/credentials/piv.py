"""PIV's card authentication key, slot 9E (SP 800-73pt1-5, pt2-5): the contactless key that needs no PIN.

The certificate is checked before the card is asked to sign: what its authority does not stand behind, proves nothing.
A subject is the SHA-256 of what the authority calls the card, so that a renewed certificate stays the same credential:
the card's UUID (RFC 4122 URI), else its FASC-N, else, where it names neither, of the certificate's public key. A FASC-N
of agency 9999 is no name: every PIV-I card carries the same one.
"""

import hashlib
import zlib
from collections.abc import Callable
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from readers.apdu import OK, Command, Response
from readers.credentials.card_keys import CardKey, card_key, is_signed
from readers.credentials.certificates import UNREADABLE, CertificateFault, SiteAuthority
from readers.credentials.challenge import LIFETIME, Challenges
from readers.credentials.claim import Assurance, Claim, NonceSource, Proof, Refusal, RefusalReason
from readers.errors import TlvError
from readers.reader import Card
from readers.tlv import build, find, parse, parse_flat

KIND = "piv"
AID = bytes.fromhex("A00000030800001000")
SELECT = Command(0x00, 0xA4, 0x04, 0x00, AID, le=0)
CERTIFICATE = bytes.fromhex("5FC101")
GET_CERTIFICATE = Command(0x00, 0xCB, 0x3F, 0xFF, bytes.fromhex("5C03") + CERTIFICATE, le=0)
CARD_AUTHENTICATION_KEY = 0x9E
GENERAL_AUTHENTICATE = 0x87
CHAINED = 0x10
LARGEST_PART = 255
NOT_FOUND = 0x6A82

TAG_APPLICATION = 0x61
TAG_DATA = 0x53
TAG_CERTIFICATE = 0x70
TAG_INFORMATION = 0x71
TAG_TEMPLATE = 0x7C
TAG_CHALLENGE = 0x81
TAG_RESPONSE = 0x82

IS_COMPRESSED = 0x01
GZIP = 31
LARGEST_CERTIFICATE = 16_384
FASC_N = x509.ObjectIdentifier("2.16.840.1.101.3.6.6")
FASC_N_HEAD = bytes.fromhex("0419")
FASC_N_SIZE = 25
AGENCY_9999 = 0b11010_10011_10011_10011_10011
UUID_SCHEME = "urn:uuid:"
FINGERPRINT_DIGITS = 16

SENTENCES = {
    RefusalReason.PROOF_FAILED: "This card could not prove its key. Tap again or use another card.",
    RefusalReason.MISBEHAVED: "This card gave an answer that makes no sense. Tap again or use another card.",
    RefusalReason.UNKNOWN_ISSUER: "This card was not issued by an authority that this kiosk knows. Use another card.",
    RefusalReason.UNFIT_CERTIFICATE: "This card's certificate is not meant for tapping a reader. Use another card.",
    RefusalReason.EXPIRED: "This card has expired. Ask for a new one.",
    RefusalReason.NOT_YET_VALID: "This card is not valid yet. Come back later or use another card.",
    RefusalReason.REVOKED: "This card has been revoked. Ask for a new one.",
    RefusalReason.REVOCATION_UNKNOWN: "The list of revoked cards is missing or out of date. Tell your administrator.",
}
REASONS = {
    CertificateFault.UNKNOWN_ISSUER: RefusalReason.UNKNOWN_ISSUER,
    CertificateFault.UNFIT: RefusalReason.UNFIT_CERTIFICATE,
    CertificateFault.EXPIRED: RefusalReason.EXPIRED,
    CertificateFault.NOT_YET_VALID: RefusalReason.NOT_YET_VALID,
    CertificateFault.REVOKED: RefusalReason.REVOKED,
    CertificateFault.REVOCATION_UNKNOWN: RefusalReason.REVOCATION_UNKNOWN,
}


class PivScheme:
    """Asks a PIV card for its certificate and for a signature with the key in it."""

    def __init__(
        self,
        authority: SiteAuthority,
        nonces: NonceSource,
        monotonic: Callable[[], float],
        lifetime: float = LIFETIME,
    ) -> None:
        """`authority` is open. `lifetime` of a nonce in seconds."""
        self._authority = authority
        self._challenges = Challenges(nonces, monotonic, lifetime)

    @property
    def kind(self) -> str:
        """Its name in claims and in the directory."""
        return KIND

    @property
    def assurance(self) -> Assurance:
        """The card answered a challenge."""
        return Assurance.AUTHENTICATED

    def may_apply(self, card: Card) -> bool:
        """Any ISO/IEC 14443-4 card may be one."""
        return card.takes_apdus

    def identify(self, card: Card) -> Claim | Refusal | None:
        """A claim on the card's name, a Refusal where it has a certificate and fails, None where it has none.

        `card` follows 61xx. Raises what `card.transmit` raises, and TimeSpent for a signature that came too late.
        """
        selected = card.transmit(SELECT)
        if selected.status_word != OK or not selected.data:
            return None
        try:
            if find(parse(selected.data), TAG_APPLICATION) is None:
                return None
            answer = card.transmit(GET_CERTIFICATE)
            if answer.status_word == NOT_FOUND:
                return None
            if answer.status_word != OK:
                return _refuse(RefusalReason.PROOF_FAILED, card)
            certificate = certificate_in(answer.data)
        except TlvError:
            return _refuse(RefusalReason.MISBEHAVED, card)
        return None if certificate is None else self._prove(card, certificate)

    def _prove(self, card: Card, certificate: x509.Certificate) -> Claim | Refusal:
        fault = self._authority.judge(certificate)
        if fault is not None:
            return _refuse(REASONS[fault], card)
        try:
            key, subject = card_key(certificate.public_key()), subject_of(certificate)
        except UNREADABLE:
            return _refuse(RefusalReason.UNFIT_CERTIFICATE, card)
        if key is None:
            return _refuse(RefusalReason.UNFIT_CERTIFICATE, card)
        challenge = self._challenges.issue()
        response = _authenticate(card, key, challenge.value)
        if response.status_word != OK:
            return _refuse(RefusalReason.PROOF_FAILED, card)
        try:
            signature = key.signature(_signature_in(response.data))
        except (TlvError, ValueError):
            return _refuse(RefusalReason.MISBEHAVED, card)
        nonce = challenge.redeem()
        if not is_signed(key.name, nonce.value, key.public_bytes, signature):
            return _refuse(RefusalReason.PROOF_FAILED, card)
        proof = Proof(key.name, nonce.value, signature, key.public_bytes, nonce.binding)
        return Claim(KIND, subject, card.uid, self.assurance, fingerprint(subject), proof)


def certificate_in(data: bytes) -> x509.Certificate | None:
    """The certificate of a data object (SP 800-73pt1-5 table 42), inflated where it says so; None for an empty one.

    Raises TlvError for anything else.
    """
    content = next((item.value for item in parse_flat(data) if item.tag == TAG_DATA), None)
    if content is None:
        raise TlvError("Not a PIV data object")
    objects = {item.tag: item.value for item in parse_flat(content)}
    encoded, information = objects.get(TAG_CERTIFICATE, b""), objects.get(TAG_INFORMATION, b"\x00")
    if not encoded:
        return None
    if information[:1] == bytes((IS_COMPRESSED,)):
        encoded = _inflated(encoded)
    if len(encoded) > LARGEST_CERTIFICATE:
        raise TlvError("Larger than any card's certificate")
    try:
        return x509.load_der_x509_certificate(encoded)
    except UNREADABLE:
        raise TlvError("Not a certificate") from None


def subject_of(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the card's UUID, of its FASC-N, or of its SubjectPublicKeyInfo: the first there is. 32 bytes."""
    return hashlib.sha256(_name(certificate)).digest()


def fingerprint(subject: bytes) -> str:
    """The short public form of a card's name, such as "piv:9f2c51d07a3b4e6d": for people, not for matching."""
    return f"{KIND}:{subject.hex()[:FINGERPRINT_DIGITS]}"


def authenticate(reference: int, challenge: bytes) -> tuple[Command, ...]:
    """GENERAL AUTHENTICATE with the card authentication key (SP 800-73pt2-5 3.2.4), chained where it is long.

    Chaining and not extended length: every PIV card must know it, and short readers let it through.
    """
    template = build(TAG_TEMPLATE, build(TAG_RESPONSE, b"") + build(TAG_CHALLENGE, challenge))
    parts = [template[start : start + LARGEST_PART] for start in range(0, len(template), LARGEST_PART)]
    head = (GENERAL_AUTHENTICATE, reference, CARD_AUTHENTICATION_KEY)
    return (*(Command(CHAINED, *head, part) for part in parts[:-1]), Command(0x00, *head, parts[-1], le=0))


def _authenticate(card: Card, key: CardKey, nonce: bytes) -> Response:
    """The answer to the last part, or to the first one that the card refuses."""
    *chained, last = authenticate(key.reference, key.challenge(nonce))
    for command in chained:
        response = card.transmit(command)
        if response.status_word != OK:
            return response
    return card.transmit(last)


def _signature_in(data: bytes) -> bytes:
    templates = [item for item in parse(data) if item.tag == TAG_TEMPLATE]
    signatures = [item.value for template in templates for item in template.children if item.tag == TAG_RESPONSE]
    if len(signatures) != 1:
        raise TlvError("One signature was expected")
    return signatures[0]


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj(GZIP)
    try:
        inflated = inflate.decompress(data, LARGEST_CERTIFICATE)
    except zlib.error:
        raise TlvError("A certificate that cannot be inflated") from None
    if not inflate.eof:
        raise TlvError("A certificate that inflates without end")
    return inflated


def _name(certificate: x509.Certificate) -> bytes:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    for text in names.get_values_for_type(x509.UniformResourceIdentifier):
        if text.lower().startswith(UUID_SCHEME):
            return UUID(text[len(UUID_SCHEME) :]).bytes
    for other in names.get_values_for_type(x509.OtherName):
        if other.type_id == FASC_N and other.value[:2] == FASC_N_HEAD and len(other.value) == 2 + FASC_N_SIZE:
            number = other.value[2:]
            if int.from_bytes(number[:4], "big") >> 7 != AGENCY_9999:
                return number
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _refuse(reason: RefusalReason, card: Card) -> Refusal:
    return Refusal(reason, SENTENCES[reason], KIND, card.uid)
