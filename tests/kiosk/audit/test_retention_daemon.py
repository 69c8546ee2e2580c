"""Sealing and deleting behind the daemon's socket: the daemon decides what may go, whoever asks."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.audit import (
    AuditDaemon,
    Counter,
    KeeperRules,
    Month,
    Retention,
    RetentionRules,
    Trail,
    TrailClient,
    frames,
    verify_segment,
    verify_stored,
)
from kiosk.audit.attendant import Attendant
from kiosk.errors import TrailError
from tests.kiosk.audit.archives import Archive
from tests.kiosk.audit.daemons import short_folder, socket_in
from tests.kiosk.audit.samples import SOURCE, event

DEADLINE = 60.0
SECONDS = 30.0


@pytest.fixture
def archive() -> Iterator[Archive]:
    """A closed archive in a folder for sockets."""
    with short_folder() as folder:
        made = Archive(folder)
        made.trail.close()
        yield made


def daemon(archive: Archive, retention: Retention | None) -> AuditDaemon:
    counter = Counter(socket_in(archive.folder), frozenset((os.getuid(),)))
    return AuditDaemon(archive.trail, counter, time.monotonic, KeeperRules(tick_seconds=0.05), None, retention)


def test_the_daemon_seals_by_itself_and_deletes_when_it_is_asked_to(archive: Archive) -> None:
    with daemon(archive, archive.retention), TrailClient(socket_in(archive.folder)) as client:
        end = time.monotonic() + DEADLINE
        while len(client.segments()) < 4 and time.monotonic() < end:
            time.sleep(0.02)
        sealed = client.segments()
        assert [str(segment.month) for segment in sealed] == ["2026-01", "2026-02", "2026-03", "2026-04"]
        assert client.seal(Month(2026, 3)) == ()
        assert client.page(1, 1)[0].sequence == 1
        archive.sink.place = 24
        pruned = client.prune()
        assert [str(segment.month) for segment in pruned.segments] == ["2026-01"]
        assert pruned.kept.startswith("2026-02 stays: ARR has records up to 24 only")
        assert client.beginning() == sealed[0].last
        assert client.page(1, 1)[0].sequence == 13
        assert client.page(13, 1)[0].previous_hash == sealed[0].last.hash
        assert client.page(14, 1)[0].sequence == 14
        assert next(client.read()).sequence == 13
        client.append(event())
        found = verify_stored(client, archive.evidence)
        assert found.whole, found.sentence
    assert verify_segment(archive.retention.path(sealed[0])).whole


def test_a_daemon_without_a_rule_deletes_nothing(archive: Archive) -> None:
    rules = RetentionRules(archive.folder / "segments")
    keeping = Retention(archive.trail, rules, archive.clock)
    with daemon(archive, keeping), TrailClient(socket_in(archive.folder)) as client:
        with pytest.raises(TrailError, match="keep_months is 0"):
            client.prune()
        client.append(event())
    with daemon(archive, None), TrailClient(socket_in(archive.folder)) as client:
        for ask in (client.prune, client.seal):
            with pytest.raises(TrailError, match="seals and deletes nothing"):
                ask()
        client.append(event())


@pytest.mark.parametrize("verb", ["seal", "prune"])
def test_who_may_only_read_may_neither_seal_nor_delete(archive: Archive, verb: str) -> None:
    archive.trail.open()
    ours, theirs = socket.socketpair()
    attendant = Attendant(theirs, archive.trail, frozenset, may_write=False, retention=archive.retention)
    thread = threading.Thread(target=attendant.serve, daemon=True)
    thread.start()
    with ours:
        frames.send(ours, frames.encode({"verb": verb}, frames.LARGEST_REQUEST), SECONDS)
        answer = frames.receive(ours, frames.LARGEST_ANSWER, SECONDS, SECONDS)
        assert answer is not None
        assert answer.text("kind") == "refused"
    thread.join(SECONDS)
    assert archive.retention.segments() == ()
    archive.trail.close()


def test_a_client_does_not_believe_a_boundary_that_the_key_did_not_sign(archive: Archive) -> None:
    archive.trail.open()
    archive.retention.seal()
    archive.retention.prune()
    boundary = archive.trail.boundary()
    archive.trail.close()
    assert boundary is not None

    class Lying(Trail):
        """Says that more was deleted."""

        def boundary(self) -> None:
            """A boundary without its signature."""
            return boundary.signed(bytes(64))  # type: ignore[return-value, union-attr]  # what a liar gives

    liar = Lying(Path(archive.trail.path), "kiosk-7", SOURCE, archive.clock, 0)
    counter = Counter(socket_in(archive.folder), frozenset((os.getuid(),)))
    with AuditDaemon(liar, counter, time.monotonic), TrailClient(socket_in(archive.folder)) as client:
        with pytest.raises(TrailError, match="does not carry the trail's signature"):
            client.page(1)
        assert not verify_stored(client).whole
