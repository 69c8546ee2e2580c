"""The public keys that a PIV card may answer with, and the signatures that can be checked again years later.

What a `Proof` holds, by its algorithm's name; the signature always covers the 16-byte nonce itself:
"ecdsa-p256-sha256"        `public_key` 04, X, Y (65 bytes); `signature` r and s, 32 bytes each
"ecdsa-p384-sha384"        `public_key` 04, X, Y (97 bytes); `signature` r and s, 48 bytes each
"rsa2048-pkcs1v15-sha256"  `public_key` a DER SubjectPublicKeyInfo (RFC 5280 4.1.2.7); `signature` 256 bytes
"""

from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

P256_NAME = "ecdsa-p256-sha256"
RSA_BITS = 2048
RSA_EXPONENT = 65537
RSA_NAME = "rsa2048-pkcs1v15-sha256"
SHA256_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")


class CardKey(Protocol):
    """One public key: how its card is asked (SP 800-78-5 table 6-2), and how the answer is kept."""

    @property
    def name(self) -> str:
        """The algorithm's name in a proof."""

    @property
    def reference(self) -> int:
        """The algorithm reference of GENERAL AUTHENTICATE: 07, 11 or 14."""

    @property
    def public_bytes(self) -> bytes:
        """The key as a proof keeps it."""

    def challenge(self, nonce: bytes) -> bytes:
        """What the card's private key is applied to."""

    def signature(self, answer: bytes) -> bytes:
        """The card's answer as a proof keeps it; raises ValueError for one that is no signature."""


@dataclass(frozen=True)
class Curve:
    """A NIST curve, the hash that goes with it, and its coordinates' size in bytes."""

    name: str
    reference: int
    curve: ec.EllipticCurve
    algorithm: hashes.HashAlgorithm
    size: int


CURVES = (
    Curve(P256_NAME, 0x11, ec.SECP256R1(), hashes.SHA256(), 32),
    Curve("ecdsa-p384-sha384", 0x14, ec.SECP384R1(), hashes.SHA384(), 48),
)


class EllipticCurveKey:
    """A key on P-256 or P-384. The card signs the nonce's hash."""

    def __init__(self, key: ec.EllipticCurvePublicKey, curve: Curve) -> None:
        self._key = key
        self._curve = curve

    @property
    def name(self) -> str:
        """The algorithm's name in a proof."""
        return self._curve.name

    @property
    def reference(self) -> int:
        """11 for P-256, 14 for P-384."""
        return self._curve.reference

    @property
    def public_bytes(self) -> bytes:
        """The uncompressed point."""
        return self._key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def challenge(self, nonce: bytes) -> bytes:
        """The nonce's hash, as long as a coordinate."""
        return _digest(self._curve.algorithm, nonce)

    def signature(self, answer: bytes) -> bytes:
        """r and s out of the card's DER (SP 800-73pt2-5 3.2.4); raises ValueError."""
        r, s = decode_dss_signature(answer)
        if max(r, s).bit_length() > self._curve.size * 8:
            raise ValueError("Larger than the curve")
        return r.to_bytes(self._curve.size, "big") + s.to_bytes(self._curve.size, "big")


class RsaKey:
    """A key of 2048 bits and the exponent 65537. The card applies it to a block that is padded here (RFC 8017 9.2)."""

    name = RSA_NAME
    reference = 0x07

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        self._key = key

    @property
    def public_bytes(self) -> bytes:
        """The SubjectPublicKeyInfo."""
        return self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def challenge(self, nonce: bytes) -> bytes:
        """EMSA-PKCS1-v1_5 with SHA-256, 256 bytes."""
        information = SHA256_DIGEST_INFO + _digest(hashes.SHA256(), nonce)
        return b"\x00\x01" + b"\xff" * (RSA_BITS // 8 - 3 - len(information)) + b"\x00" + information

    def signature(self, answer: bytes) -> bytes:
        """The answer as it is; raises ValueError for another size."""
        if len(answer) != RSA_BITS // 8:
            raise ValueError("Not as long as the key")
        return answer


def card_key(key: PublicKeyTypes) -> CardKey | None:
    """The key as a card's; None for one that PIV cards of today do not use, or too weak a one."""
    if isinstance(key, rsa.RSAPublicKey):
        return RsaKey(key) if _is_strong(key) else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        for curve in CURVES:
            if key.curve.name == curve.curve.name:
                return EllipticCurveKey(key, curve)
    return None


def is_signed(name: str, nonce: bytes, public_key: bytes, signature: bytes) -> bool:
    """True where `signature` is that of `public_key` over `nonce` by the algorithm of that name: checks a `Proof`."""
    try:
        if name == RSA_NAME:
            return _is_rsa_signed(nonce, public_key, signature)
        for curve in CURVES:
            if name == curve.name:
                return _is_curve_signed(curve, nonce, public_key, signature)
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return False
    return False


def _is_rsa_signed(nonce: bytes, public_key: bytes, signature: bytes) -> bool:
    key = load_der_public_key(public_key)
    if not isinstance(key, rsa.RSAPublicKey) or not _is_strong(key):
        return False
    key.verify(signature, nonce, padding.PKCS1v15(), hashes.SHA256())
    return True


def _is_strong(key: rsa.RSAPublicKey) -> bool:
    """2048 bits and the exponent 65537, as card keys have (SP 800-78-5 3.1): with 1 anybody could sign."""
    return key.key_size == RSA_BITS and key.public_numbers().e == RSA_EXPONENT


def _is_curve_signed(curve: Curve, nonce: bytes, public_key: bytes, signature: bytes) -> bool:
    size = curve.size
    if len(public_key) != 1 + 2 * size or public_key[0] != 0x04 or len(signature) != 2 * size:
        return False
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve.curve, public_key)
    key.verify(encode_dss_signature(r, s), nonce, ec.ECDSA(curve.algorithm))
    return True


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()
