"""The tags of a file that somebody names by its path, parsed in a worker of its own under its limits."""

from collections.abc import Generator
from pathlib import Path
from threading import Event
from types import TracebackType

from kiosk.imaging.client import MEMORY_BYTES
from kiosk.imaging.studies.model import TagRow
from kiosk.imaging.worker.lane import Lane, LaneOptions
from kiosk.imaging.worker.requests import JsonOfFile, ListTagsOfFile

READING_SECONDS = 120.0


class FileTags:
    """A reading worker for files outside any spool; `with` ends it. Every method may raise UnreadableObject."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES, reading_seconds: float = READING_SECONDS) -> None:
        self._lane = Lane(LaneOptions("reading", memory_bytes, reading_seconds))

    def __enter__(self) -> "FileTags":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lane.close()

    def rows(self, path: Path, cancel: Event) -> Generator[TagRow, None, None]:
        """Every data element, file meta information first; a row "broken" says where the file breaks."""
        return self._lane.call(ListTagsOfFile(str(path.absolute())), cancel)

    def json(self, path: Path, cancel: Event, *, meta: bool = False) -> Generator[str, None, None]:
        """The object in the DICOM JSON Model, in pieces: see `kiosk.imaging.studies.json_model`."""
        return self._lane.call(JsonOfFile(str(path.absolute()), meta), cancel)
