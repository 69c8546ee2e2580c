"""TLS with storescp, Orthanc and pynetdicom, in both directions, and every way in which it does not come about."""

import logging
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pynetdicom import AE, evt

from kiosk.errors import ImagingError, PeerAborted, PeerRefused, PeerUntrusted
from kiosk.imaging.calls import Retrieved, Sent
from kiosk.imaging.client import WorkerImaging
from kiosk.imaging.network.echo import VERIFICATION, echo
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.network.retrieve import retrieve
from kiosk.imaging.network.send import send
from kiosk.imaging.peers import IdentityKind, Peer, Receiving, RetrieveBy, Tls, UserIdentity
from kiosk.imaging.spool import Spool
from tests.kiosk.imaging.certificates import Authority, Holder, Site
from tests.peers import (
    Server,
    ct_instance,
    ct_series,
    drain,
    fill,
    free_port,
    local_peer,
    run_orthanc,
    run_storescp,
    spool_instance,
)

KIOSK = "KIOSK"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool", reserve=0)
    spool.prepare()
    return spool


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listener = Listener(Receiving(KIOSK, free_port(), "127.0.0.1"))
    listener.open()
    yield listener
    listener.close()


@pytest.fixture(scope="module")
def secure_orthanc(site: Site, listener: Listener) -> Iterator[Server]:
    settings: dict[str, Any] = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(site.archive.certificate),
        "DicomTlsPrivateKey": str(site.archive.key),
        "DicomTlsTrustedCertificates": str(site.authority.file),
        "DicomModalities": {
            "kiosk": {"AET": KIOSK, "Host": "127.0.0.1", "Port": listener.port, "UseDicomTls": True},
        },
    }
    with run_orthanc(tls=site.tls, **settings) as server:
        yield server


