"""A head after Shepp and Logan, in three dimensions and Hounsfield units, with a lesion on the patient's left."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kiosk.demo.phantoms.solids import Ellipsoid, noise, section
from kiosk.imaging.studies.geometry import Plane

AIR: Final = -1000.0
BRAIN: Final = 34.0
LESION: Final = 82.0
BEAD: Final = 2400.0

# Values between these, in Hounsfield units, belong to the lesion alone.
LESION_RANGE: Final = (68.0, 96.0)

_LESION: Final = Ellipsoid((36.0, -14.0, 12.0), (13.0, 17.0, 15.0), LESION, turn=20)

# Thin rods outside the head, one along each axis, so that every slice of any orientation shows which way it lies:
# along z at the left front, along x in front and above, along y at the left and above.
RODS: Final = (
    Ellipsoid((88.0, -74.0, 0.0), (2.5, 2.5, 500.0), BEAD),
    Ellipsoid((0.0, -106.0, 52.0), (500.0, 2.5, 2.5), BEAD),
    Ellipsoid((84.0, 0.0, 66.0), (2.5, 500.0, 2.5), BEAD),
)

_HEAD: Final = (
    Ellipsoid((0.0, 0.0, 0.0), (75.0, 98.0, 92.0), 1050.0),
    Ellipsoid((0.0, 1.0, 0.0), (69.0, 92.0, 86.0), BRAIN),
    Ellipsoid((21.0, -4.0, 6.0), (9.0, 28.0, 20.0), 8.0, turn=-18),
    Ellipsoid((-21.0, -4.0, 6.0), (11.0, 34.0, 26.0), 8.0, turn=18),
    Ellipsoid((0.0, -38.0, -6.0), (19.0, 22.0, 26.0), 40.0),
    Ellipsoid((0.0, -10.0, -4.0), (4.5, 4.5, 5.0), 44.0),
    Ellipsoid((0.0, 14.0, -4.0), (4.5, 4.5, 5.0), 28.0),
    Ellipsoid((-8.0, 58.0, 0.0), (5.0, 3.0, 4.0), 26.0),
    Ellipsoid((0.0, 59.0, 0.0), (3.0, 3.0, 3.0), 44.0),
    Ellipsoid((6.0, 58.0, 0.0), (3.0, 5.0, 3.0), 26.0),
    Ellipsoid((0.0, 52.0, -44.0), (30.0, 17.0, 17.0), 38.0),
    Ellipsoid((26.0, -60.0, -38.0), (12.0, 11.0, 11.0), 12.0),
    Ellipsoid((-26.0, -60.0, -38.0), (12.0, 11.0, 11.0), 12.0),
    Ellipsoid((0.0, -66.0, -44.0), (8.0, 10.0, 12.0), -850.0),
)


def head(plane: Plane, rows: int, columns: int, severity: float, seed: int, sharp: bool = False) -> NDArray[np.int16]:
    """A slice in Hounsfield units, shape (rows, columns). `severity` scales the lesion; a sharp kernel is noisier."""
    image = section((*_HEAD, _LESION.scaled(severity), *RODS), plane, rows, columns, AIR)
    grain = noise(rows, columns, seed, 5.0 if sharp else 2.5)
    return np.clip(np.rint(image + np.clip(grain, -12, 12)), -1024, 3071).astype(np.int16)
