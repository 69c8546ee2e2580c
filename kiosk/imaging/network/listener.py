"""Where peers reach us: one socket, one thread for each association, bounds on how many."""

import errno
import socket
from contextlib import suppress
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import Final

from kiosk.errors import ImagingError, KioskError
from kiosk.imaging.network.acceptor import Acceptor, turn_away
from kiosk.imaging.network.callers import Callers, plain_address
from kiosk.imaging.network.commitment import Reports
from kiosk.imaging.network.orders import Orders
from kiosk.imaging.peers import Receiving

BACKLOG: Final = 32
STRANGERS: Final = 16
"""How many connections may be looked at, before it is known whose they are, besides those that are served."""


class Listener:
    """Takes associations once it is open; `orders` says what they may bring, `reports` is
    what they said of storage commitments. Ends with the process, or when closed."""

    def __init__(self, receiving: Receiving) -> None:
        self.receiving = receiving
        self.orders = Orders()
        self.reports = Reports()
        self._callers = Callers(receiving.callers, self.orders)
        self._acceptor = Acceptor(receiving.ae_title, self._callers, self.orders, self.reports)
        self._cancel = Event()
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._connections = BoundedSemaphore(receiving.most_associations + STRANGERS)
        self._associations = BoundedSemaphore(receiving.most_associations)

    def open(self) -> None:
        """Listens from now on; a second time changes nothing. Raises ImagingError when the port cannot be had."""
        with self._lock:
            if self._socket is None:
                self._socket = self._bound()
                Thread(target=self._accept, args=(self._socket,), name="listener", daemon=True).start()

    def close(self) -> None:
        """Ends what is under way and lets the port go."""
        self._cancel.set()
        with self._lock:
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                self._socket.close()

    @property
    def port(self) -> int:
        """The port it listens on; 0 before it is open."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    def _bound(self) -> socket.socket:
        address = self.receiving.address
        place = address, self.receiving.port
        if not address and socket.has_dualstack_ipv6():
            # A machine may know IPv6 and have no address of it.
            with suppress(OSError):
                return socket.create_server(place, family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        try:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            return socket.create_server(place, family=family, backlog=BACKLOG)
        except OSError as error:
            words = {errno.EADDRINUSE: "it is in use", errno.EACCES: "it may not be used"}
            why = words.get(error.errno or 0, "the address is not one of this machine")
            raise ImagingError(f"Nothing can be received on port {self.receiving.port}: {why}.") from None

    def _accept(self, listening: socket.socket) -> None:
        while not self._cancel.is_set():
            try:
                accepted, address = listening.accept()
            except OSError:
                # Out of descriptors or memory for now, or closed.
                if self._cancel.wait(0.1):
                    return
                continue
            if not self._connections.acquire(blocking=False):
                accepted.close()
                continue
            try:
                Thread(target=self._attend, args=(accepted, plain_address(str(address[0]))), daemon=True).start()
            except RuntimeError:
                self._connections.release()
                accepted.close()

    def _attend(self, accepted: socket.socket, address: str) -> None:
        try:
            with accepted:
                if not self._callers.at(address):
                    return
                if not self._associations.acquire(blocking=False):
                    turn_away(accepted)
                    return
                try:
                    self._acceptor.serve(accepted, address, self._cancel)
                except (KioskError, OSError):
                    return  # it has been told, or is gone; whoever waits for it hears it from the order
                finally:
                    self._associations.release()
        finally:
            self._connections.release()


class Listeners:
    """The listeners of this process, one for each place to listen at."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listeners: dict[tuple[str, int], Listener] = {}

    def of(self, receiving: Receiving) -> Listener:
        """The listener at that place; it may not be open yet."""
        with self._lock:
            return self._listeners.setdefault((receiving.address, receiving.port), Listener(receiving))


LISTENERS: Final = Listeners()
