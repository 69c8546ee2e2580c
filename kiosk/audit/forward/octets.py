"""Syslog over a stream of octets, TLS or plain: nothing is acknowledged, so what has been read shows at the end only.

The other end answers our close_notify (or our FIN) when it has read everything before it: that is proof. A FIN without
close_notify, as GnuTLS peers send it, is one too if our octets had all been acknowledged, for a process that dies or
closes with octets unread makes the kernel send a reset instead.
"""

import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kiosk.audit.forward import tls
from kiosk.audit.forward.connect import connect, gone
from kiosk.audit.forward.sink import Kind, Sink
from kiosk.audit.forward.syslog import counted

QUIET_SECONDS: Final = 1.0
"""An end that comes by itself proves something only so long after the last message."""
LOOK: Final = 0.005
CHUNK: Final = 4096


class OctetChannel:
    """Implements `Channel` by octet counting over TLS, or for a lab over bare TCP."""

    proves_at_close = True

    def __init__(self, sink: Sink, connection: socket.socket) -> None:
        self._sink = sink
        self._connection = connection
        self._sent = 0
        self._sent_at = time.monotonic()
        self.confirmed = 0

    @classmethod
    def open(cls, sink: Sink) -> "OctetChannel":
        """Connects; raises SinkError."""
        return cls(sink, tls.secure(sink) if sink.kind is Kind.TLS else connect(sink))

    def send(self, messages: Sequence[bytes]) -> None:
        """Writes them in one go."""
        self.attend(0)
        self._connection.settimeout(self._sink.timeout)
        try:
            self._connection.sendall(b"".join(map(counted, messages)))
        except OSError as error:
            raise tls.failure(self._sink, error) from None
        self._sent += len(messages)
        self._sent_at = time.monotonic()

    def attend(self, seconds: float) -> None:
        """A receiver has nothing to say but that it ends."""
        self._connection.settimeout(seconds)
        try:
            if self._connection.recv(CHUNK):
                return
        except OSError as error:
            if tls.is_timeout(error):
                return
            if not tls.is_end(error):
                raise tls.failure(self._sink, error) from None
        if time.monotonic() - self._sent_at >= QUIET_SECONDS:
            self.confirmed = self._sent
        raise gone(self._sink)

    def close(self) -> None:
        """Says that this is all, and waits until the other end has heard it."""
        self.attend(0)
        is_taken = self._drain()
        self._connection.settimeout(self._sink.timeout)
        try:
            if isinstance(self._connection, ssl.SSLSocket):
                self._connection = self._connection.unwrap()
            else:
                self._connection.shutdown(socket.SHUT_WR)
                while self._connection.recv(CHUNK):
                    pass
        except OSError as error:
            if not (is_taken and tls.is_end(error)):
                raise tls.failure(self._sink, error) from None
        self.confirmed = self._sent
        self._connection.close()

    def abort(self) -> None:
        """Drops the connection."""
        with suppress(OSError):
            tls.shut(self._connection)
        self._connection.close()

    def _drain(self) -> bool:
        """Waits until the other machine has taken every octet; False when it does not within the timeout."""
        end = time.monotonic() + self._sink.timeout
        while time.monotonic() < end:
            waiting: int = struct.unpack("i", fcntl.ioctl(self._connection, termios.TIOCOUTQ, b"\0" * 4))[0]
            if not waiting:
                return True
            time.sleep(LOOK)
        return False
