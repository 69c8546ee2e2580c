"""Peers that misbehave on purpose: raw sockets for the upper layer, pynetdicom servers for DIMSE."""

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt

from kiosk.imaging.network.commands import Command, decode
from kiosk.imaging.network.keys import STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE
from kiosk.imaging.network.pynetdicom_mend import mend
from kiosk.imaging.peers import Peer
from tests.peers import free_port, local_peer

PIECE = 65536

Behaviour = Callable[[socket.socket], None]


@contextmanager
def raw_peer(behave: Behaviour, timeout: float = 0.6) -> Iterator[Peer]:
    """A server that gives each connection to `behave` and closes it when that returns."""
    connections: list[socket.socket] = []

    def attend(connection: socket.socket) -> None:
        with connection:
            try:
                behave(connection)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            Thread(target=attend, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve, daemon=True).start()
        try:
            yield local_peer("HOSTILE", "HOSTILE_AE", listener.getsockname()[1], timeout)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                connection.close()


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """The next bytes; raises OSError at the end."""
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


def read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    """Type and body of the next PDU."""
    kind, length = struct.unpack(">BxI", read_exactly(connection, 6))
    return kind, read_exactly(connection, length)


def pdu(kind: int, body: bytes) -> bytes:
    """A PDU."""
    return struct.pack(">BxI", kind, len(body)) + body


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def accept_association(
    connection: socket.socket, maximum: int = 16384, request: bytes | None = None
) -> dict[tuple[str, str], int]:
    """Reads A-ASSOCIATE-RQ, unless it has been read, and grants every context and every role as proposed, with its
    first transfer syntax; gives the contexts by their abstract and transfer syntax."""
    request = read_pdu(connection)[1] if request is None else request
    granted: dict[tuple[str, str], int] = {}
    body = request[:68] + _item(0x10, b"1.2.840.10008.3.1.1.1")
    user = _item(0x51, struct.pack(">I", maximum)) + _item(0x52, b"1.2.3.4")
    for kind, value in _items(request[68:]):
        if kind == 0x20:
            syntax = next(inner for inside, inner in _items(value[4:]) if inside == 0x40)
            abstract = next(inner for inside, inner in _items(value[4:]) if inside == 0x30)
            granted[abstract.decode().strip("\0"), syntax.decode().strip("\0")] = value[0]
            body += _item(0x21, bytes((value[0], 0, 0, 0)) + _item(0x40, syntax))
        elif kind == 0x50:
            user += b"".join(_item(0x54, inner) for inside, inner in _items(value) if inside == 0x54)
    connection.sendall(pdu(2, body + _item(0x50, user)))
    return granted


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        kind, length = struct.unpack(">BxH", data[:4])
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]


def read_message(connection: socket.socket) -> tuple[int, Command, bytes]:
    """Context, command and data set of the next message."""
    command, data = b"", b""
    parsed: Command | None = None
    while True:
        kind, body = read_pdu(connection)
        if kind != 4:
            raise OSError(f"PDU {kind}")
        while body:
            length, context, control = struct.unpack(">IBB", body[:6])
            piece, body = body[6 : 4 + length], body[4 + length :]
            if control & 1:
                command += piece
            else:
                data += piece
            if control & 2:
                parsed = parsed or decode(command)
                if not control & 1 or not parsed.has_data:
                    return context, parsed, data


def message(context: int, command: bytes, data: bytes | None = None) -> bytes:
    """A message, its command in one P-DATA-TF PDU and its data set in as many as it takes."""
    sent = pdu(4, struct.pack(">IBB", len(command) + 2, context, 3) + command)
    for start in range(0, max(len(data), 1), PIECE) if data is not None else ():
        piece = data[start : start + PIECE]
        control = 2 if start + PIECE >= len(data) else 0
        sent += pdu(4, struct.pack(">IBB", len(piece) + 2, context, control) + piece)
    return sent


def response(
    field: int,
    request: Command,
    status: int,
    *,
    has_data: bool = False,
    responded_to: int | None = None,
    counts: tuple[int, ...] = (),
) -> bytes:
    """A command set of a response; `counts` are its sub-operations that remain, completed, failed, and warned."""
    elements = (
        (0x0100, field),
        (0x0120, request.message_id if responded_to is None else responded_to),
        (0x0800, 0x0001 if has_data else 0x0101),
        (0x0900, status),
        *zip((0x1020, 0x1021, 0x1022, 0x1023), counts, strict=False),
    )
    body = b"".join(struct.pack("<HHIH", 0, element, 2, value) for element, value in elements)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


@contextmanager
def dimse_peer(
    handlers: Sequence[tuple[Any, Callable[..., Any]]], timeout: float = 3.0, lacks: str = "", **settings: Any
) -> Iterator[Peer]:
    """A pynetdicom server that takes and gives everything, with these event handlers, but the service it `lacks`."""
    mend()
    entity = AE(ae_title="DIMSE_AE")
    for name, value in settings.items():
        setattr(entity, name, value)
    for context in AllStoragePresentationContexts:
        abstract_syntax = str(context.abstract_syntax)
        entity.add_supported_context(abstract_syntax, ALL_TRANSFER_SYNTAXES, scu_role=True, scp_role=True)
    for abstract_syntax in (STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, "1.2.840.10008.1.1"):
        if abstract_syntax != lacks:
            entity.add_supported_context(abstract_syntax)
    port = free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[*handlers])
    assert server is not None
    try:
        yield local_peer("DIMSE", "DIMSE_AE", port, timeout)
    finally:
        server.shutdown()


__all__ = ["evt"]
