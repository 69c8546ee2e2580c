"""The daemon: only its verbs, only its users, and nobody can keep another from being served."""

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.audit import KeeperRules, Notify, Occasion, Trail, TrailClient, attendant, verify, verify_stored
from kiosk.audit.canonical import entry_fields
from kiosk.errors import TrailError
from tests.kiosk.audit.daemons import answer, client_of, daemon_at, frame, raw, short_folder, socket_in, until
from tests.kiosk.audit.samples import event, intent, outcome, trail_in

HELLO: dict[str, object] = {"verb": "hello", "version": 1, "writer": 1 << 30}


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def served(folder: Path) -> Iterator[Path]:
    with daemon_at(folder):
        yield folder


@pytest.fixture
def client(served: Path) -> Iterator[TrailClient]:
    with client_of(served) as client:
        yield client


def test_a_client_writes_and_reads_like_a_trail_of_its_own(served: Path, client: TrailClient) -> None:
    receipts = [client.append(entry) for entry in (event(1), intent("a"), outcome("a"))]
    assert [receipt.sequence for receipt in receipts] == [1, 2, 3]
    assert client.head().hash == receipts[-1].hash
    records = list(client.read())
    assert [record.entry for record in records] == [event(1), intent("a"), outcome("a")]
    assert [record.previous_hash for record in records[1:]] == [receipt.hash for receipt in receipts[:2]]
    assert list(client.read(2, 2)) == records[1:2]
    assert client.page(3, 10) == (records[2],)
    assert client.page(4) == ()
    assert client.open_intents() == ()
    checkpoint = client.checkpoint(Occasion.BUSY)
    assert checkpoint.head == client.head()
    assert list(client.checkpoints())[-1] == checkpoint
    status = client.status()
    assert (status.failure, status.checkpoint, status.unsealed) == ("", checkpoint, 0)
    assert client.uri == (served / "audit" / "trail.sqlite").as_uri()
    client.check()
    with Trail.read_only(served / "audit" / "trail.sqlite") as file:
        assert list(file.read()) == records
        assert file.identity == client.identity


def test_a_long_trail_is_read_in_pages_and_verified_over_the_socket(served: Path, client: TrailClient) -> None:
    for number in range(600):
        client.append(event(number))
    assert [record.sequence for record in client.read(250, 590)] == list(range(250, 591))
    found = verify_stored(client)
    assert (found.whole, found.records) == (True, 600)
    assert found.checkpoints >= 2
    assert found.head == client.head()


def test_the_first_checkpoint_is_made_at_the_start_and_the_last_at_the_end(folder: Path) -> None:
    with daemon_at(folder) as daemon, client_of(folder) as client:
        until(lambda: client.status().checkpoint is not None)
        client.append(event(1))
        del daemon
    with Trail.read_only(folder / "audit" / "trail.sqlite") as trail:
        made = [(checkpoint.occasion, checkpoint.sequence) for checkpoint in trail.checkpoints()]
    assert made == [(Occasion.START, 0), (Occasion.STOP, 1)]
    assert not socket_in(folder).exists()


def test_a_busy_trail_is_sealed_without_being_asked(folder: Path) -> None:
    rules = KeeperRules(busy_seconds=0.1, heartbeat_seconds=0.4, tick_seconds=0.02)
    with daemon_at(folder, rules=rules), client_of(folder) as client:
        client.append(event(1))

        def occasions() -> set[Occasion]:
            return {checkpoint.occasion for checkpoint in client.checkpoints()}

        until(lambda: occasions() >= {Occasion.START, Occasion.BUSY, Occasion.IDLE})


def test_an_entry_that_was_sent_twice_is_recorded_once(served: Path, client: TrailClient) -> None:
    nonce = os.urandom(16)
    first = client.append(event(1), nonce)
    assert client.append(event(1), nonce) == first
    with client_of(served) as other:
        assert other.append(event(1), nonce) == first
    assert client.append(event(1), os.urandom(16)).sequence == 2


def test_intents_of_a_client_that_lives_are_left_open_and_of_one_that_is_gone_are_not(served: Path) -> None:
    with client_of(served) as kiosk, client_of(served) as command:
        command.append(intent("a"))
        kiosk.append(intent("b"))
        assert [record.entry.act_id for record in kiosk.open_intents()] == ["b"]
        assert [record.entry.act_id for record in command.open_intents()] == ["a"]
        command.close()
        until(lambda: [record.entry.act_id for record in kiosk.open_intents()] == ["a", "b"])


def test_the_socket_is_for_user_and_group(served: Path) -> None:
    assert stat.S_IMODE(socket_in(served).stat().st_mode) == 0o660


def test_a_user_who_is_not_listed_is_turned_away(folder: Path) -> None:
    with daemon_at(folder, writers=frozenset((os.getuid() + 1,))):
        with raw(folder) as connection:
            assert json.loads(answer(connection))["kind"] == "refused"
            assert answer(connection) == b""
        with pytest.raises(TrailError, match="This user may not use the audit trail"):
            client_of(folder).open()


def test_a_reader_reads_and_writes_nothing(folder: Path) -> None:
    with daemon_at(folder, writers=frozenset(), readers=frozenset((os.getuid(),))), client_of(folder) as client:
        assert list(client.read()) == []
        for attempt in (lambda: client.append(event(1)), lambda: client.checkpoint(Occasion.BUSY)):
            with pytest.raises(TrailError, match="may read the audit trail, not write to it"):
                attempt()
        assert client.head().sequence == 0


