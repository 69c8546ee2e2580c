"""The calls of the network lane."""

from collections.abc import Callable, Generator
from pathlib import Path
from threading import Event
from typing import Any

from kiosk.imaging.calls import Echoed
from kiosk.imaging.network.echo import echo
from kiosk.imaging.network.find import find_instances, find_series, find_studies
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.network.send import send
from kiosk.imaging.spool import Spool
from kiosk.imaging.worker.requests import (
    Echo,
    FindInstances,
    FindSeries,
    FindStudies,
    Request,
    Retrieve,
    Send,
)

Answer = Generator[object, None, object]


def _echo(request: Echo, cancel: Event) -> Echoed:
    return echo(request.peer, cancel)


def _find_studies(request: FindStudies, cancel: Event) -> Answer:
    return find_studies(request.peer, request.query, request.limit, cancel)


def _find_series(request: FindSeries, cancel: Event) -> Answer:
    return find_series(request.peer, request.study_instance_uid, cancel)


def _find_instances(request: FindInstances, cancel: Event) -> Answer:
    return find_instances(request.peer, request.study_instance_uid, request.series_instance_uid, cancel)


def _retrieve(request: Retrieve, cancel: Event) -> Answer:
    spool = Spool(Path(request.spool), request.reserve, request.durable)
    study, series = request.study_instance_uid, request.series_instance_uid
    return retrieve(request.peer, study, series, request.sop_instance_uids, spool, cancel)


def _send(request: Send, cancel: Event) -> Answer:
    return send(request.peer, request.files, Spool(Path(request.spool)), cancel)


CALLS: dict[type[Request], Callable[[Any, Event], object]] = {
    Echo: _echo,
    FindStudies: _find_studies,
    FindSeries: _find_series,
    FindInstances: _find_instances,
    Retrieve: _retrieve,
    Send: _send,
}
