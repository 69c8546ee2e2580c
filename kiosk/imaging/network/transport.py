"""One connection with a peer, plain or TLS: every wait has a deadline and watches the cancel event.

Two stalls of 40 ms rule default DICOM senders: Nagle's algorithm here and the delayed ACK of a peer that waits for
ours. TCP_NODELAY removes the first. TCP_QUICKACK, which Linux forgets after each use, removes the second.
"""

import errno
import fcntl
import ipaddress
import os
import select
import socket
import ssl
import struct
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from typing import Final, NoReturn

from kiosk.errors import Cancelled, UnreadableObject
from kiosk.imaging.network import status
from kiosk.imaging.network.distrust import untrusted
from kiosk.imaging.network.tls import client_context
from kiosk.imaging.peers import Peer

SLICE: Final = 0.05
BUFFER_SIZE: Final = 1024 * 1024
SEND_BUFFERS: Final = 64
TLS_PIECE: Final = 256 * 1024
LEAST_WAY: Final = 16 * 1024
"""Bytes that have to get through in a peer's timeout for its silence to be the network's."""

# What sendfile says of the file; anything else is said of the socket.
_FILE_ERRORS: Final = frozenset({errno.EIO, errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOVERFLOW})

Buffer = bytes | bytearray | memoryview
Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


