"""Whether the kiosk may be used: not while the trail takes no records; and the way back, which is on record."""

import logging
from collections.abc import Callable

from kiosk.audit import Node, TrailPort
from kiosk.errors import KioskError, TrailError
from kiosk.operations.facts import EndReason, OutOfService
from kiosk.operations.hub import Hub
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.service import ResumeService

CHECK_EVERY = 5
"""Turns between two looks at a trail that works: a dead daemon or a full disk shows though nobody does anything."""

log = logging.getLogger(__name__)


class Service:
    """Keeps the kiosk out of service while the trail cannot be written, and brings it back on record.

    `begin` starts the kiosk, on record, and sets `begun` as soon as anything runs; it is put off for as long as the
    trail cannot be opened at all. `recount` puts on record what happened and could not be recorded.
    """

    def __init__(self, node: Node, trail: TrailPort, hub: Hub) -> None:
        self._node = node
        self._trail = trail
        self._hub = hub
        self._turns = 0
        self.begun = False
        self.shut: Callable[[EndReason], None] = lambda _: None
        self.recount: Callable[[], None] = lambda: None
        self.begin: Callable[[], None] = lambda: None
        self.ledger: TrailLedger | None = None
        self.desk: Desk | None = None

    def fault(self, sentence: str) -> None:
        """The first failed append: lock, and say why. The sentence is published before the session is ended."""
        if not self._hub.out_of_service:
            log.error("out of service: %s", sentence)
            self._hub.publish(OutOfService(sentence))
            self.shut(EndReason.OUT_OF_SERVICE)

    def start(self, fault: str) -> None:
        """Begins, or with a `fault` of the trail waits, locked, until it can. Raises KioskError."""
        if fault:
            self.fault(fault)
            return
        self.begin()

    def tend(self) -> None:
        """About once a second: looks whether the trail still takes records, or whether it does again."""
        if self._hub.out_of_service:
            self._mend()
            return
        self._turns += 1
        if self._turns % CHECK_EVERY == 0:
            try:
                self._trail.check()
            except TrailError as error:
                self.fault(str(error))

    def _mend(self) -> None:
        why = self._hub.out_of_service
        if not why or self.desk is None or self.ledger is None:
            return
        try:
            self._trail.reopen()
            self.ledger.settle()
            self.recount()
            if not self.begun:
                self._begin_late()
            resume = ResumeService(self._node, self._trail.uri, why, lambda: self._hub.publish(OutOfService("")))
            finish(perform(self.desk, System(), resume))
        except TrailError as error:
            if not self.begun and str(error) != why:
                self._hub.publish(OutOfService(str(error)))
            log.debug("still out of service: %s", error)

    def _begin_late(self) -> None:
        """One that cannot start stays locked, and says why; half of a kiosk is not put into service."""
        try:
            self.begin()
        except TrailError:
            raise
        except Exception as error:
            self.desk = None
            said = str(error) if isinstance(error, KioskError) else "The kiosk cannot start."
            self._hub.publish(OutOfService(f"{said} Start it again once that is mended."))
            raise
