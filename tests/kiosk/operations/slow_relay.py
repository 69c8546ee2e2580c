"""A slow line to a peer: a relay that takes no more than so many bytes a second of what is sent to that."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Event, Thread

from kiosk.imaging.peers import Peer

PIECE = 8192


@contextmanager
def slow_relay(peer: Peer, bytes_per_second: int) -> Iterator[Peer]:
    """The peer, at the other end of the line."""
    open_ones: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket, pause: float) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                Event().wait(pause * len(data))
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection((peer.host, peer.port))
            open_ones.extend((near, far))
            Thread(target=pump, args=(near, far, 1 / bytes_per_second), daemon=True).start()
            Thread(target=pump, args=(far, near, 0), daemon=True).start()

    with socket.socket() as listening:
        # What a line holds is little: the rest waits where it comes from.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * PIECE)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        Thread(target=serve, daemon=True).start()
        try:
            yield replace(peer, port=int(listening.getsockname()[1]))
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for one in open_ones:
                one.close()
