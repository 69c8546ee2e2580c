"""PDUs and DIMSE messages over a connection: what leaves goes from file to socket, what comes goes from socket to file.

A file's own bytes are never held: neither its size nor the peer's speed changes what memory they take.

PS3.8 9.3.5 (P-DATA-TF) and Annex E (message control header).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from time import monotonic
from typing import Final, NoReturn, Protocol

from kiosk.errors import UnreadableObject
from kiosk.imaging.network import status
from kiosk.imaging.network.commands import Command, decode
from kiosk.imaging.network.pace import PACES
from kiosk.imaging.network.transport import Buffer, Connection
from kiosk.imaging.peers import Peer

MAXIMUM_PDU: Final = 131072
PDU_SLACK: Final = 1024
MAXIMUM_COMMAND: Final = 64 * 1024
MAXIMUM_IDENTIFIER: Final = 16 * 1024 * 1024
TRICKLE: Final = 16 * 1024
SMALLEST_PDU: Final = 128

_TLS_ALERT: Final = 0x15
_IS_COMMAND: Final = 0x01
_IS_LAST: Final = 0x02


class Pdu(IntEnum):
    """PDU types (PS3.8 9.3)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


RELEASE_RQ: Final = bytes((Pdu.RELEASE_RQ, 0, 0, 0, 0, 4, 0, 0, 0, 0))
RELEASE_RP: Final = bytes((Pdu.RELEASE_RP, 0, 0, 0, 0, 4, 0, 0, 0, 0))
ABORT: Final = bytes((Pdu.ABORT, 0, 0, 0, 0, 4, 0, 0, 0, 0))


class Sink(Protocol):
    """Takes the bytes of one data set as they come."""

    def write(self, data: memoryview, /) -> object:
        """Takes the next bytes, which stay until the connection's `before_reuse`; what it returns is not looked at."""


@dataclass(frozen=True)
class FilePart:
    """A data set as it lies in an open file: `count` bytes from `offset`."""

    descriptor: int
    offset: int
    count: int


Body = bytes | FilePart
"""A data set to send: an identifier as bytes, an object as the part of its file."""


@dataclass(frozen=True)
class Message:
    """A whole DIMSE message. `data` is empty when a sink took the data set."""

    context_id: int
    command: Command
    data: bytes = b""


SinkFor = Callable[[int, Command], Sink | None]


def collect(context_id: int, command: Command) -> Sink | None:
    """Keeps every data set in memory, up to MAXIMUM_IDENTIFIER."""
    return None


