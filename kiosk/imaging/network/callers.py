"""Who may open a connection to us: the peers that are configured and those that were asked for something."""

import ipaddress
import socket
from collections.abc import Iterable
from threading import Lock
from time import monotonic
from typing import Final

from kiosk.imaging.network.orders import Orders
from kiosk.imaging.peers import Peer, Tls

REMEMBER_SECONDS: Final = 60.0


def plain_address(address: str) -> str:
    """An IP address in one spelling: IPv4 is not dressed as IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


class Callers:
    """Knows peers by address, AE title and TLS. May be used from any thread; a host's name may take time to resolve."""

    def __init__(self, configured: Iterable[Peer], orders: Orders) -> None:
        self._configured = tuple(configured)
        self._orders = orders
        self._lock = Lock()
        self._addresses: dict[str, tuple[float, frozenset[str]]] = {}

    def at(self, address: str) -> list[Peer]:
        """The peers that may call from an address, those that were asked for something first."""
        asked = self._orders.peers()
        found = [peer for peer, at in asked if plain_address(at) == address or self._is_at(peer, address)]
        found += [peer for peer in self._configured if self._is_at(peer, address)]
        return list(dict.fromkeys(found))

    def find(self, address: str, ae_title: str, tls: Tls | None) -> Peer | None:
        """The peer of that AE title at that address, if it came the way it is configured."""
        return next((peer for peer in self.at(address) if peer.ae_title == ae_title and peer.tls == tls), None)

    def _is_at(self, peer: Peer, address: str) -> bool:
        return any(address in self._resolved(host) for host in (peer.host, *peer.sends_from))

    def _resolved(self, host: str) -> frozenset[str]:
        literal = plain_address(host)
        if literal != host or host.replace(".", "").isdigit() or ":" in host:
            return frozenset({literal})
        now = monotonic()
        with self._lock:
            known = self._addresses.get(host)
        if known is None or now - known[0] > REMEMBER_SECONDS:
            try:
                entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                known = now, frozenset(plain_address(str(entry[4][0])) for entry in entries)
            except (OSError, UnicodeError):
                known = now, frozenset()
            with self._lock:
                self._addresses[host] = known
        return known[1]
