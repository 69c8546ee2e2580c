"""What can go wrong with a virtual card, all in one place: each fault by its name, and how it is switched on.

A card that knows a fault by itself strikes where it hurts most, such as in the middle of its proof. `FaultyCard` plants
what happens in the air around any card that does not, at the APDU that is asked for.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import ClassVar

from readers.errors import ReaderSpecError
from readers.text import safe_text
from readers.uid import Uid
from readers.virtual.card import VirtualCard

SLOW_SECONDS = 3.0
MORE_TO_COME = bytes.fromhex("61FF")
NOT_ON_TAPE = bytes.fromhex("6985")
NONSENSE_SIZE = 32


class Fault(Enum):
    """What can be wrong with a card or with whoever stands between it and the reader, or merely unusual."""

    NONE = "none"

    # Of the air: any card can have these.
    TWO_UIDS = "two_uids"  # shows one UID and tells another in the same presentation
    DROPPED = "dropped"  # leaves the field in the middle of an APDU
    RANDOM_LENGTHS = "random_lengths"
    ENDLESS_61XX = "endless_61xx"
    SLOW = "slow"
    REPLAYED = "replayed"  # says again, word for word, what an earlier presentation said

    # Of the proof.
    WRONG_KEY = "wrong_key"
    STALE_NONCE = "stale_nonce"  # signs the challenge before this one
    FORGED = "forged"  # has no key and answers everything as if it had
    STALE_DATA = "stale_data"  # a fresh handshake, then protected data of an earlier session
    TAMPERED = "tampered"
    WITHOUT_MAC = "without_mac"
    ENDLESS_FRAMES = "endless_frames"

    # Of certificates and payment applications.
    NO_CERTIFICATE = "no_certificate"
    HIDES_VERSION_2 = "hides_version_2"  # of PKOC, where there is a certificate
    LOCKED = "locked"
    NO_NUMBER = "no_number"
    MISSING_RECORD = "missing_record"
    BROKEN_OFF = "broken_off"

    # Unusual, and no fault at all.
    SWAPPED_ORDER = "swapped_order"
    REFUSES_LE = "refuses_le"
    COMPRESSED = "compressed"
    NO_DIRECTORY = "no_directory"
    REFUSES_OPTIONS = "refuses_options"


AIR = frozenset((Fault.TWO_UIDS, Fault.DROPPED, Fault.RANDOM_LENGTHS, Fault.ENDLESS_61XX, Fault.SLOW, Fault.REPLAYED))


def fault_named(name: str, among: Iterable[Fault]) -> Fault:
    """The fault of that name; raises ReaderSpecError naming those there are to choose from."""
    known = {fault.value: fault for fault in Fault if fault in set(among)}
    if name not in known:
        raise ReaderSpecError(f'fault "{safe_text(name)}" is none of {", ".join(known)}')
    return known[name]


class Breakable:
    """A card with one switchable fault, of those that it knows. `fault` may be set at any time between two taps."""

    own_faults: ClassVar[frozenset[Fault]] = frozenset((Fault.NONE,))

    def __init__(self, fault: Fault, sleep: Callable[[float], None]) -> None:
        """`sleep` is how the slow card thinks, for `SLOW_SECONDS` an APDU. Raises ReaderSpecError as `fault` does."""
        self._sleep = sleep
        self.fault = fault

    @property
    def fault(self) -> Fault:
        """What is wrong with it now."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        """Raises ReaderSpecError for one that this card does not know: it would be a good card, and prove nothing."""
        self._fault = fault_named(fault.value, self.own_faults)

    def _think(self) -> None:
        if self._fault is Fault.SLOW:
            self._sleep(SLOW_SECONDS)


class FaultyCard:
    """Any virtual card, with faults to be planted and taken out again between two taps."""

    def __init__(self, card: VirtualCard, *faults: Fault, sleep: Callable[[float], None] = time.sleep) -> None:
        """`sleep` is how the air makes it slow. Raises ReaderSpecError as `plant` does."""
        self._card = card
        self._made_with = card.fault if isinstance(card, Breakable) else Fault.NONE
        self._sleep = sleep
        self._air: frozenset[Fault] = frozenset()
        self._at = 1
        self._exchanges = 0
        self._looks = 0
        self._said: list[bytes] = []
        self._tape: list[bytes] = []
        self.plant(*faults)

    def plant(self, *faults: Fault, at: int | None = None) -> None:
        """These faults and no others, from the next tap on; without any it is as it was made.

        A fault that the card knows itself is the card's, one at a time; with `at` it comes from the air in any case,
        from the APDU with that number on. Raises ReaderSpecError for faults that do not fit.
        """
        own = self._card.own_faults if isinstance(self._card, Breakable) else frozenset((Fault.NONE,))
        air = AIR if self._card.takes_apdus else frozenset((Fault.TWO_UIDS,))
        wanted = [fault_named(fault.value, own | air) for fault in faults if fault is not Fault.NONE]
        planted = [fault for fault in wanted if fault in own and (at is None or fault not in air)]
        if len(planted) > 1:
            raise ReaderSpecError(f"A card has one of these faults at a time: {', '.join(f.value for f in planted)}")
        if isinstance(self._card, Breakable):
            self._card.fault = planted[0] if planted else self._made_with
        self._air, self._at = frozenset(wanted) - frozenset(planted), at or 1

    @property
    def uid(self) -> Uid | None:
        """The card's; with TWO_UIDS another one at each look."""
        uid = self._card.uid
        if uid is None or Fault.TWO_UIDS not in self._air:
            return uid
        self._looks = (self._looks + 1) % 256
        return Uid(uid.value[:-1] + bytes((uid.value[-1] ^ self._looks,)))

    @property
    def atr(self) -> bytes:
        """The card's."""
        return self._card.atr

    @property
    def ats_historical(self) -> bytes:
        """The card's."""
        return self._card.ats_historical

    @property
    def takes_apdus(self) -> bool:
        """As the card does."""
        return self._card.takes_apdus

    def power_on(self) -> None:
        """A new field: what was said in the one before is on the tape that REPLAYED plays."""
        self._card.power_on()
        self._exchanges = 0
        if Fault.REPLAYED in self._air:
            self._tape = list(self._said)
        else:
            self._said = []

    def exchange(self, raw: bytes) -> bytes:
        """One APDU to the card, and what the air makes of the answer; nothing at all where the card leaves."""
        self._exchanges += 1
        if Fault.REPLAYED in self._air:
            return self._tape.pop(0) if self._tape else NOT_ON_TAPE
        struck = self._air if self._exchanges >= self._at else frozenset()
        if Fault.SLOW in struck:
            self._sleep(SLOW_SECONDS)
        if Fault.DROPPED in struck:
            return b""
        if Fault.ENDLESS_61XX in struck:
            return secrets.token_bytes(NONSENSE_SIZE) + MORE_TO_COME
        answer = self._card.exchange(raw)
        self._said.append(answer)
        if Fault.RANDOM_LENGTHS in struck and len(answer) > 2:
            return answer[: secrets.randbelow(len(answer) - 2)] + answer[-2:]
        return answer

    def __repr__(self) -> str:
        return f"FaultyCard({self._card!r}, {', '.join(sorted(fault.value for fault in self._air)) or 'none'})"