class DataPath:
    """Reads and writes PDUs within the peer's timeout each. A peer that lies about lengths is aborted, not believed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._paused = 0.0
        self._pace = PACES.of(connection.peer)

    @property
    def peer(self) -> Peer:
        """Whom this is with."""
        return self.connection.peer

    def identify(self, peer: Peer) -> None:
        """Says who the caller is, once that is known."""
        self.connection.peer = peer
        self._pace = PACES.of(peer)

    def deadline(self) -> float:
        """When the PDU that is waited for from now on must be through."""
        return monotonic() + self.peer.timeout

    def write(self, pdu: bytes) -> None:
        """Sends one PDU as it is."""
        self.connection.write([pdu], self.deadline())

    def read_pdu(self, deadline: float | None = None) -> tuple[int, memoryview]:
        """Type and body of the next PDU; the body is good until the connection's `before_reuse`."""
        limit = self.deadline() if deadline is None else deadline
        kind, length = struct.unpack(">BxI", self.connection.read(6, limit))
        if kind == _TLS_ALERT and not self.connection.is_secured:
            raise status.speaks_tls(self.peer)
        if length > MAXIMUM_PDU + PDU_SLACK:
            raise status.babble(self.peer, f"a PDU of {length} bytes where {MAXIMUM_PDU} were agreed")
        body = self.connection.read(length, limit)
        self._spend(length)
        return kind, body

    def send(self, context_id: int, maximum: int, command: bytes, data: Body | None = None) -> None:
        """Sends a message; `maximum` is the PDU length the peer takes."""
        # An odd room would make odd fragments, which PS3.8 E.2 forbids.
        room = min(maximum, MAXIMUM_PDU) - 6 & ~1
        pieces: list[Buffer] = []
        for start in range(0, len(command), room):
            piece = command[start : start + room]
            last = _IS_LAST if start + room >= len(command) else 0
            pieces += _header(context_id, _IS_COMMAND | last, len(piece)), piece
        if data is None:
            self.connection.write(pieces, self.deadline())
            return
        whole = memoryview(data) if isinstance(data, bytes) else None
        total = len(data) if isinstance(data, bytes) else data.count
        # An empty data set is one empty fragment.
        for start in range(0, max(total, 1), room):
            count = min(room, total - start)
            pieces.append(_header(context_id, _IS_LAST if start + count >= total else 0, count))
            if isinstance(data, FilePart):
                self.connection.write_file(pieces, data.descriptor, data.offset + start, count, self.deadline())
            elif whole is not None:
                self.connection.write([*pieces, whole[start : start + count]], self.deadline())
            self._spend(count)
            pieces = []

    def _spend(self, count: int) -> None:
        if self._pace is not None:
            seconds = self._pace.spend(count)
            self._paused += seconds
            self.connection.pause(seconds)

    def receive(self, sink_for: SinkFor = collect, deadline: float | None = None) -> Message:
        """The next message. `sink_for` is asked once its command is there; None keeps the data set in memory.

        Without `deadline` each PDU may take the peer's timeout: the clock measures silence, not size. But a peer that
        says less than TRICKLE bytes in that time says as good as nothing, however often it does.
        """
        assembly = _Assembly(sink_for)
        self.connection.reuse()
        began, came = monotonic() - self._paused, 0
        while True:
            patience = self.peer.timeout * (2 + came // TRICKLE)
            limit = min(self.deadline(), began + self._paused + patience) if deadline is None else deadline
            kind, body = self.read_pdu(limit)
            came += len(body)
            if kind != Pdu.DATA:
                self._unexpected(kind, body)
            position = 0
            while position < len(body):
                if position + 6 > len(body):
                    raise status.babble(self.peer, "a PDU that does not add up")
                length, context_id, control = struct.unpack_from(">IBB", body, position)
                end = position + 4 + length
                if length < 2 or end > len(body):
                    raise status.babble(self.peer, "a PDU that does not add up")
                try:
                    message = assembly.take(context_id, control, body[position + 6 : end])
                except UnreadableObject as error:
                    raise status.babble(self.peer, "a message that does not add up") from error
                position = end
                if message is not None:
                    # A second message may not share the PDU: nothing we send lets a peer have two to say.
                    if position < len(body):
                        raise status.babble(self.peer, "two messages in one PDU")
                    return message

    def _unexpected(self, kind: int, body: memoryview) -> NoReturn:
        if kind == Pdu.ABORT:
            raise status.aborted(self.peer, *abort_reason(body))
        if kind == Pdu.RELEASE_RQ:
            self.connection.try_write(RELEASE_RP)
            raise status.released(self.peer)
        raise status.babble(self.peer, f"a PDU of type {kind:02X} out of turn")


def abort_reason(body: memoryview) -> tuple[int, int]:
    """Source and reason of an A-ABORT."""
    return (body[2], body[3]) if len(body) >= 4 else (0, 0)


def _header(context_id: int, control: int, count: int) -> bytes:
    """The head of a P-DATA-TF PDU with one PDV of `count` bytes."""
    return struct.pack(">BxIIBB", Pdu.DATA, count + 6, count + 2, context_id, control)


class _Assembly:
    """A message in the making; raises UnreadableObject when its pieces do not fit."""

    def __init__(self, sink_for: SinkFor) -> None:
        self._sink_for = sink_for
        self._command_bytes = bytearray()
        self._command: Command | None = None
        self._context_id = 0
        self._sink: Sink | None = None
        self._data = bytearray()

    def take(self, context_id: int, control: int, piece: memoryview) -> Message | None:
        if control & _IS_COMMAND:
            return self._take_command(context_id, control, piece)
        if self._command is None or context_id != self._context_id:
            raise UnreadableObject("A data set without its command.")
        if self._sink is not None:
            self._sink.write(piece)
        else:
            self._data += piece
            if len(self._data) > MAXIMUM_IDENTIFIER:
                raise UnreadableObject("An identifier without end.")
        return Message(self._context_id, self._command, bytes(self._data)) if control & _IS_LAST else None

    def _take_command(self, context_id: int, control: int, piece: memoryview) -> Message | None:
        if self._command is not None:
            raise UnreadableObject("A command inside a data set.")
        self._command_bytes += piece
        if len(self._command_bytes) > MAXIMUM_COMMAND:
            raise UnreadableObject("A command without end.")
        if not control & _IS_LAST:
            return None
        self._command = decode(bytes(self._command_bytes))
        self._context_id = context_id
        if not self._command.has_data:
            return Message(context_id, self._command)
        self._sink = self._sink_for(context_id, self._command)
        return None
