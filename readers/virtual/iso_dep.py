"""Presents a virtual card to nfcpy's UDP device: ISO/IEC 14443-3 selection and the 14443-4 block protocol.

Datagrams are ASCII: "106A" and the frame in hexadecimal without CRC, or "RFOFF" when the reader's field goes down.
Loopback only: whoever reaches this port can hold a badge to it.
"""

import socket
import threading
import time
from collections import deque
from functools import reduce
from operator import xor

from readers.errors import CardGone
from readers.iso_dep import (
    BLOCK_NUMBER,
    CHAINING,
    FRAME_SIZES,
    I_BLOCK,
    PROLOGUE_AND_CRC,
    R_ACK,
    R_NAK,
    S_DESELECT,
    S_WTX,
)
from readers.uid import CASCADE_TAG, Uid
from readers.virtual.card import VirtualCard

LOOPBACK = "127.0.0.1"
SENSE_REQUESTS = (b"\x26", b"\x52")
SELECT_LEVELS = (0x93, 0x95, 0x97)
SAK_INCOMPLETE = b"\x04"
SAK_ISO_DEP = b"\x20"
SAK_PLAIN = b"\x08"
FSCI = 8
FWI = 7
PENDING = 0.9  # nfcpy's UDP device waits 1.0 s for the answer to a SENS_REQ
STOP_WITHIN = 5.0
TRACED = 1000

Address = tuple[str, int]


def selection_levels(uid: Uid) -> tuple[bytes, ...]:
    """UID CLn with its check byte for each cascade level (ISO/IEC 14443-3 6.5.4): one, two or three of 5 bytes."""
    parts, rest = [], uid.value
    while len(rest) > 4:
        parts.append(bytes((CASCADE_TAG,)) + rest[:3])
        rest = rest[3:]
    parts.append(rest)
    return tuple(part + bytes((reduce(xor, part),)) for part in parts)


def answer_to_select(historical: bytes, fsci: int = FSCI, fwi: int = FWI) -> bytes:
    """An ATS as phones send it (ISO/IEC 14443-4 5.2): 106 kbit/s only, no CID, no NAD."""
    body = bytes((0x70 | fsci, 0x80, fwi << 4, 0x00)) + historical
    return bytes((1 + len(body),)) + body


class Activation:
    """One card in one field: its cascade level, its block number and what it still has to say."""

    def __init__(self, card: VirtualCard, ats: bytes, waiting_times: int) -> None:
        self._card = card
        self._ats = ats
        self._waiting_times = waiting_times
        uid = card.uid
        self._levels = selection_levels(uid) if uid is not None else ()
        self._level = 0
        self._chunk = 0
        self._number = 1
        self._command = b""
        self._response: list[bytes] = []
        self._owed_waiting_times = 0
        self._last = b""

    def sense(self) -> bytes | None:
        """SENS_RES: the UID's size in bits 7 and 8 of the first byte. An activated card does not hear the request."""
        if self._chunk or not self._levels:
            return None
        self._level = 0
        return bytes((0x04 | (len(self._levels) - 1) << 6, 0x00))

    def answer(self, frame: bytes) -> bytes | None:
        """The frame sent back; None for silence. Raises CardGone where the card's fault takes it away."""
        if self._level < len(self._levels):
            return self._select(frame)
        if not self._card.takes_apdus:
            return None
        if frame[0] == 0xE0 and len(frame) == 2 and self._chunk == 0:
            self._chunk = FRAME_SIZES[min(frame[1] >> 4, len(FRAME_SIZES) - 1)] - PROLOGUE_AND_CRC
            return self._ats
        if self._chunk == 0:
            return None
        reply = self._block(frame)
        if reply is not None:
            self._last = reply
        return reply

    def _select(self, frame: bytes) -> bytes | None:
        command, level = SELECT_LEVELS[self._level], self._levels[self._level]
        if frame == bytes((command, 0x20)):
            return level
        if frame == bytes((command, 0x70)) + level:
            self._level += 1
            if self._level < len(self._levels):
                return SAK_INCOMPLETE
            return SAK_ISO_DEP if self._card.takes_apdus else SAK_PLAIN
        return None

    def _block(self, frame: bytes) -> bytes | None:
        kind, number = frame[0], frame[0] & BLOCK_NUMBER
        if kind & 0xEE == I_BLOCK:
            self._number ^= BLOCK_NUMBER
            self._command += frame[1:]
            if kind & CHAINING:
                return bytes((R_ACK | self._number,))
            command, self._command = self._command, b""
            response = self._card.exchange(command)
            if not response:
                raise CardGone("The card left the field")
            self._response = [response[i : i + self._chunk] for i in range(0, len(response), self._chunk)]
            self._owed_waiting_times = self._waiting_times
            return self._waiting_time_or_response()
        if kind & 0xFE == R_NAK:
            return self._last if number == self._number and self._last else bytes((R_ACK | self._number,))
        if kind & 0xFE == R_ACK:
            if number == self._number:
                return self._last or None
            if not self._response:
                return None
            self._number ^= BLOCK_NUMBER
            return self._next_chunk()
        if kind == S_WTX:
            return self._waiting_time_or_response()
        if kind == S_DESELECT:
            self._level, self._chunk = 0, 0
            return frame
        return None

    def _waiting_time_or_response(self) -> bytes | None:
        if self._owed_waiting_times:
            self._owed_waiting_times -= 1
            return bytes((S_WTX, 0x01))
        return self._next_chunk() if self._response else None

    def _next_chunk(self) -> bytes:
        chunk, self._response = self._response[0], self._response[1:]
        return bytes((I_BLOCK | self._number | (CHAINING if self._response else 0),)) + chunk


