"""The network, the disk, the peers and their certificates go away under a push and come back: it arrives, once."""

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from socket import socket
from threading import Event

import pytest

from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.outbox import JobState
from kiosk.imaging.peers import Verify
from tests.kiosk.imaging.certificates import Holder, Site, make_site
from tests.kiosk.imaging.counterpart import Counterpart, Line, Step
from tests.kiosk.imaging.faults import abort
from tests.kiosk.imaging.hostile import Behaviour, raw_peer
from tests.kiosk.operations.desks import desk, hurry, sentences
from tests.kiosk.operations.outage_acts import await_count, instances, slow
from tests.kiosk.operations.slow_relay import slow_relay
from tests.kiosk.operations.test_parcels import study_of
from tests.kiosk.operations.test_push_kills import is_dicom, pixels_of
from tests.peers import Server, ct_series, fill, run_dcmqrscp, run_orthanc

ROOT = Path(__file__).parents[3]
OWN = ["unshare", "-n", "-m"] if os.geteuid() == 0 else ["unshare", "-Urnm"]


@pytest.fixture(scope="module")
def imaging() -> Iterator[WorkerImaging]:
    imaging = WorkerImaging(reserve_bytes=0)
    imaging.start()
    yield imaging
    imaging.close()


@pytest.mark.parametrize("act", ["network", "disk", pytest.param("whole_disk", marks=pytest.mark.long)])
def test_a_push_waits_for_its_network_and_its_disk(act: str, tmp_path: Path) -> None:
    command = [*OWN, sys.executable, "-m", "tests.kiosk.operations.outage_acts", act, str(tmp_path)]
    if subprocess.run([*OWN, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces of one's own here")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def kill(server: Server) -> None:
    """The server and the processes that it has for its associations."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    server.process.kill()
    server.process.wait()
    for child in map(int, children):
        with suppress(ProcessLookupError):
            os.kill(child, 9)


@contextmanager
def started_again(server: Server) -> Iterator[None]:
    """The server, as it was, at the same port."""
    none = subprocess.DEVNULL
    with subprocess.Popen(server.process.args, cwd=server.folder, stdin=none, stdout=none, stderr=none) as process:
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("to", ["orthanc", pytest.param("dcmqrscp", marks=pytest.mark.long)])
def test_peers_that_are_killed_under_a_push_get_the_rest_once_they_are_back(
    to: str, imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    datasets = instances(40)
    study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
    wanted = {str(one.SOPInstanceUID) for one in datasets}
    with run_dcmqrscp() as archive, (run_dcmqrscp if to == "dcmqrscp" else run_orthanc)() as destination:
        fill(archive.peer, datasets)
        peers = slow(archive.peer), slow(destination.peer)
        with desk(tmp_path, imaging, *peers) as shop:
            job_id = shop.push(study_of(datasets))
            await_count(shop, job_id, lambda counts: counts.fetched >= 5)
            kill(archive)
            shop.await_job(job_id, lambda job: job.attempts > 0)
            with started_again(archive):
                await_count(shop, job_id, lambda counts: counts.sent >= 5)
                kill(destination)
                said = len(sentences(shop))
                shop.await_job(job_id, lambda _: len(sentences(shop)) > said)
                with started_again(destination):
                    job = shop.await_job(job_id, lambda job: job.state.is_final)
                    assert (job.state, job.sentence) == (JobState.DELIVERED, "")
                    shop.await_empty_spool()
                    listed = list(imaging.find_instances(destination.peer, study, series, Event()))
            said_all = sentences(shop)
        sources = dict(pixels_of(path.read_bytes()) for path in archive.stored_files() if is_dicom(path))
        arrived = {pixels_of(path.read_bytes()) for path in destination.stored_files() if is_dicom(path)}
    assert sorted(key.sop_instance_uid for key in listed) == sorted(wanted)
    assert arrived >= {(uid, sources[uid]) for uid in wanted}
    assert all("closed" in one or "connection refused" in one or "aborted" in one for one in said_all), said_all


def test_a_slow_line_is_no_silence(imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three megabytes are under way for longer than the peer may take to answer."""
    hurry(monkeypatch)
    datasets = ct_series(2, PatientID="P-slow", Rows=1024, Columns=768, PixelData=bytes(range(256)) * 6144)
    archive, destination = Counterpart(datasets), Counterpart()
    with (
        raw_peer(archive.attend, timeout=10) as source,
        raw_peer(destination.attend, timeout=0.6) as target,
        slow_relay(replace(target, verify=Verify.QUERY), 1_000_000) as far,
        desk(tmp_path, imaging, source, far) as shop,
    ):
        job = shop.run(study_of(datasets))
        assert sentences(shop) == []
    assert job.state is JobState.DELIVERED
    assert dict(destination.kept) == archive.holds
    assert len(destination.kept) == 2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("site"))


def secured(behave: Behaviour, context: ssl.SSLContext) -> Behaviour:
    """The same, over TLS."""

    def attend(connection: socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            behave(secure)

    return attend


def put(holder: Holder, folder: Path) -> Holder:
    """The certificate and its key where others are looked for, in place of what was there."""
    there = Holder(folder / "certificate", folder / "key")
    for old, new in ((holder.certificate, there.certificate), (holder.key, there.key)):
        shutil.copy(old, new.with_suffix(".new"))
        new.with_suffix(".new").chmod(0o600)
        new.with_suffix(".new").rename(new)
    return there


@pytest.mark.parametrize("whose", ["theirs", "ours"])
def test_a_certificate_that_expires_under_a_push_holds_it_up_until_it_is_renewed(
    whose: str, site: Site, imaging: WorkerImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    expired, good = site.authority.issue(f"expired-{whose}", days=-1), site.authority.issue(f"good-{whose}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(site.authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(good.certificate, good.key)
    ours = put(good, tmp_path)

    def exchange(holder: Holder) -> None:
        if whose == "ours":
            put(holder, tmp_path)
        else:
            context.load_cert_chain(holder.certificate, holder.key)

    def expire(line: Line) -> None:
        exchange(expired)
        abort(line)

    archive, destination = Counterpart(ct_series(4, PatientID="P-expired")), Counterpart()
    destination.plan(expire, Step.TAKEN)
    with (
        raw_peer(archive.attend, timeout=10) as source,
        raw_peer(secured(destination.attend, context), timeout=10) as target,
        desk(tmp_path, imaging, source, replace(target, tls=site.authority.tls(ours), verify=Verify.QUERY)) as shop,
    ):
        job_id = shop.push(study_of(archive.datasets))
        job = shop.await_job(job_id, lambda job: "No secure connection" in job.sentence)
        assert "certificate has expired" in job.sentence
        exchange(good)
        job = shop.await_job(job_id, lambda job: job.state.is_final)
        assert (job.state, job.sentence) == (JobState.DELIVERED, "")
        said = sentences(shop)
    assert any("No secure connection with Destination (HOSTILE_AE)" in one for one in said), said
    assert dict(destination.kept) == archive.holds
    assert len(destination.kept) == 4
