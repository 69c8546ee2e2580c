"""How a trail stands, as far as can be told by whoever only reads its file: nothing is written, nobody is asked."""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kiosk.audit import noted, reading, store
from kiosk.audit.anchor import AnchorError, AnchorSink, compare, highest
from kiosk.audit.boundary import Beginning
from kiosk.audit.chain import link
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.disk import free_bytes
from kiosk.audit.mac_key import BEHIND_ITS_KEY, MacKeyFile
from kiosk.audit.message import Outcome
from kiosk.audit.own_records import RECORDING, begun_anew_at
from kiosk.audit.port import TrailStatus
from kiosk.audit.read_only import ReadOnlyTrail
from kiosk.audit.record import Head, Record
from kiosk.audit.trail_error import as_trail_error
from kiosk.audit.trail_file import MAC_KEY, TAIL
from kiosk.errors import TrailError


@dataclass(frozen=True)
class Surroundings:
    """What the trail's writer goes by: the directory of its keys, its anchors, its bounds (see `Trail`)."""

    keys: Path
    anchors: Sequence[AnchorSink] = ()
    reserve_bytes: int = 0
    clock_seconds: float = 60.0


def standing(trail: ReadOnlyTrail, now: datetime, around: Surroundings) -> TrailStatus:
    """Its end, its newest checkpoint, how far it is anchored, and why its writer would refuse to add to it.

    `failure` is that sentence: the last records do not chain, a signature does not hold, it is behind its key or an
    anchor, the disk is full or read-only, the clock stands before the last record, or recording was stopped and has
    not begun again. Empty does not mean that somebody writes it. Raises TrailError when it cannot be read at all.
    """
    with as_trail_error("read"):
        look = _Look(trail, around)
        anchored, fault = look.anchored()
        failure = look.failure or look.behind or look.reason(now)
    return TrailStatus(
        trail.identity.kiosk_id,
        look.head,
        failure,
        look.sealed,
        look.free,
        around.reserve_bytes,
        anchored.number if anchored else 0,
        anchored.time if anchored else None,
        fault,
        look.begun_anew,
    )


class _Look:
    """The file as it is at one moment; a kiosk may go on writing it."""

    def __init__(self, trail: ReadOnlyTrail, around: Surroundings) -> None:
        self._trail = trail
        self._around = around
        self.behind = ""
        self.failure = ""
        self.free = _free(trail.path.parent)
        self.sealed: Checkpoint | None = None
        self._last: Record | None = None
        connection = trail.connection
        connection.execute("BEGIN")
        try:
            self.head = store.head(connection)
            self.begun_anew = begun_anew_at(store.page(connection, 1, 1))
            try:
                self._check(connection)
            except TrailError as error:
                self.failure = str(error)
        finally:
            connection.execute("ROLLBACK")

    def _check(self, connection: sqlite3.Connection) -> None:
        identity, beginning = store.identity(connection), store.beginning(connection)
        if not store.schema_is_whole(connection):
            raise TrailError("The audit trail has lost what keeps it from being changed.")
        number = store.last_checkpoint(connection)
        epoch = _key_epoch(self._around.keys)
        if epoch > number:
            # Its writer may have gone on since this file was opened; opened after the key was read, it is not behind.
            with ReadOnlyTrail(self._trail.path) as again:
                if epoch > store.last_checkpoint(again.connection):
                    raise TrailError(BEHIND_ITS_KEY)
        if number > beginning.checkpoint:
            self.sealed = reading.checkpoint_of(store.checkpoint_rows(connection, number, 1)[0])
            if not self.sealed.is_signed_by(identity.public_key):
                raise TrailError(f"Checkpoint {number} of the audit trail does not carry its signature.")
        self._check_tail(connection, beginning)
        noted.open_intents(connection, self.sealed, self.head.sequence)

    def _check_tail(self, connection: sqlite3.Connection, beginning: Beginning) -> None:
        head, sealed = self.head, self.sealed
        start = max(head.sequence - TAIL + 1, beginning.sequence + 1)
        if sealed and (
            sealed.sequence > head.sequence or store.hash_before(connection, sealed.sequence + 1) != sealed.hash
        ):
            raise TrailError(f"The audit trail is not the one that checkpoint {sealed.number} was made of.")
        value, place = store.hash_before(connection, start), start
        for row in store.rows(connection, start, head.sequence):
            if row.sequence != place or link(value, row.sequence, row.body) != row.hash:
                raise TrailError(f"The audit trail is broken at record {place}.")
            if row.sequence == head.sequence:
                self._last = reading.record_of(row, value)
            value, place = row.hash, place + 1
        if (place, value) != (head.sequence + 1, head.hash):
            raise TrailError(f"The audit trail's head does not match record {head.sequence}.")

    def reason(self, now: datetime) -> str:
        """Why a whole trail could not be added to."""
        around, last = self._around, self._last
        if os.statvfs(self._trail.path.parent).f_flag & os.ST_RDONLY:
            return "The disk of the audit trail is read-only."
        if self.free < around.reserve_bytes:
            kept = around.reserve_bytes >> 20
            return f"The disk of the audit trail is nearly full: {self.free >> 20} MiB left, {kept} kept."
        if last is None:
            return ""
        if now < last.time - timedelta(seconds=around.clock_seconds):
            behind = int((last.time - now).total_seconds())
            return f"The clock stands {behind} s before the last record of the audit trail."
        stopped = last.entry.act == RECORDING and last.entry.outcome is not Outcome.SUCCESS
        return last.entry.summary if stopped else ""

    def anchored(self) -> tuple[Checkpoint | None, str]:
        """The newest checkpoint that every sink has, and what is wrong with one. Notes when the trail is behind it."""
        found: list[Checkpoint | None] = []
        fault = ""
        for sink in self._around.anchors:
            try:
                found.append(self._compared(sink))
            except (AnchorError, OSError) as error:
                found.append(None)
                fault = str(error)
            except TrailError as error:
                found.append(None)
                self.behind = str(error)
        have = [checkpoint for checkpoint in found if checkpoint is not None]
        whole = have and len(have) == len(found)
        return (min(have, key=lambda one: one.number) if whole else None), fault

    def _compared(self, sink: AnchorSink) -> Checkpoint | None:
        """The newest checkpoint there; raises BehindAnchor."""
        identity = self._trail.identity
        kept = highest(sink.read(identity.kiosk_id), identity.kiosk_id, identity.public_key)
        if kept is not None:
            with ReadOnlyTrail(self._trail.path) as again:  # as it is after the anchors were read
                compare(_Own(again), kept)
        return kept


class _Own:
    """The trail as `compare` holds it against an anchor."""

    def __init__(self, trail: ReadOnlyTrail) -> None:
        self._trail = trail
        identity = trail.identity
        self.kiosk_id = identity.kiosk_id
        self.public_key = identity.public_key

    def beginning(self) -> Beginning:
        return self._trail.beginning()

    def head(self) -> Head:
        return self._trail.head()

    def hash_at(self, sequence: int) -> bytes:
        return store.hash_before(self._trail.connection, sequence + 1)

    def checkpoint_body(self, number: int) -> bytes | None:
        rows = self._trail.checkpoint_rows(number, 1)
        return rows[0].body if rows and rows[0].number == number else None


def _key_epoch(keys: Path) -> int:
    """Up to which checkpoint the MAC key was moved on; 0 for whoever may not read it."""
    try:
        return MacKeyFile(keys / MAC_KEY).read().epoch
    except (OSError, TrailError):
        return 0


def _free(directory: Path) -> int:
    try:
        return free_bytes(directory)
    except OSError:
        return 0
