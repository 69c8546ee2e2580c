"""Reads of a spooled file what ordering and showing it need, and stops before its pixels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk.errors import UnreadableObject
from kiosk.imaging.studies.attributes import Attributes, collect
from kiosk.imaging.studies.elements import ITEM, PIXEL_DATA, Element
from kiosk.imaging.studies.geometry import Orientation, Vector, is_sound
from kiosk.imaging.studies.model import Instance
from kiosk.imaging.studies.source import Source, open_object
from kiosk.imaging.studies.syntaxes import sop_class_name
from kiosk.imaging.studies.values import seconds_of_day
from readers.text import safe_text

SHARED_GROUPS: Final = 0x52009229
FRAME_GROUPS: Final = 0x52009230
PLANE_POSITION: Final = 0x00209113
PLANE_ORIENTATION: Final = 0x00209116
PIXEL_MEASURES: Final = 0x00289110

_SOP_CLASS: Final = 0x00080016
_SOP_INSTANCE: Final = 0x00080018
_SERIES: Final = 0x0020000E
_NUMBER: Final = 0x00200013
_POSITION: Final = 0x00200032
_ORIENTATION: Final = 0x00200037
_IMAGE_TYPE: Final = 0x00080008
_ACQUISITION_TIME: Final = 0x00080032
_ACQUISITION_DATE_TIME: Final = 0x0008002A
_CONTENT_TIME: Final = 0x00080033
_ECHO_TIME: Final = 0x00180081
_ECHO_NUMBER: Final = 0x00180086
_TRIGGER_TIME: Final = 0x00181060
_ACQUISITION_NUMBER: Final = 0x00200012
_TEMPORAL_POSITION: Final = 0x00200100
_FRAME_OF_REFERENCE: Final = 0x00200052
_PIXEL_SPACING: Final = 0x00280030
_B_VALUE: Final = 0x00189087
_GRADIENT: Final = 0x00189089
_CONCATENATION: Final = 0x00209161
_PART: Final = 0x00209162
_PARTS: Final = 0x00209163
_FRAME_OFFSET: Final = 0x00209228
_FRAMES: Final = 0x00280008
_ROWS: Final = 0x00280010
_COLUMNS: Final = 0x00280011

_WANTED: Final = frozenset(
    {
        _SOP_CLASS, _SOP_INSTANCE, _SERIES, _NUMBER, _POSITION, _ORIENTATION, _IMAGE_TYPE, _ACQUISITION_TIME,
        _ACQUISITION_DATE_TIME, _CONTENT_TIME, _ECHO_TIME, _ECHO_NUMBER, _TRIGGER_TIME, _ACQUISITION_NUMBER,
        _TEMPORAL_POSITION, _FRAMES, _ROWS, _COLUMNS, SHARED_GROUPS, FRAME_GROUPS, PLANE_POSITION, PLANE_ORIENTATION,
        PIXEL_MEASURES, _FRAME_OF_REFERENCE, _PIXEL_SPACING, _B_VALUE, _GRADIENT, _CONCATENATION, _PART, _PARTS,
        _FRAME_OFFSET,
    }
)  # fmt: skip
_UID: Final = re.compile(r"[0-9.]{1,64}\Z", re.ASCII)
_VALUE_LIMIT: Final = 4096
_INFLATE_LIMIT: Final = 16 << 20
_MAX_FRAMES: Final = 1_000_000
_UID_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a concatenation an instance is (PS3.3 C.7.6.16): `offset` frames come before its own.

    `number` counts from 1, of `total` parts; None where the file does not say.
    """

    concatenation_uid: str
    offset: int | None
    number: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Header:
    """An instance and what tells it from others at the same place. Times are seconds; None where absent or malformed.

    `number_is_malformed` is True when Instance Number is there and is no number. `frames` are the frames of an enhanced
    multi-frame image as headers of their own, in the order in which they are stored, where they were asked for.
    """

    instance: Instance
    image_type: tuple[str, ...] = ()
    number_is_malformed: bool = False
    temporal_position: int | None = None
    echo_number: int | None = None
    echo_time: float | None = None
    trigger_time: float | None = None
    acquisition_number: int | None = None
    acquisition_time: float | None = None
    content_time: float | None = None
    b_value: float | None = None
    gradient: tuple[float, ...] = ()
    stack_id: str = ""
    in_stack_position: int | None = None
    dimension_indices: tuple[int, ...] = ()
    part: Part | None = None
    frames: "tuple[Header, ...]" = ()

    @property
    def is_localiser(self) -> bool:
        """True when Image Type says LOCALIZER (PS3.3 C.8.2.1.1.1)."""
        return "LOCALIZER" in self.image_type


def _wanted(tag: int, depth: int) -> bool:
    return tag in _WANTED


def _up_to_second_frame(elements: Iterator[Element]) -> Iterator[Element]:
    """The geometry of the first frame is enough for ordering; thousands of further items are not read."""
    in_frames = False
    for element in elements:
        if element.depth == 0:
            in_frames = element.tag == FRAME_GROUPS
        elif in_frames and element.depth == 1 and element.tag == ITEM and element.ordinal == 2:
            return
        yield element


