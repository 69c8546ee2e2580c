"""The pixels of a planned instance, drawn when asked for and kept for a while."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kiosk.demo.phantoms.chest import chest
from kiosk.demo.phantoms.head import head
from kiosk.demo.phantoms.heart import heart
from kiosk.demo.phantoms.sector import flow, sector
from kiosk.demo.plans import InstancePlan

_KEPT: Final = 256


@lru_cache(_KEPT)
def pixels(instance: InstancePlan, severity: float) -> NDArray[np.generic]:
    """Stored values: (rows, columns), (frames, rows, columns) or (rows, columns, 3)."""
    rows, columns = instance.rows, instance.columns
    seed = int(instance.sop_instance_uid.rpartition(".")[2]) % (1 << 32)
    subject = instance.subject
    if subject.startswith("head") and instance.plane is not None:
        return head(instance.plane, rows, columns, severity, seed, sharp=subject == "head sharp")
    if subject == "heart" and instance.plane is not None:
        return heart(instance.plane, rows, columns, instance.phase, seed)
    if subject.startswith("chest"):
        return chest(rows, columns, subject == "chest LAT", seed)
    if subject == "sector":
        frames = instance.frames
        return np.stack([sector(rows, columns, frame, frames, seed) for frame in range(frames)])
    if subject == "flow":
        return flow(rows, columns, seed)
    if subject == "tiny":
        return _ramp(rows, columns, seed)
    raise ValueError(f"nobody knows how to draw {subject}")


def _ramp(rows: int, columns: int, seed: int) -> NDArray[np.uint8]:
    """A slope whose brightness tells instances apart."""
    slope = np.add.outer(np.arange(rows), np.arange(columns)) * 4 + seed % 97
    return (slope % 256).astype(np.uint8)
