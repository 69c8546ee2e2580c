"""One TCP connection to a peer: every wait has a deadline and watches the cancel event.

Two stalls of 40 ms rule default DICOM senders: Nagle's algorithm here and the delayed ACK of a peer that waits for
ours. TCP_NODELAY removes the first. TCP_QUICKACK, which Linux forgets after each use, removes the second.
"""

import ipaddress
import select
import socket
from collections.abc import Sequence
from threading import Event, Thread
from time import monotonic
from typing import Final, NoReturn

from kiosk.errors import Cancelled
from kiosk.imaging.network import status
from kiosk.imaging.peers import Peer

SLICE: Final = 0.05
BUFFER_SIZE: Final = 512 * 1024
SEND_BUFFERS: Final = 64

Buffer = bytes | bytearray | memoryview
Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


class Connection:
    """A connection that raises PeerUnreachable, PeerAborted or Cancelled, and nothing else, when it fails."""

    def __init__(self, peer: Peer, cancel: Event) -> None:
        self.peer = peer
        self.cancel = cancel
        self._socket: socket.socket | None = None
        self._poll = select.poll()
        self._buffer = bytearray(BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0

    def open(self) -> None:
        """Connects within the peer's timeout; the first address that answers is taken."""
        deadline = monotonic() + self.peer.timeout
        failure: OSError | None = None
        for family, address in self._addresses(deadline):
            try:
                self._connect(family, address, deadline)
            except OSError as error:
                self.close()
                failure = error
            else:
                return
        raise status.unreachable(self.peer, failure)

    def close(self) -> None:
        """Lets the socket go; never raises."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def read(self, count: int, deadline: float) -> memoryview:
        """The next `count` bytes, at most BUFFER_SIZE; the view is good until the next read."""
        # Here too, not only while waiting: a peer that never pauses must not be able to outrun either.
        self._check(deadline)
        if self._start + count > BUFFER_SIZE:
            remaining = self._end - self._start
            self._view[:remaining] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, remaining
        while self._end - self._start < count:
            self._receive(deadline)
        view = self._view[self._start : self._start + count]
        self._start += count
        if self._start == self._end:
            self._start = self._end = 0
        return view

    def write(self, buffers: Sequence[Buffer], deadline: float) -> None:
        """Sends the pieces one after the other, without joining them."""
        self._check(deadline)
        pending = [memoryview(buffer) for buffer in buffers if len(buffer)]
        while pending:
            try:
                sent = self._open_socket().sendmsg(pending[:SEND_BUFFERS])
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
                continue
            except OSError:
                self._broken()
            while sent:
                if sent < len(pending[0]):
                    pending[0] = pending[0][sent:]
                    break
                sent -= len(pending.pop(0))

    def try_write(self, data: bytes) -> None:
        """Sends what fits at once: for a last word to a peer that may not listen any more."""
        if self._socket is not None:
            try:
                self._socket.send(data)
            except OSError:
                self.close()

    def _addresses(self, deadline: float) -> list[Address]:
        try:
            literal = ipaddress.ip_address(self.peer.host)
        except ValueError:
            return self._resolve(deadline)
        if literal.version == 4:
            return [(socket.AF_INET, (self.peer.host, self.peer.port))]
        return [(socket.AF_INET6, (self.peer.host, self.peer.port, 0, 0))]

    def _resolve(self, deadline: float) -> list[Address]:
        """Asks the resolver in a thread of its own: it has neither a timeout nor a cancel."""
        found: list[Address] = []
        failures: list[OSError] = []
        finished = Event()

        def ask() -> None:
            try:
                entries = socket.getaddrinfo(self.peer.host, self.peer.port, type=socket.SOCK_STREAM)
                found.extend((family, address) for family, _, _, _, address in entries)  # type: ignore[misc] # typeshed's union of families
            except OSError as error:
                failures.append(error)
            except UnicodeError:
                failures.append(OSError("not a host name"))
            finished.set()

        Thread(target=ask, name="resolve", daemon=True).start()
        while not finished.wait(SLICE):
            self._check(deadline)
        if failures:
            raise status.unreachable(self.peer, failures[0])
        return found

    def _connect(
        self, family: socket.AddressFamily, address: tuple[str, int] | tuple[str, int, int, int], deadline: float
    ) -> None:
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll = select.poll()
        self._poll.register(self._socket, 0)
        try:
            self._socket.connect(address)
        except BlockingIOError:
            self._wait(select.POLLOUT, deadline)
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise status.os_error(code) from None

    def _receive(self, deadline: float) -> None:
        connected = self._open_socket()
        try:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            count = connected.recv_into(self._view[self._end :])
        except BlockingIOError:
            self._wait(select.POLLIN, deadline)
            return
        except OSError:
            self._broken()
        if not count:
            self._broken()
        self._end += count

    def _wait(self, events: int, deadline: float) -> None:
        self._poll.modify(self._open_socket(), events)
        while True:
            self._check(deadline)
            if self._poll.poll(min(SLICE, max(0.0, deadline - monotonic())) * 1000):
                return

    def _check(self, deadline: float) -> None:
        if self.cancel.is_set():
            raise Cancelled
        if monotonic() > deadline:
            raise status.silent(self.peer)

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            self._broken()
        return self._socket

    def _broken(self) -> NoReturn:
        self.close()
        raise status.closed(self.peer) from None
