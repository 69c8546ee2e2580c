"""The client: what it was told is recorded is recorded once, whatever happens to daemon, socket or answer."""

import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit import TrailClient, verify
from kiosk.errors import TrailError
from tests.kiosk.audit.daemons import client_of, daemon_at, short_folder, socket_in, until
from tests.kiosk.audit.samples import event, trail_in


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


class Loser:
    """Stands between client and daemon and loses answers: it hangs up as soon as the daemon has answered."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "loser"
        self._daemon = socket_in(folder)
        self.to_lose = 0
        self.lost = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far:
            far.connect(str(self._daemon))
            while request := near.recv(1 << 20):
                far.sendall(request)
                answer = far.recv(1 << 20)
                if b"sequence" in answer and self.lost < self.to_lose:
                    self.lost += 1
                    return
                near.sendall(answer)


@contextmanager
def losing(folder: Path) -> Iterator[tuple[Loser, TrailClient]]:
    with closing(Loser(folder)) as loser, TrailClient(loser.path, 30) as client:
        yield loser, client


def test_an_append_whose_answer_was_lost_is_recorded_once(folder: Path) -> None:
    with daemon_at(folder), losing(folder) as (loser, client):
        client.append(event(1))
        loser.to_lose = 3
        receipt = client.append(event(2))
        assert loser.lost == 3
        assert receipt.sequence == 2
        assert client.append(event(3)).sequence == 3
        assert [record.entry for record in client.read()] == [event(1), event(2), event(3)]


def test_a_daemon_that_is_started_anew_is_found_again(folder: Path) -> None:
    client = client_of(folder)
    with daemon_at(folder):
        client.open()
        client.append(event(1))
    with daemon_at(folder):
        assert client.append(event(2)).sequence == 2
        client.close()


def test_a_daemon_that_is_gone_stops_the_client_until_it_is_back(folder: Path) -> None:
    client = client_of(folder)
    with daemon_at(folder):
        client.open()
        client.append(event(1))
    client._seconds, patience = 0.3, client._seconds
    for attempt in (lambda: client.append(event(2)), client.check, client.reopen, lambda: client.append(event(2))):
        with pytest.raises(TrailError, match="daemon does not answer"):
            attempt()
    with daemon_at(folder):
        with pytest.raises(TrailError, match="daemon does not answer"):
            client.append(event(2))  # not before somebody says so
        client._seconds = patience
        client.reopen()
        assert client.append(event(2)).sequence == 2
        client.close()


def test_a_daemon_that_does_not_answer_is_given_up_in_time(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_in(folder)))
        listener.listen()
        started = time.monotonic()
        with pytest.raises(TrailError, match="does not answer"):
            client_of(folder, seconds=0.3).open()
        assert time.monotonic() - started < 20


def test_what_answers_and_is_no_daemon_is_refused(folder: Path) -> None:
    def answer(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(b'\x00\x00\x00\x0b{"ok":"no"}')

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_in(folder)))
        listener.listen()
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        with pytest.raises(TrailError, match="does not answer"):
            client_of(folder, seconds=0.3).open()
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [("older", "came back without record 2, which it had written"), ("anew", "came back with another trail")],
)
def test_a_daemon_that_comes_back_with_less_than_it_had_is_refused(folder: Path, other: str, sentence: str) -> None:
    client = client_of(folder)
    with daemon_at(folder):
        client.open()
        client.append(event(1))
    shutil.copytree(folder / "audit", folder / "older")
    with daemon_at(folder):
        client.append(event(2))
    with trail_in(folder / "other") as trail:
        trail.append(event(1))
    shutil.rmtree(folder / "audit")
    shutil.move(folder / "older" if other == "older" else folder / "other" / "audit", folder / "audit")
    with daemon_at(folder):
        for attempt in (lambda: client.append(event(3)), client.reopen):
            with pytest.raises(TrailError, match=sentence):
                attempt()
        client.close()


def test_a_client_that_is_not_open_does_nothing(folder: Path) -> None:
    client = client_of(folder)
    for use in (lambda: client.append(event()), client.head, lambda: list(client.read()), client.open_intents):
        with pytest.raises(TrailError, match="not open"):
            use()
    with pytest.raises(TrailError, match="not open"):
        _ = client.identity


def test_a_failure_of_the_daemons_trail_is_the_clients(folder: Path) -> None:
    with daemon_at(folder), client_of(folder) as client:
        client.append(event(1))
        file = folder / "audit" / "trail.sqlite"
        with closing(sqlite3.connect(file, isolation_level=None)) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            with pytest.raises(TrailError, match="cannot be written: database is locked"):
                client.append(event(2))
            with pytest.raises(TrailError, match="database is locked"):
                client.append(event(2))
            stranger.execute("ROLLBACK")

        def back() -> bool:
            try:
                client.reopen()
            except TrailError:
                return False
            return True

        until(back)
        client.append(event(3))
    assert verify(folder / "audit" / "trail.sqlite").whole


def test_an_entry_that_is_too_large_is_refused_and_harms_nothing(folder: Path) -> None:
    with daemon_at(folder), client_of(folder) as client:
        for size in (1_100_000, 1_048_300):
            with pytest.raises(TrailError, match="too large"):
                client.append(replace(event(1), summary="x" * size))
        large = replace(event(2), summary='"' * 500_000)
        assert client.append(large).sequence == 1
        assert [record.entry for record in client.read()] == [large]
        client.append(event(3))
        assert [record.sequence for record in client.page(1)] == [1]
        assert [record.sequence for record in client.read()] == [1, 2]
