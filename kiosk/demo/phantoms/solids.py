"""Solids in patient space and their sections with image planes: pictures made from arithmetic."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiosk.imaging.studies.geometry import Plane, Vector


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid in LPS millimetres, filled with one value. `turn` and `tip` are degrees about z, then about y."""

    center: Vector
    semi_axes: Vector
    value: float
    turn: float = 0.0
    tip: float = 0.0

    def scaled(self, factor: float) -> "Ellipsoid":
        """The same, larger or smaller about its centre."""
        a, b, c = self.semi_axes
        return Ellipsoid(self.center, (a * factor, b * factor, c * factor), self.value, self.turn, self.tip)

    def to_unit(self) -> NDArray[np.float64]:
        """The matrix that turns the ellipsoid, moved to the origin, into the unit sphere."""
        turn, tip = math.radians(self.turn), math.radians(self.tip)
        about_z = np.array(
            [[math.cos(turn), math.sin(turn), 0], [-math.sin(turn), math.cos(turn), 0], [0, 0, 1]], np.float64
        )
        about_y = np.array(
            [[math.cos(tip), 0, -math.sin(tip)], [0, 1, 0], [math.sin(tip), 0, math.cos(tip)]], np.float64
        )
        scale = np.diag(1 / np.array(self.semi_axes, np.float64))
        matrix: NDArray[np.float64] = scale @ about_y @ about_z
        return matrix


def section(
    solids: Iterable[Ellipsoid], plane: Plane, rows: int, columns: int, background: float
) -> NDArray[np.float32]:
    """The image of shape (rows, columns) that a plane cuts from solids; later solids cover earlier ones."""
    image = np.full((rows, columns), background, np.float32)
    for solid in solids:
        _paint(image, plane, solid)
    return image


def _paint(image: NDArray[np.float32], plane: Plane, solid: Ellipsoid) -> None:
    """Fills the conic in which the plane meets the solid.

    In unit-sphere space a pixel is q + column * u + row * v, so for each row the inside is an interval of columns.
    """
    matrix = solid.to_unit()
    q = matrix @ (np.array(plane.position) - np.array(solid.center))
    u = matrix @ np.array(plane.orientation[:3]) * plane.spacing[1]
    v = matrix @ np.array(plane.orientation[3:]) * plane.spacing[0]
    rows = np.arange(image.shape[0], dtype=np.float64)
    starts = q[None, :] + rows[:, None] * v[None, :]
    square = float(u @ u)
    half = starts @ u
    discriminant = half * half - square * (np.einsum("ij,ij->i", starts, starts) - 1)
    hit = np.flatnonzero(discriminant > 0)
    if not len(hit):
        return
    root = np.sqrt(discriminant[hit])
    first = (-half[hit] - root) / square
    last = (-half[hit] + root) / square
    low, high = max(0, math.floor(first.min())), min(image.shape[1], math.ceil(last.max()) + 1)
    if low >= high:
        return
    columns = np.arange(low, high)
    inside = (columns[None, :] >= first[:, None]) & (columns[None, :] <= last[:, None])
    box = image[hit[0] : hit[-1] + 1, low:high]
    box[inside] = solid.value


def projected(
    solid: Ellipsoid, across: NDArray[np.float64], up: NDArray[np.float64], axes: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Chord lengths in mm of rays through an unturned ellipsoid: `axes` are those of across, up and along the ray."""
    x = (across - solid.center[axes[0]]) / solid.semi_axes[axes[0]]
    z = (up - solid.center[axes[1]]) / solid.semi_axes[axes[1]]
    lengths: NDArray[np.float64] = 2 * solid.semi_axes[axes[2]] * np.sqrt(np.clip(1 - x * x - z * z, 0, None))
    return lengths


def noise(rows: int, columns: int, seed: int, deviation: float) -> NDArray[np.float32]:
    """Noise that is the same for the same seed."""
    generator = np.random.default_rng(seed)
    return (generator.standard_normal((rows, columns), dtype=np.float32) * np.float32(deviation)).astype(np.float32)
