"""Certificates that their authority has taken back, on both sides of TLS, and lists that will not do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from kiosk.errors import ImagingError, PeerUntrusted
from kiosk.imaging.network.echo import echo
from kiosk.imaging.network.listener import Listener
from kiosk.imaging.peers import Peer, Receiving, Tls
from kiosk.imaging.revocation import complaint
from tests.kiosk.imaging.certificates import Holder, Site
from tests.kiosk.imaging.revocations import HOUR, make_deputy, revoke, with_chain
from tests.kiosk.imaging.test_tls import tls_server
from tests.peers import free_port, local_peer, run_storescp

KIOSK = "KIOSK"


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """Where the site's revocation lists will be."""
    return tmp_path / "lists.pem"


@pytest.fixture
def lost(site: Site) -> Holder:
    """Somebody whose certificate the site's authority has taken back."""
    return site.authority.issue("lost")


def looking(tls: Tls, lists: Path) -> Tls:
    return replace(tls, crl=str(lists))


def test_a_peer_is_believed_while_no_list_names_it(site: Site, lost: Holder, lists: Path) -> None:
    lists.write_bytes(revoke(site.authority, lost))
    options = ("+tls", str(site.archive.key), str(site.archive.certificate), "+cf", str(site.authority.file))
    with run_storescp(*options, tls=looking(site.tls, lists)) as server:
        assert echo(server.peer, Event()).seconds < 5


def test_a_peer_whose_certificate_was_taken_back_is_refused_in_words(site: Site, lost: Holder, lists: Path) -> None:
    lists.write_bytes(revoke(site.authority, lost))
    with tls_server(site, lost) as peer:
        assert echo(peer, Event()).seconds < 5, "without a list nobody knows"
        with pytest.raises(PeerUntrusted, match=r"Archive \(SECURE\): its certificate has been revoked\."):
            echo(replace(peer, tls=looking(site.tls, lists)), Event())


def test_a_list_that_is_replaced_holds_from_then_on(site: Site, lost: Holder, lists: Path) -> None:
    lists.write_bytes(revoke(site.authority))
    with tls_server(site, lost) as peer:
        peer = replace(peer, tls=looking(site.tls, lists))
        assert echo(peer, Event()).seconds < 5
        lists.write_bytes(revoke(site.authority, lost))
        with pytest.raises(PeerUntrusted, match="has been revoked"):
            echo(peer, Event())


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda site: revoke(site.authority, until=-HOUR), "authority has expired"),
        (lambda site: revoke(site.authority, since=HOUR), "authority is not valid yet"),
        (lambda site: revoke(site.other), "there is no revocation list of its certificate's authority here"),
    ],
    ids=["expired", "early", "of-another"],
)
def test_a_peer_is_not_believed_without_a_current_list_of_its_authority(
    made: Callable[[Site], bytes], words: str, site: Site, lists: Path
) -> None:
    lists.write_bytes(made(site))
    with tls_server(site, site.archive) as peer, pytest.raises(PeerUntrusted, match=words):
        echo(replace(peer, tls=looking(site.tls, lists)), Event())


def test_a_forged_list_is_not_believed(site: Site, lists: Path) -> None:
    forger = replace(site.other, certificate=site.authority.certificate)
    lists.write_bytes(revoke(forger))
    with tls_server(site, site.archive) as peer, pytest.raises(PeerUntrusted, match="is not signed by that"):
        echo(replace(peer, tls=looking(site.tls, lists)), Event())


def test_every_authority_of_the_chain_is_looked_up(site: Site, lists: Path, tmp_path: Path) -> None:
    deputy = make_deputy(site.authority, tmp_path / "deputy", "deputy")
    holder = with_chain(deputy.issue("branch"), deputy)
    itself = Holder(deputy.file, deputy.file)
    with tls_server(site, holder) as peer:
        peer = replace(peer, tls=looking(site.tls, lists))
        lists.write_bytes(revoke(site.authority))
        with pytest.raises(PeerUntrusted, match="there is no revocation list of its certificate's authority here"):
            echo(peer, Event())
        lists.write_bytes(revoke(site.authority) + revoke(deputy))
        assert echo(peer, Event()).seconds < 5
        lists.write_bytes(revoke(site.authority, itself) + revoke(deputy))
        with pytest.raises(PeerUntrusted, match="has been revoked"):
            echo(peer, Event())


def test_a_caller_whose_certificate_was_taken_back_is_not_served(site: Site, lost: Holder, lists: Path) -> None:
    lists.write_bytes(revoke(site.authority, lost))
    caller = replace(local_peer("Archive", "PACS", 104), tls=looking(site.authority.tls(site.kiosk), lists))
    listener = Listener(Receiving(KIOSK, free_port(), "127.0.0.1", callers=(caller,)))
    listener.open()
    try:
        ours = Peer("Kiosk", KIOSK, "127.0.0.1", listener.port, "PACS", timeout=30)
        assert echo(replace(ours, tls=site.authority.tls(site.archive)), Event()).seconds < 5
        with pytest.raises(PeerUntrusted, match="it says that our certificate has been revoked"):
            echo(replace(ours, tls=site.authority.tls(lost)), Event())
        lists.write_bytes(revoke(site.authority, until=-HOUR))
        with pytest.raises(PeerUntrusted):
            echo(replace(ours, tls=site.authority.tls(site.archive)), Event())
    finally:
        listener.close()


def test_a_file_that_is_no_list_is_not_used(site: Site, lists: Path) -> None:
    with tls_server(site, site.archive) as peer:
        peer = replace(peer, tls=looking(site.tls, lists))
        for content, words in (
            (None, "cannot be read"),
            (b"-----BEGIN NOTHING-----", "is not a file of revocation lists"),
            (revoke(site.authority, encoding=Encoding.DER), "is not a file of revocation lists"),
            (site.other.file.read_bytes(), "revocation lists and nothing else"),
            (revoke(site.authority) + site.other.file.read_bytes(), "revocation lists and nothing else"),
        ):
            if content is not None:
                lists.write_bytes(content)
            with pytest.raises(ImagingError, match=words):
                echo(peer, Event())


def test_a_list_is_complained_of_before_anything_starts(site: Site, lists: Path) -> None:
    now = datetime.now(UTC)
    assert complaint(lists, now) == f"{lists} cannot be read: No such file or directory."
    good = revoke(site.authority)
    cases = {
        "": good,
        "is not a file of revocation lists in PEM and nothing else.": good + site.authority.file.read_bytes(),
        "holds a revocation list that cannot be read.": good[:64] + b"AAAA" + good[64:],
        "holds a revocation list that has expired on": good + revoke(site.authority, until=-HOUR),
        "holds a revocation list that is not valid before": revoke(site.other, since=HOUR),
    }
    for words, content in cases.items():
        lists.write_bytes(content)
        said = complaint(lists, now)
        assert words in said
        assert bool(said) is bool(words)