@pytest.mark.parametrize(
    "octets",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x03{\xff}",
        frame({}),
        frame({"verb": "delete"}),
        frame({"verb": ["append"]}),
        frame({"verb": "append"}),
        frame({"verb": "append", "nonce": "00" * 16, "entry": {}}),
        frame({"verb": "append", "nonce": "00", "entry": entry_fields(event(1))}),
        frame({"verb": "append", "nonce": "00" * 16, "entry": entry_fields(event(1)) | {"more": 1}}),
        frame({"verb": "read", "first": -1, "limit": 1}),
        frame({"verb": "read", "first": 10**30, "limit": 1}),
        frame({"verb": "read", "first": 1, "limit": 10**6}),
        frame({"verb": "hello", "version": 2, "writer": 1 << 30}),
        frame({"verb": "hello", "version": 1, "writer": 1}),
        frame({"verb": "checkpoint", "occasion": "never"}),
        b"\x00\x0f\xff\xff" + b"[" * 0xFFFFF,
    ],
)
def test_what_is_no_request_ends_its_connection_and_nothing_else(served: Path, octets: bytes) -> None:
    with client_of(served) as client, raw(served) as connection:
        connection.sendall(octets)
        said = json.loads(answer(connection))
        assert said["kind"] == "malformed"
        assert answer(connection) == b""
        assert client.append(event(1)).sequence == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=8), max_size=4).map(
                frame
            ),
            st.sampled_from([frame(HELLO), frame({"verb": "head"}), frame({"verb": "append"})]),
        ),
        max_size=4,
    )
)
def test_no_octets_at_all_stop_the_daemon(served: Path, pieces: list[bytes]) -> None:
    with raw(served) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except OSError:
            pass  # it hung up before we were done
    with client_of(served) as client:
        assert client.head().sequence == 0


def test_clients_that_dawdle_keep_nobody_waiting(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendant, "SECONDS", 100.0)
    with ExitStack() as stack:
        client = stack.enter_context(client_of(served))
        for number in range(256):
            client.append(event(number))
        halves = [stack.enter_context(raw(served)) for _ in range(8)]
        for connection in halves:
            connection.sendall(frame(HELLO)[:7])  # and never the rest
        deaf = stack.enter_context(raw(served))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        asked = frame({"verb": "read", "first": 1, "limit": 256})
        deaf.setblocking(False)
        try:
            while deaf.send(asked * 20):  # and takes no answer
                pass
        except BlockingIOError:
            pass
        for number in range(20):
            client.append(event(number))
        for connection in halves:
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):  # the daemon has given up none of them yet
                connection.recv(1)


def test_a_client_that_dawdles_is_given_up(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendant, "SECONDS", 0.2)
    with raw(served) as connection:
        connection.sendall(frame(HELLO)[:7])
        assert answer(connection) == b""


def test_more_clients_than_there_is_room_for_are_told_so(folder: Path) -> None:
    with daemon_at(folder, connections=2), client_of(folder) as first, client_of(folder):
        with raw(folder) as connection:
            assert b"too many at once" in answer(connection)
        with pytest.raises(TrailError, match="too many at once"):
            client_of(folder).open()
        assert first.append(event(1)).sequence == 1


def test_clients_that_write_at_once_make_one_chain(served: Path) -> None:
    faults: list[Exception] = []

    def write(worker: int) -> None:
        try:
            with client_of(served) as client:
                for number in range(20):
                    client.append(event(worker * 100 + number))
        except TrailError as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(worker,), daemon=True) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    with client_of(served) as client:
        assert verify_stored(client).records == 120


def test_a_second_daemon_does_not_take_the_socket_away(served: Path) -> None:
    with pytest.raises(TrailError, match=r"A daemon stands at .* already"):
        daemon_at(served).start()
    with client_of(served) as client:
        client.append(event(1))


def test_only_one_daemon_opens_a_trail(folder: Path) -> None:
    def alone() -> Trail:
        trail = trail_in(folder)
        trail._alone = True
        return trail

    with alone(), pytest.raises(TrailError, match="Another daemon holds this audit trail"):
        alone().open()


def test_a_trail_that_cannot_be_opened_is_served_with_the_reason_until_it_can(folder: Path) -> None:
    trail = trail_in(folder)
    with trail:
        trail.append(event(1))
    hidden = trail.path.with_name("hidden")
    key = trail.path.with_name("trail.sqlite.keys") / "mac.key"
    key.rename(hidden)
    with daemon_at(folder):
        client = client_of(folder)
        with pytest.raises(TrailError, match="MAC key of the audit trail cannot be read"):
            client.open()
        hidden.rename(key)
        until(lambda: opens(client))
        said = [record.entry.summary for record in client.read()]
        assert said[1].startswith("Audit recording goes on after: The MAC key")
        client.close()
    assert verify(trail.path).whole


def opens(client: TrailClient) -> bool:
    try:
        client.reopen()
    except TrailError:
        return False
    return True


def test_systemd_is_told_when_it_is_ready_alive_and_ending(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(60)
        notify = Notify({"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "3000000"})
        with daemon_at(folder, notify=notify):
            said = [manager.recv(100)]
            while not {b"READY=1", b"STATUS=recording", b"WATCHDOG=1"} <= set(said):
                said.append(manager.recv(100))
            assert said.count(b"READY=1") == 1
        seen = [manager.recv(100)]
        while seen[-1] != b"STOPPING=1":
            seen.append(manager.recv(100))


def test_where_no_systemd_listens_nothing_is_said(folder: Path) -> None:
    Notify({}).ready()
    Notify({"NOTIFY_SOCKET": str(folder / "nobody")}).ready()
