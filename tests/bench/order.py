"""Ordering a series of five thousand instances: headers that were read already into true order and a gap report."""

import random
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Final

from kiosk.imaging.studies.header import Header
from kiosk.imaging.studies.order import order_headers
from tests.kiosk.imaging.studies.files import CORONAL, SERIES, header

COUNT: Final = 5000
ROUNDS: Final = 9
GOAL_MILLISECONDS: Final = 100.0


def _slices() -> list[Header]:
    return [header(n, COUNT - n, 0.5 * n, acquisition_time=36000.0 + n) for n in range(COUNT)]


def _volumes() -> list[Header]:
    return [header(n, n + 1, 2.0 * (n % 50), temporal_position=n // 50 + 1) for n in range(COUNT)]


def _holes() -> list[Header]:
    return [header(n, n + 1, 0.5 * n) for n in range(COUNT + COUNT // 4) if n % 5 != 3]


def _mixed() -> list[Header]:
    half = COUNT // 2
    axial = [header(n, n + 1, 0.5 * n) for n in range(half)]
    return axial + [header(half + n, half + n + 1, (0.0, 0.5 * n, 0.0), CORONAL) for n in range(half)]


def _numbered() -> list[Header]:
    return [header(n, n // 2, None, acquisition_time=float(n)) for n in range(COUNT)]


KINDS: Final[dict[str, Callable[[], list[Header]]]] = {
    "slices": _slices,
    "100 volumes of 50": _volumes,
    "a fifth missing": _holes,
    "two orientations": _mixed,
    "numbers only, each twice": _numbered,
}


def rows() -> Iterator[dict[str, object]]:
    """A row for each kind of series; `ours` is the median processor time in milliseconds, the goal an upper bound."""
    for kind, make in KINDS.items():
        headers = make()
        random.Random(1).shuffle(headers)
        spent = []
        for _ in range(ROUNDS):
            start = time.process_time()
            contents = order_headers(SERIES, headers)
            spent.append(1000 * (time.process_time() - start))
        if len(contents.instances) != COUNT:
            raise ValueError(f"{len(contents.instances)} of {COUNT} instances came out")
        ours = round(median(spent), 1)
        yield {
            "work": f"order {COUNT} instances: {kind}",
            "peer": "",
            "ours": ours,
            "theirs": 0.0,
            "unit": "ms",
            "ratio": round(ours / GOAL_MILLISECONDS, 2),
            "goal": GOAL_MILLISECONDS,
            "met": ours < GOAL_MILLISECONDS,
            "rounds": ROUNDS,
        }
