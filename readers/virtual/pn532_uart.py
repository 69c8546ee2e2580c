"""Presents virtual cards to nfcpy's real PN532 driver: the chip at the other end of a pseudo-terminal.

The reader is "nfcpy:tty:<file>:pn532", where the file is a link in a directory of the caller's: a chip that was
unplugged comes back on another pseudo-terminal, and the link leads there.
"""

import enum
import errno
import os
import select
import termios
import threading
import time
import tty
from pathlib import Path

from readers.virtual.card import VirtualCard
from readers.virtual.pn532 import Answer, Pn532
from readers.virtual.pn532_frame import ACK, ERROR, FROM_CHIP, Acknowledged, Deframer, Heard, Order, Repeat, encode

LINK = "pn532"
TERMIOS_SPEEDS = {
    115_200: termios.B115200,
    230_400: termios.B230400,
    460_800: termios.B460800,
    921_600: termios.B921600,
}
WAKING_BYTES = 5
SLOW_SECONDS = 0.004
NOISE = bytes.fromhex("FF00A50000FF0000FF05AA00FF")
STOP_WITHIN = 5.0
LIST_TARGETS = 0x4A


class LineFault(enum.Enum):
    """What can go wrong between host and chip; each is planted for a number of frames."""

    SLOW = "slow"
    ACK_LOST = "ack-lost"
    ANSWER_LOST = "answer-lost"
    MUTE = "mute"
    NOISE = "noise"
    CORRUPT = "corrupt"
    SYNTAX_ERROR = "syntax-error"
    SENSE_HANGS = "sense-hangs"


class Pn532Uart:
    """A chip on a line, until `stop`. Cards are laid on and taken away from any thread."""

    def __init__(self, directory: Path) -> None:
        self._link = directory / LINK
        self._lock = threading.RLock()
        self._chip = Pn532()
        self._faults: dict[LineFault, int] = {}
        self._deframer = Deframer()
        self._line = -1
        self._held_open = -1
        self._thread: threading.Thread | None = None
        self._running = False
        self._last = b""

    @property
    def spec(self) -> str:
        """The specification of the reader on this line."""
        return f"nfcpy:tty:{self._link}:pn532"

    @property
    def path(self) -> Path:
        """The line's file, as the reader opens it."""
        return self._link

    @property
    def chip(self) -> Pn532:
        """The chip, for tests that look into it."""
        return self._chip

    def start(self) -> None:
        """Plugs the chip in."""
        self._line, self._held_open = os.openpty()
        tty.setraw(self._held_open)
        os.set_blocking(self._line, False)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self._held_open))
        self._running = True
        self._thread = threading.Thread(target=self._serve, args=(self._line,), name="virtual-pn532", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Unplugs it: whoever holds the line hears that it was hung up. The card stays where it is."""
        self._running = False
        if self._thread is not None:
            self._thread.join(STOP_WITHIN)
            self._thread = None
        for descriptor in (self._line, self._held_open):
            if descriptor >= 0:
                os.close(descriptor)
        self._line = self._held_open = -1
        self._link.unlink(missing_ok=True)

    def replug(self) -> None:
        """A new chip of the same make, with its power-on settings and the same card on it."""
        with self._lock:
            chip = Pn532()
            if self._chip.card is not None:
                chip.insert(self._chip.card)
            self._chip = chip
            self._deframer.forget()
        self.start()

    def __enter__(self) -> "Pn532Uart":
        self.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    def insert(self, card: VirtualCard) -> None:
        """Lays the card into the field, in place of one that is there."""
        with self._lock:
            self._chip.insert(card)

    def remove(self) -> None:
        """Takes the card out of the field."""
        with self._lock:
            self._chip.remove()

    def plant(self, fault: LineFault, frames: int = 1) -> None:
        """Lets the next `frames` frames, to which it applies, suffer `fault`."""
        with self._lock:
            self._faults[fault] = frames

    def suffers(self, fault: LineFault) -> bool:
        """True while some of what was planted is left."""
        with self._lock:
            return self._faults.get(fault, 0) > 0

    def _serve(self, line: int) -> None:
        while self._running:
            if not select.select([line], [], [], 0.05)[0]:
                continue
            try:
                received = os.read(line, 1024)
            except OSError:  # nobody has the other end open
                time.sleep(0.01)
                continue
            for heard in self._hear(line, received):
                self._react(line, heard)

    def _hear(self, line: int, received: bytes) -> list[Heard]:
        if termios.tcgetattr(line)[5] != TERMIOS_SPEEDS[self._chip.speed]:
            return []
        if self._chip.is_asleep:
            if len(received) <= WAKING_BYTES:
                return []
            received, self._chip.is_asleep = received[WAKING_BYTES:], False
        return self._deframer.feed(received)

    def _react(self, line: int, heard: Heard) -> None:
        if isinstance(heard, Acknowledged):
            self._chip.heard_answer()
            return
        if isinstance(heard, Repeat):
            self._send(line, self._last)
            return
        if self._take(LineFault.MUTE):
            return
        if not self._take(LineFault.ACK_LOST):
            self._send(line, ACK)
        with self._lock:
            answer = None if self._take(LineFault.SYNTAX_ERROR) else self._chip.obey(heard.code, heard.data)
        if answer is None:
            self._send(line, ERROR)
        elif self._wait(line, heard, answer):
            frame = encode(bytes((FROM_CHIP, heard.code + 1)) + answer.data)
            if self._take(LineFault.CORRUPT):
                frame = frame[:-3] + bytes((frame[-3] ^ 0x40,)) + frame[-2:]
            self._last = frame
            if not self._take(LineFault.ANSWER_LOST):
                self._send(line, frame)

    def _wait(self, line: int, order: Order, answer: Answer) -> bool:
        """Lets the chip take its time; False when the host gave up meanwhile."""
        seconds = answer.seconds
        if order.code == LIST_TARGETS and self._take(LineFault.SENSE_HANGS):
            seconds = None
        end = None if seconds is None else time.monotonic() + seconds
        while self._running:
            left = 0.05 if end is None else min(0.05, end - time.monotonic())
            if left <= 0:
                return True
            if select.select([line], [], [], left)[0]:
                return False
        return False

    def _send(self, line: int, frame: bytes) -> None:
        if self._take(LineFault.NOISE):
            frame = NOISE + frame
        slow = self._take(LineFault.SLOW)
        for part in (bytes((byte,)) for byte in frame) if slow else (frame,):
            try:
                os.write(line, part)
            except OSError as error:
                if error.errno not in (errno.EIO, errno.EAGAIN):
                    raise
                return
            if slow:
                time.sleep(SLOW_SECONDS)

    def _take(self, fault: LineFault) -> bool:
        with self._lock:
            left = self._faults.get(fault, 0)
            self._faults[fault] = max(0, left - 1)
            return left > 0
