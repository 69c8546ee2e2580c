"""PKOC over NFC, profile SE V2 (NFC Transport Profile 2.0.1, 6.2 and 8): the key comes with its issuer's certificate.

The certificate is checked before the card is asked to sign: what its issuer does not stand behind, proves nothing. Once
a card has shown a certificate nothing falls back to SE V1. Claims are of another kind than those of SE V1, so that a
card enrolled with its certificate is unknown when it leaves the certificate out.

What a `Proof` of the algorithm "pkoc-v2-ecdsa-p256-sha256" holds: `nonce`, the 16 bytes of the nonce source and the
SHA-256 of the certificate as it came (7F21), 48 bytes together; `binding`, what those 16 were made from; `signature` r
and s (64 bytes) of `public_key` 04, X, Y (65 bytes) over the challenge that the card was sent, SHA-256 of all 48.
"""

import hashlib

from readers.apdu import OK, Command
from readers.credentials.card_keys import P256_NAME, is_signed
from readers.credentials.challenge import Challenges
from readers.credentials.claim import Assurance, Claim, Proof, Refusal, RefusalReason
from readers.credentials.cvc import CardVerifiableCertificate
from readers.credentials.cvc_issuers import CvcIssuers
from readers.errors import TlvError
from readers.reader import Card
from readers.tlv import parse

KIND = "pkoc-v2"
ALGORITHM = "pkoc-v2-ecdsa-p256-sha256"
VERSION_2 = bytes.fromhex("0200")
GET_CERTIFICATE = Command(0x00, 0xCA, 0x7F, 0x21, le=0)
TAG_SIGNATURE = 0x9E
SIGNATURE_SIZE = 64
FINGERPRINT_DIGITS = 16

SENTENCES = {
    RefusalReason.PROOF_FAILED: "This card or phone could not prove its key. Unlock it and tap again.",
    RefusalReason.MISBEHAVED: "This card or phone gave an answer that makes no sense. Tap again or use another card.",
    RefusalReason.UNKNOWN_ISSUER: "This card or phone was not issued by anybody that this kiosk knows. Use another.",
    RefusalReason.FORGED_CERTIFICATE: "This card's certificate was not signed by its issuer. Use another card.",
    RefusalReason.UNFIT_CERTIFICATE: "This card's certificate is of a kind that this kiosk does not take. Use another.",
    RefusalReason.EXPIRED: "The certificate of this card or phone has expired. Ask for a new one.",
    RefusalReason.NOT_YET_VALID: "The certificate of this card or phone is not valid yet. Come back later.",
}


class CertifiedPkoc:
    """The second version's half of `PkocScheme`, once the applet is selected and has said that it speaks it."""

    def __init__(self, issuers: CvcIssuers, challenges: Challenges) -> None:
        """`issuers` is open."""
        self._issuers = issuers
        self._challenges = challenges

    def identify(self, card: Card) -> Claim | Refusal:
        """A claim on the certified key, else why there is none. `card` follows 61xx.

        Raises what `card.transmit` raises, and TimeSpent for a signature that came too late.
        """
        answer = card.transmit(GET_CERTIFICATE)
        if answer.status_word != OK:
            return refuse(RefusalReason.PROOF_FAILED, card)
        try:
            certificate = CardVerifiableCertificate.parse(answer.data)
        except TlvError:
            return refuse(RefusalReason.MISBEHAVED, card)
        reason = self._issuers.judge(certificate)
        if reason is not None:
            return refuse(reason, card)
        return self._prove(card, certificate.public_key, hashlib.sha256(answer.data).digest())

    def _prove(self, card: Card, public_key: bytes, digest: bytes) -> Claim | Refusal:
        challenge = self._challenges.issue()
        response = card.transmit(internal_authenticate(expanded(challenge.value + digest)))
        if response.status_word != OK:
            return refuse(RefusalReason.PROOF_FAILED, card)
        try:
            signature = _signature_in(response.data)
        except TlvError:
            return refuse(RefusalReason.MISBEHAVED, card)
        nonce = challenge.redeem()
        proof = Proof(ALGORITHM, nonce.value + digest, signature, public_key, nonce.binding)
        if not is_proved(proof):
            return refuse(RefusalReason.PROOF_FAILED, card)
        return Claim(KIND, public_key, card.uid, Assurance.AUTHENTICATED, fingerprint(public_key), proof)


def internal_authenticate(challenge: bytes) -> Command:
    """INTERNAL AUTHENTICATE: the card signs these 32 bytes."""
    return Command(0x00, 0x88, 0x00, 0x00, challenge, le=0)


def expanded(nonce: bytes) -> bytes:
    """The 32 bytes that the card is sent for a proof's nonce: one challenge, made from trail and certificate."""
    return hashlib.sha256(nonce).digest()


def is_proved(proof: Proof) -> bool:
    """True where the signature of a recorded proof is its key's over its challenge."""
    return is_signed(P256_NAME, expanded(proof.nonce), proof.public_key, proof.signature)


def fingerprint(public_key: bytes) -> str:
    """The short public form of a key, such as "pkoc-v2:9f2c51d07a3b4e6d": for people, not for matching."""
    return f"{KIND}:{hashlib.sha256(public_key).hexdigest()[:FINGERPRINT_DIGITS]}"


def refuse(reason: RefusalReason, card: Card) -> Refusal:
    """The refusal of a card that speaks this version."""
    return Refusal(reason, SENTENCES[reason], KIND, card.uid)


def _signature_in(data: bytes) -> bytes:
    objects = parse(data)
    if len(objects) != 1 or objects[0].tag != TAG_SIGNATURE or len(objects[0].value) != SIGNATURE_SIZE:
        raise TlvError("One signature was expected")
    return objects[0].value
