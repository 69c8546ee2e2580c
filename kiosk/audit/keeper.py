"""The thread beside a trail that signs how far it has come, tells the sinks, and tries again after a failure."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from kiosk.audit.checkpoint import Occasion
from kiosk.audit.trail import Trail
from kiosk.errors import TrailError

TICK: Final = 1.0
CHECK_EVERY: Final = 5.0
PATIENCE: Final = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeeperRules:
    """A checkpoint at the latest `busy_seconds` after a record, and every `heartbeat_seconds` when there is none."""

    busy_seconds: float = 60.0
    heartbeat_seconds: float = 600.0
    tick_seconds: float = TICK


class Keeper:
    """Keeps one trail; `mends` also brings it back after a failure, on record, where nobody else does.

    The first checkpoint (START) is made at once, the last one (STOP) by `stop`. `on_beat` is called on every turn.
    """

    def __init__(
        self,
        trail: Trail,
        monotonic: Callable[[], float],
        rules: KeeperRules | None = None,
        *,
        mends: bool = False,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._trail = trail
        self._monotonic = monotonic
        self._rules = rules or KeeperRules()
        self._mends = mends
        self._on_beat = on_beat
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._started = False
        self._sealed_at = 0.0
        self._waiting_since: float | None = None
        self._checked_at = 0.0

    def start(self) -> None:
        """Begins."""
        self._thread = threading.Thread(target=self._run, name="trail-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends with a last checkpoint, if the trail takes one."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)
        with suppress(TrailError):
            self._trail.checkpoint(Occasion.STOP)
            self._trail.anchor()

    def _run(self) -> None:
        while True:
            try:
                self.turn()
            except TrailError as error:
                log.debug("the trail cannot be sealed: %s", error)
            self._on_beat()
            if self._stopping.wait(self._rules.tick_seconds):
                return

    def turn(self) -> None:
        """What there is to do now; raises TrailError, and the trail has failed."""
        if self._trail.status().failure:
            if not self._mends:
                return
            self._trail.resume()
        now = self._monotonic()
        if now - self._checked_at >= CHECK_EVERY:
            self._checked_at = now
            self._trail.check()
        if occasion := self._due(now):
            self._trail.checkpoint(occasion)
            self._started, self._sealed_at, self._waiting_since = True, now, None
        self._trail.anchor()

    def _due(self, now: float) -> Occasion | None:
        if not self._started:
            return Occasion.START
        if not self._trail.status().unsealed:
            self._waiting_since = None
            return Occasion.IDLE if now - self._sealed_at >= self._rules.heartbeat_seconds else None
        if self._waiting_since is None:
            self._waiting_since = now
        return Occasion.BUSY if now - self._waiting_since >= self._rules.busy_seconds else None