class IsoDepDevice:
    """A place on loopback where virtual cards can be laid, for a reader at "nfcpy:udp:127.0.0.1:<port>"."""

    def __init__(self, port: int = 0, ats: bytes | None = None, waiting_times: int = 0) -> None:
        """Port 0 takes a free one. `ats` replaces the usual ATS; `waiting_times` S(WTX) come before each response."""
        self._wanted_port = port
        self._ats = ats
        self._waiting_times = waiting_times
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._card: VirtualCard | None = None
        self._activation: Activation | None = None
        self._field: Address | None = None
        self._pending: tuple[Address, float] | None = None
        self._port = 0
        self.trace: deque[str] = deque(maxlen=TRACED)

    @property
    def port(self) -> int:
        """The UDP port, once started."""
        return self._port

    @property
    def spec(self) -> str:
        """The specification of the reader that looks here."""
        return f"nfcpy:udp:{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Binds to loopback and answers from its own thread; raises OSError when the port is taken."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.bind((LOOPBACK, self._wanted_port))
        except OSError:
            bound.close()
            raise
        bound.settimeout(0.2)
        self._port = bound.getsockname()[1]
        self._socket = bound
        self._thread = threading.Thread(target=self._serve, args=(bound,), name="virtual-iso-dep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes the card away and frees the port."""
        self.remove()
        bound, self._socket = self._socket, None
        if self._thread is not None:
            self._thread.join(STOP_WITHIN)
            self._thread = None
        if bound is not None:
            bound.close()

    def __enter__(self) -> "IsoDepDevice":
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    def insert(self, card: VirtualCard) -> None:
        """Lays the card into the field, in place of one that is there."""
        with self._lock:
            self._card, self._activation, self._field = card, None, None
            pending, self._pending = self._pending, None
            if pending and time.monotonic() - pending[1] < PENDING and self._socket:
                self._answer(self._socket, SENSE_REQUESTS[0], pending[0])

    def remove(self) -> None:
        """Takes the card out of the field; the reader hears nothing more from it."""
        with self._lock:
            self._card, self._activation, self._field = None, None, None

    def _serve(self, bound: socket.socket) -> None:
        while self._socket is bound:
            try:
                datagram, address = bound.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            with self._lock:
                if datagram.startswith(b"RFOFF"):
                    self._activation, self._field = None, None
                    continue
                bit_rate, _space, digits = datagram.partition(b" ")
                try:
                    frame = bytes.fromhex(digits.decode("ascii"))
                except ValueError:
                    continue
                if bit_rate == b"106A" and frame:
                    self._answer(bound, frame, address)

    def _answer(self, bound: socket.socket, frame: bytes, address: Address) -> None:
        self.trace.append(frame.hex())
        sensing = frame in SENSE_REQUESTS
        if self._card is None:
            if sensing:
                self._pending = (address, time.monotonic())
            return
        reply: bytes | None
        try:
            if sensing:
                reply = self._sense(self._card, address)
            else:
                reply = self._activation.answer(frame) if self._activation and address == self._field else None
        except CardGone:
            self._card, self._activation, self._field = None, None, None
            return
        if reply is not None:
            bound.sendto(b"106A " + reply.hex().encode("ascii"), address)

    def _sense(self, card: VirtualCard, address: Address) -> bytes | None:
        """A field that was not there before powers the card; nfcpy takes a new port for each field."""
        if self._activation is None or self._field != address:
            card.power_on()
            self._field = address
            ats = self._ats if self._ats is not None else answer_to_select(card.ats_historical)
            self._activation = Activation(card, ats, self._waiting_times)
        return self._activation.sense()