@contextmanager
def tls_server(
    site: Site, holder: Holder, *handlers: Any, authority: Authority | None = None, **settings: Any
) -> Iterator[Peer]:
    """A pynetdicom server that wants certificates of the site's authority, or of another."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(holder.certificate, holder.key)
    context.load_verify_locations((authority or site.authority).file)
    context.verify_mode = ssl.CERT_REQUIRED
    for name, value in settings.items():
        setattr(context, name, value)
    entity = AE(ae_title="SECURE")
    entity.add_supported_context(VERIFICATION)
    port = free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, ssl_context=context, evt_handlers=list(handlers))
    assert server is not None
    try:
        yield replace(local_peer("Archive", "SECURE", port), tls=site.tls)
    finally:
        server.shutdown()


def test_query_get_and_push_work_over_tls(secure_orthanc: Server, spool: Spool) -> None:
    datasets = ct_series(5, PatientID="T-get", Rows=400, Columns=400, PixelData=os.urandom(320_000))
    fill(secure_orthanc.peer, datasets)
    study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
    _, result = drain(retrieve(secure_orthanc.peer, study, series, (), spool, Event()))
    assert result == Retrieved(5, 0)


def test_c_move_comes_back_over_tls(secure_orthanc: Server, spool: Spool, listener: Listener) -> None:
    datasets = ct_series(5, PatientID="T-move")
    fill(secure_orthanc.peer, datasets)
    study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
    peer = replace(secure_orthanc.peer, retrieve_by=RetrieveBy.MOVE)
    _, result = drain(retrieve(peer, study, series, (), spool, Event(), listener=listener))
    assert result == Retrieved(5, 0)


def test_what_should_come_back_over_tls_does_not_come_without(site: Site, spool: Spool, listener: Listener) -> None:
    """An Orthanc that is spoken to with TLS and configured to send without."""
    settings: dict[str, Any] = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(site.archive.certificate),
        "DicomTlsPrivateKey": str(site.archive.key),
        "DicomTlsTrustedCertificates": str(site.authority.file),
        "DicomModalities": {"kiosk": [KIOSK, "127.0.0.1", listener.port]},
    }
    datasets = ct_series(1, PatientID="T-plain")
    with run_orthanc(tls=site.tls, **settings) as server:
        fill(server.peer, datasets)
        study, series = str(datasets[0].StudyInstanceUID), str(datasets[0].SeriesInstanceUID)
        peer = replace(server.peer, retrieve_by=RetrieveBy.MOVE)
        with pytest.raises((PeerRefused, PeerAborted)):
            drain(retrieve(peer, study, series, (), spool, Event(), listener=listener))
    assert spool.names() == ()


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"], ids=["strict", "downgrading", "extended"])
def test_storescp_takes_a_push_in_every_profile_of_bcp_195(profile: str, site: Site, spool: Spool) -> None:
    options = ("+xa", "+B", "+tls", str(site.archive.key), str(site.archive.certificate))
    instance = ct_instance(Rows=700, Columns=700, PixelData=os.urandom(980_000))
    file = spool_instance(spool, instance)
    with run_storescp(*options, "+cf", str(site.authority.file), profile, tls=site.tls) as server:
        _, result = drain(send(server.peer, (file,), spool, Event()))
        assert result == Sent(1, 0)
        (stored,) = server.stored_files()
        assert stored.read_bytes().endswith(instance.PixelData)


def test_the_worker_reads_the_keys(secure_orthanc: Server) -> None:
    imaging = WorkerImaging()
    try:
        assert imaging.echo(secure_orthanc.peer, Event()).seconds < 5
    finally:
        imaging.close()


@pytest.mark.parametrize(
    ("days", "hosts", "words"),
    [
        (-1, ("127.0.0.1",), "its certificate has expired"),
        (30, ("192.0.2.1",), r"its certificate is for another address than 127\.0\.0\.1"),
    ],
)
def test_a_certificate_that_will_not_do_is_named(days: int, hosts: tuple[str, ...], words: str, site: Site) -> None:
    holder = site.authority.issue(f"bad{days}", days=days, hosts=hosts)
    with tls_server(site, holder) as peer, pytest.raises(PeerUntrusted, match=rf"Archive \(SECURE\): {words}\."):
        echo(peer, Event())


def test_a_certificate_of_another_authority_is_named(site: Site) -> None:
    with (
        tls_server(site, site.other.issue("stranger")) as peer,
        pytest.raises(PeerUntrusted, match="authority is not known here"),
    ):
        echo(peer, Event())


def test_the_name_is_the_configured_one(site: Site) -> None:
    holder = site.authority.issue("named", hosts=("pacs.example",))
    with tls_server(site, holder) as peer:
        named = replace(peer, tls=site.authority.tls(site.kiosk, server_name="pacs.example"))
        assert echo(named, Event()).seconds < 5
        wrong = replace(peer, tls=site.authority.tls(site.kiosk, server_name="other.example"))
        with pytest.raises(PeerUntrusted, match=r"for another name than other\.example"):
            echo(wrong, Event())


def test_a_pinned_certificate_is_believed_whatever_its_name(site: Site) -> None:
    stranger = site.other.issue("pinned", hosts=("elsewhere.example",))
    pinned = Tls(str(stranger.certificate), str(site.kiosk.certificate), str(site.kiosk.key), pinned=True)
    with tls_server(site, stranger) as peer:
        assert echo(replace(peer, tls=pinned), Event()).seconds < 5
    with tls_server(site, site.archive) as peer, pytest.raises(PeerUntrusted, match="not known here"):
        echo(replace(peer, tls=pinned), Event())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_peer_that_does_not_know_our_authority_is_named(version: ssl.TLSVersion, site: Site) -> None:
    with (
        tls_server(site, site.archive, authority=site.other, maximum_version=version, minimum_version=version) as peer,
        pytest.raises(PeerUntrusted, match="it does not know the authority of our certificate"),
    ):
        echo(peer, Event())


def test_a_peer_that_says_our_certificate_has_expired_is_named(site: Site) -> None:
    expired = site.authority.tls(site.authority.issue("late", days=-1))
    with (
        tls_server(site, site.archive) as peer,
        pytest.raises(PeerUntrusted, match="it says that our certificate has expired"),
    ):
        echo(replace(peer, tls=expired), Event())


def test_old_versions_of_tls_are_not_spoken(site: Site) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.archive.certificate, site.archive.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True)
                except OSError:
                    return

        Thread(target=serve, daemon=True).start()
        peer = replace(local_peer("Archive", "OLD", server.getsockname()[1]), tls=site.tls)
        with pytest.raises(PeerUntrusted, match="only versions of TLS that are not safe"):
            echo(peer, Event())


def test_a_peer_without_tls_is_named(site: Site, orthanc: Server, dcmqrscp: Server) -> None:
    for server in (orthanc, dcmqrscp):
        with pytest.raises(PeerUntrusted, match=r"it answers without TLS|closed the connection instead"):
            echo(replace(server.peer, tls=site.tls), Event())


def test_a_peer_with_tls_that_is_configured_without_is_named(site: Site) -> None:
    with tls_server(site, site.archive) as peer, pytest.raises((PeerUntrusted, PeerAborted), match=r"TLS|closed"):
        echo(replace(peer, tls=None), Event())


def test_a_key_that_others_may_read_is_not_used(site: Site, secure_orthanc: Server, tmp_path: Path) -> None:
    key = tmp_path / "open.key"
    key.write_bytes(site.kiosk.key.read_bytes())
    key.chmod(0o644)
    peer = replace(secure_orthanc.peer, tls=replace(site.tls, key=str(key)))
    with pytest.raises(ImagingError, match="open to others"):
        echo(peer, Event())
    key.chmod(0o600)
    assert echo(peer, Event()).seconds < 5


@pytest.mark.parametrize("part", ["authority", "certificate", "key"])
def test_files_that_will_not_do_are_named(part: str, site: Site, tmp_path: Path) -> None:
    peer = replace(local_peer("Archive", "A", 1), tls=_with(site.tls, part, tmp_path / "gone"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = replace(peer, port=server.getsockname()[1])
        with pytest.raises(ImagingError, match="gone cannot be read"):
            echo(peer, Event())
        wrong = tmp_path / "wrong"
        wrong.write_bytes(b"-----BEGIN NOTHING-----")
        wrong.chmod(0o600)
        with pytest.raises(ImagingError, match="is not"):
            echo(replace(peer, tls=_with(site.tls, part, wrong)), Event())


def _with(tls: Tls, part: str, file: Path) -> Tls:
    files = {"authority": tls.authority, "certificate": tls.certificate, "key": tls.key} | {part: str(file)}
    return Tls(files["authority"], files["certificate"], files["key"])


def test_renewed_files_are_used_from_then_on(site: Site, tmp_path: Path) -> None:
    expired, renewed = site.authority.issue("expired", days=-1), site.authority.issue("renewed")
    holder = Holder(tmp_path / "own.crt", tmp_path / "own.key")
    with tls_server(site, site.archive) as peer:
        peer = replace(peer, tls=site.authority.tls(holder))
        for source in (expired, renewed):
            holder.certificate.write_bytes(source.certificate.read_bytes())
            holder.key.write_bytes(source.key.read_bytes())
            holder.key.chmod(0o600)
            if source is expired:
                with pytest.raises(PeerUntrusted):
                    echo(peer, Event())
        assert echo(peer, Event()).seconds < 5


def identity_handler(said: list[tuple[int, bytes, bytes]]) -> tuple[Any, Any]:
    def check(event: Any) -> tuple[bool, bytes | None]:
        said.append((event.user_id_type, event.primary_field, event.secondary_field))
        return event.secondary_field != b"wrong", None

    return (evt.EVT_USER_ID, check)


@pytest.mark.parametrize(("kind", "number"), [(kind, n) for n, kind in enumerate(IdentityKind, 1)])
def test_a_user_identity_is_said_over_tls(kind: IdentityKind, number: int, site: Site, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"correct horse\n")
    secret.chmod(0o600)
    named = kind in (IdentityKind.USERNAME, IdentityKind.PASSCODE)
    identity = UserIdentity(kind, "reading-room" if named else "", "" if number == 1 else str(secret))
    said: list[tuple[int, bytes, bytes]] = []
    with tls_server(site, site.archive, identity_handler(said)) as peer:
        echo(replace(peer, user_identity=identity), Event())
    expected = (b"reading-room", b"correct horse" if number == 2 else b"") if named else (b"correct horse", b"")
    assert said == [(number, *expected)] or said == [(number, expected[0], expected[1] or None)]


def test_a_user_identity_that_the_peer_refuses_is_a_rejection(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"wrong")
    secret.chmod(0o600)
    identity = UserIdentity(IdentityKind.PASSCODE, "reading-room", str(secret))
    with (
        caplog.at_level(logging.DEBUG, logger="kiosk"),
        tls_server(site, site.archive, identity_handler([])) as peer,
        pytest.raises(PeerRefused, match="rejected the association") as caught,
    ):
        echo(replace(peer, user_identity=identity), Event())
    assert "wrong" not in str(caught.value)
    assert str(secret) not in repr(replace(peer, user_identity=identity))


def test_a_user_identity_is_never_said_without_tls(orthanc: Server) -> None:
    peer = replace(orthanc.peer, user_identity=UserIdentity(IdentityKind.USERNAME, "reading-room"))
    with pytest.raises(ImagingError, match="over TLS only"):
        echo(peer, Event())


def test_a_caller_over_tls_needs_a_certificate_of_its_authority(site: Site) -> None:
    caller = replace(local_peer("Archive", "PACS", 104), tls=site.authority.tls(site.kiosk))
    listener = Listener(Receiving(KIOSK, free_port(), "127.0.0.1", callers=(caller,)))
    listener.open()
    try:
        ours = Peer("Kiosk", KIOSK, "127.0.0.1", listener.port, "PACS", timeout=5)
        assert echo(replace(ours, tls=site.authority.tls(site.archive)), Event()).seconds < 5
        with pytest.raises(PeerRefused, match="does not know our AE title PACS"):
            echo(ours, Event())
        thief = site.other.issue("thief")
        stranger = Tls(str(site.authority.file), str(thief.certificate), str(thief.key))
        with pytest.raises((PeerUntrusted, PeerAborted)):
            echo(replace(ours, tls=stranger), Event())
    finally:
        listener.close()
