"""A PN532 on a serial line, as a transport of nfcpy's own shape: frames in and out (PN532 user manual, 6.2.1).

nfcpy's transport takes whatever comes for the start of a frame, and its way of opening runs a shell and changes the
line's speed, which on Linux often leaves chip and host at different ones. Here the line stays at 115,200 baud, noise is
passed over, and a wait can be ended from another thread.
"""

import errno
import fcntl
import os
import select
import termios
import time
import tty

LINE_SPEED = 115_200
SPEEDS = {
    115_200: termios.B115200,
    921_600: termios.B921600,
    460_800: termios.B460800,
    230_400: termios.B230400,
}
WAKE_UP = bytes.fromhex("5555") + bytes(14)
START = b"\x00\x00\xff"
ACK = bytes.fromhex("0000FF00FF00")
SHORTEST_WAIT = 0.5
"""Seconds at least that a frame is waited for: adapters on a busy machine are later than the chip's 15 ms."""
BETWEEN_BYTES = 0.2
REST, LONGEST_REST = 0.05, 0.2
"""Seconds of silence after which no answer to a broken-off command is on its way any more, and the most of them."""
WRITE_SECONDS = 1.0
LONGEST_FRAME_SECONDS = 2.0
LONGEST_FRAME = 300
LONGEST_NOISE = 4096


class Uart:
    """The line of one PN532. Raises OSError as nfcpy expects it: ETIMEDOUT, EIO, ENODEV; EBUSY and EACCES at `open`."""

    TYPE = "TTY"
    manufacturer_name = None
    product_name = None

    def __init__(self, port: str) -> None:
        self._port = port
        self._line = -1
        self._speed = LINE_SPEED
        self._asleep = True
        self._received = bytearray()
        self._failure = 0
        self._bell, self._ring = -1, -1

    @property
    def port(self) -> str:
        """The device's file."""
        return self._port

    @property
    def baudrate(self) -> int:
        """Bits a second."""
        return self._speed

    @baudrate.setter
    def baudrate(self, value: int) -> None:
        self._speed = value
        if self._line >= 0:
            _configure(self._line, value)

    @property
    def failure(self) -> int:
        """The errno of the last failed read or write, 0 without one: nfcpy's driver makes EIO of all of them."""
        return self._failure

    def open(self) -> None:
        """Takes the line for this program alone, silently; the first frame wakes the chip."""
        line = os.open(self._port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _configure(line, self._speed)
        except BlockingIOError:
            os.close(line)
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY)) from None
        except OSError:
            os.close(line)
            raise
        self._line, self._asleep, self._failure = line, True, 0
        self._bell, self._ring = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """Lets the line go."""
        line, self._line = self._line, -1
        bell, self._bell = self._bell, -1
        ring, self._ring = self._ring, -1
        for descriptor in (line, bell, ring):
            if descriptor >= 0:
                os.close(descriptor)

    def interrupt(self) -> None:
        """Ends the `read` that is under way with ETIMEDOUT; from another thread."""
        ring = self._ring
        if ring >= 0:
            try:
                os.write(ring, b"!")
            except OSError:  # rung already, or closed just now
                return

    def silence(self) -> None:
        """Forgets an interruption that came too late."""
        if self._bell >= 0:
            try:
                os.read(self._bell, 64)
            except BlockingIOError:
                return

    def write(self, frame: bytes) -> None:
        """Sends one frame; what came in before is not its answer and is dropped."""
        self._received.clear()
        self._failure = 0
        rest = (WAKE_UP if self._asleep else b"") + bytes(frame)
        self._asleep = False
        deadline = time.monotonic() + WRITE_SECONDS
        try:
            termios.tcflush(self._opened(), termios.TCIFLUSH)
            while rest:
                left = max(0.0, deadline - time.monotonic())
                if not select.select([], [self._opened()], [], left)[1]:
                    raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
                rest = rest[os.write(self._opened(), rest) :]
        except termios.error as error:
            raise self._failed(error.args[0]) from None
        except OSError as error:
            raise self._failed(error.errno) from None

    def read(self, timeout: int) -> bytearray:
        """One whole frame within `timeout` milliseconds, or half a second where that is less."""
        deadline = time.monotonic() + max(timeout / 1000, SHORTEST_WAIT)
        passed_over = 0
        while True:
            start = self._received.find(START)
            if start < 0:
                start = max(0, len(self._received) - len(START) + 1)
            passed_over += start
            del self._received[:start]
            if passed_over > LONGEST_NOISE:
                self._failure = errno.EIO
                raise OSError(errno.EIO, "Nothing but noise on the line")
            size = _frame_size(self._received)
            if size == 0:  # what looked like a start was none
                del self._received[:1]
                passed_over += 1
            elif size is None or len(self._received) < size:
                begun = len(self._received) > len(START)
                patience = min(deadline + LONGEST_FRAME_SECONDS, time.monotonic() + BETWEEN_BYTES)
                self._more(max(deadline, patience) if begun else deadline)
            else:
                frame = self._received[:size]
                del self._received[:size]
                return frame

    def _more(self, deadline: float) -> None:
        left = max(0.0, deadline - time.monotonic())
        ready = select.select([self._opened(), self._bell], [], [], left)[0]
        if self._line in ready:
            try:
                chunk = os.read(self._line, 1024)
            except BlockingIOError:
                return
            except OSError as error:
                raise self._failed(error.errno) from None
            if not chunk:
                raise self._failed(errno.ENODEV)
            self._received += chunk
            return
        if self._bell in ready:
            self.silence()
            self._break_off()
        raise self._failed(errno.ETIMEDOUT)

    def _break_off(self) -> None:
        """Ends what the chip was told to do, and waits for what is on its way of an answer: it would be taken for that
        to the next command."""
        deadline = time.monotonic() + LONGEST_REST
        try:
            os.write(self._line, ACK)
            while time.monotonic() < deadline and select.select([self._line], [], [], REST)[0]:
                if not os.read(self._line, 1024):
                    return
        except OSError:  # full or gone, as the next frame will find
            return

    def _failed(self, number: int | None) -> OSError:
        """A pseudo-terminal that was hung up says EIO, an unplugged adapter ENXIO or ENODEV."""
        self._failure = number if number == errno.ETIMEDOUT else errno.ENODEV
        return OSError(self._failure, os.strerror(self._failure))

    def _opened(self) -> int:
        if self._line < 0:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return self._line


def _frame_size(received: bytearray) -> int | None:
    """Bytes of the frame that `received` starts with; None while that cannot be known, 0 where it is no frame."""
    if len(received) < 5:
        return None
    length, check = received[3], received[4]
    if (length, check) in ((0x00, 0xFF), (0xFF, 0x00)):
        return 6
    if (length, check) == (0xFF, 0xFF):
        if len(received) < 8:
            return None
        length = int.from_bytes(received[5:7], "big")
        return 0 if sum(received[5:8]) & 0xFF or not 0 < length <= LONGEST_FRAME else 10 + length
    return 0 if (length + check) & 0xFF or not length else 7 + length


def _configure(line: int, speed: int) -> None:
    """Raw, eight bits, no parity, one stop bit, no handshake, at `speed`."""
    try:
        tty.setraw(line, termios.TCSANOW)
        attributes = termios.tcgetattr(line)
        attributes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
        attributes[4] = attributes[5] = SPEEDS[speed]
        termios.tcsetattr(line, termios.TCSANOW, attributes)
    except termios.error as error:  # which is no OSError, though it carries its number
        raise OSError(error.args[0], os.strerror(error.args[0])) from None
