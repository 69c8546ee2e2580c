"""True order of the instances of a series, and what a reader should know about it.

Geometry comes before numbers: Instance Number is neither spatial nor unique nor always there (PS3.3 C.7.6.1).
Images of one orientation and size make a stack; stacks come largest first, localisers after them, images without
geometry after those, unreadable files last.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.geometry import Orientation
from kiosk.imaging.studies.header import Header, read_header
from kiosk.imaging.studies.model import OrderRule, Series, SeriesContents
from kiosk.imaging.studies.stack import Stack, by_number, order_stack

# Direction cosines within this are one orientation.
_SAME_ORIENTATION: Final = 0.005
# With more orientations than this, as in rotational series, each further one stands for itself.
_MAX_ORIENTATIONS: Final = 64
_NAMED_DUPLICATES: Final = 3


def read_series(series: Series, paths: Sequence[Path]) -> SeriesContents:
    """The instances of a series from its spooled files, in true order.

    A file that cannot be read stays in the list, last, with its reason. Two files with the same SOP Instance UID and
    the same bytes are one instance; with different bytes both are shown.
    """
    headers, notes = _without_copies([(read_header(path), path) for path in paths])
    return order_headers(series, headers, notes)


def order_headers(series: Series, headers: Iterable[Header], notes: Sequence[str] = ()) -> SeriesContents:
    """Orders headers that were read already; `notes` come first among the notes."""
    placed: list[Header] = []
    loose: list[Header] = []
    unreadable: list[Header] = []
    for header in headers:
        instance = header.instance
        if not instance.readable:
            unreadable.append(header)
        elif instance.position is None or instance.orientation is None:
            loose.append(header)
        else:
            placed.append(header)
    loose.sort(key=by_number)
    unreadable.sort(key=lambda header: header.instance.file)
    stacks = [order_stack(group) for group in _stacks(placed)]
    rule = _rule(stacks, loose)
    if rule in (OrderRule.GEOMETRY, OrderRule.TEMPORAL):
        ordered = [header for stack in stacks for header in stack.headers] + loose
    else:
        ordered = sorted([*placed, *loose], key=by_number)
    found = [*notes, *_geometry_notes(stacks, placed, loose, rule), *_number_notes([*placed, *loose], rule)]
    others = sum(header.instance.series_instance_uid != series.series_instance_uid for header in [*placed, *loose])
    if others:
        found.append(f"{_instances(others)} {_verb(others, 'names', 'name')} another series")
    if unreadable:
        found.append(f"{_instances(len(unreadable))} cannot be read")
    instances = tuple(header.instance for header in (*ordered, *unreadable))
    return SeriesContents(series, instances, rule, tuple(note[:1].upper() + note[1:] + "." for note in found))


def _without_copies(read: Sequence[tuple[Header, Path]]) -> tuple[list[Header], list[str]]:
    counts = Counter(header.instance.sop_instance_uid for header, _ in read if header.instance.readable)
    kept: list[Header] = []
    digests: dict[str, set[bytes]] = {}
    copies = 0
    for header, path in read:
        uid = header.instance.sop_instance_uid
        if counts[uid] > 1 and header.instance.readable:
            seen = digests.setdefault(uid, set())
            digest = _digest(path)
            if digest in seen:
                copies += 1
                continue
            seen.add(digest)
        kept.append(header)
    conflicts = sum(len(seen) > 1 for seen in digests.values())
    notes = []
    if copies:
        notes.append(
            f"{copies} identical {_verb(copies, 'copy of an instance was', 'copies of instances were')} left out"
        )
    if conflicts:
        verbs = _verb(conflicts, "UID belongs", "UIDs belong")
        notes.append(f"{conflicts} SOP Instance {verbs} to differing instances, all shown")
    return kept, notes


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").digest()
    except OSError as error:
        raise UnreadableObject(f"The object's file cannot be opened: {error.strerror}.") from None


def _stacks(placed: Sequence[Header]) -> list[list[Header]]:
    """Headers that belong together, the order of the groups as this file's docstring says."""
    groups: dict[tuple[object, ...], list[Header]] = {}
    for header, orientation in zip(placed, _orientations(placed), strict=True):
        instance = header.instance
        key = (header.is_localiser, orientation, instance.rows, instance.columns)
        groups.setdefault(key, []).append(header)
    return sorted(
        groups.values(),
        key=lambda group: (group[0].is_localiser, -len(group), min(by_number(header) for header in group)),
    )


