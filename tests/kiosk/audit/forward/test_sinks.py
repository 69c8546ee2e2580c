"""Files and datagrams, cursors, and several sinks beside each other."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.audit import ReadOnlyTrail
from kiosk.audit.forward import Forwarder, Header, Kind, Sink, SinkError
from kiosk.audit.forward.connect import connect
from kiosk.audit.forward.cursor import CursorFile, Standing
from kiosk.audit.forward.datagrams import LARGEST, DatagramChannel
from kiosk.audit.forward.file import FileChannel
from kiosk.audit.forward.stream import Position
from kiosk.clock import SystemClock
from kiosk.errors import TrailError
from tests.kiosk.audit.forward.authority import Authority
from tests.kiosk.audit.forward.kit import (
    PACE,
    SOURCE,
    append,
    await_arrival,
    await_fault,
    await_settled,
    delivering,
    expected,
    new_trail,
    sink_to,
    status,
)
from tests.kiosk.audit.forward.namespace import ROOT
from tests.kiosk.audit.forward.receivers import Rsyslog, await_that, first_of_each, free_port, read_messages
from tests.kiosk.audit.samples import outcome
from tests.kiosk.audit.test_two_users import GROUP, KIOSK, STRANGER, as_user

FORWARDER = 61004
TIME = datetime(2026, 11, 22, 20, 15, 3, tzinfo=UTC)


def file_sink(path: Path, name: str = "File") -> Sink:
    return Sink(name, Kind.FILE, path=path, header=Header("kiosk-7.test"))


def test_a_file_gets_a_line_a_message_and_may_be_renamed_away(tmp_path: Path) -> None:
    path, old = tmp_path / "audit.log", tmp_path / "audit.log.1"
    with new_trail(tmp_path) as trail:
        append(trail, 20)
        with delivering(file_sink(path), trail.path, tmp_path) as forwarder:
            await_settled(forwarder, trail.path)
            before = expected(trail.path)
            path.rename(old)
            append(trail, 10)
            await_settled(forwarder, trail.path)
        assert [one.mark for one in read_messages(old)] == before
        assert [one.mark for one in read_messages(old) + read_messages(path)] == expected(trail.path)
        assert path.stat().st_mode & 0o007 == 0


def test_a_line_that_a_power_cut_tore_harms_none_after_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"<85>1 2026 torn")
    channel = FileChannel.open(file_sink(path))
    channel.send([b"one", b"two"])
    assert (path.read_bytes(), channel.confirmed) == (b"<85>1 2026 torn\none\ntwo\n", 2)


def test_what_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    channel = FileChannel.open(file_sink(path))
    channel.send([b"one"])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(SinkError, match="cannot be written: File too large"):
            channel.send([b"x" * 40, b"y" * 40])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (path.read_bytes(), channel.confirmed) == (b"one\n", 1)
    with pytest.raises(SinkError, match="cannot be written: No such file"):
        FileChannel.open(file_sink(tmp_path / "nowhere" / "audit.log")).send([b"one"])


def test_datagrams_arrive_in_a_lab_and_what_is_too_large_is_said(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with new_trail(tmp_path) as trail, Rsyslog(tmp_path, authority, "udp") as receiver:
        for number in range(1, 13):  # fewer than a socket holds whose reader has no time
            trail.append(outcome(f"act-{number}"))
        with delivering(sink_to(receiver, authority), trail.path, tmp_path) as forwarder:
            await_arrival(receiver, trail.path)
            append(trail, 97)  # one of them is large
            sentence = await_fault(forwarder, lambda fault: "does not go into a datagram" in fault)
            assert sentence.endswith("Use relp, tls or tcp.")
            assert status(forwarder).waiting > 0


def test_a_datagram_that_nobody_takes_is_noticed() -> None:
    sink = Sink("Lab", Kind.UDP, "127.0.0.1", free_port(), timeout=2.0)
    channel = DatagramChannel.open(sink)
    channel.send([b"one"])
    with pytest.raises(SinkError, match="nobody listens"):
        channel.attend(10)
    with pytest.raises(SinkError, match="does not go into a datagram"):
        channel.send([b"x" * (LARGEST + 1)])
    channel.abort()
    nowhere = replace(sink, host="x" * 64)
    for open_one in (DatagramChannel.open, connect):
        with pytest.raises(SinkError, match=r"the name x{64} is not known"):
            open_one(nowhere)


def test_a_cursor_says_what_it_was_told_after_any_crash(tmp_path: Path) -> None:
    cursor = CursorFile(tmp_path, "ARR")
    assert cursor.read() == Standing()
    standing = Standing(b"\1" * 32, Position(17, b"\2" * 32, 3, 15), 19, TIME, "Audit sink ARR: no.", TIME)
    cursor.write(standing)
    assert cursor.read() == standing
    cursor.path.with_suffix(".new").write_bytes(b"half a cur")
    assert cursor.read() == standing
    cursor.write(Standing(b"\1" * 32))
    assert cursor.read() == Standing(b"\1" * 32)
    for damage in (b"", b"{}", b"half a cur", cursor.path.read_bytes().replace(b"kiosk-trail", b"kiosk-other")):
        cursor.path.write_bytes(damage)
        with pytest.raises(TrailError, match="is damaged"):
            cursor.read()


@pytest.mark.parametrize(("folder_mode", "mode"), [(0o2750, 0o640), (0o750, 0o640), (0o700, 0o600), (0o711, 0o600)])
def test_a_group_reads_a_cursor_where_it_reads_the_folder_whatever_the_umask(
    folder_mode: int, mode: int, tmp_path: Path
) -> None:
    tmp_path.chmod(folder_mode)
    cursor = CursorFile(tmp_path, "ARR")
    for umask in (0o077, 0o022, 0):
        before = os.umask(umask)
        try:
            cursor.write(Standing(b"\1" * 32, sent=umask))
        finally:
            os.umask(before)
        assert cursor.path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_status_is_read_by_another_user_of_the_folders_group_and_by_nobody_else() -> None:
    folder = Path(tempfile.mkdtemp(prefix="cursors-"))
    try:
        os.chown(folder, FORWARDER, GROUP)
        folder.chmod(0o2750)
        cursor, standing = CursorFile(folder, "ARR"), Standing(b"\1" * 32, sent=7)

        def deliver() -> None:
            os.umask(0o077)
            cursor.write(standing)

        def look() -> None:
            assert cursor.read() == standing

        def pry() -> None:
            with pytest.raises(TrailError, match=r"cannot be read by this user\. Give its folder a group"):
                cursor.read()

        def spoil() -> None:
            with pytest.raises(PermissionError):
                cursor.write(Standing())

        as_user(FORWARDER, deliver)
        as_user(KIOSK, look, GROUP)
        as_user(KIOSK, spoil, GROUP)
        as_user(STRANGER, pry)
    finally:
        shutil.rmtree(folder)


def test_every_name_gets_a_file_of_its_own_in_the_folder(tmp_path: Path) -> None:
    names = ["ARR", "arr", "../ARR", "ARR 2", "ARR%202", "Röntgen/1", ".", "..", "a.b", "ARR.new"]
    paths = {CursorFile(tmp_path, name).path for name in names}
    assert len(paths) == len(names)
    assert {path.parent for path in paths} == {tmp_path}


def test_a_sink_that_fails_keeps_no_other_waiting(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    dead = Sink("Dead", Kind.TCP, "127.0.0.1", free_port(), timeout=2.0)
    with new_trail(tmp_path) as trail:
        append(trail, 50)
        sinks = [dead, file_sink(path, "Files")]

        def opener() -> ReadOnlyTrail:
            return ReadOnlyTrail(trail.path)

        with Forwarder(sinks, opener, tmp_path / "cursors", SOURCE, SystemClock(), PACE) as forwarder:
            await_that(lambda: forwarder.status()[1].settled == 50, "the file has everything")
            await_that(lambda: forwarder.status()[0].fault != "", "the other one's fault is said")
            assert forwarder.is_alive
            with pytest.raises(SinkError, match="A forwarder runs already on"):
                Forwarder(sinks, opener, tmp_path / "cursors", SOURCE, SystemClock()).start()
            first, second = forwarder.status()
            assert (first.waiting, first.settled, second.waiting, second.fault) == (50, 0, 0, "")
            assert first.oldest_seconds(SystemClock().now()) > 0
        assert not forwarder.is_alive


def test_a_trail_put_back_to_an_older_copy_is_noticed_and_a_new_trail_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with new_trail(tmp_path / "one") as trail:
        append(trail, 5)
        old = tmp_path / "old.db"
        with ReadOnlyTrail(trail.path) as reader, closing(sqlite3.connect(old)) as copy:
            reader.connection.backup(copy)
        append(trail, 5)
        with delivering(file_sink(path), trail.path, tmp_path) as forwarder:
            await_settled(forwarder, trail.path)
    with delivering(file_sink(path), old, tmp_path) as forwarder:
        sentence = await_fault(forwarder, lambda fault: fault != "")
        assert "ends at record 5, but record 10 has been delivered already" in sentence
    with new_trail(tmp_path / "two") as other:
        append(other, 3)
        with delivering(file_sink(path), other.path, tmp_path) as forwarder:
            await_settled(forwarder, other.path)
        assert first_of_each(read_messages(path))[-3:] == expected(other.path)[-3:]


def test_a_forwarder_waits_for_a_trail_that_is_not_there_yet(tmp_path: Path) -> None:
    path, trail_path = tmp_path / "audit.log", tmp_path / "trail" / "trail.db"
    with delivering(file_sink(path), trail_path, tmp_path) as forwarder, new_trail(tmp_path) as trail:
        append(trail, 3)
        await_settled(forwarder, trail.path)
        assert [one.mark for one in read_messages(path)] == expected(trail.path)


def test_the_forwarder_loads_nothing_of_this_project_but_its_own_room() -> None:
    code = "import sys, kiosk.audit.forward; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.split(".")[0] in ("kiosk", "readers")}
    allowed = {"kiosk", "kiosk.errors", "kiosk.clock", "readers", "readers.text"}
    assert {name for name in ours if not name.startswith("kiosk.audit")} <= allowed
