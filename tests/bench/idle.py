"""What three watched readers cost while nobody taps: two slots of a real pcscd, and a PN532 on a serial line.

The watches run in a process of their own, as the agent's do; pcscd and the virtual chip are not counted.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from readers.virtual.pn532_uart import Pn532Uart
from tests.bench.tap import pcscd
from tests.pcscd import READERS

SECONDS = 2.0 if os.environ.get("KIOSK_BENCH_QUICK") else 20.0
BOUND = 2.0
"""Percent of one core."""
PATIENCE = 30.0


def rows() -> Iterator[dict[str, object]]:
    """Two readers on pcscd alone, then all three."""
    with tempfile.TemporaryDirectory() as folder, pcscd(), Pn532Uart(Path(folder)) as chip:
        on_pcscd = [f"pcsc:{name}" for name in READERS]
        yield _row("two readers on pcscd", _measure(on_pcscd))
        yield _row("three readers, one of them a serial PN532", _measure([*on_pcscd, chip.spec]))


def _measure(specs: list[str]) -> float:
    command = [sys.executable, "-m", "tests.bench.idle_process", str(SECONDS), *specs]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS + 2 * PATIENCE)
    return float(done.stdout)


def _row(work: str, percent: float) -> dict[str, object]:
    return {
        "work": f"idle: {work}",
        "peer": "its bound",
        "ours": round(percent, 2),
        "theirs": BOUND,
        "unit": "% of a core",
        "ratio": round(percent / BOUND, 2),
        "goal": 1.0,
        "met": percent <= BOUND,
        "rounds": 1,
        "seconds": SECONDS,
    }
