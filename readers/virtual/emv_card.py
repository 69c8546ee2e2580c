"""Payment cards and wallets at their contactless end (EMV Book B, Book 3): enough to be recognised, never to pay.

Account numbers given here are test material. The card counts its transactions and remembers being asked to pay.
"""

import secrets
import time
from collections.abc import Callable
from enum import Enum

from readers.apdu import Command
from readers.atr import contactless_atr
from readers.errors import ReaderError
from readers.tlv import build
from readers.uid import RANDOM_FIRST_BYTE, Uid
from readers.virtual.faults import Breakable
from readers.virtual.faults import Fault as Fault

DIRECTORY = b"2PAY.SYS.DDF01"
VISA = bytes.fromhex("A0000000031010")
MASTERCARD = bytes.fromhex("A0000000041010")
OPTIONS = bytes.fromhex("9F66049F02069F03069F1A0295055F2A029A039C019F3704")
OPTIONS_SIZE = 33
TRACK_TAIL = "D44122010000000000000"
OK = bytes.fromhex("9000")
FILE_NOT_FOUND = bytes.fromhex("6A82")
RECORD_NOT_FOUND = bytes.fromhex("6A83")
WRONG_LENGTH = bytes.fromhex("6700")
REFUSED = bytes.fromhex("6985")
OWNER_WANTED = bytes.fromhex("6986")
INSTRUCTION_NOT_SUPPORTED = bytes.fromhex("6D00")
MORE_TO_COME = bytes.fromhex("61FF")
INS_SELECT, INS_OPTIONS, INS_RECORD, INS_PAY, INS_GET_RESPONSE = 0xA4, 0xA8, 0xB2, 0xAE, 0xC0


class Profile(Enum):
    """How the card tells its number."""

    VISA = "visa"  # track 2 with the processing options, no records
    MASTERCARD = "mastercard"  # number, track 2 and magnetic stripe data in records
    FORMAT_1 = "format_1"  # as MASTERCARD, processing options in the older format
    WALLET = "wallet"  # a phone: as VISA, random UID, the owner verified on the device


