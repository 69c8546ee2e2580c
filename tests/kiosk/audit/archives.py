"""A trail of several months to seal and to delete from: what the tests of retention share."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from kiosk.audit import (
    Evidence,
    FileAnchors,
    Occasion,
    Retention,
    RetentionRules,
    Trail,
)
from tests.kiosk.audit.samples import SOURCE, ManualClock, intent, outcome

JANUARY = datetime(2026, 1, 20, tzinfo=UTC)
MONTH = 31 * 24 * 3600.0


class Sink:
    """A sink that has come as far as somebody says."""

    name = "ARR"

    def __init__(self, place: int = 1 << 40) -> None:
        self.place: int | Exception = place

    def delivered_up_to(self) -> int:
        """That far."""
        if isinstance(self.place, Exception):
            raise self.place
        return self.place


class Archive:
    """A trail of four closed months and one that is not, of `count` acts each, its retention and its sink."""

    def __init__(self, folder: Path, count: int = 6) -> None:
        self.folder = folder
        self.clock = ManualClock(JANUARY)
        self.anchors = FileAnchors(folder / "anchors.jsonl")
        self.trail = Trail(folder / "audit" / "trail.sqlite", "kiosk-7", SOURCE, self.clock, 0, anchors=[self.anchors])
        self.trail.open()
        self.first_mac_key = self.trail.escrow()
        self.sink = Sink()
        self.retention = self.keeping(1)
        for month in range(5):
            for number in range(count):
                self.trail.append(intent(f"{month}-{number}"))
                self.trail.append(outcome(f"{month}-{number}"))
            self.trail.checkpoint(Occasion.IDLE)
            self.trail.anchor()
            if month < 4:
                self.clock.turn(MONTH)

    def keeping(self, months: int) -> Retention:
        """The retention by that rule."""
        return Retention(self.trail, RetentionRules(self.folder / "segments", months), self.clock, [self.sink])

    @property
    def evidence(self) -> Evidence:
        """Everything that somebody could have kept."""
        return Evidence(self.trail.public_key, tuple(self.anchors.read()), first_mac_key=self.first_mac_key)


def change_line(path: Path, number: int, change: Callable[[str], list[str]]) -> None:
    lines = gzip.decompress(path.read_bytes()).decode("ascii").splitlines()
    lines[number : number + 1] = change(lines[number])
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode("ascii")))


def sequences(trail: Trail) -> list[int]:
    return [record.sequence for record in trail.read()]
