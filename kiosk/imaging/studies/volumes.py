"""Images that share their places are several volumes: which attribute tells them apart (PS3.3 C.7.6.16.2, C.8.3.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from kiosk.imaging.studies.gaps import is_even
from kiosk.imaging.studies.header import Header
from readers.text import safe_text

Key = Callable[[Header], object]

# With more values than this an attribute tells slices apart, not volumes.
_MAX_VOLUMES: Final = 4096
_LEAST_SLICES: Final = 2
_LEAST_EVEN: Final = 3
_LABEL_LENGTH: Final = 40


class Placed(NamedTuple):
    """A header at the `place`-th position of its stack, `distance` mm along the normal."""

    place: int
    distance: float
    header: Header


@dataclass(frozen=True)
class Volume:
    """Images that belong together, in the order of their places. `label` says which volume, `told_by` what tells it."""

    members: tuple[Placed, ...]
    label: str = ""
    told_by: tuple[str, ...] = ()


def _number_or_none(value: float | None) -> tuple[bool, float]:
    return (value is not None, value or 0.0)


def _b_value(header: Header) -> object:
    """An image without diffusion weighting may have no b-value at all."""
    return _number_or_none(header.b_value)


def _gradient(header: Header) -> object:
    return header.gradient or ()


# The order in which they are tried. Where every image has the same value, or one of its own, a key tells nothing.
SPLITTING_KEYS: Final[tuple[tuple[str, Key], ...]] = (
    ("Stack ID", lambda header: header.stack_id or None),
    ("Temporal Position", lambda header: header.temporal_position),
    ("Echo Number", lambda header: header.echo_number),
    ("Echo Time", lambda header: header.echo_time),
    ("b-value", _b_value),
    ("gradient direction", _gradient),
    ("Image Type", lambda header: header.image_type or None),
    ("Acquisition Number", lambda header: header.acquisition_number),
    ("Acquisition Time", lambda header: header.acquisition_time),
)


def split_volumes(placed: Sequence[Placed]) -> list[Volume]:
    """Volumes of one stack. A stack without repeated places, or that nothing divides, is one volume without label."""
    return _split(list(placed), 0, Volume(()))


def _split(members: list[Placed], first: int, parent: Volume) -> list[Volume]:
    repeats = len(members) - _places(members)
    uneven = not repeats and not is_even([member.distance for member in members])
    if repeats or uneven:
        for index in range(first, len(SPLITTING_KEYS)):
            name, key = SPLITTING_KEYS[index]
            groups = _grouped(members, key)
            if groups is None or not (_divides(groups, repeats) if repeats else _evens(groups)):
                continue
            found: list[Volume] = []
            for number, value in enumerate(sorted(groups), start=1):  # type: ignore[type-var]  # of one key, one type
                label = f"{parent.label}, " if parent.label else ""
                inner = Volume((), f"{label}{name} {_value_text(value, number)}", (*parent.told_by, name))
                found.extend(_split(groups[value], index + 1, inner))
            return found
    return [Volume(tuple(members), parent.label, parent.told_by)]


def _grouped(members: Sequence[Placed], key: Key) -> dict[object, list[Placed]] | None:
    """Members by their value; None when one has none, or when there is only one value or too many."""
    groups: dict[object, list[Placed]] = {}
    most = min(_MAX_VOLUMES, len(members) // _LEAST_SLICES)
    for member in members:
        value = key(member.header)
        if value is None:
            return None
        group = groups.get(value)
        if group is not None:
            group.append(member)
        elif len(groups) == most:
            return None
        else:
            groups[value] = [member]
    return groups if len(groups) > 1 else None


def _divides(groups: dict[object, list[Placed]], repeats: int) -> bool:
    """True when each group is a volume of its own and fewer places repeat in the groups than did before."""
    left = 0
    for group in groups.values():
        places = _places(group)
        if places < _LEAST_SLICES:
            return False
        left += len(group) - places
    return left < repeats


def _evens(groups: dict[object, list[Placed]]) -> bool:
    """True when groups overlap, and each is evenly spaced where together they are not: acquisitions side by side."""
    spans = sorted((group[0].distance, group[-1].distance) for group in groups.values())
    overlap = any(after[0] < before[1] for before, after in pairwise(spans))
    return overlap and all(
        len(group) >= _LEAST_EVEN and is_even([member.distance for member in group]) for group in groups.values()
    )


def _places(members: Sequence[Placed]) -> int:
    return len({member.place for member in members})


def _value_text(value: object, number: int) -> str:
    """A value in words; of what has no short name the number of the volume."""
    if isinstance(value, int | float | str):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], bool):
        return f"{value[1]:g}" if value[0] else "none"
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return safe_text("/".join(value[2:] or value), _LABEL_LENGTH)
    return str(number)
