"""Notices when the time of day is moved: what it says is held against a clock that only ever runs."""

from datetime import datetime, timedelta

from kiosk.clock import Clock
from kiosk.errors import TrailError


class ClockWatch:
    """The time of day, as long as it can be believed.

    It may stray from the monotonic clock by `tolerance` between two looks, either way. After a larger jump it is
    refused until it has been put right, or has kept its new course for `settle`: then somebody meant it.
    """

    def __init__(self, clock: Clock, tolerance: timedelta, settle: timedelta) -> None:
        self._clock = clock
        self._tolerance = tolerance
        self._settle = settle
        self._believed: tuple[datetime, float] | None = None
        self._odd: tuple[timedelta, float] | None = None

    def look(self, last: datetime | None) -> datetime:
        """The time now. Raises TrailError after a jump, and when it lies before `last`, the time of the last record."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if self._believed is not None:
            self._require_course(now, monotonic)
        if last is not None and now < last - self._tolerance:
            behind = int((last - now).total_seconds())
            raise TrailError(f"The clock stands {behind} s before the last record of the audit trail.")
        self._believed, self._odd = (now, monotonic), None
        return now

    def reckoned(self, last: datetime | None) -> datetime:
        """What time it most likely is, whatever the clock says now; never before `last`."""
        now = self._clock.now()
        if self._believed is not None:
            now = self._believed[0] + timedelta(seconds=self._clock.monotonic() - self._believed[1])
        return now if last is None or now > last else last

    def _require_course(self, now: datetime, monotonic: float) -> None:
        if self._believed is None:
            return
        jump = now - self._believed[0] - timedelta(seconds=monotonic - self._believed[1])
        if abs(jump) <= self._tolerance:
            return
        if self._odd is None or abs(jump - self._odd[0]) > self._tolerance:
            self._odd = (jump, monotonic)
        if timedelta(seconds=monotonic - self._odd[1]) < self._settle or not self._settle:
            seconds = int(abs(jump).total_seconds())
            way = "forward" if jump > timedelta() else "back"
            raise TrailError(f"The clock was moved {way} by {seconds} s.")
