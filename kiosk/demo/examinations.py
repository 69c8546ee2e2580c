"""The examinations of the demo department: which series each has, and where their slices lie."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from kiosk.demo.phantoms.heart import LONG_AXIS_TIP, LONG_AXIS_TURN, VENTRICLE
from kiosk.demo.plans import (
    BASIC_TEXT_SR,
    CR_IMAGE,
    CT_IMAGE,
    MR_IMAGE,
    US_IMAGE,
    US_MULTIFRAME_IMAGE,
    InstancePlan,
    SeriesPlan,
    StudyPlan,
    demo_uid,
)
from kiosk.imaging.studies.geometry import Orientation, Plane, Vector

AXIAL: Final[Orientation] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL: Final[Orientation] = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL: Final[Orientation] = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)

_BRAIN_WINDOW: Final = (40.0, 80.0)
_BONE_WINDOW: Final = (500.0, 2500.0)
_HEART_WINDOW: Final = (480.0, 960.0)
_CHEST_WINDOW: Final = (1900.0, 3600.0)
_SIZE: Final = 256
_BEAT: Final = 850.0


def centred(center: Vector, orientation: Orientation, spacing: float, size: int = _SIZE) -> Plane:
    """The plane of a square image whose middle is at `center`, pixels of `spacing` mm."""
    half = (size - 1) / 2 * spacing
    x, y, z = (
        middle - half * row - half * column
        for middle, row, column in zip(center, orientation[:3], orientation[3:], strict=True)
    )
    return Plane((round(x, 4), round(y, 4), round(z, 4)), orientation, (spacing, spacing))


def short_axis() -> tuple[Orientation, Vector]:
    """Orientation across the left ventricle, and its normal: the unit vector towards the apex."""
    turn, tip = math.radians(LONG_AXIS_TURN), math.radians(LONG_AXIS_TIP)
    ax, ay, az = math.cos(turn) * math.cos(tip), math.sin(turn) * math.cos(tip), -math.sin(tip)
    rx, ry, rz = math.sin(turn), -math.cos(turn), 0.0
    column = (ay * rz - az * ry, az * rx - ax * rz, ax * ry - ay * rx)
    orientation = tuple(round(part, 8) for part in (rx, ry, rz, *column))
    return (orientation[0], orientation[1], orientation[2], orientation[3], orientation[4], orientation[5]), (
        ax,
        ay,
        az,
    )


def _kept(series: SeriesPlan, *, reverse_numbers: bool = False) -> SeriesPlan:
    """Numbers the slices and lays them down in an order of their own, as archives do."""
    count = len(series.instances)
    numbered = [
        replace(instance, number=count - index if reverse_numbers else index + 1)
        for index, instance in enumerate(series.instances)
    ]
    Random(series.series_instance_uid).shuffle(numbered)  # noqa: S311 - the same disorder every time is wanted
    return replace(series, instances=tuple(numbered))


def _series(
    study: StudyPlan,
    number: int,
    modality: str,
    description: str,
    body_part: str,
    instances: Callable[[str], Sequence[InstancePlan]],
    window: tuple[float, float] | None = None,
) -> SeriesPlan:
    uid = demo_uid(study.study_instance_uid, number)
    return SeriesPlan(uid, number, modality, description, body_part, tuple(instances(uid)), window)


def _slices(sop_class: str, subject: str, planes: Sequence[Plane]) -> Callable[[str], Sequence[InstancePlan]]:
    return lambda uid: [
        InstancePlan(demo_uid(uid, index), sop_class, subject, None, plane) for index, plane in enumerate(planes)
    ]


def ct_head(study: StudyPlan) -> StudyPlan:
    """Localiser, axial 5 mm, axial bone with descending numbers, coronal and sagittal reformats."""
    spacing = 0.9375
    axial = [centred((0.0, 0.0, -50.0 + 5.0 * index), AXIAL, spacing) for index in range(20)]
    coronal = [centred((0.0, -64.0 + 8.0 * index, 0.0), CORONAL, spacing) for index in range(17)]
    sagittal = [centred((64.0 - 8.0 * index, 0.0, 0.0), SAGITTAL, spacing) for index in range(17)]
    localiser = _series(
        study, 1, "CT", "Localiser", "HEAD", _slices(CT_IMAGE, "head", [centred((0, 0, 0), CORONAL, 1.25)]), (200, 1400)
    )
    localiser = replace(localiser, instances=tuple(replace(item, localiser=True) for item in localiser.instances))
    return study.with_series(
        _kept(localiser),
        _kept(_series(study, 2, "CT", "Head axial 5 mm", "HEAD", _slices(CT_IMAGE, "head", axial), _BRAIN_WINDOW)),
        _kept(
            _series(study, 3, "CT", "Head axial bone", "HEAD", _slices(CT_IMAGE, "head sharp", axial), _BONE_WINDOW),
            reverse_numbers=True,
        ),
        _kept(_series(study, 4, "CT", "Coronal MPR", "HEAD", _slices(CT_IMAGE, "head", coronal), _BRAIN_WINDOW)),
        _kept(_series(study, 5, "CT", "Sagittal MPR", "HEAD", _slices(CT_IMAGE, "head", sagittal), _BRAIN_WINDOW)),
    )


def _cine(planes: Sequence[Plane], phases: int) -> Callable[[str], Sequence[InstancePlan]]:
    """Every phase of the beat at every plane, with its trigger time in ms."""
    return lambda uid: [
        InstancePlan(
            demo_uid(uid, place, phase), MR_IMAGE, "heart", None, plane,
            phase=phase / phases, trigger_time=round(_BEAT * phase / phases, 1),
        )
        for place, plane in enumerate(planes)
        for phase in range(phases)
    ]  # fmt: skip


def mr_heart(study: StudyPlan) -> StudyPlan:
    """Localiser in three orientations, short axis cine at three levels, axial cine at one."""
    orientation, apex = short_axis()
    levels = [
        centred((VENTRICLE[0] + d * apex[0], VENTRICLE[1] + d * apex[1], VENTRICLE[2] + d * apex[2]), orientation, 1.4)
        for d in (-16.0, 0.0, 16.0)
    ]
    scouts = [centred(VENTRICLE, direction, 1.6) for direction in (AXIAL, CORONAL, SAGITTAL)]
    localiser = _series(study, 1, "MR", "Localiser", "HEART", _slices(MR_IMAGE, "heart", scouts), _HEART_WINDOW)
    localiser = replace(localiser, instances=tuple(replace(item, localiser=True) for item in localiser.instances))
    return study.with_series(
        _kept(localiser),
        _kept(_series(study, 2, "MR", "Cine short axis", "HEART", _cine(levels, 8), _HEART_WINDOW)),
        _kept(
            _series(study, 3, "MR", "Cine axial", "HEART", _cine([centred(VENTRICLE, AXIAL, 1.4)], 16), _HEART_WINDOW),
            reverse_numbers=True,
        ),
    )


def cr_chest(study: StudyPlan) -> StudyPlan:
    """Chest from behind and from the side."""

    def view(subject: str, orientation: tuple[str, str]) -> Callable[[str], Sequence[InstancePlan]]:
        return lambda uid: [
            InstancePlan(demo_uid(uid, 0), CR_IMAGE, subject, 1, rows=320, columns=288, patient_orientation=orientation)
        ]

    return study.with_series(
        _series(study, 1, "CR", "Chest PA", "CHEST", view("chest PA", ("L", "F")), _CHEST_WINDOW),
        _series(study, 2, "CR", "Chest LAT", "CHEST", view("chest LAT", ("P", "F")), _CHEST_WINDOW),
    )


def us_abdomen(study: StudyPlan) -> StudyPlan:
    """Two clips and two stills in colour."""

    def clips(uid: str) -> Sequence[InstancePlan]:
        return [
            InstancePlan(demo_uid(uid, clip), US_MULTIFRAME_IMAGE, "sector", clip + 1, rows=240, columns=320, frames=12)
            for clip in range(2)
        ]

    def stills(uid: str) -> Sequence[InstancePlan]:
        return [
            InstancePlan(demo_uid(uid, still), US_IMAGE, "flow", still + 1, rows=240, columns=320) for still in range(2)
        ]

    return study.with_series(
        _series(study, 1, "US", "Right kidney clips", "ABDOMEN", clips),
        _series(study, 2, "US", "Portal vein flow", "ABDOMEN", stills),
    )


def with_report(study: StudyPlan) -> StudyPlan:
    """The study with a series that holds its report (Basic Text SR)."""

    def report(uid: str) -> Sequence[InstancePlan]:
        return [InstancePlan(demo_uid(uid, "report"), BASIC_TEXT_SR, "report", 1, rows=0, columns=0)]

    return study.with_series(_series(study, 99, "SR", "Report", study.series[0].body_part, report))
