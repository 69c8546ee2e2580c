"""How fast bytes may go between us and a peer, all of its associations together."""

from threading import Lock
from time import monotonic
from typing import Final

from kiosk.imaging.peers import Peer

BURST_SECONDS: Final = 0.1


class Pace:
    """Counts what was exchanged and says how long to stand still for it. May be used from any thread."""

    def __init__(self, bytes_per_second: int) -> None:
        self._rate = bytes_per_second
        self._lock = Lock()
        self._free_at = 0.0

    def spend(self, count: int) -> float:
        """Takes `count` bytes from the budget; returns the seconds until the next byte may go."""
        with self._lock:
            now = monotonic()
            self._free_at = max(self._free_at, now - BURST_SECONDS) + count / self._rate
            return max(0.0, self._free_at - now)


class Paces:
    """One pace per peer, made when it is first needed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._paces: dict[tuple[str, int, str, int], Pace] = {}

    def of(self, peer: Peer) -> Pace | None:
        """The pace of a peer; None for one without a limit."""
        if not peer.bytes_per_second:
            return None
        key = (peer.host, peer.port, peer.ae_title, peer.bytes_per_second)
        with self._lock:
            return self._paces.setdefault(key, Pace(peer.bytes_per_second))


PACES: Final = Paces()
