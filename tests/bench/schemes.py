"""From the first APDU to the claim, for each way that a card can say who it is, through the real pcscd and its vpcd.

Cards answer from a process of their own. Each round climbs three times: with the virtual card as it is, with its taped
answers, and, bare, with nothing but SCardTransmit of the same commands to the tape. What taped and bare differ by is
our own share. The first APDU is the reader's own GET UID.
"""

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from smartcard import scard

from readers.credentials.claim import Claim
from readers.credentials.ladder import Ladder
from readers.pcsc import Pyscard
from readers.pcsc_calls import SUCCESS, Connected
from readers.pcsc_reader import PcscReader
from readers.reader import CardPresented
from tests.bench.tap import pcscd
from tests.bench.taped_card import Case, FixedDice, cases, lying
from tests.pcscd import FRIENDLY_NAME, READERS

ROUNDS = 10 if os.environ.get("KIOSK_BENCH_QUICK") else 200
OWN_MS = 10.0
BUDGET_MS = 2000.0
PATIENCE = 30.0


class TimedCalls(Pyscard):
    """Notes what goes to the card, and when the first of it went."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.began = 0.0

    def transmit(self, card: Connected, command: bytes) -> tuple[int, bytes]:
        """As pyscard does."""
        if not self.commands:
            self.began = time.perf_counter()
        self.commands.append(command)
        return super().transmit(card, command)


@dataclass(frozen=True)
class Round:
    """Milliseconds."""

    live: float
    taped: float
    bare: float

    @property
    def own(self) -> float:
        """What we add to the way there and back."""
        return self.taped - self.bare


class Bench:
    """One case on two slots: the card and its tape."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._calls = TimedCalls()
        self._reader = PcscReader(self._calls, f"{FRIENDLY_NAME}*")
        self._cards: dict[str, CardPresented] = {}

    def __enter__(self) -> "Bench":
        self._reader.open()
        end = time.monotonic() + PATIENCE
        while len(self._cards) < len(READERS):
            if time.monotonic() > end:
                raise RuntimeError("The cards were not seen")
            found = [event for event in self._reader.wait(1.0) if isinstance(event, CardPresented)]
            self._cards.update((event.reader.name, event) for event in found)
        return self

    def __exit__(self, *_raised: object) -> None:
        self._reader.close()

    def round(self) -> Round:
        """Each once."""
        live, _ = self._climb(READERS[0])
        taped, commands = self._climb(READERS[1])
        return Round(live, taped, _bare(READERS[1], commands))

    def _climb(self, name: str) -> tuple[float, list[bytes]]:
        ladder = Ladder(self._case.schemes(FixedDice()), time.monotonic)
        self._calls.commands = []
        with self._reader.connect(self._cards[name]) as card:
            outcome = ladder.identify(card)
            taken = (time.perf_counter() - self._calls.began) * 1000
        if not isinstance(outcome, Claim):
            raise RuntimeError(f"{self._case.name}: {outcome}")
        return taken, self._calls.commands


def rows() -> Iterator[dict[str, object]]:
    """Two for each scheme: first APDU to claim, and our own share of it."""
    with pcscd() as pcsc:
        for case in cases():
            with lying(pcsc.daemon.port, (case.card, case.taped())), Bench(case) as bench:
                bench.round()
                rounds = [bench.round() for _ in range(ROUNDS)]
            yield _row(
                f"{case.name}, first APDU to claim",
                [each.live for each in rounds],
                BUDGET_MS,
                bare_p50=round(median(each.bare for each in rounds), 2),
                ratio_to_bare=round(median(each.taped / each.bare for each in rounds), 2),
            )
            yield _row(f"{case.name}, our own share", [each.own for each in rounds], OWN_MS)
            pcsc.clear()


def _bare(name: str, commands: Sequence[bytes]) -> float:
    """Milliseconds for the same commands with nothing around them."""
    calls = Pyscard()
    _, context = calls.establish_context()
    try:
        code, connected = calls.connect(context, name, exclusive=True)
        lists = [list(command) for command in commands]
        began = time.perf_counter()
        for command in lists:
            code = code or scard.SCardTransmit(connected.handle, connected.protocol, command)[0]
        taken = (time.perf_counter() - began) * 1000
        calls.disconnect(connected.handle)
    finally:
        calls.release_context(context)
    if code != SUCCESS:
        raise RuntimeError(f"{name}: {code & 0xFFFFFFFF:08X}")
    return taken


def _row(work: str, taken: Sequence[float], bound: float, **more: float) -> dict[str, object]:
    """`ours` is the 95th percentile (nearest rank), `theirs` what it may be."""
    ordered = sorted(taken)
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return {
        "work": f"schemes: {work}, p95",
        "peer": "its bound",
        "ours": round(p95, 2),
        "theirs": bound,
        "unit": "ms",
        "ratio": round(p95 / bound, 3),
        "goal": 1.0,
        "met": p95 <= bound,
        "rounds": len(ordered),
        "p50": round(median(ordered), 2),
        **more,
    }
