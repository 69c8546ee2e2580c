"""Where an image lies in the patient: LPS millimetres from Image Position and Image Orientation (PS3.3 C.7.6.2.1.1)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Vector = tuple[float, float, float]
Orientation = tuple[float, float, float, float, float, float]
Letters = tuple[str, str, str, str]

NO_LETTERS: Final[Letters] = ("", "", "", "")

# Components below the sine of five degrees do not make a direction oblique.
_OBLIQUE: Final = math.sin(math.radians(5))
# How far direction cosines may be from unit length and from a right angle.
_TOLERANCE: Final = 0.01
_OPPOSITES: Final = str.maketrans("LRAPHF", "RLPAFH")


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """The scalar product of two vectors of three."""
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def is_sound(orientation: Orientation) -> bool:
    """True when row and column directions are unit vectors at a right angle, within a hundredth."""
    row, column = orientation[:3], orientation[3:]
    return (
        abs(dot(row, row) - 1) <= 2 * _TOLERANCE
        and abs(dot(column, column) - 1) <= 2 * _TOLERANCE
        and abs(dot(row, column)) <= _TOLERANCE
    )


def normal(orientation: Orientation) -> Vector:
    """Row direction x column direction: the direction in which slices of one stack ascend."""
    rx, ry, rz, cx, cy, cz = orientation
    return (ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx)


def projection(position: Vector, orientation: Orientation) -> float:
    """Signed distance in mm of a slice from the origin along its normal."""
    return dot(position, normal(orientation))


def direction_letters(direction: Sequence[float]) -> str:
    """The one or two letters of a direction in LPS: L R A P H F, the larger component first (PS3.3 C.7.6.1.1.1).

    >>> direction_letters((1, 0, 0)), direction_letters((0.8, -0.6, 0))
    ('L', 'LA')
    """
    named = zip(direction, ("LR", "PA", "HF"), strict=True)
    large = sorted(((abs(part), pair[part < 0]) for part, pair in named if abs(part) > _OBLIQUE), reverse=True)
    return "".join(letter for _, letter in large[:2])


def opposite(letters: str) -> str:
    """The letters of the other end of the same axis."""
    return letters.translate(_OPPOSITES)


def orientation_letters(orientation: Orientation) -> Letters:
    """Letters at the left, right, top and bottom edges of the image as stored."""
    right, bottom = direction_letters(orientation[:3]), direction_letters(orientation[3:])
    return (opposite(right), right, opposite(bottom), bottom)


def patient_orientation_letters(values: Sequence[str]) -> Letters:
    """The same from Patient Orientation (0020,0020): the directions of rows and of columns, as in radiographs."""
    if len(values) < 2:
        return NO_LETTERS
    right, bottom = values[0].strip().upper()[:3], values[1].strip().upper()[:3]
    if not right or not bottom or set(right + bottom) - set("LRAPHF"):
        return NO_LETTERS
    return (opposite(right), right, opposite(bottom), bottom)


@dataclass(frozen=True)
class Plane:
    """An image in the patient. `spacing` is Pixel Spacing in mm: between rows, between columns."""

    position: Vector
    orientation: Orientation
    spacing: tuple[float, float] = (1.0, 1.0)

    def to_patient(self, row: float, column: float) -> Vector:
        """The LPS position in mm of a pixel's centre; (0, 0) is the first pixel's (PS3.3 eq. C.7.6.2.1-1)."""
        down, right = row * self.spacing[0], column * self.spacing[1]
        x, y, z = (
            origin + right * row_part + down * column_part
            for origin, row_part, column_part in zip(
                self.position, self.orientation[:3], self.orientation[3:], strict=True
            )
        )
        return (x, y, z)

    def to_pixel(self, point: Vector) -> tuple[float, float]:
        """Row and column, as fractions, of the point's foot on the plane."""
        offset = tuple(part - origin for part, origin in zip(point, self.position, strict=True))
        return (
            dot(offset, self.orientation[3:]) / self.spacing[0],
            dot(offset, self.orientation[:3]) / self.spacing[1],
        )

    def distance(self, point: Vector) -> float:
        """Signed distance in mm of a point from the plane, positive along the normal."""
        return dot(point, normal(self.orientation)) - projection(self.position, self.orientation)


def nearest(planes: Sequence[Plane], point: Vector) -> int | None:
    """The index of the plane that lies nearest to a point; None when there is none."""
    if not planes:
        return None
    return min(range(len(planes)), key=lambda index: abs(planes[index].distance(point)))
