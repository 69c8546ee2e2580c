"""The daemon is one user, the kiosk another: the kiosk can add to the trail, and change nothing of what is there."""

import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.audit import AuditDaemon, Counter, KeeperRules, Occasion, Trail, verify, verify_stored
from kiosk.clock import SystemClock
from kiosk.errors import TrailError
from tests.kiosk.audit.daemons import client_of, socket_in, system_trail, until
from tests.kiosk.audit.samples import event

WRITER, KIOSK, STRANGER = 61001, 61002, 61003
GROUP = 61010
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two users")


def become(user: int, *groups: int) -> None:
    os.setgroups(groups)
    os.setgid(user)
    os.setuid(user)


def forked(task: Callable[[], None]) -> int:
    """Runs `task` in a child, which must end by itself or be told to."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            task()
            code = 0
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(code)
    return child


def as_user(user: int, task: Callable[[], None], *groups: int) -> None:
    """Runs `task` as somebody else; it must not raise."""

    def run() -> None:
        become(user, *groups)
        task()

    _, status = os.waitpid(forked(run), 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for everybody to pass through; the trail's own is the writer's alone. A daemon serves it."""
    folder = Path(tempfile.mkdtemp(prefix="auditd-"))
    folder.chmod(0o755)
    (folder / "audit").mkdir(mode=0o700)
    os.chown(folder / "audit", WRITER, WRITER)
    (folder / "run").mkdir()
    os.chown(folder / "run", WRITER, GROUP)
    (folder / "run").chmod(0o750)
    with closing(sqlite3.connect(":memory:")), system_trail(folder / "warm") as warm:
        warm.checkpoint(Occasion.IDLE)  # loads what a child without rights may not be able to load

    def serve() -> None:
        become(WRITER, GROUP)
        os.umask(0o077)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        clock = SystemClock()
        counter = Counter(socket_in(folder / "run"), frozenset((WRITER, KIOSK)), group=GROUP)
        with AuditDaemon(system_trail(folder), counter, clock.monotonic, KeeperRules(tick_seconds=0.05)):
            signal.sigwait({signal.SIGTERM})

    daemon = forked(serve)
    try:
        until(lambda: socket_in(folder / "run").exists())
        yield folder
    finally:
        os.kill(daemon, signal.SIGTERM)
        _, status = os.waitpid(daemon, 0)
        shutil.rmtree(folder)
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_kiosk_adds_to_the_trail_and_cannot_touch_its_file(place: Path) -> None:
    file = place / "audit" / "trail.sqlite"

    def use() -> None:
        with client_of(place / "run") as client:
            for number in range(5):
                client.append(event(number))
            assert [record.entry for record in client.read()] == [event(number) for number in range(5)]
            assert verify_stored(client).records == 5
        for path in (file, Path(f"{file}-wal"), place / "audit" / "trail.sqlite.keys" / "signing.key"):
            for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
                with pytest.raises(PermissionError):
                    os.open(path, flags)
        for attempt in (lambda: file.unlink(), lambda: file.chmod(0o666), lambda: file.rename(place / "audit" / "x")):
            with pytest.raises(PermissionError):
                attempt()
        with pytest.raises(PermissionError):
            socket_in(place / "run").unlink()
        with pytest.raises(sqlite3.OperationalError), closing(sqlite3.connect(file)) as connection:
            connection.execute("DELETE FROM record")
        with pytest.raises(TrailError):
            system_trail(place).open()

    as_user(KIOSK, use, GROUP)
    assert verify(file).records == 5
    assert file.stat().st_uid == WRITER
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_user_outside_the_group_does_not_reach_the_socket(place: Path) -> None:
    def use() -> None:
        with pytest.raises(TrailError, match="may not use the audit trail's socket"):
            client_of(place / "run").open()

    as_user(KIOSK, use)


def test_a_user_in_the_group_who_is_not_listed_is_turned_away(place: Path) -> None:
    def use() -> None:
        with pytest.raises(TrailError, match="This user may not use the audit trail"):
            client_of(place / "run").open()

    as_user(STRANGER, use, GROUP)
    assert not list(Trail.read_only(place / "audit" / "trail.sqlite").read())
