"""The PC/SC functions that the backend needs, as a protocol, and the words for what they return (PC/SC part 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from readers.errors import ReaderUnavailable

SUCCESS = 0
CANCELLED = 0x80100002
INVALID_HANDLE = 0x80100003
UNKNOWN_READER = 0x80100009
TIMEOUT = 0x8010000A
SHARING_VIOLATION = 0x8010000B
NO_SMARTCARD = 0x8010000C
COMM_ERROR = 0x80100013
NOT_TRANSACTED = 0x80100016
READER_UNAVAILABLE = 0x80100017
NO_SERVICE = 0x8010001D
SERVICE_STOPPED = 0x8010001E
UNSUPPORTED_FEATURE = 0x8010001F
NO_READERS = 0x8010002E
UNRESPONSIVE_CARD = 0x80100066
UNPOWERED_CARD = 0x80100067
RESET_CARD = 0x80100068
REMOVED_CARD = 0x80100069
SECURITY_VIOLATION = 0x8010006A

DAEMON_GONE = frozenset((INVALID_HANDLE, COMM_ERROR, NO_SERVICE, SERVICE_STOPPED))
CARD_GONE = frozenset((NO_SMARTCARD, REMOVED_CARD, UNKNOWN_READER, READER_UNAVAILABLE))

STATE_CHANGED = 0x0002
STATE_UNKNOWN = 0x0004
STATE_PRESENT = 0x0020
PLUG_AND_PLAY = "\\\\?PnP?\\Notification"

SENTENCES = {
    COMM_ERROR: "The card reader service (pcscd) broke off.",
    INVALID_HANDLE: "The card reader service (pcscd) was restarted.",
    NO_SERVICE: "The card reader service (pcscd) is not running.",
    SERVICE_STOPPED: "The card reader service (pcscd) has stopped.",
    SECURITY_VIOLATION: "The card reader service (pcscd) does not allow this user to use card readers.",
    SHARING_VIOLATION: "Another program is using the card.",
    UNSUPPORTED_FEATURE: "The reader or its driver does not take this command.",
    UNRESPONSIVE_CARD: "The card does not answer. Hold it flat against the reader.",
    UNPOWERED_CARD: "The reader has switched the card off.",
    RESET_CARD: "Another program has reset the card.",
    NOT_TRANSACTED: "The exchange with the card failed.",
}


class PcscUnavailable(ReaderUnavailable):
    """The PC/SC service refused or broke off; `code` is its 32-bit return code."""

    def __init__(self, code: int) -> None:
        super().__init__(sentence(code))
        self.code = code


def sentence(code: int) -> str:
    """What a return code means to the person at the wall."""
    return SENTENCES.get(code, f"The card reader service (pcscd) reported error {code:08X}.")


@dataclass(frozen=True)
class SlotState:
    """One row of SCardGetStatusChange: state bits with the event counter in the upper 16, and the ATR."""

    name: str
    flags: int
    atr: bytes = b""


@dataclass(frozen=True)
class Connected:
    """A card handle and the protocol (T=0 or T=1) that it speaks."""

    handle: int
    protocol: int


class PcscCalls(Protocol):
    """SCard functions with unsigned 32-bit return codes in front; none of them raises."""

    def establish_context(self) -> tuple[int, int]:
        """Code and context."""

    def release_context(self, context: int) -> int:
        """Code."""

    def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
        """Code and the readers' names as the daemon has them."""

    def get_status_change(
        self, context: int, milliseconds: int, states: Sequence[SlotState]
    ) -> tuple[int, tuple[SlotState, ...]]:
        """Code and the rows as they are now; blocks until one of them differs from what was passed in."""

    def cancel(self, context: int) -> int:
        """Ends a `get_status_change` in another thread."""

    def connect(self, context: int, name: str, *, exclusive: bool) -> tuple[int, Connected]:
        """Code and handle."""

    def begin_transaction(self, handle: int) -> int:
        """Code; blocks as long as another program holds a transaction."""

    def end_transaction(self, handle: int) -> int:
        """Code; leaves the card as it is."""

    def transmit(self, card: Connected, command: bytes) -> tuple[int, bytes]:
        """Code and the raw response, empty when the card vanished."""

    def control(self, handle: int, data: bytes) -> tuple[int, bytes]:
        """Code and the reader's answer to an escape command."""

    def disconnect(self, handle: int) -> int:
        """Code; leaves the card powered as it is."""