class EmvCard(Breakable):
    """One payment application behind its directory."""

    own_faults = frozenset(
        (
            Fault.NONE,
            Fault.NO_DIRECTORY,
            Fault.REFUSES_OPTIONS,
            Fault.LOCKED,
            Fault.NO_NUMBER,
            Fault.MISSING_RECORD,
            Fault.BROKEN_OFF,
            Fault.DROPPED,
            Fault.RANDOM_LENGTHS,
            Fault.ENDLESS_61XX,
            Fault.SLOW,
        )
    )

    def __init__(
        self,
        number: str,
        profile: Profile = Profile.VISA,
        account_reference: str = "",
        sequence: int = 0,
        uid: Uid | None = None,
        fault: Fault = Fault.NONE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`number` in digits; `account_reference` as in 9F24, empty for none; `uid` None for a random one."""
        super().__init__(fault, sleep)
        self._number = number
        self._profile = profile
        self._reference = account_reference.encode("ascii")
        self._sequence = sequence
        self._fixed_uid = None if profile is Profile.WALLET else uid
        self._uid = self._fixed_uid or _random_uid()
        self._selected = False
        self._transactions = 0
        self._records: dict[tuple[int, int], bytes] = {}
        self.asked_to_pay = False

    @property
    def uid(self) -> Uid:
        """Fixed for plastic, random for a wallet."""
        return self._uid

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

    @property
    def transactions(self) -> int:
        """The application transaction counter: one for each GET PROCESSING OPTIONS."""
        return self._transactions

    def power_on(self) -> None:
        """A new field: nothing selected, a new UID where it is random."""
        self._uid = self._fixed_uid or _random_uid()
        self._selected = False

    def exchange(self, raw: bytes) -> bytes:
        """One APDU to the card; nothing at all where the fault takes it away."""
        self._think()
        try:
            command = Command.parse(raw)
        except ReaderError:
            return WRONG_LENGTH
        if command.ins == INS_SELECT:
            return self._select(command.data)
        if command.ins == INS_PAY:
            self.asked_to_pay = True
            return REFUSED
        if self.fault is Fault.ENDLESS_61XX and command.ins in (INS_OPTIONS, INS_GET_RESPONSE):
            return self._told(build(0x57, self._track_2())) + MORE_TO_COME
        if not self._selected:
            return REFUSED
        if command.ins == INS_OPTIONS:
            return self._options(command.data)
        if command.ins == INS_RECORD:
            return self._record(command)
        return INSTRUCTION_NOT_SUPPORTED

    def _select(self, name: bytes) -> bytes:
        application = VISA if self._is_visa else MASTERCARD
        self._selected = name == application
        if name == DIRECTORY and self.fault is not Fault.NO_DIRECTORY:
            entries = build(0x61, build(0x4F, application) + build(0x87, b"\x01"))
            return build(0x6F, build(0x84, DIRECTORY) + build(0xA5, build(0xBF0C, entries))) + OK
        if not self._selected:
            return FILE_NOT_FOUND
        proprietary = build(0x50, b"DEBIT") + (build(0x9F38, OPTIONS) if self._is_visa else b"")
        return build(0x6F, build(0x84, application) + build(0xA5, proprietary)) + OK

    def _options(self, data: bytes) -> bytes:
        self._transactions += 1
        if self.fault is Fault.DROPPED:
            return b""
        if self.fault is Fault.LOCKED:
            return OWNER_WANTED
        wanted = OPTIONS_SIZE if self._is_visa and self.fault is not Fault.REFUSES_OPTIONS else 0
        if len(data) != 2 + wanted or data[:2] != bytes((0x83, wanted)):
            return REFUSED if self.fault is Fault.REFUSES_OPTIONS else WRONG_LENGTH
        counter = build(0x9F36, self._transactions.to_bytes(2, "big"))
        if self._is_visa:
            return self._told(build(0x77, self._visa() + counter)) + OK
        self._records = self._mastercard()
        locator = bytes.fromhex("0801010010010201")
        if self._profile is Profile.FORMAT_1:
            return self._told(build(0x80, bytes.fromhex("1980") + locator)) + OK
        return self._told(build(0x77, build(0x82, bytes.fromhex("1980")) + build(0x94, locator) + counter)) + OK

    def _record(self, command: Command) -> bytes:
        content = self._records.get((command.p2 >> 3, command.p1))
        if content is None or (self.fault is Fault.MISSING_RECORD and command.p1 == 2):
            return RECORD_NOT_FOUND
        return self._told(build(0x70, content)) + OK

    def _visa(self) -> bytes:
        wallet = self._profile is Profile.WALLET
        told = build(0x82, bytes.fromhex("0040" if wallet else "2000"))
        told += b"" if self.fault is Fault.NO_NUMBER else build(0x57, self._track_2())
        told += build(0x5F34, bytes((self._sequence,))) + self._account_reference()
        told += build(0x9F10, bytes.fromhex("06011203A00000")) + build(0x9F26, secrets.token_bytes(8))
        told += build(0x9F27, b"\x80") + build(0x9F6C, bytes.fromhex("0080" if wallet else "0000"))
        return told + build(0x9F6E, bytes.fromhex("23880000" if wallet else "20700000"))

    def _mastercard(self) -> dict[tuple[int, int], bytes]:
        """The magnetic stripe record has 9F6C too: there it is a version number."""
        track = b"" if self.fault is Fault.NO_NUMBER else build(0x9F6B, self._track_2())
        number = b"" if self.fault is Fault.NO_NUMBER else build(0x5A, _packed(self._number))
        return {
            (1, 1): build(0x9F6C, bytes.fromhex("0081")) + track,
            (2, 1): number + build(0x5F24, bytes.fromhex("441231")) + build(0x5F34, bytes((self._sequence,))),
            (2, 2): build(0x8F, b"\x05") + self._account_reference(),
        }

    @property
    def _is_visa(self) -> bool:
        return self._profile in (Profile.VISA, Profile.WALLET)

    def _account_reference(self) -> bytes:
        return build(0x9F24, self._reference) if self._reference else b""

    def _track_2(self) -> bytes:
        return _packed(self._number + TRACK_TAIL)

    def _told(self, answer: bytes) -> bytes:
        if self.fault is Fault.BROKEN_OFF:
            return answer[:-3]
        if self.fault is Fault.RANDOM_LENGTHS:
            wrong = [size for size in range(1, 128) if size != answer[1]]
            return answer[:1] + bytes((secrets.choice(wrong),)) + answer[2:]
        return answer

    def __repr__(self) -> str:
        return f"EmvCard({self._profile.value}, {self.fault.value})"


def _packed(digits: str) -> bytes:
    return bytes.fromhex(digits + "F" * (len(digits) % 2))


def _random_uid() -> Uid:
    return Uid(bytes((RANDOM_FIRST_BYTE,)) + secrets.token_bytes(3))
