"""One row of a bench, as it is printed."""

from collections.abc import Sequence
from statistics import median


def row(work: str, peer: str, unit: str, goal: float, rounds: Sequence[tuple[float, float]]) -> dict[str, object]:
    """A row from rounds of (ours, theirs), both of them rates: more is better, and `ratio` must reach `goal`.

    `ours` and `theirs` are medians; `ratio` is the median of the rounds' own ratios.
    """
    ratio = round(median(ours / theirs for ours, theirs in rounds), 2)
    return {
        "work": work,
        "peer": peer,
        "ours": round(median(ours for ours, _ in rounds), 1),
        "theirs": round(median(theirs for _, theirs in rounds), 1),
        "unit": unit,
        "ratio": ratio,
        "goal": goal,
        "met": ratio >= goal,
        "rounds": len(rounds),
    }


def cost_row(work: str, peer: str, unit: str, goal: float, rounds: Sequence[tuple[float, float]]) -> dict[str, object]:
    """A row from rounds of (ours, theirs), both of them costs: less is better, and `ratio` may not be above `goal`."""
    ratio = round(median(ours / theirs for ours, theirs in rounds), 3)
    return {
        "work": work,
        "peer": peer,
        "ours": round(median(ours for ours, _ in rounds), 2),
        "theirs": round(median(theirs for _, theirs in rounds), 2),
        "unit": unit,
        "ratio": ratio,
        "goal": goal,
        "met": ratio <= goal,
        "rounds": len(rounds),
    }
