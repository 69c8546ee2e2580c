"""Syslog over UDP (RFC 5426), a message a datagram: for a lab. Nobody hears whether anything arrives."""

import socket
from collections.abc import Sequence
from typing import Final

from kiosk.audit.forward.connect import trouble, unknown
from kiosk.audit.forward.sink import Sink

LARGEST: Final = 65_507
"""Octets that one datagram carries over IPv4."""


class DatagramChannel:
    """Implements `Channel`; what was handed to the network counts as arrived."""

    proves_at_close = False

    def __init__(self, sink: Sink, connection: socket.socket) -> None:
        self._sink = sink
        self._connection = connection
        self.confirmed = 0

    @classmethod
    def open(cls, sink: Sink) -> "DatagramChannel":
        """Looks the host up; raises SinkError."""
        try:
            family, _, _, _, address = socket.getaddrinfo(sink.host, sink.port, type=socket.SOCK_DGRAM)[0]
            connection = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        except UnicodeError:
            raise unknown(sink) from None
        except OSError as error:
            raise trouble(sink, error) from None
        try:
            connection.settimeout(sink.timeout)
            connection.connect(address)
        except OSError as error:
            connection.close()
            raise trouble(sink, error) from None
        return cls(sink, connection)

    def send(self, messages: Sequence[bytes]) -> None:
        """Sends each; raises SinkError for one that no datagram carries, and stays there rather than leave it out."""
        for message in messages:
            if len(message) > LARGEST:
                raise self._sink.error(
                    f"a message of {len(message)} octets does not go into a datagram. Use relp, tls or tcp."
                )
            try:
                self._connection.send(message)
            except OSError as error:
                raise trouble(self._sink, error) from None
            self.confirmed += 1

    def attend(self, seconds: float) -> None:
        """The machine at the other end may say that nobody listens there."""
        self._connection.settimeout(seconds)
        try:
            self._connection.recv(1)
        except (TimeoutError, BlockingIOError):
            return
        except OSError as error:
            raise trouble(self._sink, error) from None

    def close(self) -> None:
        """Closes."""
        self._connection.close()

    def abort(self) -> None:
        """Closes."""
        self._connection.close()
