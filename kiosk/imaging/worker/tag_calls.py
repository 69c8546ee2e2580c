"""The calls about a file that somebody names by its path, on a command line: no spool, nothing written."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any, Final

from kiosk.imaging.studies.json_model import json_pieces
from kiosk.imaging.studies.model import TagRow
from kiosk.imaging.studies.tags import VALUE_LIMIT, tag_rows
from kiosk.imaging.worker.requests import JsonOfFile, ListTagsOfFile, Request


def _tags(request: ListTagsOfFile, cancel: Event) -> Iterator[TagRow]:
    return tag_rows(Path(request.path), VALUE_LIMIT)


def _json(request: JsonOfFile, cancel: Event) -> Iterator[str]:
    return json_pieces(Path(request.path), meta=request.meta)


TAG_CALLS: Final[dict[type[Request], Callable[[Any, Event], object]]] = {ListTagsOfFile: _tags, JsonOfFile: _json}
