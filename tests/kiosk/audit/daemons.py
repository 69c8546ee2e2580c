"""Daemons for tests: in a thread of this process, or as a process that can be killed."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kiosk.audit import AuditDaemon, Counter, KeeperRules, Notify, Trail, TrailClient
from kiosk.audit.canonical import dumps
from kiosk.clock import SystemClock
from tests.kiosk.audit.samples import SOURCE, intent, outcome, trail_in

ROOT = Path(__file__).parents[3]
DEADLINE = 60.0

NURSERY = """
import os, signal, sys
from pathlib import Path
from tests.kiosk.audit import daemons
task = getattr(daemons, sys.argv[1])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    if line == "?\\n":
        print("-", flush=True)
    elif os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            task(Path(sys.argv[2]), line.strip())
        finally:
            os._exit(0)
"""


def until(condition: Callable[[], bool]) -> None:
    """Waits for it."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def socket_in(folder: Path) -> Path:
    """Where the daemon of that folder stands."""
    return folder / "s"


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose sockets' names fit (108 octets, unix(7))."""
    with tempfile.TemporaryDirectory(prefix="auditd-") as name:
        yield Path(name)


def daemon_at(
    folder: Path,
    trail: Trail | None = None,
    *,
    writers: frozenset[int] | None = None,
    readers: frozenset[int] = frozenset(),
    connections: int = 32,
    rules: KeeperRules | None = None,
    notify: Notify | None = None,
) -> AuditDaemon:
    """A daemon in this process, not started, on the trail of that folder."""
    counter = Counter(
        socket_in(folder),
        frozenset((os.getuid(),)) if writers is None else writers,
        readers,
        connections=connections,
    )
    rules = rules or KeeperRules(tick_seconds=0.05)
    return AuditDaemon(trail or trail_in(folder), counter, time.monotonic, rules, notify)


def system_trail(folder: Path, reserve_bytes: int = 0) -> Trail:
    """A trail on the machine's clock."""
    return Trail(folder / "audit" / "trail.sqlite", "kiosk-7", SOURCE, SystemClock(), reserve_bytes)


def serve(folder: Path, _: str) -> None:
    """A daemon until SIGTERM; says its process id when it is ready."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with daemon_at(folder):
        _say(str(os.getpid()))
        signal.sigwait({signal.SIGTERM})


def act(folder: Path, name: str) -> None:
    """A kiosk that acts and acts; says its process id, then each act that is recorded."""
    with client_of(folder) as client:
        _say(str(os.getpid()))
        for number in range(100_000):
            for entry in (intent(f"{name}-{number}"), outcome(f"{name}-{number}")):
                receipt = client.append(entry)
                _say(f"{receipt.sequence} {receipt.hash.hex()}")


def keep(folder: Path, name: str) -> None:
    """The same with a trail of its own."""
    with trail_in(folder) as trail:
        _say(str(os.getpid()))
        for number in range(100_000):
            for entry in (intent(f"{name}-{number}"), outcome(f"{name}-{number}")):
                receipt = trail.append(entry)
                _say(f"{receipt.sequence} {receipt.hash.hex()}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Nursery:
    """Starts processes that do one task, quickly: they are forked from one that has loaded everything."""

    def __init__(self, task: str, folder: Path) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-c", NURSERY, task, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._running: int | None = None

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._parent.communicate(timeout=DEADLINE)

    def start(self, name: str = "-") -> int:
        """One more; its process id, once it says so."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(name + "\n")
        self._parent.stdin.flush()
        self._running = int(self.line())
        return self._running

    def line(self) -> str:
        """The next that it says."""
        assert self._parent.stdout is not None
        return self._parent.stdout.readline()

    def kill(self) -> list[str]:
        """Kills it with SIGKILL, waits until it is gone, and gives what it still said."""
        if self._running is None:
            return []
        os.kill(self._running, signal.SIGKILL)
        process, self._running = self._running, None
        until(lambda: not Path(f"/proc/{process}").exists())
        assert self._parent.stdin is not None
        self._parent.stdin.write("?\n")
        self._parent.stdin.flush()
        return list(iter(self.line, "-\n"))


def client_of(folder: Path, seconds: float = 30.0) -> TrailClient:
    """A client, not open."""
    return TrailClient(socket_in(folder), seconds)


@contextmanager
def raw(folder: Path) -> Iterator[socket.socket]:
    """A bare connection, for whoever does not speak the protocol."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE)
        connection.connect(str(socket_in(folder)))
        yield connection


def frame(message: Mapping[str, object]) -> bytes:
    """A message as it goes over the socket."""
    body = dumps(dict(message))
    return len(body).to_bytes(4, "big") + body


def answer(connection: socket.socket) -> bytes:
    """The next message that comes, or nothing when the daemon hung up."""
    head = _exactly(connection, 4)
    return _exactly(connection, int.from_bytes(head, "big")) if head else b""


def _exactly(connection: socket.socket, count: int) -> bytes:
    pieces = b""
    while len(pieces) < count:
        piece = connection.recv(count - len(pieces))
        if not piece:
            return b""
        pieces += piece
    return pieces
