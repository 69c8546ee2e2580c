"""From a virtual card's last APDU, through the real pcscd, to the durable decision and to the painted PIN box.

The card is this process's, the kiosk with its terminal another's. The PIN's hash is no part of it: nobody enters one.
"""

import math
import os
import select
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from sys import executable

from kiosk.demo.staff import RADIOLOGIST_BADGE, RADIOLOGIST_PHONE, deck
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from tests.bench.screen_process import PATIENCE, ScreenProcess
from tests.pcscd import PcscWithVpcd, PrivatePcscd, pytest_unconfigure

TAPS = 5 if os.environ.get("KIOSK_BENCH_QUICK") else 50
DECIDED_MS = 10.0
PAINTED_MS = 100.0
AWAY = 0.9
"""Seconds from one card's removal to the next card: pcscd looks every 0.4 s, and the kiosk lets 0.3 s settle."""
LOCKED = "Tap your badge or phone"
BOX = ("PIN of", "tries left", "Esc gives up")
"""The top, the middle and the bottom of what only the PIN box shows."""
ESCAPE = b"\x1b"


@dataclass(frozen=True)
class Delay:
    """Milliseconds from the last answered APDU."""

    decided: float
    painted: float


class TimedCard:
    """A card that notes when it answered; the reader-level GET UID counts as answered when the UID is taken for it."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card
        self.answers: list[float] = []

    @property
    def uid(self) -> Uid | None:
        self.answers.append(time.monotonic())
        return self._card.uid

    @property
    def atr(self) -> bytes:
        return self._card.atr

    @property
    def ats_historical(self) -> bytes:
        return self._card.ats_historical

    @property
    def takes_apdus(self) -> bool:
        return self._card.takes_apdus

    def power_on(self) -> None:
        self._card.power_on()

    def exchange(self, raw: bytes) -> bytes:
        answer = self._card.exchange(raw)
        self.answers.append(time.monotonic())
        return answer


class Seat:
    """A running kiosk, its terminal and its reader."""

    def __init__(self, pcsc: PcscWithVpcd, terminal: ScreenProcess, reports: int) -> None:
        self._pcsc = pcsc
        self._terminal = terminal
        self._reports = reports
        self._rest = b""

    def tap(self, card: VirtualCard) -> Delay:
        """Lays the card on the locked kiosk's reader, waits for the PIN box, gives it up and takes the card away."""
        timed = TimedCard(card)
        before = self._terminal.size
        self._pcsc.insert(timed)
        decided = self._report("asked")
        painted = self._terminal.moment_of(*BOX, after=before)
        answered = max(moment for moment in timed.answers if moment < decided)
        before = self._terminal.size
        self._terminal.type(ESCAPE)
        self._report("closed")
        self._terminal.moment_of(LOCKED, after=before)
        self._pcsc.remove()
        time.sleep(AWAY)
        return Delay((decided - answered) * 1000, (painted - answered) * 1000)

    def _report(self, word: str) -> float:
        while b"\n" not in self._rest:
            if not select.select([self._reports], [], [], PATIENCE)[0]:
                raise RuntimeError(f"The kiosk did not say {word!r}")
            self._rest += os.read(self._reports, 4096)
        line, _, self._rest = self._rest.partition(b"\n")
        said, moment = line.decode().split()
        if said != word:
            raise RuntimeError(f"The kiosk said {said!r} where {word!r} was due")
        return float(moment)


def rows() -> Iterator[dict[str, object]]:
    """A badge and a phone in turn."""
    badges, phones = [], []
    with seat() as kiosk:
        cards = deck()
        for _ in range(TAPS):
            badges.append(kiosk.tap(cards[RADIOLOGIST_BADGE]))
            phones.append(kiosk.tap(cards[RADIOLOGIST_PHONE]))
    yield _row("badge's last APDU to the durable decision", [delay.decided for delay in badges], DECIDED_MS)
    yield _row("badge's last APDU to the painted PIN box", [delay.painted for delay in badges], PAINTED_MS)
    yield _row("phone's last APDU to the durable decision", [delay.decided for delay in phones], DECIDED_MS)
    yield _row("phone's last APDU to the painted PIN box", [delay.painted for delay in phones], PAINTED_MS)


@contextmanager
def seat() -> Iterator[Seat]:
    """A locked kiosk on a pcscd of its own, which nobody has tapped yet."""
    with tempfile.TemporaryDirectory() as state, pcscd() as pcsc:
        reports, descriptor = os.pipe()
        module = [executable, "-m", "tests.bench.kiosk_process", state, pcsc.spec, str(descriptor)]
        try:
            with ScreenProcess(module, keep=(descriptor,)) as terminal:
                terminal.moment_of(LOCKED)
                time.sleep(5.0)  # the imaging workers start after the terminal
                yield Seat(pcsc, terminal, reports)
        finally:
            os.close(reports)
            os.close(descriptor)


@contextmanager
def pcscd() -> Iterator[PcscWithVpcd]:
    """A private daemon with empty slots."""
    daemon = PrivatePcscd()
    try:
        daemon.configure()
        daemon.start()
        pcsc = PcscWithVpcd(daemon)
        yield pcsc
        pcsc.remove()
    finally:
        daemon.stop()
        pytest_unconfigure()


def _row(work: str, delays: Sequence[float], bound: float) -> dict[str, object]:
    """`ours` is the 95th percentile (nearest rank), `theirs` what it may be."""
    ordered = sorted(delays)
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    p50 = ordered[math.ceil(0.5 * len(ordered)) - 1]
    return {
        "work": f"tap: {work}, p95",
        "peer": "its bound",
        "ours": round(p95, 2),
        "theirs": bound,
        "unit": "ms",
        "ratio": round(p95 / bound, 2),
        "goal": 1.0,
        "met": p95 <= bound,
        "rounds": len(ordered),
        "p50": round(p50, 2),
    }
