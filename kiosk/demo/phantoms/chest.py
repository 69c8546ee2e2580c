"""A chest radiograph by adding up path lengths: heart to the patient's left, the marker L on the left side."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kiosk.demo.phantoms.letters import burn_left_marker
from kiosk.demo.phantoms.solids import Ellipsoid, noise, projected

MAXIMUM: Final = 4095
MARKER: Final = 4095

# Attenuation per mm, added where a solid lies.
_TISSUES: Final = (
    Ellipsoid((0.0, 0.0, -20.0), (165.0, 110.0, 260.0), 0.0105),
    Ellipsoid((-72.0, 0.0, 20.0), (56.0, 80.0, 125.0), -0.0088),
    Ellipsoid((74.0, 4.0, 20.0), (52.0, 78.0, 122.0), -0.0088),
    Ellipsoid((36.0, -24.0, -48.0), (62.0, 44.0, 54.0), 0.0082),
    Ellipsoid((0.0, 62.0, 0.0), (16.0, 20.0, 320.0), 0.0170),
    Ellipsoid((20.0, -6.0, 58.0), (19.0, 22.0, 26.0), 0.0080),
)
_RIBS: Final = tuple(
    Ellipsoid((side * 78.0, 0.0, 118.0 - 27.0 * rib), (66.0, 92.0, 4.5), 0.0030) for rib in range(9) for side in (-1, 1)
)


def chest(rows: int, columns: int, lateral: bool, seed: int) -> NDArray[np.uint16]:
    """A 12-bit radiograph, shape (rows, columns); dense is bright.

    From behind (PA) columns run from the patient's right to left; lateral columns run from front to back.
    """
    across = np.linspace(-170, 170, columns)[None, :]
    up = np.linspace(190, -170, rows)[:, None]
    axes = (1, 2, 0) if lateral else (0, 2, 1)
    thickness = np.zeros((rows, columns))
    for solid in (*_TISSUES, *_RIBS):
        thickness = thickness + solid.value * projected(solid, across, up, axes)
    image = 3600 * (1 - np.exp(-np.clip(thickness, 0, None))) + noise(rows, columns, seed, 14.0)
    image = np.clip(image, 0, MAXIMUM - 200)
    burn_left_marker(image, rows // 16, columns - columns // 6, MARKER)
    return np.rint(image).astype(np.uint16)
