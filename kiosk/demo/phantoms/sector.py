"""An ultrasound sector with a cyst that drifts from frame to frame; the probe's mark is at the left of the screen."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_HALF_ANGLE: Final = math.radians(38)


def _polar(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Depth from 0 to 1 and angle in radians from the probe at the top middle, each of shape (rows, columns)."""
    down = (np.arange(rows)[:, None] + 0.5) / rows * 1.08 - 0.04
    across = (np.arange(columns)[None, :] + 0.5 - columns / 2) / rows * 1.08
    return np.hypot(down, across), np.arctan2(across, down)


def sector(rows: int, columns: int, frame: int, frames: int, seed: int) -> NDArray[np.uint8]:
    """One 8-bit frame, shape (rows, columns)."""
    depth, angle = _polar(rows, columns)
    grain = np.random.default_rng(seed + frame).rayleigh(26.0, (rows, columns))
    layers = 1.1 + 0.35 * np.sin(depth * 26 + 0.6 * np.sin(angle * 5))
    sway = 0.10 * math.sin(2 * math.pi * frame / max(frames, 1))
    x, y = depth * np.sin(angle), depth * np.cos(angle)
    cyst = np.hypot((x + 0.12 + sway) / 0.11, (y - 0.55) / 0.09) < 1
    image = np.where(cyst, 6.0, grain * layers * (1.15 - 0.6 * depth))
    image[cyst & (np.hypot(x + 0.12 + sway, y - 0.55) > 0.085)] = 170
    inside = (depth > 0.08) & (depth < 0.98) & (np.abs(angle) < _HALF_ANGLE)
    image = np.where(inside, image, 0)
    mark = max(3, rows // 40)
    image[mark : 3 * mark, columns // 3 : columns // 3 + 2 * mark] = 235
    return np.clip(image, 0, 255).astype(np.uint8)


def flow(rows: int, columns: int, seed: int) -> NDArray[np.uint8]:
    """A still in colour, shape (rows, columns, 3): a vessel with flow towards the probe red, away blue."""
    grey = sector(rows, columns, 0, 1, seed)
    image = np.repeat(grey[:, :, None], 3, axis=2)
    depth, angle = _polar(rows, columns)
    x, y = depth * np.sin(angle), depth * np.cos(angle)
    towards = (np.abs(y - 0.34 - 0.15 * x) < 0.035) & (np.abs(x) < 0.2)
    away = (np.abs(y - 0.74 + 0.12 * x) < 0.03) & (np.abs(x) < 0.25)
    image[towards] = np.array((205, 52, 30), np.uint8)
    image[away] = np.array((38, 70, 205), np.uint8)
    return image
