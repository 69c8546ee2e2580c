"""Frames between the kiosk and its worker: a length, then msgpack of kind, call, type name and value.

A value is decoded only as the type that is expected at this point, field by field; nothing here can name code to run.
"""

import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock
from typing import Any, Final, TypeVar

import msgspec

from kiosk import errors
from kiosk.errors import ImagingError, KioskError, PeerUntrusted

MAXIMUM_FRAME: Final = 64 * 1024 * 1024
READ_AHEAD: Final = 64 * 1024
Value = TypeVar("Value")
_LENGTH: Final = struct.Struct(">I")

ERRORS: Final[dict[str, type[KioskError]]] = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, KioskError)
}


class Kind(IntEnum):
    """What a frame is."""

    CALL = 1
    CANCEL = 2
    ITEM = 3
    RESULT = 4
    FAILURE = 5


class WireError(ImagingError):
    """The other side sent something that is no frame, or a value of another type than expected."""


@dataclass(frozen=True)
class Frame:
    """One frame. `name` is the type of the encoded value in `body`."""

    kind: Kind
    call: int
    name: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class Failure:
    """How an error crosses: the class of `kiosk.errors`, the sentence, and of a PeerUntrusted its node."""

    error: str
    sentence: str
    node: str = ""


_FRAMES: Final = msgspec.msgpack.Decoder(tuple[int, int, str, bytes])
_decoders: dict[type, msgspec.msgpack.Decoder[Any]] = {}


def frame(kind: Kind, call: int, value: object) -> Frame:
    """A frame that carries a value."""
    return Frame(kind, call, type(value).__name__, msgspec.msgpack.encode(value))


def decode_value(received: Frame, expected: type[Value]) -> Value:
    """The value of a frame; raises WireError when it is not exactly an `expected`."""
    if received.name != expected.__name__:
        raise WireError("The imaging worker answered something that was not asked.")
    decoder = _decoders.get(expected)
    if decoder is None:
        decoder = _decoders.setdefault(expected, msgspec.msgpack.Decoder(expected, strict=True))
    try:
        value: Value = decoder.decode(received.body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise WireError("The imaging worker answered something that cannot be read.") from error
    return value


def failure(call: int, error: KioskError) -> Frame:
    """A frame for an error, as the nearest class that `kiosk.errors` has for it."""
    known = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in ERRORS)
    node = error.node if isinstance(error, PeerUntrusted) else ""
    return frame(Kind.FAILURE, call, Failure(known, str(error), node))


def raised(received: Frame) -> KioskError:
    """The error that a failure frame stands for."""
    told = decode_value(received, Failure)
    if told.error == PeerUntrusted.__name__:
        return PeerUntrusted(told.sentence, told.node)
    return ERRORS.get(told.error, ImagingError)(told.sentence)


class Channel:
    """Frames over a socket. Any thread may write; one thread reads."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._lock = Lock()
        self._ahead = bytearray()

    def write(self, sent: Frame) -> None:
        """Sends a frame; raises WireError for one that is too large and OSError when the other side is gone."""
        data = msgspec.msgpack.encode((int(sent.kind), sent.call, sent.name, sent.body))
        if len(data) > MAXIMUM_FRAME:
            raise WireError("The answer is too large.")
        with self._lock:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def read(self) -> Frame | None:
        """The next frame, None at the end; raises WireError."""
        head = self._exactly(_LENGTH.size)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        if length > MAXIMUM_FRAME:
            raise WireError("A frame without end.")
        data = self._exactly(length)
        if data is None:
            return None
        try:
            kind, call, name, body = _FRAMES.decode(data)
            return Frame(Kind(kind), call, name, body)
        except (msgspec.MsgspecError, ValueError) as error:
            raise WireError("A frame that is none.") from error

    def close(self) -> None:
        """Ends both directions; whoever reads on either side sees the end."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _exactly(self, count: int) -> bytearray | None:
        """So many bytes; small frames come many at a time."""
        while len(self._ahead) < min(count, READ_AHEAD):
            try:
                more = self._socket.recv(READ_AHEAD)
            except OSError:
                return None
            if not more:
                return None
            self._ahead += more
        data = self._ahead[:count]
        del self._ahead[:count]
        return data if len(data) == count else self._filled(data, count)

    def _filled(self, start: bytearray, count: int) -> bytearray | None:
        """`start` and what is missing of `count` bytes, which are too many to be held twice."""
        data = bytearray(count)
        view = memoryview(data)
        view[: len(start)] = start
        view = view[len(start) :]
        while view:
            try:
                read = self._socket.recv_into(view)
            except OSError:
                return None
            if not read:
                return None
            view = view[read:]
        return data
