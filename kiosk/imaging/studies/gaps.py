"""What is odd about the slices of a series: where they lie, what seems to be missing, what is double.

Nothing here says that a series is complete: an archive may still be receiving it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby, pairwise
from statistics import median
from typing import Final

# Differences, in mm, that rounding to tenths explains.
_EVEN: Final = 0.101
_EVEN_SHARE: Final = 0.02
_WHOLE_SHARE: Final = 0.2
_MAX_MISSING: Final = 10_000
_NAMED: Final = 3
_INTERLEAVED_SHARE: Final = 0.8
_INTERLEAVED_LEAST: Final = 4


class FindingKind(Enum):
    """What a finding is about."""

    EXPECTED = "expected against found"
    MISSING = "missing slices"
    UNEVEN = "uneven spacing"
    DUPLICATE = "duplicates"
    ORIENTATION = "mixed orientation"
    TILT = "gantry tilt"
    INTERLEAVED = "interleaved acquisitions"
    NUMBERS = "instance numbers"
    CONCATENATION = "concatenation"


@dataclass(frozen=True)
class Finding:
    """Something a reader should know, as a sentence."""

    kind: FindingKind
    sentence: str


@dataclass(frozen=True)
class StackPlaces:
    """One stack or volume along its normal, in mm, ascending: `counts` images at each of `positions`.

    `missing` are positions where a slice would be expected; `spacing` is the usual distance, None for one slice.
    `label` tells volumes of one place apart, empty where there is only one.
    """

    positions: tuple[float, ...]
    counts: tuple[int, ...]
    missing: tuple[float, ...] = ()
    spacing: float | None = None
    label: str = ""


@dataclass(frozen=True)
class GapReport:
    """What was found of a series against what was expected. `expected` is the archive's count, None where unknown."""

    found: int
    expected: int | None
    findings: tuple[Finding, ...] = ()
    stacks: tuple[StackPlaces, ...] = ()


def sentence(words: str) -> str:
    """The words with a capital at their beginning and a full stop at their end."""
    return f"{words[:1].upper()}{words[1:]}."


def is_even(distances: Sequence[float]) -> bool:
    """True when the ascending distances are equally far apart, rounding aside."""
    gaps = [after - before for before, after in pairwise(distances)]
    if len(gaps) < 2:
        return True
    return not _unusual(gaps, median(gaps))


def places_of(distances: Sequence[float], counts: Sequence[int], label: str = "") -> StackPlaces:
    """The places of a stack: gaps that are whole multiples of the usual one hold missing slices."""
    gaps = [after - before for before, after in pairwise(distances)]
    usual = median(gaps) if gaps else None
    missing: list[float] = []
    if usual is not None and len(gaps) > 1:
        for index in _unusual(gaps, usual):
            if whole := _slices_in(gaps[index], usual):
                before, step = distances[index], gaps[index] / whole
                missing.extend(before + step * place for place in range(1, min(whole, _MAX_MISSING - len(missing))))
    return StackPlaces(tuple(distances), tuple(counts), tuple(missing), usual, label)


def spacing_findings(places: StackPlaces) -> list[Finding]:
    """Missing slices and uneven spacing."""
    gaps = [after - before for before, after in pairwise(places.positions)]
    usual = places.spacing
    if usual is None or len(gaps) < 2:
        return []
    where = f" ({places.label})" if places.label else ""
    found: list[Finding] = []
    if places.missing:
        count = len(places.missing)
        first = next(pair for pair in pairwise(places.positions) if pair[0] < places.missing[0] < pair[1])
        between = f"between {first[0]:.1f} and {first[1]:.1f} mm"
        words = f"1 slice seems to be missing, {between}"
        if count > 1:
            words = f"{count} slices seem to be missing, the first {between}"
        found.append(Finding(FindingKind.MISSING, sentence(words + where)))
    if any(not _slices_in(gaps[index], usual) for index in _unusual(gaps, usual)):
        words = f"slices are unevenly spaced: {min(gaps):.2f} to {max(gaps):.2f} mm apart"
        found.append(Finding(FindingKind.UNEVEN, sentence(words + where)))
    return found


def _unusual(gaps: Sequence[float], usual: float) -> list[int]:
    """The gaps that rounding does not explain, by their index."""
    off = max(_EVEN, _EVEN_SHARE * usual)
    return [index for index, gap in enumerate(gaps) if abs(gap - usual) > off]


def _slices_in(gap: float, usual: float) -> int:
    """How many usual distances an unusual gap holds; 0 when it is no whole number of them."""
    whole = round(gap / usual)
    return whole if whole >= 2 and abs(gap / usual - whole) <= _WHOLE_SHARE else 0


def expectation(found: int, expected: int | None) -> list[Finding]:
    """What came against what the archive counts; equal numbers say nothing."""
    if expected is None or expected == found:
        return []
    verb = "is" if found == 1 else "are"
    words = f"{found} of {expected} instances that the archive counts {verb} here"
    if found > expected:
        words = f"{found} instances {verb} here, the archive counts {expected}"
    return [Finding(FindingKind.EXPECTED, sentence(words))]


def number_findings(numbers: Sequence[int], images: int) -> list[Finding]:
    """Instance Numbers that leave numbers out, or are fewer than the images."""
    if not numbers:
        return []
    known = sorted(set(numbers))
    first, last = known[0], known[-1]
    if first == last:
        return []
    words = f"instance numbers run {first} to {last}, {images} {'image' if images == 1 else 'images'}"
    left_out = last - first + 1 - len(known)
    if left_out:
        named = [_run(before + 1, after - 1) for before, after in pairwise(known) if after - before > 1]
        if len(named) <= _NAMED:
            words += f"; not there: {', '.join(named)}"
        else:
            words += f"; {left_out} numbers are not there, the first {named[0].split(' ')[0]}"
    elif images <= len(known):
        return []
    return [Finding(FindingKind.NUMBERS, sentence(words))]


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def interleaving(acquisitions: Sequence[int | None], times: Sequence[float | None], label: str = "") -> list[Finding]:
    """Acquisitions whose slices alternate along a stack, told by their numbers or else by the times of the slices.

    Both are given in the order of the stack.
    """
    where = f" ({label})" if label else ""
    named = [number for number in acquisitions if number is not None]
    if len(named) == len(acquisitions):
        runs = [number for number, _ in groupby(named)]
        twice = sorted(number for number, count in Counter(runs).items() if count > 1)
        if twice and len(runs) > len(set(runs)) + 1:
            which = ", ".join(str(number) for number in twice[:_NAMED])
            words = f"the slices of acquisitions {which} alternate along the stack{where}"
            return [Finding(FindingKind.INTERLEAVED, sentence(words))]
    known = [time for time in times if time is not None]
    if len(known) < max(len(times), _INTERLEAVED_LEAST) or len(set(known)) < len(known):
        return []
    by_time = sorted(range(len(known)), key=known.__getitem__)
    steps = [after - before for before, after in pairwise(by_time)]
    (step, often), *_ = Counter(steps).most_common(1)
    if abs(step) >= 2 and often >= _INTERLEAVED_SHARE * (len(steps) - abs(step) + 1):
        words = f"the slices were acquired interleaved, every {_ordinal(abs(step))} one in turn{where}"
        return [Finding(FindingKind.INTERLEAVED, sentence(words))]
    return []


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
