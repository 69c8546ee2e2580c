"""RELP as it is spoken, and what is no RELP: a server of a few lines that says what the test wants."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.audit.forward import Kind, Sink, SinkError
from kiosk.audit.forward.relp import WINDOW, RelpChannel
from kiosk.audit.forward.tls import secure
from tests.kiosk.audit.forward.authority import SERVER, Authority
from tests.kiosk.audit.forward.receivers import PATIENCE

FRAME = re.compile(rb"(\d+) ([a-z]+) (\d+)([ \n])")
Talk = Callable[[ssl.SSLSocket], None]


def read_frame(connection: ssl.SSLSocket) -> tuple[int, bytes, bytes]:
    """The next frame, octet by octet."""
    head = b""
    while not (found := FRAME.fullmatch(head)):
        octet = connection.recv(1)
        if not octet:
            raise ConnectionResetError
        head += octet
    data, size = b"", int(found[3])
    while size and len(data) < size + 1:
        data += connection.recv(size + 1 - len(data))
    return int(found[1]), found[2], data[:-1]


def answer(connection: ssl.SSLSocket, number: int, data: bytes = b"200 OK") -> None:
    """An answer to a command."""
    connection.sendall(b"%d rsp %d%b%b\n" % (number, len(data), b" " if data else b"", data))


def greet(connection: ssl.SSLSocket) -> None:
    """The opening."""
    number, command, data = read_frame(connection)
    assert (number, command) == (1, b"open")
    assert data.split(b"\n")[0] == b"relp_version=0"
    assert b"commands=syslog" in data.split(b"\n")
    answer(connection, number, b"200 OK\nrelp_version=0\nrelp_software=test\ncommands=syslog")


@contextmanager
def talking(folder: Path, talk: Talk) -> Iterator[Sink]:
    """A server that talks to one client; what it finds wrong fails the test."""
    authority = Authority(folder)
    certificate, key = authority.issue(SERVER)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            accepted, _ = listener.accept()
            with context.wrap_socket(accepted, server_side=True) as connection:
                connection.settimeout(PATIENCE)
                talk(connection)
        except (ConnectionError, ssl.SSLEOFError):
            pass  # the client has hung up on what it was told
        except AssertionError as error:
            failures.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        yield Sink("ARR", Kind.RELP, "127.0.0.1", port, credentials=authority.credentials(), timeout=PATIENCE)
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert not failures, failures


def test_acknowledgements_count_in_order_whatever_order_they_come_in(tmp_path: Path) -> None:
    turn = threading.Semaphore(0)

    def talk(connection: ssl.SSLSocket) -> None:
        greet(connection)
        numbers = [read_frame(connection)[0] for _ in range(4)]
        for number in (numbers[2], numbers[1], numbers[0], numbers[3]):
            assert turn.acquire(timeout=PATIENCE)
            answer(connection, number)
        number, command, _ = read_frame(connection)
        assert command == b"close"
        answer(connection, number, b"")
        connection.sendall(b"0 serverclose 0\n")

    with talking(tmp_path, talk) as sink:
        channel = RelpChannel.open(sink)
        channel.send([b"one", b"two", b"three", b"four"])
        confirmed = []
        for _ in range(3):
            turn.release()
            channel.attend(PATIENCE)
            confirmed.append(channel.confirmed)
        assert confirmed == [0, 0, 3]
        turn.release()
        channel.close()
        assert channel.confirmed == 4


def test_no_more_than_a_window_is_sent_unanswered(tmp_path: Path) -> None:
    def talk(connection: ssl.SSLSocket) -> None:
        greet(connection)
        for _ in range(3):
            numbers = [read_frame(connection)[0] for _ in range(WINDOW)]
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                read_frame(connection)
            connection.settimeout(PATIENCE)
            for number in numbers:
                answer(connection, number)

    with talking(tmp_path, talk) as sink:
        channel = RelpChannel.open(sink)
        channel.send([b"x" * 100_000] + [b"x"] * (3 * WINDOW - 1))
        while channel.confirmed < 3 * WINDOW:
            channel.attend(1)
        channel.abort()


def test_answers_are_understood_octet_by_octet(tmp_path: Path) -> None:
    def talk(connection: ssl.SSLSocket) -> None:
        greet(connection)
        number = read_frame(connection)[0]
        for octet in b"%d rsp 6 200 OK\n" % number:
            connection.sendall(bytes([octet]))

    with talking(tmp_path, talk) as sink:
        channel = RelpChannel.open(sink)
        channel.send([b"one"])
        while not channel.confirmed:
            channel.attend(1)
        channel.abort()


def say(text: bytes) -> Talk:
    """Answers a message with that."""

    def talk(connection: ssl.SSLSocket) -> None:
        greet(connection)
        number = read_frame(connection)[0]
        connection.sendall(text.replace(b"N", b"%d" % number))
        read_frame(connection)

    return talk


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (b"N rsp 13 500 disk full\n", "refuses a message: 500 disk full"),
        (b"0 serverclose 0\n", "closed the connection"),
        (b"99 rsp 6 200 OK\n", "does not speak RELP"),
        (b"N rsp 3 200 OK\n", "does not speak RELP"),
        (b"N syslog 6 200 OK\n", "does not speak RELP"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: something else\r\nContent-Length: 0\r\n\r\n", "does not speak RELP"),
        (b"N rsp 99999999999 200 OK\n" + b" " * 80, "does not speak RELP"),
    ],
)
def test_what_is_no_acknowledgement_is_none(said: bytes, sentence: str, tmp_path: Path) -> None:
    with talking(tmp_path, say(said)) as sink:
        channel = RelpChannel.open(sink)

        def use() -> None:
            channel.send([b"one"])
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                channel.attend(1)

        with pytest.raises(SinkError, match=sentence):
            use()
        assert channel.confirmed == 0
        channel.abort()


def test_a_server_that_takes_no_syslog_is_not_used(tmp_path: Path) -> None:
    def talk(connection: ssl.SSLSocket) -> None:
        number, _, _ = read_frame(connection)
        answer(connection, number, b"200 OK\nrelp_version=0\ncommands=eventlog")
        read_frame(connection)

    with talking(tmp_path, talk) as sink, pytest.raises(SinkError, match="takes no syslog"):
        RelpChannel.open(sink)


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    def talk(connection: ssl.SSLSocket) -> None:
        while True:
            read_frame(connection)

    with talking(tmp_path, talk) as sink:
        channel = RelpChannel(replace(sink, timeout=1.0), secure(sink))
        channel.send([b"one"])
        with pytest.raises(SinkError, match="does not acknowledge"):
            channel.close()
        channel.abort()
