"""Slices of one orientation and size: volume by volume, in each by position along the normal, and what is odd about it.

Direction: slices ascend along row direction x column direction; the usual axial stack runs from feet to head.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kiosk.imaging.studies.gaps import (
    Finding,
    FindingKind,
    StackPlaces,
    interleaving,
    places_of,
    sentence,
    spacing_findings,
)
from kiosk.imaging.studies.geometry import dot, normal
from kiosk.imaging.studies.header import Header
from kiosk.imaging.studies.volumes import Placed, Volume, split_volumes

# Positions closer than this, in mm, are one position: archives round to hundredths.
SAME_POSITION: Final = 0.011
_TILT_DEGREES: Final = 0.5
_NUMBER: Final = "Instance Number"

Crowd = tuple[float, list[Header]]


@dataclass(frozen=True)
class Stack:
    """Ordered headers of one stack. `repeats` is True when time or an echo ordered images at one position.

    `notes` are about the order itself, `findings` about what lies where.
    """

    headers: tuple[Header, ...]
    repeats: bool
    volumes: int
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    places: tuple[StackPlaces, ...]


# What tells images at one position apart, in the order in which it is believed.
_TEMPORAL_KEYS: Final[tuple[tuple[str, Callable[[Header], float | None]], ...]] = (
    ("Temporal Position Identifier", lambda header: header.temporal_position),
    ("Trigger Time", lambda header: header.trigger_time),
    ("Echo Number", lambda header: header.echo_number),
    ("Echo Time", lambda header: header.echo_time),
    ("Acquisition Time", lambda header: header.acquisition_time),
    ("Acquisition Number", lambda header: header.acquisition_number),
    ("Content Time", lambda header: header.content_time),
    (_NUMBER, lambda header: header.instance.number),
)


def by_number(header: Header) -> tuple[bool, int, str]:
    """Instance Number, those without one last, then SOP Instance UID: an order that never depends on arrival."""
    number = header.instance.number
    return (number is None, number or 0, header.instance.sop_instance_uid)


def order_stack(headers: Sequence[Header], *, spaced: bool = True) -> Stack:
    """Orders headers that all have the same orientation and a position. Where they are no stack of slices, as with
    localisers, `spaced` is False and nothing is said of their distances."""
    direction = headers[0].instance.orientation
    if direction is None:
        raise ValueError("a stack needs an orientation")
    axis = normal(direction)
    placed = _placed(headers, axis)
    volumes = split_volumes(placed)
    notes: list[str] = []
    findings: list[Finding] = []
    ordered: list[Header] = []
    every: list[StackPlaces] = []
    repeats = False
    if len(volumes) > 1:
        told = " and ".join(dict.fromkeys(name for volume in volumes for name in volume.told_by))
        notes.append(f"{len(volumes)} volumes told apart by {told}")
    for volume in volumes:
        distances, counts = [member.distance for member in volume.members], [1] * len(volume.members)
        if len({member.place for member in volume.members}) < len(volume.members):
            crowds = _crowds(volume.members)
            key = _order_crowds(crowds)
            repeats = repeats or key not in (None, _NUMBER)
            notes.append(_repeat_note(crowds, key, volume))
            findings.extend(_doubles(crowds, volume))
            ordered.extend(header for _, group in crowds for header in group)
            distances, counts = [distance for distance, _ in crowds], [len(group) for _, group in crowds]
        else:
            ordered.extend(member.header for member in volume.members)
            if spaced:
                findings.extend(_interleaved(volume))
        if spaced:
            places = places_of(distances, counts, volume.label)
            every.append(places)
            findings.extend(spacing_findings(places))
    if spaced:
        findings.extend(_tilt(placed, axis))
    return Stack(tuple(ordered), repeats, len(volumes), tuple(notes), tuple(findings), tuple(every))


def _placed(headers: Sequence[Header], axis: tuple[float, float, float]) -> list[Placed]:
    known = sorted(
        ((dot(header.instance.position or (0.0, 0.0, 0.0), axis), header) for header in headers),
        key=lambda pair: (pair[0], by_number(pair[1])),
    )
    placed: list[Placed] = []
    place, start = -1, -math.inf
    for distance, header in known:
        if distance - start > SAME_POSITION:
            place, start = place + 1, distance
        placed.append(Placed(place, start, header))
    return placed


def _crowds(members: Sequence[Placed]) -> list[Crowd]:
    crowds: list[Crowd] = []
    place = -1
    for member in members:
        if member.place == place:
            crowds[-1][1].append(member.header)
        else:
            crowds.append((member.distance, [member.header]))
            place = member.place
    return crowds


def _order_crowds(crowds: Sequence[Crowd]) -> str | None:
    """Orders the images at each position; what by, None when nothing tells."""
    key = _distinguishing(crowds)
    for _, group in crowds:
        group.sort(key=key[1] if key else by_number)
    return key[0] if key else None


def _distinguishing(
    crowds: Sequence[Crowd],
) -> tuple[str, Callable[[Header], tuple[float, bool, int, str]]] | None:
    """The first key that tells apart all images at every position that holds more than one."""
    crowded = [group for _, group in crowds if len(group) > 1]
    for name, key in _TEMPORAL_KEYS:
        if all(_tells_apart([key(header) for header in group]) for group in crowded):
            return name, lambda header, key=key: (key(header) or 0.0, *by_number(header))
    return None


def _tells_apart(values: list[float | None]) -> bool:
    return None not in values and len(set(values)) == len(values)


def _repeat_note(crowds: Sequence[Crowd], key: str | None, volume: Volume) -> str:
    counts = {len(group) for _, group in crowds}
    how = f"ordered by {key} there" if key else "nothing tells which came first"
    how += f" ({volume.label})" if volume.label else ""
    if len(counts) == 1:
        (count,) = counts
        if len(crowds) == 1:
            return f"{count} instances at one position, {how}"
        return f"{len(crowds)} positions with {count} instances each, {how}"
    crowded = [(distance, group) for distance, group in crowds if len(group) > 1]
    if len(crowded) == 1:
        distance, group = crowded[0]
        return f"{len(group)} instances share the position {distance:.1f} mm, {how}"
    return f"{len(crowded)} of {len(crowds)} positions hold more than one instance, {how}"


def _doubles(crowds: Sequence[Crowd], volume: Volume) -> list[Finding]:
    """Positions that hold more images than the others do; the same count everywhere is a series in time."""
    counts = [len(group) for _, group in crowds]
    if len(set(counts)) < 2:
        return []
    usual = min(counts)
    more = [distance for distance, group in crowds if len(group) > usual]
    where = f" ({volume.label})" if volume.label else ""
    words = f"the position {more[0]:.1f} mm holds more images than others"
    if len(more) > 1:
        words = f"{len(more)} positions hold more images than others, the first {more[0]:.1f} mm"
    return [Finding(FindingKind.DUPLICATE, sentence(words + where))]


def _interleaved(volume: Volume) -> list[Finding]:
    acquisitions = [member.header.acquisition_number for member in volume.members]
    return interleaving(acquisitions, [member.header.acquisition_time for member in volume.members], volume.label)


def _tilt(placed: Sequence[Placed], axis: tuple[float, float, float]) -> list[Finding]:
    """A stack whose positions run aslant of its normal was scanned with a tilted gantry."""
    if not placed or placed[-1].place < 2:
        return []
    first, last = placed[0].header.instance.position, placed[-1].header.instance.position
    if first is None or last is None:
        return []
    along = placed[-1].distance - placed[0].distance
    track = tuple(end - start for start, end in zip(first, last, strict=True))
    aside = math.sqrt(max(0.0, dot(track, track) - along * along / max(dot(axis, axis), 1e-9)))
    degrees = math.degrees(math.atan2(aside, along))
    if degrees <= _TILT_DEGREES:
        return []
    return [Finding(FindingKind.TILT, sentence(f"the stack is aslant by {degrees:.1f} degrees (gantry tilt)"))]
