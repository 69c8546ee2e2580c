"""Whoever certifies the keys of virtual PKOC cards. Test material."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from readers.errors import ReaderError
from readers.tlv import build

REFERENCE = "01000TESTISSUER1"
HOLDER = b"CARD000000000001"
P256 = bytes.fromhex("2A8648CE3D030107")
FROM = date(2024, 1, 1)
UNTIL = date(2044, 1, 1)
BODY_TAGS = ("5F29", "42", "7F49", "5F20", "5F25", "5F24")


class PkocIssuer:
    """A P-256 key that signs card verifiable certificates under the 16 characters `reference` (IIR)."""

    def __init__(self, reference: str = REFERENCE, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        """Without a `key` it gets a new one."""
        self.reference = reference
        self._key = key or ec.generate_private_key(ec.SECP256R1())

    @classmethod
    def from_private_value(cls, value: int, reference: str = REFERENCE) -> "PkocIssuer":
        """An issuer whose key is written down; raises ReaderError for a number that is no key."""
        try:
            return cls(reference, ec.derive_private_key(value, ec.SECP256R1()))
        except ValueError:
            raise ReaderError("Not a P-256 private key") from None

    @property
    def pem(self) -> bytes:
        """Its public key, as a site keeps it."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def public_key(self) -> bytes:
        """The same key as 65 bytes 04, X, Y."""
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def write(self, directory: Path) -> Path:
        """Lays the public key into a site's folder and returns its file."""
        path = directory / f"{self.reference}.pem"
        path.write_bytes(self.pem)
        return path

    def issue(
        self,
        public_key: bytes,
        *,
        holder: bytes = HOLDER,
        effective: date = FROM,
        expires: date = UNTIL,
        profile: bytes = b"\x00",
        curve: bytes = P256,
        extensions: bytes = b"",
        instead: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """A signed certificate (7F21) for the point `public_key`; `extensions` are whole data objects for its end.

        `instead` gives fields of the body, by their tags in hexadecimal, other values; an empty one leaves a field out.
        """
        key = build(0x06, curve) + build(0x86, public_key)
        values = (profile, self.reference.encode(), key, holder, unpacked(effective), unpacked(expires))
        fields = dict(zip(BODY_TAGS, values, strict=True)) | dict(instead or {})
        content = b"".join(build(int(tag, 16), value) for tag, value in fields.items() if value)
        return self.sign(build(0x7F4E, content + extensions))

    def sign(self, body: bytes) -> bytes:
        """The certificate of any body (7F4E, whole)."""
        r, s = decode_dss_signature(self._key.sign(body, ec.ECDSA(hashes.SHA256())))
        return build(0x7F21, body + build(0x5F37, r.to_bytes(32, "big") + s.to_bytes(32, "big")))

    def __repr__(self) -> str:
        return f"PkocIssuer({self.reference})"


def unpacked(day: date) -> bytes:
    """YYMMDD, one digit a byte."""
    return bytes(int(digit) for digit in day.strftime("%y%m%d"))
