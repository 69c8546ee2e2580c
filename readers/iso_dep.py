"""The reader's side of the half-duplex block protocol (ISO/IEC 14443-4), over any exchange of frames.

Frames carry no CRC: the device adds and checks it. CID and NAD are never used.
"""

from collections.abc import Callable
from dataclasses import dataclass

from readers.errors import CardGone, ReaderError, TlvError, TransmitFailed

FRAME_SIZES = (16, 24, 32, 40, 48, 64, 96, 128, 256)
CARRIER = 13_560_000
DEFAULT_FSCI = 2
DEFAULT_FWI = 4
LONGEST_RESPONSE = 65_538
PROLOGUE_AND_CRC = 3

I_BLOCK = 0x02
CHAINING = 0x10
R_ACK = 0xA2
R_NAK = 0xB2
S_DESELECT = 0xC2
S_WTX = 0xF2
BLOCK_NUMBER = 0x01


class FrameLost(ReaderError):
    """No frame came within its time, or what came was broken."""


FrameExchange = Callable[[bytes, float], bytes]
"""Sends one frame and waits up to so many seconds for the answer; raises FrameLost."""


def rats(largest_answer: int) -> bytes:
    """The RATS frame asking for the largest FSD that fits `largest_answer` bytes, CID 0 (ISO/IEC 14443-4 5.1)."""
    index = max((i for i, size in enumerate(FRAME_SIZES) if size <= largest_answer), default=0)
    return bytes((0xE0, index << 4))


@dataclass(frozen=True)
class AnswerToSelect:
    """An ATS (ISO/IEC 14443-4 5.2): the largest frame the card takes, in bytes; its frame waiting time, in seconds."""

    historical: bytes
    frame_size: int
    frame_waiting_time: float

    @classmethod
    def parse(cls, ats: bytes) -> "AnswerToSelect":
        """Reads an ATS as short as its length byte alone; raises TlvError where the length does not add up."""
        if not ats or not 1 <= ats[0] <= len(ats):
            raise TlvError("The ATS is not as long as it says")
        body = ats[1 : ats[0]]
        if not body:
            return cls(b"", FRAME_SIZES[DEFAULT_FSCI], _frame_waiting_time(DEFAULT_FWI))
        format_byte, rest = body[0], body[1:]
        fwi = DEFAULT_FWI
        for bit in (0x10, 0x20, 0x40):
            if format_byte & bit and rest:
                if bit == 0x20:
                    fwi = rest[0] >> 4
                rest = rest[1:]
        fsci = min(format_byte & 0x0F, len(FRAME_SIZES) - 1)
        return cls(rest, FRAME_SIZES[fsci], _frame_waiting_time(fwi if fwi < 15 else DEFAULT_FWI))


def _frame_waiting_time(fwi: int) -> float:
    return float(4096 * 2**fwi) / CARRIER


class _Assembly:
    """An answer as it comes together. Tracebacks show locals, and answers hold account data: this shows nothing."""

    def __init__(self) -> None:
        self.data = b""
        self.is_chained = False


class IsoDep:
    """An activated card. One command at a time, from one thread."""

    def __init__(
        self,
        exchange: FrameExchange,
        answer: AnswerToSelect,
        monotonic: Callable[[], float],
        largest_frame: int = 256,
        shortest_wait: float = 0.25,
        retries: int = 2,
        longest_exchange: float = 2.0,
        presence_wait: float = 0.25,
    ) -> None:
        """In seconds: `shortest_wait`, for host and device are slower than FWT; `longest_exchange`, for one APDU;
        `presence_wait`, for a sign of life, which cards give at once whatever time they take to think.
        """
        self._exchange = exchange
        self._monotonic = monotonic
        self._chunk = min(answer.frame_size, largest_frame) - PROLOGUE_AND_CRC
        self._wait = min(max(answer.frame_waiting_time, shortest_wait), longest_exchange)
        self._retries = retries
        self._longest_exchange = longest_exchange
        self._presence_wait = presence_wait
        self._number = 0

    def transceive(self, apdu: bytes) -> bytes:
        """One command APDU out, one response APDU in; raises CardGone or TransmitFailed."""
        deadline = self._monotonic() + self._longest_exchange
        chunks = [apdu[i : i + self._chunk] for i in range(0, len(apdu), self._chunk)]
        for chunk in chunks[:-1]:
            reply = self._send(bytes((I_BLOCK | CHAINING | self._number,)) + chunk, deadline)
            if reply[0] != R_ACK | self._number:
                raise TransmitFailed("The card broke the block protocol")
            self._number ^= BLOCK_NUMBER
        response = _Assembly()
        self._accept(self._send(bytes((I_BLOCK | self._number,)) + chunks[-1], deadline), response)
        while response.is_chained:
            self._accept(self._send(bytes((R_ACK | self._number,)), deadline), response)
            if len(response.data) > LONGEST_RESPONSE:
                raise TransmitFailed("The card's answer never ended")
        return response.data

    def is_present(self) -> bool:
        """Asks the card for a sign of life without disturbing it (R(NAK), ISO/IEC 14443-4 7.5.6.2)."""
        for _attempt in range(1 + min(1, self._retries)):
            try:
                return len(self._exchange(bytes((R_NAK | self._number,)), self._presence_wait)) > 0
            except FrameLost:
                continue
        return False

    def deselect(self) -> None:
        """Puts the card to sleep; a card that has left already is as good as asleep."""
        try:
            self._exchange(bytes((S_DESELECT,)), self._wait)
        except FrameLost:
            return

    def _accept(self, reply: bytes, response: "_Assembly") -> None:
        if reply[0] & ~(CHAINING | BLOCK_NUMBER) != I_BLOCK:
            reply = b""  # for the traceback
            raise TransmitFailed("The card broke the block protocol")
        self._number ^= BLOCK_NUMBER
        response.data += reply[1:]
        response.is_chained = bool(reply[0] & CHAINING)

    def _send(self, block: bytes, deadline: float) -> bytes:
        """Sends a block, grants waiting time, and recovers lost frames (ISO/IEC 14443-4 7.5.4 to 7.5.6)."""
        is_information = block[0] & 0xE2 == I_BLOCK
        outgoing, wait, losses, stale = block, self._wait, 0, 0
        while True:
            if self._monotonic() > deadline:
                raise TransmitFailed("The card took too long to answer")
            try:
                reply = self._exchange(outgoing, wait)
                wait = self._wait
                if len(reply) == 2 and reply[0] == S_WTX:
                    multiplier = min(max(reply[1] & 0x3F, 1), 59)
                    outgoing, wait = bytes((S_WTX, multiplier)), min(wait * multiplier, self._longest_exchange)
                    continue
                if reply and not self._is_stale(reply, is_information):
                    return reply
                again = block
                stale += 1
                if reply and reply[0] & 0xE2 == I_BLOCK:
                    again = bytes((R_NAK | self._number,))
                reply = b""  # a traceback shows locals, and blocks hold account data
            except FrameLost:
                again = bytes((R_NAK | self._number,)) if is_information else block
                losses += 1
            if losses > self._retries or stale > self._retries:
                raise CardGone("The card left the field")
            outgoing, wait = again, self._wait

    def _is_stale(self, reply: bytes, is_information: bool) -> bool:
        """True for an acknowledgement or a block that answers an earlier block than ours."""
        if reply[0] & BLOCK_NUMBER == self._number:
            return False
        return reply[0] & 0xE2 == I_BLOCK or (is_information and reply[0] & 0xFE == R_ACK)
