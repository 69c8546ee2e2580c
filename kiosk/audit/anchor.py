"""Checkpoints kept elsewhere, and the trail held against them: what was cut off, put back or begun anew shows here.

An `AnchorSink` is provided from outside: a table that takes only inserts, a repository, a file on another machine.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from kiosk.audit.boundary import Beginning
from kiosk.audit.checkpoint import Checkpoint
from kiosk.audit.decode import RecordError
from kiosk.audit.record import Head
from kiosk.errors import TrailError

LONGEST_LINE: Final = 4096


class AnchorError(TrailError):
    """A sink cannot be reached or does not answer; the sentence says which."""


class BrokenTrail(TrailError):
    """The trail is not what was written: nothing more may be added to it."""


class BehindAnchor(BrokenTrail):
    """The trail is behind, or beside, what is known of it elsewhere."""


class AnchorSink(Protocol):
    """Where checkpoints are kept. Both methods have a time limit of their own; they raise AnchorError or OSError."""

    def write(self, checkpoint: Checkpoint) -> None:
        """Keeps one more; it is durable when this returns. The same one may come twice."""

    def read(self, kiosk_id: str) -> Iterable[Checkpoint]:
        """Those of a kiosk, the highest number first. They may hold what others slipped in: signatures decide."""


class FileAnchors:
    """A file with a checkpoint a line that only grows: on a mount, say, where this kiosk may append and not delete."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    def write(self, checkpoint: Checkpoint) -> None:
        """Adds a line, durable when this returns; raises OSError."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, b"\n" * torn + checkpoint.line().encode("ascii") + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)

    def read(self, kiosk_id: str = "") -> Iterator[Checkpoint]:
        """The checkpoints in the file, of one kiosk or of all, the highest first; lines that are none are passed over.

        Raises OSError, though a file that is not there yet holds none.
        """
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            places = []
            at = 0
            while line := file.readline(LONGEST_LINE):
                if (checkpoint := _parsed(line)) and kiosk_id in ("", checkpoint.kiosk_id):
                    places.append((checkpoint.number, at))
                at += len(line)
            for _, place in sorted(places, reverse=True):
                file.seek(place)
                if checkpoint := _parsed(file.readline(LONGEST_LINE)):
                    yield checkpoint


@dataclass(frozen=True)
class CalledAnchors:
    """A sink of two functions, for whatever keeps checkpoints elsewhere."""

    keep: Callable[[Checkpoint], None]
    known: Callable[[str], Iterable[Checkpoint]]

    def write(self, checkpoint: Checkpoint) -> None:
        """Calls `keep`."""
        self.keep(checkpoint)

    def read(self, kiosk_id: str) -> Iterable[Checkpoint]:
        """Calls `known`."""
        return self.known(kiosk_id)


class Anchored(Protocol):
    """A trail that can be held against an anchor."""

    @property
    def kiosk_id(self) -> str:
        """Whose it is."""

    @property
    def public_key(self) -> bytes:
        """The key of its checkpoints."""

    def beginning(self) -> Beginning:
        """What comes before its first record."""

    def head(self) -> Head:
        """Its end."""

    def hash_at(self, sequence: int) -> bytes:
        """The hash of a record, of 0 the genesis; raises TrailError when it is not there."""

    def checkpoint_body(self, number: int) -> bytes | None:
        """The body of a checkpoint."""


def highest(candidates: Iterable[Checkpoint], kiosk_id: str, public_key: bytes) -> Checkpoint | None:
    """The first of the candidates that this kiosk's own key signed; raises BehindAnchor when it signed none of several:
    a kiosk's id is made once, together with its key."""
    others = False
    for checkpoint in candidates:
        if checkpoint.kiosk_id != kiosk_id:
            continue
        if checkpoint.is_signed_by(public_key):
            return checkpoint
        others = True
    if others:
        raise BehindAnchor("This kiosk's audit trail is anchored elsewhere with another key: it was begun anew here.")
    return None


def compare(trail: Anchored, anchor: Checkpoint) -> None:
    """Raises BehindAnchor unless the trail leads through the anchor and still holds its checkpoint."""
    head, beginning = trail.head(), trail.beginning()
    if anchor.sequence < beginning.sequence or anchor.number <= beginning.checkpoint:
        return  # deleted by rule since: the boundary, which the trail's own key signed, stands for it
    if head.sequence < anchor.sequence:
        raise BehindAnchor(
            f"The audit trail ends at record {head.sequence}, but record {anchor.sequence} is anchored elsewhere: "
            "it was cut, or put back to an earlier copy."
        )
    if trail.hash_at(anchor.sequence) != anchor.hash:
        raise BehindAnchor(f"Record {anchor.sequence} of the audit trail is not the one that is anchored elsewhere.")
    body = trail.checkpoint_body(anchor.number)
    if body is None:
        raise BehindAnchor(
            f"Checkpoint {anchor.number} of the audit trail is anchored elsewhere and missing here: "
            "it was put back to an earlier copy."
        )
    if body != anchor.body:
        raise BehindAnchor(f"Checkpoint {anchor.number} of the audit trail is not the one that is anchored elsewhere.")


class Anchoring:
    """The sinks of one trail: each is compared before anything is written to it.

    One thread publishes; a trail that is opened anew meanwhile may compare, and the two do each other no harm.
    """

    def __init__(self, sinks: Iterable[AnchorSink]) -> None:
        self._sinks = tuple(sinks)
        self._compared = [False] * len(self._sinks)
        self._written: list[Checkpoint | None] = [None] * len(self._sinks)
        self.fault = ""
        """Why the last sink that failed did; empty when all work."""

    @property
    def anchored(self) -> tuple[int, datetime | None]:
        """The number of the newest checkpoint that every sink has, 0 for none, and its time."""
        written = [checkpoint for checkpoint in self._written if checkpoint is not None]
        if not written or len(written) < len(self._sinks):
            return 0, None
        least = min(written, key=lambda checkpoint: checkpoint.number)
        return least.number, least.time

    def compare(self, trail: Anchored, *, again: bool = False) -> None:
        """Holds the trail against every sink that can be asked; raises BehindAnchor.

        One that cannot be asked now is compared later, by `publish`.
        """
        self.fault = ""
        for index, sink in enumerate(self._sinks):
            if self._compared[index] and not again:
                continue
            try:
                found = highest(sink.read(trail.kiosk_id), trail.kiosk_id, trail.public_key)
            except (AnchorError, OSError) as error:
                self.fault = str(error)
                continue
            if found is not None:
                compare(trail, found)
                self._written[index] = found
            self._compared[index] = True

    def publish(self, trail: Anchored, newest: Checkpoint | None) -> None:
        """Gives every sink the newest checkpoint that it has not; raises BehindAnchor when a late comparison fails."""
        self.compare(trail)
        if newest is None:
            return
        for index, sink in enumerate(self._sinks):
            known = self._written[index]
            if not self._compared[index] or (known is not None and known.number >= newest.number):
                continue
            try:
                sink.write(newest)
            except (AnchorError, OSError) as error:
                self.fault = str(error)
                continue
            self._written[index] = newest


def _parsed(line: bytes) -> Checkpoint | None:
    try:
        return Checkpoint.from_line(line)
    except RecordError:
        return None
