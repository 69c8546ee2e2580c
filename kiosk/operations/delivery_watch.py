"""Watches how the trail is delivered: says so when it is not, and records when one end of TLS refuses the other.

The forwarder may be another process, and may not write the trail; its cursors say how it fares.
"""

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kiosk.audit import Node
from kiosk.audit.forward import SinkStatus
from kiosk.clock import Clock
from kiosk.errors import TrailError
from kiosk.operations.facts import AuditDelivery
from kiosk.operations.hub import Hub
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.service import NoteSink
from kiosk.operations.status import Look

EVERY: Final = 5.0
GRACE: Final = 15.0
"""Seconds: a receiver that is only started again is no news to whoever stands at the wall."""
SILENCE: Final = 120.0
"""Seconds that a record may wait though no try has failed; then nobody delivers."""
PATIENCE: Final = 10.0

log = logging.getLogger(__name__)


class DeliveryWatch:
    """A thread that looks every few seconds, from `start` to `stop`.

    A refusal is on record once, until that sink has taken what was recorded since: a receiver that refuses late seems
    to take messages in between. `path` is where refusals without an end are kept over a restart.
    """

    def __init__(self, look: Look, desk: Desk, hub: Hub, node: Node, clock: Clock, path: Path) -> None:
        self._look = look
        self._desk = desk
        self._hub = hub
        self._node = node
        self._clock = clock
        self._path = path
        self._refused: dict[str, int] = {}
        self._said = AuditDelivery()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Reads which refusals have not ended, and begins."""
        self._refused = _read(self._path)
        self._thread = threading.Thread(target=self._run, name="delivery-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def turn(self) -> None:
        """Looks once. While the kiosk is out of service nothing can be recorded, and the screen says why already."""
        if self._hub.out_of_service:
            return
        try:
            sinks = self._look().sinks
        except TrailError as error:
            self._say(AuditDelivery(fault=str(error)))
            return
        self._say(AuditDelivery(tuple(sink for sink in sinks if self._lags(sink))))
        for sink in sinks:
            try:
                self._note(sink)
            except TrailError as error:
                log.error("%s", error)
                return

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.turn()
            except Exception as error:  # the border of the thread: the next look may go well
                log.error("the watch over deliveries stumbled: %s", type(error).__name__)
            self._stopping.wait(EVERY)

    def _say(self, delivery: AuditDelivery) -> None:
        if delivery != self._said:
            self._said = delivery
            self._hub.publish(delivery)

    def _lags(self, sink: SinkStatus) -> bool:
        now = self._clock.now()
        if sink.fault:
            return sink.fault_at is None or (now - sink.fault_at).total_seconds() >= GRACE
        return sink.oldest_seconds(now) >= SILENCE

    def _note(self, sink: SinkStatus) -> None:
        known = self._refused.get(sink.name)
        if known is None and sink.refused:
            finish(perform(self._desk, System(), NoteSink(self._node, sink.name, sink.place, sink.fault)))
            self._keep({**self._refused, sink.name: sink.settled})
        elif known is not None and not sink.fault and sink.settled > known:
            finish(perform(self._desk, System(), NoteSink(self._node, sink.name, sink.place, "")))
            self._keep({name: place for name, place in self._refused.items() if name != sink.name})

    def _keep(self, refused: dict[str, int]) -> None:
        self._refused = refused
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(json.dumps(refused), encoding="utf-8")
            draft.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path.name, error.strerror)


def _read(path: Path) -> dict[str, int]:
    """What was kept; where that cannot be read, a refusal that goes on is recorded once more."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read: %s", path.name, type(error).__name__)
        return {}
    if not isinstance(kept, Mapping):
        return {}
    return {name: place for name, place in kept.items() if isinstance(place, int)}