def vector(attributes: Attributes) -> Vector | None:
    """Image Position (Patient), None unless it is three numbers."""
    values = attributes.numbers(_POSITION)
    return (values[0], values[1], values[2]) if len(values) == 3 else None


def orientation(attributes: Attributes) -> Orientation | None:
    """Image Orientation (Patient), None unless it is two unit vectors at a right angle."""
    values = attributes.numbers(_ORIENTATION)
    if len(values) != 6:
        return None
    cosines = (values[0], values[1], values[2], values[3], values[4], values[5])
    return cosines if is_sound(cosines) else None


def pixel_spacing(attributes: Attributes) -> tuple[float, float] | None:
    """Pixel Spacing (0028,0030) in mm, between rows and between columns; None unless it is two lengths."""
    values = attributes.numbers(_PIXEL_SPACING)
    return (values[0], values[1]) if len(values) == 2 and min(values) > 0 else None


def frame_place(attributes: Attributes, frame: int) -> tuple[Vector | None, Orientation | None]:
    """Position and orientation of a frame: at the top, else in its or the shared functional groups (PS3.3 C.7.6.16)."""
    frames = attributes.items(FRAME_GROUPS)
    own = frames[frame] if frame < len(frames) else Attributes()
    shared = attributes.first(SHARED_GROUPS)
    position = vector(attributes) or vector(own.first(PLANE_POSITION)) or vector(shared.first(PLANE_POSITION))
    direction = (
        orientation(attributes)
        or orientation(own.first(PLANE_ORIENTATION))
        or orientation(shared.first(PLANE_ORIENTATION))
    )
    return position, direction


def read_header(path: Path) -> Header:
    """The header of a spooled file. A file that cannot be read is an Instance with `readable` False and a note."""
    try:
        with open_object(path, _INFLATE_LIMIT, cut_allowed=True) as source:
            return _parse(source, path)
    except UnreadableObject as error:
        return Header(_unreadable(path, str(error)))


def _unreadable(path: Path, note: str) -> Instance:
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    return Instance(
        sop_instance_uid="", sop_class_uid="", sop_class_name="", series_instance_uid="", transfer_syntax_uid="",
        number=None, rows=None, columns=None, frames=0, position=None, orientation=None,
        file=path.name, size=size, readable=False, note=safe_text(note),
    )  # fmt: skip


def _uid(text: str) -> str:
    """A UID needs no cleaning where it is one, and most files have five."""
    return text if _UID.match(text) else safe_text(text)


def _parse(source: Source, path: Path) -> Header:
    elements = iter(source.walk(_wanted, _VALUE_LIMIT, PIXEL_DATA))
    attributes = collect(_up_to_second_frame(elements))
    sop_class_uid = _uid(attributes.text(_SOP_CLASS))
    sop_instance_uid = _uid(attributes.text(_SOP_INSTANCE))
    if not sop_instance_uid:
        raise UnreadableObject("The object has no SOP Instance UID.")
    position, direction = frame_place(attributes, 0)
    number = attributes.integer(_NUMBER)
    instance = Instance(
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=sop_class_uid,
        sop_class_name=sop_class_name(sop_class_uid),
        series_instance_uid=_uid(attributes.text(_SERIES)),
        transfer_syntax_uid=_uid(source.transfer_syntax_uid),
        number=number,
        rows=attributes.integer(_ROWS),
        columns=attributes.integer(_COLUMNS),
        frames=min(max(attributes.integer(_FRAMES) or 1, 1), _MAX_FRAMES),
        position=position,
        orientation=direction,
        file=path.name,
        size=path.stat().st_size,
        spacing=pixel_spacing(attributes) or pixel_spacing(attributes.first(SHARED_GROUPS, PIXEL_MEASURES)),
        frame_of_reference_uid=_uid(attributes.text(_FRAME_OF_REFERENCE)),
    )
    return Header(
        instance=instance,
        image_type=tuple(value.upper() for value in attributes.texts(_IMAGE_TYPE)),
        number_is_malformed=number is None and bool(attributes.raw(_NUMBER).strip(b"\0 ")),
        temporal_position=attributes.integer(_TEMPORAL_POSITION),
        echo_number=attributes.integer(_ECHO_NUMBER),
        echo_time=attributes.number(_ECHO_TIME),
        trigger_time=attributes.number(_TRIGGER_TIME),
        acquisition_number=attributes.integer(_ACQUISITION_NUMBER),
        acquisition_time=seconds_of_day(attributes.text(_ACQUISITION_DATE_TIME))
        or seconds_of_day(attributes.text(_ACQUISITION_TIME)),
        content_time=seconds_of_day(attributes.text(_CONTENT_TIME)),
        b_value=attributes.number(_B_VALUE),
        gradient=attributes.numbers(_GRADIENT),
        part=_part(attributes),
    )


def _part(attributes: Attributes) -> Part | None:
    uid = _uid(attributes.text(_CONCATENATION))[:_UID_LENGTH]
    if not uid:
        return None
    offset = attributes.integer(_FRAME_OFFSET)
    return Part(uid, offset, attributes.integer(_PART), attributes.integer(_PARTS))
