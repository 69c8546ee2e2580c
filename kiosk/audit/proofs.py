"""Checking recorded proofs again: what a badge or phone signed at the moment it was tapped.

By the algorithm's name, what a proof holds:
"ecdsa-p256-sha256"         point 04 X Y (65 bytes), r and s (32 each), over the nonce itself
"ecdsa-p384-sha384"         point 04 X Y (97 bytes), r and s (48 each), over the nonce itself
"rsa2048-pkcs1v15-sha256"   DER SubjectPublicKeyInfo (RFC 5280 4.1.2.7), 256 bytes, over the nonce itself
"pkoc-v2-ecdsa-p256-sha256" as the first, over the SHA-256 of the nonce: 16 bytes, and the digest of a certificate (32)
Of every nonce the first 16 bytes were made from the binding.
"""

from collections.abc import Callable
from enum import Enum
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kiosk.audit.record import RecordedProof

NONCE_SIZE: Final = 16
DIGEST_SIZE: Final = 32
RSA_BITS: Final = 2048
UNCOMPRESSED: Final = 0x04


class ProofState(Enum):
    """What checking a proof again found."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN_ALGORITHM = "unknown algorithm"


def check(proof: RecordedProof) -> ProofState:
    """Whether the signature is that key's over that nonce, and the nonce was made from its binding."""
    holds = CHECKS.get(proof.algorithm)
    if holds is None:
        return ProofState.UNKNOWN_ALGORITHM
    if proof.binding and proof.nonce[:NONCE_SIZE] != sha256(proof.binding).digest()[:NONCE_SIZE]:
        return ProofState.FAILS
    try:
        return ProofState.HOLDS if holds(proof) else ProofState.FAILS
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return ProofState.FAILS


def _p256(proof: RecordedProof) -> bool:
    return len(proof.nonce) == NONCE_SIZE and _on_curve(proof, proof.nonce, SECP256R1(), SHA256())


def _p384(proof: RecordedProof) -> bool:
    return len(proof.nonce) == NONCE_SIZE and _on_curve(proof, proof.nonce, SECP384R1(), SHA384())


def _certified(proof: RecordedProof) -> bool:
    whole = len(proof.nonce) == NONCE_SIZE + DIGEST_SIZE
    return whole and _on_curve(proof, sha256(proof.nonce).digest(), SECP256R1(), SHA256())


def _on_curve(proof: RecordedProof, signed: bytes, curve: EllipticCurve, algorithm: HashAlgorithm) -> bool:
    size, point, signature = curve.key_size // 8, proof.public_key, proof.signature
    if len(point) != 1 + 2 * size or point[0] != UNCOMPRESSED or len(signature) != 2 * size:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
    EllipticCurvePublicKey.from_encoded_point(curve, point).verify(encode_dss_signature(r, s), signed, ECDSA(algorithm))
    return True


def _rsa(proof: RecordedProof) -> bool:
    key = load_der_public_key(proof.public_key)
    if len(proof.nonce) != NONCE_SIZE or not isinstance(key, RSAPublicKey) or key.key_size != RSA_BITS:
        return False
    key.verify(proof.signature, proof.nonce, PKCS1v15(), SHA256())
    return True


CHECKS: Final[dict[str, Callable[[RecordedProof], bool]]] = {
    "ecdsa-p256-sha256": _p256,
    "ecdsa-p384-sha384": _p384,
    "rsa2048-pkcs1v15-sha256": _rsa,
    "pkoc-v2-ecdsa-p256-sha256": _certified,
}
