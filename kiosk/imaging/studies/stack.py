"""Slices of one orientation and size: their order along the normal, then in time, and what is odd about it.

Direction: slices ascend along row direction x column direction; the usual axial stack runs from feet to head.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from kiosk.imaging.studies.geometry import dot, normal
from kiosk.imaging.studies.header import Header

# Positions closer than this, in mm, are one position: archives round to hundredths.
SAME_POSITION: Final = 0.011
# Differences, in mm, that rounding to tenths explains.
_EVEN: Final = 0.101
_EVEN_SHARE: Final = 0.02
_WHOLE_SHARE: Final = 0.2
_TILT_DEGREES: Final = 0.5


@dataclass(frozen=True)
class Stack:
    """Ordered headers of one stack. `repeats` is True when time or another key ordered images at one position."""

    headers: tuple[Header, ...]
    repeats: bool
    notes: tuple[str, ...]


# What tells images at one position apart, in the order in which it is believed.
_TEMPORAL_KEYS: Final[tuple[tuple[str, Callable[[Header], float | None]], ...]] = (
    ("Temporal Position Identifier", lambda header: header.temporal_position),
    ("Trigger Time", lambda header: header.trigger_time),
    ("Echo Number", lambda header: header.echo_number),
    ("Echo Time", lambda header: header.echo_time),
    ("Acquisition Time", lambda header: header.acquisition_time),
    ("Acquisition Number", lambda header: header.acquisition_number),
    ("Content Time", lambda header: header.content_time),
    ("Instance Number", lambda header: header.instance.number),
)


def by_number(header: Header) -> tuple[bool, int, str]:
    """Instance Number, those without one last, then SOP Instance UID: an order that never depends on arrival."""
    number = header.instance.number
    return (number is None, number or 0, header.instance.sop_instance_uid)


def order_stack(headers: Sequence[Header]) -> Stack:
    """Orders headers that all have the same orientation and a position."""
    direction = headers[0].instance.orientation
    if direction is None:
        raise ValueError("a stack needs an orientation")
    axis = normal(direction)
    placed = sorted(
        ((dot(header.instance.position or (0.0, 0.0, 0.0), axis), header) for header in headers),
        key=lambda pair: (pair[0], by_number(pair[1])),
    )
    places = _places(placed)
    notes: list[str] = []
    repeats = any(len(group) > 1 for _, group in places)
    ordered: list[Header] = []
    if repeats:
        key = _distinguishing(places)
        notes.append(_repeat_note(places, key[0] if key else None))
        for _, group in places:
            ordered.extend(sorted(group, key=key[1]) if key else sorted(group, key=by_number))
    else:
        ordered = [header for _, header in placed]
    notes.extend(_spacing_notes([distance for distance, _ in places]))
    notes.extend(_tilt_note(places, axis))
    return Stack(tuple(ordered), repeats, tuple(notes))


def _places(placed: Sequence[tuple[float, Header]]) -> list[tuple[float, list[Header]]]:
    places: list[tuple[float, list[Header]]] = []
    for distance, header in placed:
        if places and distance - places[-1][0] <= SAME_POSITION:
            places[-1][1].append(header)
        else:
            places.append((distance, [header]))
    return places


def _distinguishing(
    places: Sequence[tuple[float, list[Header]]],
) -> tuple[str, Callable[[Header], tuple[float, bool, int, str]]] | None:
    """The first key that tells apart all images at every position that holds more than one."""
    crowded = [group for _, group in places if len(group) > 1]
    for name, key in _TEMPORAL_KEYS:
        if all(_tells_apart([key(header) for header in group]) for group in crowded):
            return name, lambda header, key=key: (key(header) or 0.0, *by_number(header))
    return None


def _tells_apart(values: list[float | None]) -> bool:
    return None not in values and len(set(values)) == len(values)


def _repeat_note(places: Sequence[tuple[float, list[Header]]], key: str | None) -> str:
    counts = {len(group) for _, group in places}
    how = f"ordered by {key} there" if key else "nothing tells which came first"
    if len(counts) == 1:
        (count,) = counts
        if len(places) == 1:
            return f"{count} instances at one position, {how}"
        return f"{len(places)} positions with {count} instances each, {how}"
    crowded = [(distance, group) for distance, group in places if len(group) > 1]
    if len(crowded) == 1:
        distance, group = crowded[0]
        return f"{len(group)} instances share the position {distance:.1f} mm, {how}"
    return f"{len(crowded)} of {len(places)} positions hold more than one instance, {how}"


def _spacing_notes(distances: Sequence[float]) -> list[str]:
    """Gaps that are whole multiples of the usual one are missing slices, other differences uneven spacing."""
    gaps = [after - before for before, after in pairwise(distances)]
    if len(gaps) < 2:
        return []
    usual = median(gaps)
    missing = 0
    first = ""
    uneven = False
    for index, gap in enumerate(gaps):
        if abs(gap - usual) <= max(_EVEN, _EVEN_SHARE * usual):
            continue
        whole = round(gap / usual)
        if whole >= 2 and abs(gap / usual - whole) <= _WHOLE_SHARE:
            missing += whole - 1
            first = first or f"{distances[index]:.1f} and {distances[index + 1]:.1f} mm"
        else:
            uneven = True
    notes = []
    if missing:
        where = f"between {first}" if missing == 1 else f"the first between {first}"
        notes.append(f"{missing} {'slice seems' if missing == 1 else 'slices seem'} to be missing, {where}")
    if uneven:
        notes.append(f"slices are unevenly spaced: {min(gaps):.2f} to {max(gaps):.2f} mm apart")
    return notes


def _tilt_note(places: Sequence[tuple[float, list[Header]]], axis: tuple[float, float, float]) -> list[str]:
    """A stack whose positions run aslant of its normal was scanned with a tilted gantry."""
    if len(places) < 3:
        return []
    first, last = places[0][1][0].instance.position, places[-1][1][0].instance.position
    if first is None or last is None:
        return []
    along = places[-1][0] - places[0][0]
    track = tuple(end - start for start, end in zip(first, last, strict=True))
    aside = math.sqrt(max(0.0, dot(track, track) - along * along / max(dot(axis, axis), 1e-9)))
    degrees = math.degrees(math.atan2(aside, along))
    return [f"the stack is aslant by {degrees:.1f} degrees (gantry tilt)"] if degrees > _TILT_DEGREES else []
