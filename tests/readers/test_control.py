import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from readers import control
from readers.errors import ReaderError, ReaderSpecError, ReaderUnavailable
from readers.reader import CardPresented, CardRemoved
from readers.simulated import SimulatedReader
from readers.virtual.deck import Deck, DeckCard
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID

PATIENCE = 60.0


@pytest.fixture
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ctl") as made:
        yield Path(made)


@pytest.fixture
def reader() -> SimulatedReader:
    made = SimulatedReader(Deck([DeckCard("badge", "A badge", UidCard(FIXED_UID))]))
    made.open()
    made.wait(0.0)
    return made


@pytest.fixture
def server(room: Path, reader: SimulatedReader) -> Iterator[control.ControlServer]:
    with control.ControlServer(room / "inner" / "reader.sock", reader) as running:
        yield running


def ask(path: Path, raw: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        connection.sendall(raw)
        answer = b""
        while not answer.endswith(b"\n"):
            part = connection.recv(4096)
            if not part:
                return answer
            answer += part
        return answer


def test_a_tap_from_outside_lays_the_card_on_and_takes_it_away(
    server: control.ControlServer, reader: SimulatedReader
) -> None:
    control.tap(server.path, "badge", seconds=0.05)
    told = [*reader.wait(PATIENCE)]
    presented, removed = told if len(told) == 2 else [*told, *reader.wait(PATIENCE)]
    assert isinstance(presented, CardPresented)
    assert isinstance(removed, CardRemoved)


def test_a_card_can_be_taken_away_from_outside(server: control.ControlServer, reader: SimulatedReader) -> None:
    reader.insert("badge")
    control.remove(server.path)
    assert isinstance(reader.wait(0.0)[-1], CardRemoved)


def test_the_cards_of_the_deck_are_listed(server: control.ControlServer) -> None:
    assert control.cards(server.path) == (("badge", "A badge"),)


def test_an_unknown_card_is_refused_in_words(server: control.ControlServer) -> None:
    with pytest.raises(ReaderError, match="There are: badge"):
        control.tap(server.path, "nobody")


def test_the_socket_and_its_directory_are_the_owners_alone(server: control.ControlServer) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.path.parent.stat().st_mode) == 0o700


def test_a_directory_that_others_may_enter_is_refused_and_left_as_it_is(room: Path, reader: SimulatedReader) -> None:
    shared = room / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    with pytest.raises(ReaderSpecError, match="chmod 700"):
        control.ControlServer(shared / "reader.sock", reader).start()
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    (room / "link").symlink_to(room)
    with pytest.raises(ReaderSpecError):
        control.ControlServer(room / "link" / "reader.sock", reader).start()


def test_a_running_reader_keeps_its_socket(server: control.ControlServer, reader: SimulatedReader) -> None:
    with pytest.raises(ReaderUnavailable, match="Another"):
        control.ControlServer(server.path, reader).start()
    assert control.cards(server.path) == (("badge", "A badge"),)


def test_a_socket_left_by_a_dead_process_is_replaced(room: Path, reader: SimulatedReader) -> None:
    path = room / "reader.sock"
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(path))
    left.close()
    with control.ControlServer(path, reader):
        assert control.cards(path) == (("badge", "A badge"),)
    assert not path.exists()


def test_a_file_in_the_way_is_not_touched(room: Path, reader: SimulatedReader) -> None:
    path = room / "reader.sock"
    path.write_text("precious")
    with pytest.raises(ReaderSpecError, match="in the way"):
        control.ControlServer(path, reader).start()
    assert path.read_text() == "precious"


def test_a_path_too_long_for_a_socket_is_refused(room: Path, reader: SimulatedReader) -> None:
    with pytest.raises(ReaderSpecError, match="cannot be made"):
        control.ControlServer(room / ("x" * 120) / "reader.sock", reader).start()


@pytest.mark.parametrize(
    "request_line",
    [
        b"\n",
        b"tap badge\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'{"tap": 5}\n',
        b'{"tap": "badge", "seconds": "long"}\n',
        b'{"tap": "badge", "seconds": true}\n',
        b'{"tap": "badge", "seconds": -1}\n',
        b'{"tap": "badge", "seconds": NaN}\n',
        b'{"tap": "badge", "seconds": 1e9}\n',
        b'{"tap": "badge", "then": "more"}\n',
        b'{"remove": 1}\n',
        b'{"remove": true, "cards": true}\n',
        b'{"open": "door"}\n',
        b"[" * 4000 + b"\n",
    ],
)
def test_anything_but_a_request_is_refused_and_lays_no_card(
    server: control.ControlServer, reader: SimulatedReader, request_line: bytes
) -> None:
    reply = json.loads(ask(server.path, request_line))
    assert reply["ok"] is False
    assert isinstance(reply["error"], str)
    assert reader.wait(0.0) == []


def test_an_endless_line_is_cut_off_and_the_next_client_served(server: control.ControlServer) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(server.path))
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            connection.sendall(b"x" * 16_000_000)
    assert control.cards(server.path)


def test_a_silent_or_dripping_client_does_not_hold_the_door(
    server: control.ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "CONNECTION_SECONDS", 0.3)
    stop = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(server.path))

        def drip() -> None:
            while not stop.wait(0.05):
                try:
                    connection.send(b" ")
                except OSError:
                    return

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        assert control.cards(server.path, timeout=PATIENCE)
        stop.set()
        dripping.join(PATIENCE)


def test_without_a_running_reader_the_client_says_so(room: Path) -> None:
    with pytest.raises(ReaderUnavailable, match="No simulated reader"):
        control.tap(room / "reader.sock", "badge")


def test_only_this_user_and_root_are_allowed() -> None:
    assert control.is_allowed(os.getuid())
    assert control.is_allowed(0)
    assert not control.is_allowed(os.getuid() + 1)


def test_the_kernel_is_asked_who_the_peer_is() -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with here, there:
        assert control.peer_user(here) == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_turned_away_even_where_the_modes_would_let_it_in(
    server: control.ControlServer, room: Path, reader: SimulatedReader
) -> None:
    for opened in (room, server.path.parent):
        opened.chmod(0o755)
    server.path.chmod(0o666)
    client = (
        "import os,socket,sys; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "s=socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1]);"
        's.sendall(b\'{"tap": "badge"}\\n\'); print(s.recv(4096).decode())'
    )
    answered = subprocess.run(
        [sys.executable, "-I", "-c", client, str(server.path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Another user" in answered.stdout, answered.stderr
    assert reader.wait(0.0) == []


def test_the_usual_place_is_in_the_users_runtime_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert control.default_path() == Path(f"/run/user/7/imaging-kiosk-{os.getuid()}/reader.sock")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert control.default_path().name == "reader.sock"


def test_a_reader_that_is_too_busy_to_answer_is_not_called_absent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(tmp_path / "reader.sock"))
        busy.listen()
        with pytest.raises(ReaderUnavailable, match="does not answer"):
            control.tap(tmp_path / "reader.sock", "badge", timeout=0.2)