class Connection:
    """A connection that raises PeerUnreachable, PeerAborted or Cancelled, and nothing else, when it fails.

    `peer` may be set anew: who a caller is shows only in what it says. `before_reuse` is called before bytes that were
    read make room for others.
    """

    def __init__(self, peer: Peer, cancel: Event) -> None:
        self.peer = peer
        self.cancel = cancel
        self._socket: socket.socket | None = None
        self._secured: ssl.SSLSocket | None = None
        self._poll = select.poll()
        self._buffer = bytearray(BUFFER_SIZE)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self.before_reuse: Callable[[], None] | None = None
        self._staged: memoryview | None = None
        self._heard = False
        self._given = 0
        self._deadline = self._until = 0.0
        self._gone = 0

    def open(self) -> None:
        """Connects within the peer's timeout, with TLS where it is configured; the first address that answers is
        taken. Raises PeerUntrusted when TLS does not come about."""
        deadline = monotonic() + self.peer.timeout
        failure: OSError | None = None
        for family, address in self._addresses(deadline):
            try:
                self._connect(family, address, deadline)
            except OSError as error:
                self.close()
                failure = error
            else:
                break
        else:
            raise status.unreachable(self.peer, failure)
        if self.peer.tls is not None:
            context = client_context(self.peer.tls)
            self.secure(context, deadline, server_name=self.peer.tls.server_name or self.peer.host)

    def adopt(self, accepted: socket.socket) -> None:
        """Takes over a connection that somebody opened to us."""
        self._prepare(accepted)

    def secure(self, context: ssl.SSLContext, deadline: float, server_name: str | None = None) -> None:
        """The TLS handshake: as a client when there is a `server_name`, else as a server. Raises PeerUntrusted."""
        plain = self._open_socket()
        serving = server_name is None
        try:
            secured = context.wrap_socket(
                plain, server_side=serving, do_handshake_on_connect=False, server_hostname=server_name
            )
        except (ValueError, OSError):  # a name that no certificate can bear, or a connection that is gone
            raise untrusted(self.peer, None) from None
        self._socket = self._secured = secured
        self._poll = select.poll()
        self._poll.register(secured, 0)

        def shake() -> int:
            secured.do_handshake()
            return 0

        try:
            self._attempt(shake, select.POLLIN, deadline, shaking=True)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets the socket go; never raises."""
        if self._secured is not None:
            with suppress(OSError, ValueError):
                self._secured.unwrap()  # says that this is the end, and does not wait for the same from there
            self._secured = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @property
    def remote_address(self) -> str:
        """The IP address at the other end, empty when the connection is gone."""
        try:
            return str(self._socket.getpeername()[0]) if self._socket is not None else ""
        except OSError:
            return ""

    @property
    def is_secured(self) -> bool:
        """True when TLS protects what goes over it."""
        return self._secured is not None

    def await_readable(self, seconds: float) -> bool:
        """Waits at most so long for something to read; True when there is. Raises Cancelled."""
        if self.cancel.is_set():
            raise Cancelled
        if self._end > self._start or (self._secured is not None and self._secured.pending()):
            return True
        self._poll.modify(self._open_socket(), select.POLLIN)
        return bool(self._poll.poll(seconds * 1000))

    def peek(self, deadline: float) -> int:
        """The first byte that comes, which stays to be read."""
        plain = self._open_socket()
        first = bytearray(1)
        if not self._attempt(lambda: plain.recv_into(first, 1, socket.MSG_PEEK), select.POLLIN, deadline):
            self._broken()
        return first[0]

    def pause(self, seconds: float) -> None:
        """Stands still; raises Cancelled."""
        if self.cancel.wait(seconds):
            raise Cancelled

    def read(self, count: int, deadline: float) -> memoryview:
        """The next `count` bytes, at most BUFFER_SIZE; the view is good until `before_reuse` has been called."""
        # Here too, not only while waiting: a peer that never pauses must not be able to outrun either.
        self._check(deadline)
        if self._start + count > BUFFER_SIZE:
            self.reuse()
        while self._end - self._start < count:
            self._receive(deadline)
        view = self._view[self._start : self._start + count]
        self._start += count
        return view

    def reuse(self) -> None:
        """What has been read is not looked at any more."""
        if self.before_reuse is not None:
            self.before_reuse()
        remaining = self._end - self._start
        if remaining and self._start:
            self._view[:remaining] = bytes(self._view[self._start : self._end])
        self._start, self._end = 0, remaining

    def write(self, buffers: Sequence[Buffer], deadline: float) -> None:
        """Sends the pieces one after the other, without joining large ones."""
        self._send(buffers, deadline, 0)

    def write_file(self, head: Sequence[Buffer], descriptor: int, offset: int, count: int, deadline: float) -> None:
        """Sends `head` and `count` bytes of a file, which go from the page cache to the socket where nothing has to
        be encrypted. Raises UnreadableObject when the file has become shorter."""
        if self._secured is not None:
            self._send([self._stage(head, descriptor, offset, count)], deadline, 0)
            return
        self._send(head, deadline, socket.MSG_MORE)
        target = self._open_socket().fileno()
        while count:
            start, left = offset, count
            sent = self._attempt(lambda: os.sendfile(target, descriptor, start, left), select.POLLOUT, deadline)  # noqa: B023 # called at once
            if not sent:
                raise UnreadableObject("The file became shorter while it was being sent.")
            self._given += sent
            offset += sent
            count -= sent

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
        plain = socket.socket(family, socket.SOCK_STREAM)
        self._prepare(plain)
        try:
            plain.connect(address)
        except BlockingIOError:
            self._wait(select.POLLOUT, deadline)
            code = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise status.os_error(code) from None

    def _prepare(self, plain: socket.socket) -> None:
        self._socket = plain
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll = select.poll()
        self._poll.register(plain, 0)

    def _receive(self, deadline: float) -> None:
        connected = self._open_socket()

        def take() -> int:
            try:
                return connected.recv_into(self._view[self._end :])
            except BlockingIOError:
                # Acknowledges what has come so far, and at once what comes next.
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                raise

        count = self._attempt(take, select.POLLIN, deadline)
        if not count:
            self._broken()
        self._heard = True
        self._end += count

    def _send(self, buffers: Sequence[Buffer], deadline: float, flags: int) -> None:
        self._check(deadline)
        pending = [memoryview(buffer) for buffer in buffers if len(buffer)]
        connected = self._open_socket()
        if self._secured is not None:
            # One record for what is small; a large piece is never copied.
            pending = pending if len(pending) == 1 else [memoryview(b"".join(pending))]

        def give() -> int:
            if self._secured is not None:
                return self._secured.send(pending[0][:TLS_PIECE])
            return connected.sendmsg(pending[:SEND_BUFFERS], [], flags)

        while pending:
            sent = self._attempt(give, select.POLLOUT, deadline)
            self._given += sent
            while sent:
                if sent < len(pending[0]):
                    pending[0] = pending[0][sent:]
                    break
                sent -= len(pending.pop(0))

    def _stage(self, head: Sequence[Buffer], descriptor: int, offset: int, count: int) -> memoryview:
        """Head and file side by side, in a buffer that serves again and again."""
        size = sum(len(piece) for piece in head) + count
        if self._staged is None or len(self._staged) < size:
            self._staged = memoryview(bytearray(size))
        position = 0
        for piece in head:
            self._staged[position : position + len(piece)] = piece
            position += len(piece)
        while position < size:
            try:
                read = os.preadv(descriptor, [self._staged[position:size]], offset)
            except OSError:
                raise UnreadableObject("The file cannot be read.") from None
            if not read:
                raise UnreadableObject("The file became shorter while it was being sent.")
            position += read
            offset += read
        return self._staged[:size]

    def _attempt(self, action: Callable[[], int], events: int, deadline: float, *, shaking: bool = False) -> int:
        """Does it as soon as the socket lets it; what TLS has to say first goes either way."""
        while True:
            try:
                return action()
            except BlockingIOError:
                self._wait(events, deadline)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, deadline)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, deadline)
            except OSError as error:
                if error.errno in _FILE_ERRORS and not isinstance(error, ssl.SSLError):
                    raise UnreadableObject("The file cannot be read.") from None
                if shaking or _is_alert(error):
                    raise untrusted(self.peer, error) from None
                self._broken()

    def _wait(self, events: int, deadline: float) -> None:
        self._poll.modify(self._open_socket(), events)
        if deadline != self._deadline:
            self._deadline = self._until = deadline
            self._gone = self._given - self._under_way()
        while True:
            self._check(deadline)
            if self._poll.poll(min(SLICE, max(0.0, self._until - monotonic())) * 1000):
                return

    def _check(self, deadline: float) -> None:
        if self.cancel.is_set():
            raise Cancelled
        until = self._until if deadline == self._deadline else deadline
        if monotonic() > until and not self._gets_through(deadline):
            raise status.silent(self.peer)

    def _gets_through(self, deadline: float) -> bool:
        """True while a slow network carries what we sent: a peer cannot answer what it does not have yet. It has its
        time from then on."""
        if deadline != self._deadline:
            return False
        left = self._under_way()
        gone = self._given - left
        if gone - self._gone < (LEAST_WAY if left else 1):
            return False
        self._gone = gone
        self._until = monotonic() + self.peer.timeout
        return True

    def _under_way(self) -> int:
        """Bytes that the other machine has not acknowledged (tcp(7), SIOCOUTQ)."""
        try:
            (count,) = struct.unpack("i", fcntl.ioctl(self._open_socket(), termios.TIOCOUTQ, bytes(4)))
        except OSError:
            return 0
        return int(count)

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            self._broken()
        return self._socket

    def _broken(self) -> NoReturn:
        """TLS 1.3 tells a client only after the handshake, if at all, that its certificate will not do."""
        alert: OSError | None = None
        if self._secured is not None and not self._heard:
            try:
                self._secured.recv(1)
            except OSError as error:
                alert = error if _is_alert(error) else None
            self.close()
            raise untrusted(self.peer, alert or ssl.SSLZeroReturnError()) from None
        self.close()
        raise status.closed(self.peer) from None


def _is_alert(error: OSError) -> bool:
    return isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")
