"""The frames of an enhanced multi-frame image: what its functional groups say of each, and their true order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.attributes import Attributes, collect
from kiosk.imaging.studies.elements import PIXEL_DATA
from kiosk.imaging.studies.gaps import Finding, StackPlaces
from kiosk.imaging.studies.header import (
    FRAME_GROUPS,
    PIXEL_MEASURES,
    PLANE_ORIENTATION,
    PLANE_POSITION,
    SHARED_GROUPS,
    Header,
    orientation,
    pixel_spacing,
    vector,
)
from kiosk.imaging.studies.model import FramePlace, OrderRule
from kiosk.imaging.studies.source import open_object
from kiosk.imaging.studies.stack import order_stack
from kiosk.imaging.studies.values import seconds_of_day
from readers.text import safe_text

MAX_FRAMES: Final = 20_000
_MAX_DIMENSIONS: Final = 16
_LABEL_LENGTH: Final = 16
_INFLATE_LIMIT: Final = 64 << 20
_VALUE_LIMIT: Final = 4096

_FRAME_CONTENT: Final = 0x00209111
_STACK_ID: Final = 0x00209056
_IN_STACK_POSITION: Final = 0x00209057
_TEMPORAL_INDEX: Final = 0x00209128
_DIMENSION_INDICES: Final = 0x00209157
_ACQUISITION_NUMBER: Final = 0x00209156
_ACQUISITION_DATE_TIME: Final = 0x00189074
_MR_ECHO: Final = 0x00189114
_EFFECTIVE_ECHO_TIME: Final = 0x00189082
_MR_DIFFUSION: Final = 0x00189117
_B_VALUE: Final = 0x00189087
_GRADIENT_GROUP: Final = 0x00189076
_GRADIENT: Final = 0x00189089
_CARDIAC: Final = 0x00189118
_TRIGGER_DELAY: Final = 0x00209153
_TEMPORAL_POSITION: Final = 0x00209310
_TEMPORAL_OFFSET: Final = 0x0020930D
_FRAME_TYPES: Final = (0x00189226, 0x00189329, 0x00189751)  # MR, CT and PET Image Frame Type Sequences
_FRAME_TYPE: Final = 0x00089007

_WANTED: Final = frozenset(
    {
        FRAME_GROUPS, SHARED_GROUPS, PLANE_POSITION, PLANE_ORIENTATION, PIXEL_MEASURES, 0x00200032, 0x00200037,
        0x00280030, _FRAME_CONTENT, _STACK_ID, _IN_STACK_POSITION, _TEMPORAL_INDEX, _DIMENSION_INDICES,
        _ACQUISITION_NUMBER, _ACQUISITION_DATE_TIME, _MR_ECHO, _EFFECTIVE_ECHO_TIME, _MR_DIFFUSION, _B_VALUE,
        _GRADIENT_GROUP, _GRADIENT, _CARDIAC, _TRIGGER_DELAY, _TEMPORAL_POSITION, _TEMPORAL_OFFSET, _FRAME_TYPE,
        *_FRAME_TYPES,
    }
)  # fmt: skip


@dataclass(frozen=True)
class FrameOrder:
    """Frames in true order, by which rule, and what is to be said of them."""

    frames: tuple[Header, ...]
    rule: OrderRule
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    places: tuple[StackPlaces, ...] = ()


def with_frames(header: Header, path: Path) -> Header:
    """The header with what the file says of its frames; without, where it says nothing or has too many of them."""
    if not header.instance.readable or not 1 < header.instance.frames <= MAX_FRAMES:
        return header
    try:
        with open_object(path, _INFLATE_LIMIT, cut_allowed=True) as source:
            attributes = collect(source.walk(lambda tag, _depth: tag in _WANTED, _VALUE_LIMIT, PIXEL_DATA))
    except UnreadableObject:  # what of it could be read is shown; its frames stay as they are stored
        return header
    groups = attributes.items(FRAME_GROUPS)
    if len(groups) != header.instance.frames:
        return header
    shared = attributes.first(SHARED_GROUPS)
    frames = tuple(_frame(header, index, own, shared) for index, own in enumerate(groups))
    return replace(header, frames=frames)


def _frame(header: Header, index: int, own: Attributes, shared: Attributes) -> Header:
    def group(tag: int) -> Attributes:
        return (own if own.items(tag) else shared).first(tag)

    content, diffusion = own.first(_FRAME_CONTENT), group(_MR_DIFFUSION)
    types = (group(tag).texts(_FRAME_TYPE) for tag in _FRAME_TYPES)
    trigger = group(_CARDIAC).number(_TRIGGER_DELAY)
    return Header(
        instance=replace(
            header.instance,
            number=index + 1,
            frames=1,
            position=vector(group(PLANE_POSITION)),
            orientation=orientation(group(PLANE_ORIENTATION)),
            spacing=pixel_spacing(group(PIXEL_MEASURES)),
        ),
        image_type=tuple(value.upper() for value in next((found for found in types if found), [])),
        temporal_position=content.integer(_TEMPORAL_INDEX),
        echo_time=group(_MR_ECHO).number(_EFFECTIVE_ECHO_TIME),
        trigger_time=group(_TEMPORAL_POSITION).number(_TEMPORAL_OFFSET) if trigger is None else trigger,
        acquisition_number=content.integer(_ACQUISITION_NUMBER),
        acquisition_time=seconds_of_day(content.text(_ACQUISITION_DATE_TIME)),
        b_value=diffusion.number(_B_VALUE),
        gradient=diffusion.first(_GRADIENT_GROUP).numbers(_GRADIENT),
        stack_id=safe_text(content.text(_STACK_ID), _LABEL_LENGTH),
        in_stack_position=content.integer(_IN_STACK_POSITION),
        dimension_indices=tuple(int(value) for value in content.numbers(_DIMENSION_INDICES)[:_MAX_DIMENSIONS]),
    )


def order_frames(frames: Sequence[Header]) -> FrameOrder:
    """Frames of one image or concatenation: geometry, else In-Stack Position, else dimensions, else as stored."""
    if all(frame.instance.position and frame.instance.orientation for frame in frames):
        return _by_geometry(frames)
    stacks: dict[str, list[int | None]] = {}
    for frame in frames:
        stacks.setdefault(frame.stack_id, []).append(frame.in_stack_position)
    times = len({frame.temporal_position for frame in frames})
    if all(None not in places and len(set(places)) * times >= len(places) for places in stacks.values()):
        ordered = sorted(
            enumerate(frames),
            key=lambda pair: (
                pair[1].stack_id, pair[1].temporal_position or 0, pair[1].in_stack_position or 0, pair[0],
            ),
        )  # fmt: skip
        return FrameOrder(tuple(frame for _, frame in ordered), OrderRule.IN_STACK_POSITION)
    indices = [frame.dimension_indices for frame in frames]
    if all(indices) and len(set(indices)) == len(indices) and len({len(values) for values in indices}) == 1:
        return FrameOrder(tuple(sorted(frames, key=lambda frame: frame.dimension_indices)), OrderRule.DIMENSIONS)
    return FrameOrder(tuple(frames), OrderRule.AS_STORED)


def _by_geometry(frames: Sequence[Header]) -> FrameOrder:
    groups: dict[tuple[object, ...], list[Header]] = {}
    for frame in frames:
        direction = frame.instance.orientation or ()
        groups.setdefault((frame.stack_id, *(round(part, 2) + 0.0 for part in direction)), []).append(frame)
    if len(groups) > 1 and all(len(group) == 1 for group in groups.values()):
        return FrameOrder(tuple(frames), OrderRule.AS_STORED)
    stacks = [order_stack(group) for group in groups.values()]
    rule = OrderRule.GEOMETRY
    if any(stack.volumes > 1 for stack in stacks):
        rule = OrderRule.VOLUMES
    elif any(stack.repeats for stack in stacks):
        rule = OrderRule.TEMPORAL
    notes = tuple(note.replace("instances", "frames") for stack in stacks for note in stack.notes)
    if len(stacks) > 1:
        notes = (f"{len(stacks)} stacks of frames", *notes)
    return FrameOrder(
        tuple(frame for stack in stacks for frame in stack.headers),
        rule,
        notes,
        tuple(finding for stack in stacks for finding in stack.findings),
        tuple(places for stack in stacks for places in stack.places),
    )


def placed(header: Header, order: FrameOrder) -> Header:
    """The header whose instance knows the order of its frames."""
    places = tuple(
        FramePlace((frame.instance.number or 1) - 1, frame.instance.position, frame.instance.orientation)
        for frame in order.frames
    )
    spacing = header.instance.spacing or order.frames[0].instance.spacing
    return replace(header, instance=replace(header.instance, frame_places=places, spacing=spacing))
