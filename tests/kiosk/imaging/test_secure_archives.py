"""The same work over TLS as without, from Orthanc, dcmqrscp and qrscp: query, push, C-GET, C-MOVE to us, relay."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import pydicom
import pytest

from kiosk.errors import PeerAborted, PeerRefused, PeerUntrusted
from kiosk.imaging.calls import Relayed, Retrieved
from kiosk.imaging.network.echo import echo
from kiosk.imaging.network.find import find_instances, find_studies
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.network.relay import relay
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.peers import Peer, Receiving, RetrieveBy, Tls
from kiosk.imaging.spool import Spool
from kiosk.imaging.studies.model import StudyQuery
from tests.kiosk.imaging.certificates import Site
from tests.kiosk.imaging.tls_relay import tls_before, tls_behind
from tests.peers import (
    Server,
    ct_series,
    drain,
    fill,
    free_port,
    run_dcmqrscp,
    run_orthanc,
    run_qrscp,
    run_storescp,
)

KIOSK = "KIOSK"
THIRD = "STORESCP"


@dataclass(frozen=True)
class Place:
    """An archive, where it sends what it is told to move to us, and the third that it can reach."""

    archive: Peer
    listener: Listener
    third: Server


Runner = Callable[[dict[str, int]], AbstractContextManager[Server]]


@contextmanager
def orthanc_at(destinations: dict[str, int], tls: Tls | None = None, **settings: Any) -> Iterator[Server]:
    secured = "DicomTlsEnabled" in settings
    modalities = {
        title: {"AET": title, "Host": "127.0.0.1", "Port": port, "UseDicomTls": secured and title == KIOSK}
        for title, port in destinations.items()
    }
    with run_orthanc(DicomModalities=modalities, tls=tls, **settings) as server:
        yield server


def dcmqrscp_at(destinations: dict[str, int]) -> AbstractContextManager[Server]:
    return run_dcmqrscp(destinations=destinations)


def qrscp_at(destinations: dict[str, int]) -> AbstractContextManager[Server]:
    return run_qrscp(destinations=destinations)


WITHOUT: dict[str, Runner] = {"dcmqrscp": dcmqrscp_at, "qrscp": qrscp_at}


@pytest.fixture(scope="module")
def third() -> Iterator[Server]:
    with run_storescp() as server:
        yield server


@pytest.fixture(
    scope="module",
    params=[("orthanc", True), ("dcmqrscp", True), ("qrscp", True), ("qrscp", False)],
    ids=["orthanc over TLS", "dcmqrscp over TLS", "qrscp over TLS", "qrscp"],
)
def place(request: pytest.FixtureRequest, site: Site, third: Server) -> Iterator[Place]:
    name, secure = request.param
    listener = Listener(Receiving(KIOSK, free_port(), "127.0.0.1"))
    listener.open()
    with ExitStack() as stack:
        stack.callback(listener.close)
        destinations = {KIOSK: listener.port, THIRD: third.peer.port}
        if name == "orthanc":
            secured: dict[str, Any] = {
                "tls": site.tls,
                "DicomTlsEnabled": True,
                "DicomTlsCertificate": str(site.archive.certificate),
                "DicomTlsPrivateKey": str(site.archive.key),
                "DicomTlsTrustedCertificates": str(site.authority.file),
            }
            peer = stack.enter_context(orthanc_at(destinations, **(secured if secure else {}))).peer
        elif not secure:
            peer = stack.enter_context(WITHOUT[name](destinations)).peer
        else:
            destinations[KIOSK] = stack.enter_context(tls_behind(listener.port, site.archive, site.authority))
            plain = stack.enter_context(WITHOUT[name](destinations)).peer
            front = stack.enter_context(tls_before(plain.port, site.archive, site.authority))
            peer = replace(plain, port=front, tls=site.tls)
        yield Place(replace(peer, timeout=20), listener, third)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


def test_what_was_pushed_is_found_and_comes_back_either_way_bit_for_bit(place: Place, spool: Spool) -> None:
    """480 KB an instance: many PDUs and many TLS records each."""
    datasets = ct_series(4, PatientID="SA-1", Rows=600, Columns=400, PixelData=os.urandom(480_000))
    study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
    assert echo(place.archive, Event()).seconds < 20
    fill(place.archive, datasets)
    found, _ = drain(find_studies(place.archive, StudyQuery(patient_id="SA-1"), 10, Event()))
    # Counted here, a row comes a second time.
    assert {one.study_instance_uid for one in found} == {study}  # type: ignore[attr-defined] # studies
    listed, _ = drain(find_instances(place.archive, study, series, Event()))
    by_uid = {str(dataset.SOPInstanceUID): dataset for dataset in datasets}
    assert {one.sop_instance_uid for one in listed} == set(by_uid)  # type: ignore[attr-defined] # instances
    for way in RetrieveBy:
        peer = replace(place.archive, retrieve_by=way)
        received, result = drain(retrieve(peer, study, series, (), spool, Event(), listener=place.listener))
        assert result == Retrieved(4, 0)
        came = [pydicom.dcmread(spool.path(one.file)) for one in received]  # type: ignore[attr-defined] # received
        assert {str(dataset.SOPInstanceUID) for dataset in came} == set(by_uid)
        assert all(dataset == by_uid[str(dataset.SOPInstanceUID)] for dataset in came)


def test_some_instances_of_a_series_and_a_whole_study_come_too(place: Place, spool: Spool) -> None:
    first = ct_series(3, PatientID="SA-2")
    second = ct_series(2, PatientID="SA-2", StudyInstanceUID=first[0].StudyInstanceUID)
    fill(place.archive, [*first, *second])
    study, series = str(first[0].StudyInstanceUID), str(first[0].SeriesInstanceUID)
    wanted = tuple(str(dataset.SOPInstanceUID) for dataset in first[::2])
    for way in RetrieveBy:
        peer = replace(place.archive, retrieve_by=way)
        some, result = drain(retrieve(peer, study, series, wanted, spool, Event(), listener=place.listener))
        assert result == Retrieved(2, 0)
        assert {one.sop_instance_uid for one in some} == set(wanted)  # type: ignore[attr-defined] # received
        _, result = drain(retrieve(peer, study, "", (), spool, Event(), listener=place.listener))
        assert result == Retrieved(5, 0)


def test_the_archive_sends_to_a_third_and_counts_it(place: Place) -> None:
    datasets = ct_series(3, PatientID="SA-3")
    fill(place.archive, datasets)
    study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
    _, result = drain(relay(place.archive, THIRD, study, series, (), Event()))
    assert result == Relayed(3)
    arrived = {str(pydicom.dcmread(path).SOPInstanceUID) for path in place.third.stored_files()}
    assert {str(dataset.SOPInstanceUID) for dataset in datasets} <= arrived


def test_a_third_that_the_archive_does_not_know_is_refused_by_name(place: Place) -> None:
    datasets = ct_series(1, PatientID="SA-4")
    fill(place.archive, datasets)
    study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
    code = "C000" if place.archive.name == "ORTHANC" else "A801"
    with pytest.raises(PeerRefused, match=rf"refused to send: .*\({code}\)"):
        drain(relay(place.archive, "NOWHERE", study, series, (), Event()))


def test_who_speaks_the_other_way_or_shows_a_strange_certificate_gets_nowhere(place: Place, site: Site) -> None:
    thief = site.other.issue(f"thief-{place.archive.name}")
    stolen = replace(site.tls, certificate=str(thief.certificate), key=str(thief.key))
    for tls in (None, stolen) if place.archive.tls is not None else (site.tls,):
        with pytest.raises((PeerUntrusted, PeerAborted)):
            echo(replace(place.archive, tls=tls, timeout=5), Event())
