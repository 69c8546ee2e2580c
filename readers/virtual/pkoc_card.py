"""A card or phone that speaks PKOC SE V2: a P-256 key, its certificate, and answers to GET DATA."""

import secrets
import time
from collections.abc import Callable
from enum import Enum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from readers.apdu import Command
from readers.atr import contactless_atr
from readers.errors import ReaderError
from readers.uid import RANDOM_FIRST_BYTE, Uid
from readers.virtual.faults import Breakable
from readers.virtual.faults import Fault as Fault
from readers.virtual.pkoc_phone import (
    FILE_NOT_FOUND,
    INSTRUCTION_NOT_SUPPORTED,
    MORE_TO_COME,
    NOT_SELECTED,
    OK,
    SELECT,
    WRONG_LENGTH,
    PkocPhone,
)

GET_INFORMATION = (0x00, 0xCA, 0x7F, 0x63)
GET_CERTIFICATE = (0x00, 0xCA, 0x7F, 0x21)
INTERNAL_AUTHENTICATE = (0x00, 0x88, 0x00, 0x00)
AUTHENTICATE = (0x80, 0x80, 0x00, 0x01)
GET_RESPONSE = (0x00, 0xC0, 0x00, 0x00)
INFORMATION = bytes.fromhex("7F63045C020200")
REFERENCED_DATA_NOT_FOUND = bytes.fromhex("6A88")
CHALLENGE_SIZE = 32
LARGEST_ANSWER = 256


class Profile(Enum):
    """What it says when it is selected: SE V2, both, or, as phones do, SE V1 and the rest only when it is asked."""

    VERSION_2 = "5C020200"
    BOTH = "5C0401000200"
    PHONE = "5C020100"


class PkocCard(Breakable):
    """The PKOC SE V2 applet. Whatever says SE V1 too answers AUTHENTICATE with the same key."""

    own_faults = frozenset(
        (
            Fault.NONE,
            Fault.WRONG_KEY,
            Fault.STALE_NONCE,
            Fault.DROPPED,
            Fault.RANDOM_LENGTHS,
            Fault.ENDLESS_61XX,
            Fault.SLOW,
            Fault.NO_CERTIFICATE,
            Fault.HIDES_VERSION_2,
        )
    )

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        certificate: bytes,
        profile: Profile = Profile.VERSION_2,
        fault: Fault = Fault.NONE,
        *,
        uid: Uid | None = None,
        largest_answer: int = LARGEST_ANSWER,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`certificate` is a 7F21 data object. Without a `uid` it has a random one in every field, as a phone.

        Longer answers than `largest_answer` bytes come in parts (61xx). `sleep` is how the slow card thinks.
        """
        super().__init__(fault, sleep)
        self._version_1 = PkocPhone(key)
        self._key = key
        self._certificate = certificate
        self._profile = profile
        self._fixed_uid = uid
        self._random_uid = _random_uid()
        self._largest_answer = largest_answer
        self._selected = False
        self._pending = b""
        self._last_challenge = bytes(CHALLENGE_SIZE)

    @property
    def public_key(self) -> bytes:
        """The 65 bytes 04, X, Y of its key."""
        return self._version_1.public_key

    @property
    def uid(self) -> Uid:
        """As given, or random until the next `power_on`."""
        return self._fixed_uid or self._random_uid

    @property
    def atr(self) -> bytes:
        """The ATR of a card without historical bytes."""
        return contactless_atr(b"")

    @property
    def ats_historical(self) -> bytes:
        """None."""
        return b""

    @property
    def takes_apdus(self) -> bool:
        """Always."""
        return True

    def power_on(self) -> None:
        """A new field: a new random UID, nothing selected, nothing left to fetch."""
        self._random_uid = _random_uid()
        self._version_1.power_on()
        self._selected = False
        self._pending = b""

    def exchange(self, raw: bytes) -> bytes:
        """One APDU to the applet; nothing at all where the fault takes the card away."""
        self._think()
        if raw == SELECT:
            self._selected = True
            self._version_1.exchange(raw)
            profile = Profile.PHONE if self.fault is Fault.HIDES_VERSION_2 else self._profile
            return bytes.fromhex(profile.value) + OK
        try:
            command = Command.parse(raw)
        except ReaderError:
            return WRONG_LENGTH
        if command.ins == 0xA4:
            self._selected = False
            return FILE_NOT_FOUND
        if not self._selected:
            return NOT_SELECTED
        return self._answer(raw, command)

    def _answer(self, raw: bytes, command: Command) -> bytes:
        head = (command.cla, command.ins, command.p1, command.p2)
        if head == GET_RESPONSE:
            return self._part()
        if head == AUTHENTICATE and self._profile is not Profile.VERSION_2:
            return self._version_1.exchange(raw)
        if self.fault is Fault.HIDES_VERSION_2:
            return INSTRUCTION_NOT_SUPPORTED
        if head == GET_INFORMATION:
            return INFORMATION + OK
        if head == GET_CERTIFICATE:
            return self._show()
        if head == INTERNAL_AUTHENTICATE:
            return self._sign(command.data)
        return INSTRUCTION_NOT_SUPPORTED

    def _show(self) -> bytes:
        if self.fault is Fault.NO_CERTIFICATE:
            return REFERENCED_DATA_NOT_FOUND
        self._pending = self._certificate
        if self.fault is Fault.RANDOM_LENGTHS:
            wrong = (self._certificate[3] + 1 + secrets.randbelow(255)) % 256
            self._pending = self._certificate[:3] + bytes((wrong,)) + self._certificate[4:]
        return self._part()

    def _part(self) -> bytes:
        if self.fault is Fault.ENDLESS_61XX:
            return secrets.token_bytes(32) + MORE_TO_COME
        part, self._pending = self._pending[: self._largest_answer], self._pending[self._largest_answer :]
        return part + (bytes((0x61, min(len(self._pending), 0xFF))) if self._pending else OK)

    def _sign(self, challenge: bytes) -> bytes:
        if len(challenge) != CHALLENGE_SIZE:
            return WRONG_LENGTH
        if self.fault is Fault.DROPPED:
            return b""
        signed = self._last_challenge if self.fault is Fault.STALE_NONCE else challenge
        self._last_challenge = challenge
        signer = ec.generate_private_key(ec.SECP256R1()) if self.fault is Fault.WRONG_KEY else self._key
        r, s = decode_dss_signature(signer.sign(signed, ec.ECDSA(hashes.SHA256())))
        return b"\x9e\x40" + r.to_bytes(32, "big") + s.to_bytes(32, "big") + OK

    def __repr__(self) -> str:
        return f"PkocCard({self._profile.name}, {self.fault.value})"


def _random_uid() -> Uid:
    return Uid(bytes((RANDOM_FIRST_BYTE,)) + secrets.token_bytes(3))
