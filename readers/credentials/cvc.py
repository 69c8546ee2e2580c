"""A PKOC card verifiable certificate (PKOC Core 2.0.1, 5; tags of ISO/IEC 7816-6): whose key a card says it holds.

7F21 { 7F4E { 5F29 profile, 42 issuer, 7F49 { 06 curve, 86 point }, 5F20 holder, 5F25 from, 5F24 until, 65 more },
       5F37 signature over the whole of 7F4E }
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from readers.credentials.card_keys import P256_NAME, is_signed
from readers.errors import TlvError
from readers.tlv import Tlv, parse_flat

TAG_CERTIFICATE = 0x7F21
TAG_BODY = 0x7F4E
TAG_SIGNATURE = 0x5F37
TAG_PROFILE = 0x5F29
TAG_ISSUER = 0x42
TAG_PUBLIC_KEY = 0x7F49
TAG_CURVE = 0x06
TAG_POINT = 0x86
TAG_HOLDER = 0x5F20
TAG_EFFECTIVE = 0x5F25
TAG_EXPIRES = 0x5F24

LARGEST = 2048
REFERENCE_SIZE = 16
REFERENCE_CHARACTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
DATE_SIZE = 6
CENTURY = 2000


@dataclass(frozen=True, repr=False)
class CardVerifiableCertificate:
    """What a certificate says, still to be believed.

    `issuer` is 16 capitals and digits (IIR), `holder` 16 bytes, `curve` the value of an object identifier,
    `public_key` whatever the certificate holds as a point. It is good from the day `effective` to the end of the day
    `expires`. `body` is what `signature` covers: the data object 7F4E byte for byte as it came.
    """

    profile: bytes
    issuer: str
    holder: bytes
    curve: bytes
    public_key: bytes
    effective: date
    expires: date
    body: bytes
    signature: bytes

    @classmethod
    def parse(cls, encoded: bytes) -> "CardVerifiableCertificate":
        """Reads the data object 7F21; raises TlvError where a field is missing, doubled or misshapen.

        Fields of the body that are not known are left alone: the issuer signed them too.
        """
        if len(encoded) > LARGEST:
            raise TlvError("Larger than any card's certificate")
        _, content, nothing = _first(encoded, TAG_CERTIFICATE)
        body, fields, rest = _first(content, TAG_BODY)
        signatures = parse_flat(rest)
        if nothing or len(signatures) != 1:
            raise TlvError("A certificate is a body and its signature")
        objects = parse_flat(fields)
        key = parse_flat(_only(objects, TAG_PUBLIC_KEY))
        return cls(
            profile=_only(objects, TAG_PROFILE),
            issuer=issuer_reference(_only(objects, TAG_ISSUER)),
            holder=_sized(_only(objects, TAG_HOLDER), REFERENCE_SIZE),
            curve=_only(key, TAG_CURVE),
            public_key=_only(key, TAG_POINT),
            effective=_day(_only(objects, TAG_EFFECTIVE)),
            expires=_day(_only(objects, TAG_EXPIRES)),
            body=body,
            signature=_only(signatures, TAG_SIGNATURE),
        )

    def verify(self, issuer_key: bytes) -> bool:
        """True where the P-256 key `issuer_key` (04, X, Y) signed this body: ECDSA with SHA-256, r and s."""
        return is_signed(P256_NAME, self.body, issuer_key, self.signature)

    def __repr__(self) -> str:
        return f"CardVerifiableCertificate({self.issuer}, {self.effective} to {self.expires})"


def issuer_reference(value: bytes) -> str:
    """An Issuer Identification Reference (PKOC Core 2.0.1, 5.4); raises TlvError for anything else."""
    text = _sized(value, REFERENCE_SIZE).decode("ascii", "replace")
    if not REFERENCE_CHARACTERS.issuperset(text):
        raise TlvError("An issuer is named by capitals and digits")
    return text


def _first(data: bytes, tag: int) -> tuple[bytes, bytes, bytes]:
    """The first data object as it came, its value, and what follows it. `tag` has two bytes."""
    objects = parse_flat(data)
    if not objects or objects[0].tag != tag or data[0] == 0:
        raise TlvError(f"{tag:X} was expected")
    value = objects[0].value
    head = 3 + (data[2] & 0x7F if data[2] & 0x80 else 0)
    end = head + len(value)
    return data[:end], value, data[end:]


def _only(objects: Iterable[Tlv], tag: int) -> bytes:
    values = [item.value for item in objects if item.tag == tag]
    if len(values) != 1:
        raise TlvError(f"One {tag:X} was expected")
    return values[0]


def _sized(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise TlvError(f"A field has {size} bytes")
    return value


def _day(value: bytes) -> date:
    """YYMMDD with one digit a byte (PKOC Core 2.0.1, 5.6)."""
    if any(digit > 9 for digit in _sized(value, DATE_SIZE)):
        raise TlvError("A date is made of digits")
    year, month, day = (10 * value[place] + value[place + 1] for place in range(0, DATE_SIZE, 2))
    try:
        return date(CENTURY + year, month, day)
    except ValueError:
        raise TlvError("A day that is in no calendar") from None
