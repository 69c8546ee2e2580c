"""The lead marker that a radiographer lays on the cassette: a letter burnt into the image."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_LETTER_L: Final = ("1....", "1....", "1....", "1....", "1....", "1....", "11111")


def burn_left_marker(image: NDArray[np.generic], row: int, column: int, value: float, scale: int = 3) -> None:
    """Writes an L with its upper left corner at the given pixel."""
    for down, line in enumerate(_LETTER_L):
        for right, dot in enumerate(line):
            if dot == "1":
                top, left = row + down * scale, column + right * scale
                image[top : top + scale, left : left + scale] = value
