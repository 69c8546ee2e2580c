"""Checking recorded proofs again: what a badge or phone signed at the moment it was tapped."""

from enum import Enum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from kiosk.audit.record import RecordedProof

ECDSA_P256_SHA256: Final = "ecdsa-p256-sha256"
NONCE_SIZE: Final = 16
POINT_SIZE: Final = 65
SIGNATURE_SIZE: Final = 64


class ProofState(Enum):
    """What checking a proof again found."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN_ALGORITHM = "unknown algorithm"


def check(proof: RecordedProof) -> ProofState:
    """Whether the signature is that key's over that nonce, and the nonce was made from its binding."""
    if proof.algorithm != ECDSA_P256_SHA256:
        return ProofState.UNKNOWN_ALGORITHM
    if proof.binding and proof.nonce != sha256(proof.binding).digest()[:NONCE_SIZE]:
        return ProofState.FAILS
    if len(proof.public_key) != POINT_SIZE or len(proof.signature) != SIGNATURE_SIZE:
        return ProofState.FAILS
    r, s = (int.from_bytes(half, "big") for half in (proof.signature[:32], proof.signature[32:]))
    try:
        key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), proof.public_key)
        key.verify(encode_dss_signature(r, s), proof.nonce, ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return ProofState.FAILS
    return ProofState.HOLDS
