"""A beating heart in a chest, for MR cine: its apex points to the patient's left, front and feet."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kiosk.demo.phantoms.solids import Ellipsoid, noise, section
from kiosk.imaging.studies.geometry import Plane

BLOOD: Final = 900.0
BEAD: Final = 1400.0

# Values in this range belong to the blood of the left ventricle alone.
BLOOD_RANGE: Final = (840.0, 980.0)

# The long axis of the left ventricle, degrees: from the left towards the front, then towards the feet.
LONG_AXIS_TURN: Final = -40.0
LONG_AXIS_TIP: Final = 25.0
VENTRICLE: Final = (34.0, -22.0, -6.0)

_CHEST: Final = (
    Ellipsoid((0.0, 0.0, 0.0), (150.0, 105.0, 260.0), 420.0),
    Ellipsoid((0.0, 0.0, 0.0), (138.0, 93.0, 250.0), 160.0),
    Ellipsoid((-68.0, 0.0, 10.0), (52.0, 74.0, 150.0), 30.0),
    Ellipsoid((72.0, 6.0, 10.0), (46.0, 70.0, 150.0), 30.0),
    Ellipsoid((0.0, 72.0, 0.0), (19.0, 17.0, 300.0), 300.0),
    Ellipsoid((22.0, 48.0, 0.0), (11.0, 11.0, 300.0), 640.0),
    Ellipsoid((-62.0, -18.0, -190.0), (70.0, 70.0, 90.0), 260.0),
)

RODS: Final = (
    Ellipsoid((146.0, -84.0, 0.0), (3.0, 3.0, 900.0), BEAD),
    Ellipsoid((0.0, -112.0, 88.0), (900.0, 3.0, 3.0), BEAD),
    Ellipsoid((140.0, 0.0, 104.0), (3.0, 900.0, 3.0), BEAD),
)


def contraction(phase: float) -> float:
    """How far the ventricle is contracted, 0 to 1 (end systole), at a phase of the beat from 0 to 1."""
    return 0.5 - 0.5 * math.cos(2 * math.pi * min(phase / 0.75, 1.0))


def heart(plane: Plane, rows: int, columns: int, phase: float, seed: int) -> NDArray[np.int16]:
    """A slice of shape (rows, columns), unsigned values in MR units, at a phase of the beat from 0 to 1."""
    squeeze = contraction(phase)
    wall = Ellipsoid(VENTRICLE, (50.0, 33.0 - 2 * squeeze, 33.0 - 2 * squeeze), 340.0, LONG_AXIS_TURN, LONG_AXIS_TIP)
    blood = Ellipsoid(
        VENTRICLE, (42.0 - 7 * squeeze, 24.0 - 9 * squeeze, 24.0 - 9 * squeeze), BLOOD, LONG_AXIS_TURN, LONG_AXIS_TIP
    )
    right = Ellipsoid((-4.0, -34.0, -8.0), (38.0 - 4 * squeeze, 22.0 - 6 * squeeze, 34.0 - 4 * squeeze), 720.0, 10.0)
    atrium = Ellipsoid((6.0, 22.0, 22.0), (26.0, 18.0 + 5 * squeeze, 22.0 + 4 * squeeze), 700.0)
    image = section((*_CHEST, right, atrium, wall, blood, *RODS), plane, rows, columns, 4.0)
    grain = noise(rows, columns, seed, 9.0)
    return np.clip(np.rint(image + np.clip(grain, -40, 40)), 0, 4095).astype(np.int16)
