"""The scripted main job through each reader and against each archive; every pairing of them in the long suite."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kiosk.cli.demo_session import CAST, check_record, counting
from kiosk.clock import SystemClock
from kiosk.demo.archive import DemoArchive
from kiosk.demo.check import MainJob
from kiosk.imaging.peers import Peer
from tests.end_to_end.kiosks import (
    Presenter,
    configuration,
    fill_with_demo_studies,
    over_nfcpy,
    over_pcsc,
    running,
    simulated,
)
from tests.pcscd import PcscWithVpcd
from tests.peers import Server, run_dcmqrscp, run_orthanc

READERS = ("simulated", "pcsc", "nfcpy")
ARCHIVES = ("embedded", "orthanc", "dcmqrscp")
SHORT = {("simulated", "embedded", "orthanc"), ("pcsc", "orthanc", "dcmqrscp"), ("nfcpy", "dcmqrscp", "embedded")}
PAIRINGS = [
    pytest.param(reader, archive, to, marks=() if (reader, archive, to) in SHORT else pytest.mark.long)
    for reader in READERS
    for archive in ARCHIVES
    for to in ARCHIVES
    if to != archive or archive == "embedded"
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def embedded() -> Iterator[DemoArchive]:
    with DemoArchive() as archive:
        yield archive


def presenter(name: str, stack: ExitStack, request: pytest.FixtureRequest) -> Presenter:
    if name == "pcsc":
        pcsc: PcscWithVpcd = request.getfixturevalue("pcsc_with_vpcd")
        return stack.enter_context(over_pcsc(pcsc))
    return stack.enter_context(simulated() if name == "simulated" else over_nfcpy())


def server(name: str, stack: ExitStack) -> Server:
    return stack.enter_context(run_orthanc() if name == "orthanc" else run_dcmqrscp())


def source(name: str, stack: ExitStack, embedded: DemoArchive) -> tuple[Peer, int]:
    if name == "embedded":
        return embedded.archive, 60
    peer = server(name, stack).peer
    return peer, fill_with_demo_studies(peer, SystemClock())


@pytest.mark.parametrize(("reader", "archive", "to"), PAIRINGS)
@pytest.mark.timeout(180)
def test_the_main_job_passes(
    reader: str,
    archive: str,
    to: str,
    tmp_path: Path,
    stack: ExitStack,
    embedded: DemoArchive,
    request: pytest.FixtureRequest,
) -> None:
    peer, studies = source(archive, stack, embedded)
    destination = embedded.destinations[0] if to == "embedded" else server(to, stack).peer
    taps = presenter(reader, stack, request)
    said: list[str] = []
    config = configuration(tmp_path / "state", peer, destination)
    with running(config, taps) as kiosk, counting((destination,)) as delivered:
        MainJob(kiosk.agent, CAST, delivered, said.append, settle=0.0).run(studies)  # the presenter waits itself
        check_record(kiosk.premises, said.append)
    assert len(said) == 10
    assert all(line.startswith("ok") for line in said)
