"""A nonce on its way to a card and back: fresh, redeemed once, and only while it is young."""

from collections import deque
from collections.abc import Callable

from readers.credentials.claim import Nonce, NonceSource
from readers.credentials.keys import NONCE_SIZE
from readers.credentials.limits import TimeSpent
from readers.errors import ReaderError

LIFETIME = 1.5
REMEMBERED = 4096


class Challenge:
    """One nonce given out. What a card makes of it counts at most once and for `lifetime` seconds."""

    def __init__(self, nonce: Nonce, monotonic: Callable[[], float], lifetime: float) -> None:
        self._nonce = nonce
        self._monotonic = monotonic
        self._expires = monotonic() + lifetime
        self._redeemed = False

    @property
    def value(self) -> bytes:
        """The 16 bytes that go to the card."""
        return self._nonce.value

    def redeem(self) -> Nonce:
        """The nonce, for one verification; raises TimeSpent when it is too old, ReaderError the second time."""
        if self._redeemed:
            raise ReaderError("A challenge counts only once")
        self._redeemed = True
        if self._monotonic() > self._expires:
            raise TimeSpent("The card took too long to answer the challenge")
        return self._nonce


class Challenges:
    """Gives out challenges, and refuses a nonce source that repeats itself."""

    def __init__(self, nonces: NonceSource, monotonic: Callable[[], float], lifetime: float = LIFETIME) -> None:
        self._nonces = nonces
        self._monotonic = monotonic
        self._lifetime = lifetime
        self._given: deque[bytes] = deque(maxlen=REMEMBERED)

    def issue(self) -> Challenge:
        """A challenge never given before; raises ReaderError where the source fails its contract."""
        nonce = self._nonces.fresh()
        if len(nonce.value) != NONCE_SIZE:
            raise ReaderError(f"A challenge has {NONCE_SIZE} bytes, not {len(nonce.value)}")
        if nonce.value in self._given:
            raise ReaderError("The nonce source repeated itself")
        self._given.append(nonce.value)
        return Challenge(nonce, self._monotonic, self._lifetime)
