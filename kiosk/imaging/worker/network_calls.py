"""The calls of the network lane."""

from collections.abc import Callable, Generator
from pathlib import Path
from threading import Event
from typing import Any, Final

from kiosk.imaging.calls import CommitmentAsked, Echoed, Listening, Notified
from kiosk.imaging.network.availability import notify
from kiosk.imaging.network.commitment import ask_commitment
from kiosk.imaging.network.echo import echo
from kiosk.imaging.network.find import find_instances, find_series, find_studies
from kiosk.imaging.network.listener import LISTENERS
from kiosk.imaging.network.lookup import look_up
from kiosk.imaging.network.relay import relay
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.network.send import send
from kiosk.imaging.spool import Spool
from kiosk.imaging.worker.requests import (
    Commit,
    Echo,
    FindInstances,
    FindSeries,
    FindStudies,
    Listen,
    LookUp,
    Notify,
    Relay,
    Request,
    Retrieve,
    Send,
    TakeReports,
)

Answer = Generator[object, None, object]
LOOK_SECONDS: Final = 0.2


def _echo(request: Echo, cancel: Event) -> Echoed:
    return echo(request.peer, cancel)


def _find_studies(request: FindStudies, cancel: Event) -> Answer:
    return find_studies(request.peer, request.query, request.limit, cancel)


def _look_up(request: LookUp, cancel: Event) -> Answer:
    return look_up(request.peer, request.lookup, request.limit, cancel)


def _find_series(request: FindSeries, cancel: Event) -> Answer:
    return find_series(request.peer, request.study_instance_uid, cancel)


def _find_instances(request: FindInstances, cancel: Event) -> Answer:
    return find_instances(request.peer, request.study_instance_uid, request.series_instance_uid, cancel)


def _retrieve(request: Retrieve, cancel: Event) -> Answer:
    spool = Spool(Path(request.spool), request.reserve, request.durable)
    study, series = request.study_instance_uid, request.series_instance_uid
    listener = LISTENERS.of(request.receiving) if request.receiving is not None else None
    return retrieve(
        request.peer,
        study,
        series,
        request.sop_instance_uids,
        spool,
        cancel,
        patient=request.patient,
        listener=listener,
    )


def _listen(request: Listen, cancel: Event) -> Listening:
    listener = LISTENERS.of(request.receiving)
    listener.open()
    return Listening(listener.port)


def _commit(request: Commit, cancel: Event) -> CommitmentAsked:
    return ask_commitment(request.peer, request.transaction_uid, request.instances, cancel)


def _take_reports(request: TakeReports, cancel: Event) -> Answer:
    listener = LISTENERS.of(request.receiving)
    listener.open()
    with listener.reports as reports:
        while not cancel.is_set():
            report = reports.next(LOOK_SECONDS)
            if report is not None:
                yield report
    return None


def _notify(request: Notify, cancel: Event) -> Notified:
    return notify(request.listener, request.available, cancel)


def _relay(request: Relay, cancel: Event) -> Answer:
    study, series = request.study_instance_uid, request.series_instance_uid
    return relay(request.archive, request.ae_title, study, series, request.sop_instance_uids, cancel)


def _send(request: Send, cancel: Event) -> Answer:
    return send(request.peer, request.files, Spool(Path(request.spool)), cancel)


CALLS: dict[type[Request], Callable[[Any, Event], object]] = {
    Echo: _echo,
    FindStudies: _find_studies,
    LookUp: _look_up,
    FindSeries: _find_series,
    FindInstances: _find_instances,
    Retrieve: _retrieve,
    Listen: _listen,
    Commit: _commit,
    TakeReports: _take_reports,
    Notify: _notify,
    Relay: _relay,
    Send: _send,
}
