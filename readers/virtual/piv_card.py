"""A PIV card at its contactless end (SP 800-73pt1-5, pt2-5): card authentication certificate and key, CHUID, no PIN.

It answers the version question of Yubico's library (INS FD) as well, so that public software takes it for a token.
"""

import gzip
import secrets
import time
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding

from readers.apdu import Command
from readers.atr import contactless_atr
from readers.errors import ReaderError
from readers.tlv import build, find, parse
from readers.uid import Uid
from readers.virtual.faults import Breakable
from readers.virtual.faults import Fault as Fault

AID = bytes.fromhex("A000000308000010000100")
PIX, AUTHORITY = AID[5:], AID[:5]
CERTIFICATE, CHUID, DISCOVERY = (bytes.fromhex(tag) for tag in ("5FC101", "5FC102", "7E"))
HISTORICAL = bytes.fromhex("8073C021C0000000")
VERSION = bytes.fromhex("040305")
OK = bytes.fromhex("9000")
FILE_NOT_FOUND = bytes.fromhex("6A82")
WRONG_LENGTH = bytes.fromhex("6700")
WRONG_DATA = bytes.fromhex("6A80")
WRONG_PARAMETERS = bytes.fromhex("6A86")
NOT_SELECTED = bytes.fromhex("6985")
NEVER = bytes.fromhex("6982")
BLOCKED = bytes.fromhex("6983")
INSTRUCTION_NOT_SUPPORTED = bytes.fromhex("6D00")
MORE_TO_COME = bytes.fromhex("61FF")
INS_VERIFY, INS_GENERAL_AUTHENTICATE, INS_SELECT = 0x20, 0x87, 0xA4
INS_GET_RESPONSE, INS_GET_DATA, INS_VERSION = 0xC0, 0xCB, 0xFD
CHAINED = 0x10
CARD_AUTHENTICATION_KEY = 0x9E
SHORT = 256
RSA_BYTES = 256
DIGESTS = {20: hashes.SHA1(), 32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}  # noqa: S303  # as asked

CardPrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class PivCard(Breakable):
    """The PIV application on a card with a fixed UID. Answers longer than asked for are continued by GET RESPONSE."""

    own_faults = frozenset(
        (
            Fault.NONE,
            Fault.WRONG_KEY,
            Fault.STALE_NONCE,
            Fault.COMPRESSED,
            Fault.NO_CERTIFICATE,
            Fault.DROPPED,
            Fault.RANDOM_LENGTHS,
            Fault.ENDLESS_61XX,
            Fault.SLOW,
        )
    )

    def __init__(
        self,
        key: CardPrivateKey,
        certificate: x509.Certificate,
        uid: Uid,
        fault: Fault = Fault.NONE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`sleep` is how the slow card thinks, for `SLOW_SECONDS` an APDU."""
        super().__init__(fault, sleep)
        self._key = key
        self._certificate = certificate
        self._uid = uid
        self._selected = False
        self._chained = b""
        self._rest = b""
        self._last_challenge = b""

    @property
    def uid(self) -> Uid:
        """The same in every field."""
        return self._uid

    @property
    def atr(self) -> bytes:
        """The ATR of a card with historical bytes."""
        return contactless_atr(HISTORICAL)

    @property
    def ats_historical(self) -> bytes:
        """A card service byte and a few more."""
        return HISTORICAL

    @property
    def takes_apdus(self) -> bool:
        """Always."""
        return True

    def power_on(self) -> None:
        """A new field: nothing selected, nothing half said."""
        self._selected, self._chained, self._rest = False, b"", b""

    def exchange(self, raw: bytes) -> bytes:
        """One APDU to the card; nothing at all where the fault takes it away."""
        self._think()
        try:
            command = Command.parse(raw)
        except ReaderError:
            return WRONG_LENGTH
        if self.fault is Fault.ENDLESS_61XX and command.ins in (INS_GET_RESPONSE, INS_GENERAL_AUTHENTICATE):
            return secrets.token_bytes(32) + MORE_TO_COME
        if command.ins == INS_GET_RESPONSE:
            return self._continued(self._rest + OK, command.le)
        if command.cla & CHAINED:
            self._chained += command.data
            return OK if len(self._chained) <= 4096 else WRONG_LENGTH
        data, self._chained = self._chained + command.data, b""
        return self._continued(self._answer(command, data), command.le)

    def _continued(self, answer: bytes, le: int | None) -> bytes:
        """The whole answer where it fits what was asked for, else its beginning and 61xx."""
        body, fits = answer[:-2], le or SHORT
        self._rest = body[fits:]
        if not self._rest:
            return answer
        return body[:fits] + bytes((0x61, min(len(self._rest), SHORT) & 0xFF))

    def _answer(self, command: Command, data: bytes) -> bytes:
        if command.ins == INS_SELECT:
            self._selected = len(data) >= len(AUTHORITY) and AID.startswith(data)
            return _application() + OK if self._selected else FILE_NOT_FOUND
        if not self._selected:
            return NOT_SELECTED
        if command.ins == INS_GET_DATA:
            return self._data_object(data)
        if command.ins == INS_GENERAL_AUTHENTICATE:
            return self._authenticate(command, data)
        if command.ins == INS_VERIFY:
            return BLOCKED
        return VERSION + OK if command.ins == INS_VERSION else INSTRUCTION_NOT_SUPPORTED

    def _data_object(self, data: bytes) -> bytes:
        if data[:1] != b"\x5c" or len(data) != 2 + data[1]:
            return WRONG_DATA
        name = data[2:]
        if name == DISCOVERY:
            return build(0x7E, build(0x4F, AID) + build(0x5F2F, b"\x40\x00")) + OK
        if name == CHUID:
            return build(0x53, self._holder()) + OK
        if name == CERTIFICATE and self.fault is not Fault.NO_CERTIFICATE:
            encoded, information = self._certificate.public_bytes(Encoding.DER), b"\x00"
            if self.fault is Fault.COMPRESSED:
                encoded, information = gzip.compress(encoded, mtime=0), b"\x01"
            return build(0x53, build(0x70, encoded) + build(0x71, information) + build(0xFE, b"")) + OK
        return FILE_NOT_FOUND

    def _holder(self) -> bytes:
        """A CHUID without its signature: FASC-N of agency 9999, a GUID of this certificate, a date."""
        number = bytes.fromhex("D4E739DA739CED39CE739D836858210842108421C84210C3EB")
        identifier = self._certificate.fingerprint(hashes.SHA256())[:16]
        return build(0x30, number) + build(0x34, identifier) + build(0x35, b"20440101") + build(0x3E, b"") + b"\xfe\x00"

    def _authenticate(self, command: Command, data: bytes) -> bytes:
        if command.p2 != CARD_AUTHENTICATION_KEY:
            return NEVER
        if self.fault is Fault.DROPPED:
            return b""
        if command.p1 != _reference(self._key):
            return WRONG_PARAMETERS
        try:
            challenge = find(parse(data), 0x81)
        except ReaderError:
            return WRONG_DATA
        if not challenge:
            return WRONG_DATA
        signed = (self._last_challenge or bytes(len(challenge))) if self.fault is Fault.STALE_NONCE else challenge
        self._last_challenge = challenge
        try:
            signature = _applied(_another(self._key) if self.fault is Fault.WRONG_KEY else self._key, signed)
        except ValueError:
            return WRONG_DATA
        answer = build(0x7C, build(0x82, signature))
        if self.fault is Fault.RANDOM_LENGTHS:
            answer = answer[:1] + bytes((secrets.randbelow(0x40),)) + answer[2:]
        return answer + OK

    def __repr__(self) -> str:
        return f"PivCard({self.fault.value})"


def _application() -> bytes:
    """The application property template (SP 800-73pt2-5 table 3)."""
    return build(0x61, build(0x4F, PIX) + build(0x79, build(0x4F, AUTHORITY)))


def _reference(key: CardPrivateKey) -> int:
    if isinstance(key, rsa.RSAPrivateKey):
        return 0x07
    return 0x11 if key.key_size == 256 else 0x14


def _another(key: CardPrivateKey) -> CardPrivateKey:
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa.generate_private_key(65537, key.key_size)
    return ec.generate_private_key(key.curve)


def _applied(key: CardPrivateKey, challenge: bytes) -> bytes:
    """The bare private-key operation, as cards do it; raises ValueError for a challenge of another size."""
    if isinstance(key, rsa.RSAPrivateKey):
        if len(challenge) != RSA_BYTES:
            raise ValueError("Not as long as the key")
        numbers = key.private_numbers()
        base = int.from_bytes(challenge, "big")
        return pow(base, numbers.d, numbers.public_numbers.n).to_bytes(RSA_BYTES, "big")
    if len(challenge) not in DIGESTS:
        raise ValueError("Not as long as a hash")
    return key.sign(challenge, ec.ECDSA(Prehashed(DIGESTS[len(challenge)])))
