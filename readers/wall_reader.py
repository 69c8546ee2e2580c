"""What a reader at the end of an OSDP or Wiegand line would be to the kiosk. Written down, not built.

Such a reader keeps the card to itself and sends a number: 26, 34, 37 or 56 bits over Wiegand's two wires, or an
osdp_RAW or osdp_FMT reply to a poll (IEC 60839-11-5). There is no channel for APDUs, so no challenge reaches the card
and nothing can be proved: whatever the card could do, the claim is an IDENTIFIER and asks for the PIN each time.

A backend over libosdp would be a `readers.reader.Reader` of these properties:

- `wait` polls the line (osdp_POLL every 50 ms or so). Each number becomes a CardPresented and, since the line never
  says that a card left, a CardRemoved with it. An osdp_LSTATR reply with its tamper bit becomes a ReaderFault, three
  polls without an answer a ReaderDetached.
- `connect` gives a Card whose `takes_apdus` is False, whose `atr` is empty, whose `transmit` raises TransmitFailed, and
  whose `uid` comes from `NumberFormat.uid`, or is None where the format holds a badge number and no UID.
- Feedback is osdp_LED and osdp_BUZ, not the steps of `readers.feedback`.
- The line is opened with a Secure Channel key (SCBK) from a KeyStore, and refused with the default key (SCBK-D):
  without it whoever reaches the cable can tap any badge. Wiegand has no such thing; its wires belong inside the wall.

A distribution that brings one declares it under the entry point group "readers.backends" as "osdp" or "wiegand"; the
specification is then "osdp:/dev/ttyUSB0:ADDRESS".
"""

from dataclasses import dataclass
from typing import Protocol

from readers.reader import ReaderEvent
from readers.uid import Uid


@dataclass(frozen=True, repr=False)
class WallNumber:
    """What came over the wire: `count` bits, first one first, in `bits` from the top of the first byte."""

    bits: bytes
    count: int


class NumberFormat(Protocol):
    """How a site's readers pack what they read. Parity is checked here: a number that fails it is nobody's."""

    def uid(self, number: WallNumber) -> Uid | None:
        """The card's UID, first byte first (many readers send it reversed); None for a format that carries none.

        Raises ReaderError for a wrong length or parity.
        """


class WallLine(Protocol):
    """A line with one reader on it, driven from a single thread."""

    def open(self) -> None:
        """Takes the port and brings up the secure channel; raises ReaderUnavailable, also for a default key."""

    def poll(self, timeout: float) -> WallNumber | ReaderEvent | None:
        """The next number, an outage or a tampering, or None when `timeout` seconds bring nothing."""

    def close(self) -> None:
        """Lets the port go; never raises."""
