"""Sealed segments to read in: what a trail held before the place where it begins now."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from kiosk.audit import store
from kiosk.audit.segment import Segment
from kiosk.audit.segment_file import SegmentFile
from kiosk.errors import TrailError


class Archive(Protocol):
    """The segments of one trail, wherever their files lie. Every method raises TrailError."""

    def segments(self) -> tuple[Segment, ...]:
        """Every segment that was ever sealed, oldest first."""

    def segment_rows(self, number: int, first: int, limit: int = store.BATCH) -> tuple[store.Row, ...]:
        """At most `limit` records of that segment from record `first` on, as they were stored; quick when they are
        asked for in their order. Whether they are what was sealed is another question."""


OpenArchive = Callable[[], Archive]
"""An archive to one reader's own use: two of them in one file would be in each other's way."""


class SegmentFolder:
    """Implements `Archive` by the files in a folder; one of them is open at a time. Not for several threads at once."""

    def __init__(self, directory: Path, sealed: Callable[[], tuple[Segment, ...]]) -> None:
        self._directory = directory
        self._sealed = sealed
        self._known: tuple[Segment, ...] = ()
        self._open: tuple[int, SegmentFile] | None = None

    def segments(self) -> tuple[Segment, ...]:
        """Those that were sealed until now."""
        self._known = self._sealed()
        return self._known

    def segment_rows(self, number: int, first: int, limit: int = store.BATCH) -> tuple[store.Row, ...]:
        """Raises TrailError when the file is not there, cannot be read, or is not that segment's."""
        return self._file(number).rows(first, limit)

    def close(self) -> None:
        """Lets the file go."""
        opened, self._open = self._open, None
        if opened is not None:
            opened[1].close()

    def __enter__(self) -> "SegmentFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _file(self, number: int) -> SegmentFile:
        if self._open is not None and self._open[0] == number:
            return self._open[1]
        self.close()
        segment = self._segment(number)
        file = SegmentFile(self._directory / segment.file_name)
        file.open()
        if file.segment != segment:
            raise TrailError(f"{segment.file_name} is not what was sealed.")
        self._open = number, file
        return file

    def _segment(self, number: int) -> Segment:
        for segments in (self._known, self.segments()):
            for segment in segments:
                if segment.number == number:
                    return segment
        raise TrailError(f"There is no segment {number} of this audit trail.")
