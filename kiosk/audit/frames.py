"""What goes over the socket of the trail: a length of 32 bits, big end first, then so many octets of JSON."""

import socket
import time
from typing import Final

from kiosk.audit.canonical import dumps
from kiosk.audit.decode import Fields, RecordError, fields_of, loads

LARGEST_REQUEST: Final = (1 << 20) + 4096
LARGEST_ANSWER: Final = 1 << 22
"""Octets. A record that fits a request fits an answer, where it is quoted once more."""
PREFIX: Final = 4


class FrameError(RecordError):
    """Octets that are no frame; the connection ends."""


class ConnectionLost(OSError):
    """The other side went away, or did not answer in time."""


def encode(message: dict[str, object], largest: int) -> bytes:
    """A frame; raises FrameError when it would be too large."""
    body = dumps(message)
    if len(body) > largest:
        raise FrameError(f"A message of {len(body)} octets is too large for the audit trail's socket.")
    return len(body).to_bytes(PREFIX, "big") + body


def send(connection: socket.socket, frame: bytes, seconds: float) -> None:
    """Sends it whole within that time; raises ConnectionLost."""
    try:
        connection.settimeout(seconds)
        connection.sendall(frame)
    except OSError as error:
        raise ConnectionLost(str(error)) from None


def receive(connection: socket.socket, largest: int, wait: float | None, seconds: float) -> Fields | None:
    """The next message: its first octet within `wait` (None: however long), the rest within `seconds`.

    None when the other side closed between two messages; raises ConnectionLost and FrameError.
    """
    try:
        connection.settimeout(wait)
        first = connection.recv(1)
        if not first:
            return None
        deadline = time.monotonic() + seconds
        length = int.from_bytes(first + _exactly(connection, PREFIX - 1, deadline), "big")
        if length > largest:
            raise FrameError(f"A message of {length} octets is too large for the audit trail's socket.")
        body = _exactly(connection, length, deadline)
    except OSError as error:
        raise ConnectionLost(str(error)) from None
    return fields_of(loads(body), "message")


def _exactly(connection: socket.socket, count: int, deadline: float) -> bytes:
    pieces = bytearray()
    while len(pieces) < count:
        left = deadline - time.monotonic()
        if left <= 0:
            raise ConnectionLost("It took too long.")
        connection.settimeout(left)
        piece = connection.recv(min(count - len(pieces), 65536))
        if not piece:
            raise ConnectionLost("The connection broke off.")
        pieces += piece
    return bytes(pieces)
