"""RELP, the Reliable Event Logging Protocol, version 0: every message is acknowledged. Always over TLS.

A frame is "TXNR SP COMMAND SP LENGTH [SP DATA] LF". The client opens with what it offers, sends "syslog" commands with
rising transaction numbers, a window of them unanswered at a time, and ends with "close"; the server answers each with
"rsp" and a status that begins with 200. Number 0 is the server's own word: "serverclose".
"""

import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kiosk.audit.forward import tls
from kiosk.audit.forward.connect import gone
from kiosk.audit.forward.sink import Sink, SinkError

OFFERS: Final = b"relp_version=0\nrelp_software=imaging-kiosk\ncommands=syslog"
WINDOW: Final = 128
LAST_NUMBER: Final = 999_999_999
HEAD: Final = re.compile(rb"(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,5})(?=[ \n])")
LONGEST_HEAD: Final = 64
CHUNK: Final = 16 * 1024
ACCEPTED: Final = b"200"


class RelpChannel:
    """Implements `Channel`; what is acknowledged in order from the first on counts as arrived."""

    proves_at_close = False

    def __init__(self, sink: Sink, connection: socket.socket) -> None:
        self._sink = sink
        self._connection = connection
        self._number = 0
        self._unanswered: deque[int] = deque()
        self._answered: set[int] = set()
        self._input = b""
        self._progress_at = time.monotonic()
        self.confirmed = 0

    @classmethod
    def open(cls, sink: Sink) -> "RelpChannel":
        """Connects, and agrees on what will be spoken; raises SinkError."""
        channel = cls(sink, tls.secure(sink))
        try:
            channel.begin()
        except SinkError:
            channel.abort()
            raise
        return channel

    def begin(self) -> None:
        """The opening: our offers, and what the server takes of them."""
        self._write(self._frame(b"open", OFFERS))
        answer = self._await_answer(self._number)
        offers = dict(line.partition(b"=")[::2] for line in answer.splitlines()[1:])
        if b"syslog" not in offers.get(b"commands", b"").split(b","):
            raise self._sink.error(f"{self._sink.place} speaks RELP, but takes no syslog. Mend the receiver.")

    def send(self, messages: Sequence[bytes]) -> None:
        """Sends them as fast as the window allows."""
        self._read(0)
        ready: list[bytes] = []
        for message in messages:
            if len(self._unanswered) >= WINDOW:
                self._write(b"".join(ready))
                ready.clear()
                while len(self._unanswered) >= WINDOW:
                    self._wait()
            if not self._unanswered:
                self._progress_at = time.monotonic()
            ready.append(self._frame(b"syslog", message))
            self._unanswered.append(self._number)
        self._write(b"".join(ready))

    def attend(self, seconds: float) -> None:
        """Takes the answers that come in."""
        self._read(seconds)
        if self._unanswered and time.monotonic() - self._progress_at > self._sink.timeout:
            raise self._silent()

    def close(self) -> None:
        """Waits for every answer, then says goodbye."""
        while self._unanswered:
            self._wait()
        self._write(self._frame(b"close", b""))
        with suppress(SinkError, OSError):  # everything is acknowledged: what follows is courtesy
            self._await_answer(self._number)
            self._connection.settimeout(self._sink.timeout)
            if isinstance(self._connection, ssl.SSLSocket):
                self._connection.unwrap().close()
        self._connection.close()

    def abort(self) -> None:
        """Drops the connection."""
        with suppress(OSError):
            tls.shut(self._connection)
        self._connection.close()

    def _frame(self, command: bytes, data: bytes) -> bytes:
        self._number = self._number % LAST_NUMBER + 1
        return b"%d %b %d%b%b\n" % (self._number, command, len(data), b" " if data else b"", data)

    def _write(self, octets: bytes) -> None:
        self._connection.settimeout(self._sink.timeout)
        try:
            self._connection.sendall(octets)
        except OSError as error:
            raise tls.failure(self._sink, error) from None

    def _wait(self) -> None:
        """One round of answers, or SinkError when none has come for the timeout."""
        left = self._progress_at + self._sink.timeout - time.monotonic()
        if left <= 0:
            raise self._silent()
        self._read(left)

    def _read(self, seconds: float) -> None:
        """Takes what there is, waiting at most so long for the first octet."""
        if self._receive(seconds):
            while (frame := self._next_frame()) is not None:
                self._take(*frame)

    def _receive(self, seconds: float) -> bool:
        self._connection.settimeout(seconds)
        try:
            octets = self._connection.recv(CHUNK)
        except OSError as error:
            if tls.is_timeout(error):
                return False
            raise tls.failure(self._sink, error) from None
        if not octets:
            raise gone(self._sink)
        self._input += octets
        return True

    def _await_answer(self, number: int) -> bytes:
        """The data of the answer to a command that is no message."""
        end = time.monotonic() + self._sink.timeout
        while True:
            while (frame := self._next_frame()) is not None:
                if frame[0] == number and frame[1] == b"rsp":
                    return self._accepted(frame[2])
                self._take(*frame)
            left = end - time.monotonic()
            if left <= 0:
                raise self._silent()
            self._receive(left)

    def _next_frame(self) -> tuple[int, bytes, bytes] | None:
        """Number, command and data of the next whole frame of what came in."""
        head = HEAD.match(self._input)
        if head is None:
            self._require(len(self._input) < LONGEST_HEAD)
            return None
        size = int(head[3])
        begin = head.end() + (size > 0)  # a blank stands before the data only when there are any
        if len(self._input) <= begin + size:
            return None
        self._require(self._input[begin + size : begin + size + 1] == b"\n")
        data, self._input = self._input[begin : begin + size], self._input[begin + size + 1 :]
        return int(head[1]), head[2], data

    def _take(self, number: int, command: bytes, data: bytes) -> None:
        if command == b"serverclose":
            raise gone(self._sink)
        self._require(command == b"rsp" and number in self._unanswered)
        self._accepted(data)
        self._progress_at = time.monotonic()
        self._answered.add(number)
        while self._unanswered and self._unanswered[0] in self._answered:
            self._answered.remove(self._unanswered.popleft())
            self.confirmed += 1

    def _accepted(self, data: bytes) -> bytes:
        if data and not data.startswith(ACCEPTED):
            said = data.partition(b"\n")[0][:200].decode("ascii", "replace")
            raise self._sink.error(f"{self._sink.place} refuses a message: {said}. Look into the receiver's log.")
        return data

    def _require(self, held: bool) -> None:
        if not held:
            raise self._sink.error(f"{self._sink.place} does not speak RELP. Check port, and that the receiver does.")

    def _silent(self) -> SinkError:
        return self._sink.error(
            f"{self._sink.place} does not acknowledge messages. Check that the receiver works and has room."
        )
