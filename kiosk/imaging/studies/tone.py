"""From stored values to 8-bit grey: Modality LUT or rescale, then VOI window or table (PS3.3 C.11.1, C.11.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kiosk.imaging.studies.attributes import Attributes

INTERCEPT: Final = 0x00281052
SLOPE: Final = 0x00281053
CENTER: Final = 0x00281050
WIDTH: Final = 0x00281051
FUNCTION: Final = 0x00281056
MODALITY_TABLES: Final = 0x00283000
VOI_TABLES: Final = 0x00283010
TABLE_DESCRIPTOR: Final = 0x00283002
TABLE_DATA: Final = 0x00283006
PADDING: Final = 0x00280120

_SAMPLED: Final = 1 << 18
_ROWS_AT_ONCE: Final = 256
_LOW, _HIGH = 0.5, 99.5


@dataclass(frozen=True)
class Table:
    """A lookup table: the first value mapped, and the entries."""

    first: float
    entries: NDArray[np.float64]

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Entries for values; below the first and above the last the outermost entries (PS3.3 C.11.1.1)."""
        index = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[index.astype(np.int64)]


@dataclass(frozen=True)
class Window:
    """A VOI window; `function` is LINEAR, LINEAR_EXACT or SIGMOID (PS3.3 C.11.2.1.2, C.11.2.1.3)."""

    center: float
    width: float
    function: str = "LINEAR"

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values from 0 to 1."""
        if self.function == "SIGMOID":
            return 1 / (1 + np.exp(np.clip(-4 * (values - self.center) / self.width, -700, 700)))
        if self.function == "LINEAR_EXACT":
            center, width = self.center, self.width
        else:
            center, width = self.center - 0.5, self.width - 1
        if width <= 0:
            return np.where(values > center, 1.0, 0.0)
        return np.clip((values - center) / width + 0.5, 0.0, 1.0)


def _table(item: Attributes) -> Table | None:
    described = item.numbers(TABLE_DESCRIPTOR)
    data = item.raw(TABLE_DATA)
    if len(described) != 3 or not data:
        return None
    count = int(described[0]) or 65_536
    element = item.elements[TABLE_DATA]
    if len(data) >= 2 * count:
        entries = np.frombuffer(data, "<u2" if element.little else ">u2", count)
    else:
        entries = np.frombuffer(data, np.uint8, min(count, len(data)))
    return Table(described[1], entries.astype(np.float64)) if len(entries) else None


@dataclass(frozen=True)
class Tone:
    """What turns stored values into grey. Without window and table the window is found from the values."""

    slope: float = 1.0
    intercept: float = 0.0
    modality: Table | None = None
    window: Window | None = None
    voi: Table | None = None
    padding: float | None = None

    @staticmethod
    def of(groups: Sequence[Attributes]) -> "Tone":
        """The first of the attribute groups (frame, shared, image) that has a thing provides it."""
        slope = next((found for group in groups if (found := group.number(SLOPE))), 1.0)
        intercept = next((found for group in groups if (found := group.number(INTERCEPT)) is not None), 0.0)
        modality = next(filter(None, (_table(group.first(MODALITY_TABLES)) for group in groups)), None)
        voi = next(filter(None, (_table(group.first(VOI_TABLES)) for group in groups)), None)
        padding = next((found for group in groups if (found := group.number(PADDING)) is not None), None)
        return Tone(slope, intercept, modality, next(filter(None, map(_window, groups)), None), voi, padding)

    def rescaled(self, stored: NDArray[np.generic]) -> NDArray[np.float64]:
        """Values after the modality transformation: Hounsfield units and the like."""
        values = stored.astype(np.float64)
        return self.modality.apply(values) if self.modality else values * self.slope + self.intercept

    def fitted(self, stored: NDArray[np.generic]) -> Window:
        """The window to use: the one given, else one that holds the values but for the outermost half percent."""
        if self.window:
            return self.window
        flat = stored.ravel()
        sample = flat[:: max(1, len(flat) // _SAMPLED)]
        if self.padding is not None:
            sample = sample[sample != self.padding]
        values = self.rescaled(sample)
        values = values[np.isfinite(values)]
        if not len(values):
            return Window(0.5, 1.0, "LINEAR_EXACT")
        low, high = np.percentile(values, (_LOW, _HIGH))
        if high <= low:
            low, high = float(values.min()), float(values.max())
        return Window(float(low + high) / 2, max(float(high - low), 1e-9), "LINEAR_EXACT")

    def _grey(self, stored: NDArray[np.generic], window: Window) -> NDArray[np.uint8]:
        values = np.nan_to_num(self.rescaled(stored), posinf=0.0, neginf=0.0)
        if self.voi and not self.window:
            looked_up = self.voi.apply(values)
            grey = looked_up / max(float(self.voi.entries.max()), 1.0)
        else:
            grey = window.apply(values)
        return np.rint(grey * 255).astype(np.uint8)

    def apply(self, stored: NDArray[np.generic], window: Window) -> NDArray[np.uint8]:
        """8-bit grey of the same shape. Stored values of up to 16 bits go through a table of every value there is."""
        if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
            unsigned = np.dtype(f"u{stored.dtype.itemsize}")
            every = np.arange(1 << 8 * stored.dtype.itemsize, dtype=unsigned).view(stored.dtype)
            lookup = self._grey(every, window)
            grey: NDArray[np.uint8] = lookup[np.ascontiguousarray(stored).view(unsigned)]
            return grey
        parts = [
            self._grey(stored[start : start + _ROWS_AT_ONCE], window) for start in range(0, len(stored), _ROWS_AT_ONCE)
        ]
        return np.concatenate(parts)


def _window(group: Attributes) -> Window | None:
    center, width = group.number(CENTER), group.number(WIDTH)
    function = group.text(FUNCTION).upper() or "LINEAR"
    if center is None or width is None or width <= 0:
        return None
    return Window(center, width, function if function in ("SIGMOID", "LINEAR_EXACT") else "LINEAR")
