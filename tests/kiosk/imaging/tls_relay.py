"""TLS for archives that have none: relays that take it off what comes to them, or put it on what they send."""

import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread

from tests.kiosk.imaging.certificates import Authority, Holder

PIECE = 1 << 16
HANDSHAKE_SECONDS = 30.0

Join = Callable[[socket.socket], tuple[socket.socket, socket.socket]]


@contextmanager
def tls_before(port: int, holder: Holder, authority: Authority) -> Iterator[int]:
    """Speaks TLS for the server at `port`, to whoever shows a certificate of the authority; gives the port to call."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(holder.certificate, holder.key)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED

    def join(accepted: socket.socket) -> tuple[socket.socket, socket.socket]:
        return context.wrap_socket(accepted, server_side=True), socket.create_connection(("127.0.0.1", port))

    with _relaying(join) as at:
        yield at


@contextmanager
def tls_behind(port: int, holder: Holder, authority: Authority) -> Iterator[int]:
    """Speaks TLS to whoever listens at `port`, and believes a certificate of the authority; gives the port to call."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(holder.certificate, holder.key)
    context.load_verify_locations(authority.file)

    def join(accepted: socket.socket) -> tuple[socket.socket, socket.socket]:
        far = socket.create_connection(("127.0.0.1", port), HANDSHAKE_SECONDS)
        return accepted, context.wrap_socket(far, server_hostname="127.0.0.1")

    with _relaying(join) as at:
        yield at


@contextmanager
def _relaying(join: Join) -> Iterator[int]:
    open_ones: list[socket.socket] = []
    lock = Lock()

    def attend(accepted: socket.socket) -> None:
        with suppress(OSError), accepted:
            accepted.settimeout(HANDSHAKE_SECONDS)
            near, far = join(accepted)
            with near, far:
                with lock:
                    open_ones.extend((near, far))
                _pump(near, far)

    def serve() -> None:
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            Thread(target=attend, args=(accepted,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=serve, daemon=True).start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            with lock:
                for one in open_ones:
                    with suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)


def _pump(near: socket.socket, far: socket.socket) -> None:
    """One thread for both directions: an SSL object is not for two."""
    for one in (near, far):
        one.settimeout(None)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    other = {near: far, far: near}
    while True:
        waiting = [one for one in other if isinstance(one, ssl.SSLSocket) and one.pending()]
        for one in waiting or select.select([near, far], [], [])[0]:
            data = one.recv(PIECE)
            if not data:
                return
            other[one].sendall(data)
