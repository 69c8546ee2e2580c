"""True order of the instances of a series, and what a reader should know about it.

Geometry comes before numbers: Instance Number is neither spatial nor unique nor always there (PS3.3 C.7.6.1).
Images of one orientation and size make a stack, of which those that share their places make volumes; the parts of a
concatenation are one image. Stacks come largest first, localisers after them, images without geometry after those,
unreadable files last.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.concatenation import Concatenation, reassembled
from kiosk.imaging.studies.frames import FrameOrder, order_frames, placed, with_frames
from kiosk.imaging.studies.gaps import (
    Finding,
    FindingKind,
    GapReport,
    expectation,
    number_findings,
    sentence,
)
from kiosk.imaging.studies.geometry import Orientation
from kiosk.imaging.studies.header import Header, read_header
from kiosk.imaging.studies.model import OrderRule, Series, SeriesContents
from kiosk.imaging.studies.stack import Stack, by_number, order_stack

# Direction cosines within this are one orientation.
_SAME_ORIENTATION: Final = 0.005
# With more orientations than this, as in rotational series, each further one stands for itself.
_MAX_ORIENTATIONS: Final = 64
_NAMED_DUPLICATES: Final = 3
_SPATIAL: Final = (OrderRule.GEOMETRY, OrderRule.TEMPORAL, OrderRule.VOLUMES)
# Findings that are about the order too.
_NOTED: Final = (FindingKind.MISSING, FindingKind.UNEVEN, FindingKind.TILT, FindingKind.CONCATENATION)

Key = Callable[[Header], Any]


@dataclass(frozen=True)
class _Unit:
    """An image of many frames, in one instance or in the parts of a concatenation. `header` stands for all of them."""

    header: Header
    parts: tuple[Header, ...]
    order: FrameOrder | None


def read_series(series: Series, paths: Sequence[Path]) -> SeriesContents:
    """The instances of a series from its spooled files, in true order.

    A file that cannot be read stays in the list, last, with its reason. Two files with the same SOP Instance UID and
    the same bytes are one instance; with different bytes both are shown.
    """
    headers, notes = _without_copies([(with_frames(read_header(path), path), path) for path in paths])
    return order_headers(series, headers, notes)


def order_headers(series: Series, headers: Iterable[Header], doubles: Sequence[str] = ()) -> SeriesContents:
    """Orders headers that were read already; `doubles` says which files are there twice."""
    readable: list[Header] = []
    unreadable: list[Header] = []
    for header in headers:
        (readable if header.instance.readable else unreadable).append(header)
    unreadable.sort(key=lambda header: header.instance.file)
    alone, concatenations = reassembled(readable)
    units = [*(_framed(header) for header in alone if header.frames), *map(_joined, concatenations)]
    of = {id(unit.header): unit for unit in units}
    placed_headers: list[Header] = []
    loose: list[Header] = []
    for header in (*(header for header in alone if not header.frames), *(unit.header for unit in units)):
        instance = header.instance
        has_place = instance.position is not None and instance.orientation is not None
        (placed_headers if has_place else loose).append(header)
    stacks = [
        order_stack(group, spaced=not (group[0].is_localiser or group[0].instance.frames > 1))
        for group in _stacks(placed_headers)
    ]
    every = [*placed_headers, *loose]
    rule = _rule(stacks, loose, every, joined=bool(concatenations) and not alone)
    key = _key(rule, every)
    if rule in _SPATIAL:
        ordered = [header for stack in stacks for header in stack.headers] + sorted(loose, key=key)
    else:
        ordered = sorted(every, key=key)
    units = [of[id(header)] for header in ordered if id(header) in of] if of else []
    findings = [
        finding
        for found in (
            *(concatenation.findings for concatenation in concatenations),
            *((stack.findings for stack in stacks) if rule in _SPATIAL else ()),
            *(unit.order.findings for unit in units if unit.order),
        )
        for finding in found
    ]
    notes = [
        *doubles,
        *_geometry_notes(stacks, placed_headers, loose, rule),
        *(finding.sentence[:-1] for finding in findings if finding.kind in _NOTED),
        *_loose_notes(loose, rule),
        *_part_notes(concatenations),
        *_frame_notes(units),
        *_number_notes(readable, rule),
    ]
    others = sum(header.instance.series_instance_uid != series.series_instance_uid for header in readable)
    if others:
        notes.append(f"{_instances(others)} {_verb(others, 'names', 'name')} another series")
    if unreadable:
        notes.append(f"{_instances(len(unreadable))} cannot be read")
    parts = _taken_apart(ordered, of) if of else ordered
    instances = tuple(header.instance for header in (*parts, *unreadable))
    report = GapReport(
        len(instances),
        series.instance_count,
        (
            *expectation(len(instances), series.instance_count),
            *(Finding(FindingKind.DUPLICATE, sentence(words)) for words in doubles),
            *_number_findings(readable),
            *_orientation_findings(placed_headers),
            *findings,
        ),
        (
            *(places for stack in stacks for places in stack.places if rule in _SPATIAL),
            *(places for unit in units if unit.order for places in unit.order.places),
        ),
    )
    return SeriesContents(series, instances, rule, tuple(dict.fromkeys(map(sentence, notes))), report)


def _taken_apart(ordered: Iterable[Header], of: Mapping[int, _Unit]) -> list[Header]:
    """In the place of what was ordered as one its parts."""
    return [part for header in ordered for part in (of[id(header)].parts if id(header) in of else (header,))]


def _framed(header: Header) -> _Unit:
    order = order_frames(header.frames)
    known = placed(header, order)
    return _Unit(known, (known,), order)


def _joined(concatenation: Concatenation) -> _Unit:
    """Frames are ordered within each part; what is said of them counts over all."""
    parts = tuple(placed(part, order_frames(part.frames)) if part.frames else part for part in concatenation.parts)
    frames = concatenation.frames
    return _Unit(parts[0], parts, order_frames(frames) if frames else None)


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
        key = (header.is_localiser, orientation, instance.rows, instance.columns, instance.frames > 1)
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


def _rule(stacks: Sequence[Stack], loose: Sequence[Header], every: Sequence[Header], *, joined: bool) -> OrderRule:
    """Geometry counts when at least one stack has two slices, or when there is nothing else to order."""
    if joined and len(every) == 1:
        return OrderRule.CONCATENATION
    if any(len(stack.headers) > 1 for stack in stacks) or (len(every) == 1 and not loose):
        if any(stack.volumes > 1 for stack in stacks):
            return OrderRule.VOLUMES
        return OrderRule.TEMPORAL if any(stack.repeats for stack in stacks) else OrderRule.GEOMETRY
    numbers = {header.instance.number for header in every}
    if numbers - {None} and (len(numbers) > 1 or len(every) == 1):
        return OrderRule.INSTANCE_NUMBER
    if len({header.acquisition_time for header in every} - {None}) > 1:
        return OrderRule.ACQUISITION_TIME
    return OrderRule.SOP_INSTANCE_UID


def _key(rule: OrderRule, headers: Sequence[Header]) -> Key:
    """How images are ordered that no position orders."""
    if rule is OrderRule.ACQUISITION_TIME:
        return lambda header: (*_last_if_none(header.acquisition_time), *by_number(header))
    if _restarts(headers):
        return lambda header: (header.acquisition_number, *by_number(header))
    return lambda header: (
        *by_number(header)[:2], *_last_if_none(header.acquisition_time), header.instance.sop_instance_uid,
    )  # fmt: skip


def _restarts(headers: Sequence[Header]) -> bool:
    """True when Instance Numbers are used again in each acquisition, and only there."""
    numbers = [header.instance.number for header in headers]
    acquisitions = [header.acquisition_number for header in headers]
    if None in numbers or None in acquisitions or len(set(numbers)) == len(numbers):
        return False
    return len(set(zip(acquisitions, numbers, strict=True))) == len(numbers)


def _last_if_none(value: float | None) -> tuple[bool, float]:
    return (value is None, value or 0.0)


def _geometry_notes(
    stacks: Sequence[Stack], placed: Sequence[Header], loose: Sequence[Header], rule: OrderRule
) -> list[str]:
    notes: list[str] = []
    if rule in _SPATIAL:
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
    elif placed and len(stacks) > 1:
        notes.append("every image has an orientation of its own")
    return notes


def _loose_notes(loose: Sequence[Header], rule: OrderRule) -> list[str]:
    if not loose or rule not in _SPATIAL:
        return []
    verbs = _verb(len(loose), "has no position and comes", "have no position and come")
    return [f"{_instances(len(loose))} {verbs} last"]


def _part_notes(concatenations: Sequence[Concatenation]) -> list[str]:
    joined = [len(concatenation.parts) for concatenation in concatenations if len(concatenation.parts) > 1]
    return [f"{count} instances are parts of one image, put together by frame offset" for count in joined]


def _frame_notes(units: Sequence[_Unit]) -> list[str]:
    """By which rules the frames stand, each said once."""
    orders = [unit.order for unit in units if unit.order]
    rules = dict.fromkeys(f"frames are ordered by {order.rule.value}" for order in orders)
    return [*rules, *dict.fromkeys(note for order in orders for note in order.notes)]


def _orientation_findings(placed_headers: Sequence[Header]) -> list[Finding]:
    slices = [header for header in placed_headers if not header.is_localiser]
    if len({header.instance.orientation for header in slices}) < 2:
        return []
    known = Counter(_orientations(slices))
    if len(known) < 2:
        return []
    counts = ", ".join(str(count) for _, count in known.most_common(_NAMED_DUPLICATES))
    more = " and more" if len(known) > _NAMED_DUPLICATES else ""
    words = f"the series mixes {len(known)} orientations ({counts}{more} instances)"
    return [Finding(FindingKind.ORIENTATION, sentence(words))]


def _number_findings(readable: Sequence[Header]) -> list[Finding]:
    numbers = [header.instance.number for header in readable if header.instance.number is not None]
    return [] if _restarts(readable) else number_findings(numbers, len(readable))


def _number_notes(headers: Sequence[Header], rule: OrderRule) -> list[str]:
    notes: list[str] = []
    if _restarts(headers) and rule not in _SPATIAL:
        notes.append("Instance Numbers begin anew in each acquisition; acquisitions come one after the other")
        return notes
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
