"""An Android phone with a PKOC app: a random UID in every field, and a P-256 key that signs what it is asked to."""

import secrets
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from readers.apdu import Command
from readers.atr import contactless_atr
from readers.errors import ReaderError
from readers.uid import RANDOM_FIRST_BYTE, Uid
from readers.virtual.faults import Breakable
from readers.virtual.faults import Fault as Fault

SELECT = bytes.fromhex("00A4040008A00000089800000100")
SELECTED = bytes.fromhex("5C0201009000")
AUTHENTICATE = bytes.fromhex("80800001")
OK = bytes.fromhex("9000")
FILE_NOT_FOUND = bytes.fromhex("6A82")
WRONG_LENGTH = bytes.fromhex("6700")
WRONG_DATA = bytes.fromhex("6A80")
NOT_SELECTED = bytes.fromhex("6985")
INSTRUCTION_NOT_SUPPORTED = bytes.fromhex("6D00")
MORE_TO_COME = bytes.fromhex("61FF")
GET_RESPONSE_INS = 0xC0
NONCE_SIZE = 16
READER_SIZE = 32


class PkocPhone(Breakable):
    """The PKOC NFC SE V1 applet behind host card emulation. SELECT is compared byte for byte, Le included."""

    own_faults = frozenset(
        (
            Fault.NONE,
            Fault.WRONG_KEY,
            Fault.STALE_NONCE,
            Fault.SWAPPED_ORDER,
            Fault.REFUSES_LE,
            Fault.DROPPED,
            Fault.RANDOM_LENGTHS,
            Fault.ENDLESS_61XX,
            Fault.SLOW,
        )
    )

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        fault: Fault = Fault.NONE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`sleep` is how the slow phone thinks, for `SLOW_SECONDS` an APDU."""
        super().__init__(fault, sleep)
        self._key = key
        self._uid = _random_uid()
        self._selected = False
        self._last_nonce = bytes(NONCE_SIZE)

    @classmethod
    def generate(cls, fault: Fault = Fault.NONE) -> "PkocPhone":
        """A phone with a new key."""
        return cls(ec.generate_private_key(ec.SECP256R1()), fault)

    @classmethod
    def from_private_value(cls, value: int, fault: Fault = Fault.NONE) -> "PkocPhone":
        """A phone whose key is written in a deck; raises ReaderError for a number that is no key."""
        try:
            return cls(ec.derive_private_key(value, ec.SECP256R1()), fault)
        except ValueError:
            raise ReaderError("Not a P-256 private key") from None

    @property
    def public_key(self) -> bytes:
        """The 65 bytes 04, X, Y that it shows."""
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def uid(self) -> Uid:
        """Random, the same only until the next `power_on`."""
        return self._uid

    @property
    def atr(self) -> bytes:
        """The ATR of a card without historical bytes."""
        return contactless_atr(b"")

    @property
    def ats_historical(self) -> bytes:
        """None, as on most phones."""
        return b""

    @property
    def takes_apdus(self) -> bool:
        """Always."""
        return True

    def power_on(self) -> None:
        """A new field: a new UID, nothing selected."""
        self._uid = _random_uid()
        self._selected = False

    def exchange(self, raw: bytes) -> bytes:
        """One APDU to the applet; nothing at all where the fault takes the phone away."""
        self._think()
        if raw == SELECT:
            self._selected = True
            return SELECTED
        try:
            command = Command.parse(raw)
        except ReaderError:
            return WRONG_LENGTH
        if command.ins == 0xA4:
            self._selected = False
            return FILE_NOT_FOUND
        if self.fault is Fault.ENDLESS_61XX and command.ins == GET_RESPONSE_INS:
            return secrets.token_bytes(32) + MORE_TO_COME
        if raw[:4] != AUTHENTICATE:
            return INSTRUCTION_NOT_SUPPORTED
        return self._authenticate(command)

    def _authenticate(self, command: Command) -> bytes:
        if not self._selected:
            return NOT_SELECTED
        if self.fault is Fault.REFUSES_LE and command.le is not None:
            return WRONG_LENGTH
        if self.fault is Fault.DROPPED:
            return b""
        if self.fault is Fault.ENDLESS_61XX:
            return MORE_TO_COME
        head, tail = bytes.fromhex("5C0201004C10"), bytes.fromhex("4D20")
        data = command.data
        end = len(head) + NONCE_SIZE
        if not data.startswith(head) or data[end : end + 2] != tail or len(data) != end + len(tail) + READER_SIZE:
            return WRONG_DATA
        return self._answer(data[len(head) : end])

    def _answer(self, nonce: bytes) -> bytes:
        signed = self._last_nonce if self.fault is Fault.STALE_NONCE else nonce
        self._last_nonce = nonce
        signer = ec.generate_private_key(ec.SECP256R1()) if self.fault is Fault.WRONG_KEY else self._key
        r, s = decode_dss_signature(signer.sign(signed, ec.ECDSA(hashes.SHA256())))
        key = b"\x5a\x41" + self.public_key
        signature = b"\x9e\x40" + r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if self.fault is Fault.SWAPPED_ORDER:
            return signature + key + OK
        if self.fault is Fault.RANDOM_LENGTHS:
            return _with_random_lengths(key, signature) + OK
        return key + signature + OK

    def __repr__(self) -> str:
        return f"PkocPhone({self.fault.value})"


def _random_uid() -> Uid:
    return Uid(bytes((RANDOM_FIRST_BYTE,)) + secrets.token_bytes(3))


def _with_random_lengths(key: bytes, signature: bytes) -> bytes:
    """Both length bytes wrong, so that no reading of them gives a key and a signature of the right sizes."""
    short, long = secrets.randbelow(0x40), 0x42 + secrets.randbelow(0x30)
    return key[:1] + bytes((short,)) + key[2:] + signature[:1] + bytes((long,)) + signature[2:]