def _orientations(placed: Sequence[Header]) -> list[Orientation]:
    """For each header the first orientation met that is nearly its own."""
    known: list[Orientation] = []
    exact: dict[Orientation, Orientation] = {}
    found: list[Orientation] = []
    for header in placed:
        own = header.instance.orientation
        if own is None:
            raise ValueError("only headers with an orientation make stacks")
        match = exact.get(own)
        if match is None:
            match = next((other for other in known if _near(own, other)), own)
            if match is own and len(known) < _MAX_ORIENTATIONS:
                known.append(own)
            exact[own] = match
        found.append(match)
    return found


def _near(one: Orientation, other: Orientation) -> bool:
    return all(abs(a - b) <= _SAME_ORIENTATION for a, b in zip(one, other, strict=True))


def _rule(stacks: Sequence[Stack], loose: Sequence[Header]) -> OrderRule:
    """Geometry counts when at least one stack has two slices, or when there is nothing else to order."""
    images = sum(len(stack.headers) for stack in stacks)
    if any(len(stack.headers) > 1 for stack in stacks) or (images == 1 and not loose):
        repeats = any(stack.repeats for stack in stacks)
        return OrderRule.TEMPORAL if repeats else OrderRule.GEOMETRY
    numbers = {header.instance.number for stack in stacks for header in stack.headers}
    numbers |= {header.instance.number for header in loose}
    if numbers - {None} and (len(numbers) > 1 or images + len(loose) == 1):
        return OrderRule.INSTANCE_NUMBER
    return OrderRule.SOP_INSTANCE_UID


def _geometry_notes(
    stacks: Sequence[Stack], placed: Sequence[Header], loose: Sequence[Header], rule: OrderRule
) -> list[str]:
    notes: list[str] = []
    if rule in (OrderRule.GEOMETRY, OrderRule.TEMPORAL):
        localisers = sum(header.is_localiser for header in placed)
        if localisers and localisers < len(placed):
            notes.append(
                f"{_instances(localisers)} {_verb(localisers, 'is a localiser', 'are localisers')} and kept apart"
            )
        kinds = len({id(stack) for stack in stacks if not stack.headers[0].is_localiser})
        if kinds > 1:
            notes.append(f"{kinds} stacks of different orientation or size, the largest first")
        for stack in stacks:
            notes.extend(stack.notes)
        if loose:
            verbs = _verb(len(loose), "has no position and comes", "have no position and come")
            notes.append(f"{_instances(len(loose))} {verbs} last")
    elif placed and len(stacks) > 1:
        notes.append("every image has an orientation of its own")
    return notes


def _number_notes(headers: Sequence[Header], rule: OrderRule) -> list[str]:
    notes: list[str] = []
    malformed = sum(header.number_is_malformed for header in headers)
    absent = sum(header.instance.number is None for header in headers) - malformed
    if absent:
        notes.append(f"{_instances(absent)} {_verb(absent, 'has', 'have')} no Instance Number")
    if malformed:
        notes.append(f"{_instances(malformed)} {_verb(malformed, 'has', 'have')} an Instance Number that is no number")
    counts = Counter(header.instance.number for header in headers if header.instance.number is not None)
    shared = sorted((number, count) for number, count in counts.items() if count > 1)
    if len(shared) > _NAMED_DUPLICATES:
        notes.append(f"{len(shared)} Instance Numbers are used more than once")
    else:
        notes.extend(f"{count} instances share Instance Number {number}" for number, count in shared)
    if rule is OrderRule.SOP_INSTANCE_UID and len(headers) > 1:
        notes.append("nothing tells the order of these instances; they are sorted by SOP Instance UID")
    return notes


def _instances(count: int) -> str:
    return f"{count} {_verb(count, 'instance', 'instances')}"


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
