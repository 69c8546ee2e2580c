"""The calls of the reading lane: whatever parses or decodes the bytes of a file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

from kiosk.imaging.calls import Transcoded
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import Picture, SeriesContents, TagRow
from kiosk.imaging.studies.order import read_series
from kiosk.imaging.studies.preview import render
from kiosk.imaging.studies.tags import tag_rows
from kiosk.imaging.studies.transcode import transcode
from kiosk.imaging.worker.requests import DrawPicture, ListTags, ReadSeries, Request, Transcode
from kiosk.imaging.worker.tag_calls import TAG_CALLS


def _read_series(request: ReadSeries, cancel: Event) -> SeriesContents:
    spool = Spool(Path(request.spool))
    return read_series(request.series, [spool.path(name) for name in request.files])


def _picture(request: DrawPicture, cancel: Event) -> Picture:
    path = Spool(Path(request.spool)).path(request.file)
    return render(path, request.frame, request.max_width, request.max_height)


def _tags(request: ListTags, cancel: Event) -> Iterator[TagRow]:
    return tag_rows(Spool(Path(request.spool)).path(request.file))


def _transcode(request: Transcode, cancel: Event) -> Transcoded:
    spool = Spool(Path(request.spool), request.reserve, request.durable)
    with spool.create() as file:
        transcode(spool.path(request.file), request.transfer_syntax_uid, file)
        return Transcoded(file.commit(), file.size, request.transfer_syntax_uid)


CALLS: dict[type[Request], Callable[[Any, Event], object]] = {
    ReadSeries: _read_series,
    DrawPicture: _picture,
    ListTags: _tags,
    Transcode: _transcode,
    **TAG_CALLS,
}
