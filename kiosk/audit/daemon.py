"""The trail as a process of its own: the only writer of the file, behind a UNIX socket that takes no other verbs.

Who may connect follows from the user at the other end (SO_PEERCRED), not from anything they send.
"""

import logging
import os
import socket
import stat
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk.audit import frames
from kiosk.audit.attendant import Attendant
from kiosk.audit.frames import ConnectionLost
from kiosk.audit.keeper import Keeper, KeeperRules
from kiosk.audit.lock_file import DAEMON, LockFile
from kiosk.audit.notify import Notify
from kiosk.audit.retention import Retention
from kiosk.audit.trail import Trail
from kiosk.errors import TrailError

BEAT: Final = 1.0
PATIENCE: Final = 10.0
BACKLOG: Final = 16
PEER: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counter:
    """Where the daemon stands and whom it serves. `writers` and `readers` are user ids; a writer may read.

    The socket has mode 0660 and, unless `group` is None, that group. At most `connections` are served at a time.
    """

    path: Path
    writers: frozenset[int]
    readers: frozenset[int] = frozenset()
    group: int | None = None
    connections: int = 32


class AuditDaemon:
    """Serves a trail. It starts, and says why, also with a trail that cannot be opened: then it tries again."""

    def __init__(
        self,
        trail: Trail,
        counter: Counter,
        monotonic: Callable[[], float],
        rules: KeeperRules | None = None,
        notify: Notify | None = None,
        retention: Retention | None = None,
    ) -> None:
        self._trail = trail
        self._counter = counter
        self._notify = notify or Notify({})
        self._retention = retention
        on_beat = retention.tend if retention else lambda: None
        self._keeper = Keeper(trail, monotonic, rules, mends=True, on_beat=on_beat)
        self._lock = LockFile(counter.path.with_name(counter.path.name + ".lock"))
        self._mutex = threading.Lock()
        self._attendants: dict[Attendant, threading.Thread] = {}
        self._stopping = threading.Event()
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Opens trail and socket; raises TrailError when the socket cannot be had, or another daemon has it."""
        try:
            self._listener = self._listen()
        except OSError as error:
            self._lock.close()
            raise TrailError(f"The socket {self._counter.path} cannot be made: {error.strerror}.") from None
        try:
            self._trail.open()
        except TrailError as error:
            log.error("%s", error)
        self._keeper.start()
        self._thread = threading.Thread(target=self._run, args=(self._listener,), name="auditd", daemon=True)
        self._thread.start()
        self._notify.ready()

    def stop(self) -> None:
        """Lets the clients go, signs a last checkpoint, and gives up socket and file."""
        self._notify.stopping()
        self._stopping.set()
        if self._listener is not None:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as waker:
                waker.setblocking(False)
                waker.connect(str(self._counter.path))
            with suppress(OSError):
                self._counter.path.unlink()
        if self._thread is not None:
            self._thread.join(PATIENCE)
        if self._listener is not None:
            self._listener.close()
        with self._mutex:
            attended = dict(self._attendants)
        for attendant in attended:
            attendant.hang_up()
        for thread in attended.values():
            thread.join(PATIENCE)
        self._keeper.stop()
        self._trail.close()
        self._lock.close()

    def __enter__(self) -> "AuditDaemon":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listen(self) -> socket.socket:
        path = self._counter.path
        self._lock.open()
        if not self._lock.try_take(DAEMON):
            raise TrailError(f"A daemon stands at {path} already.")
        if path.exists() and stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()  # left by one that was killed: we hold the lock
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(before)
            if self._counter.group is not None:
                os.chown(path, -1, self._counter.group)
            path.chmod(0o660)
            listener.listen(BACKLOG)
            listener.settimeout(BEAT)
        except OSError:
            listener.close()
            raise
        return listener

    def _run(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                self._beat()
                continue
            except OSError as error:  # out of descriptors, say: those that are connected go on
                log.error("no connection: %s", error.strerror)
                self._stopping.wait(BEAT)
                continue
            if self._stopping.is_set():
                connection.close()
                return
            self._admit(connection)
            self._beat()

    def _beat(self) -> None:
        """Proves that the trail is not stuck: whoever asks it for its status waits for whatever it does."""
        failure = self._trail.status().failure
        self._notify.status(failure or "recording")
        self._notify.alive()

    def _admit(self, connection: socket.socket) -> None:
        _, uid, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
        if uid not in self._counter.writers | self._counter.readers:
            log.warning("user %d may not use the audit trail", uid)
            _turn_away(connection, "This user may not use the audit trail.")
            return
        may_write = uid in self._counter.writers
        attendant = Attendant(connection, self._trail, self._living, may_write=may_write, retention=self._retention)
        with self._mutex:
            full = len(self._attendants) >= self._counter.connections
            if not full:
                thread = threading.Thread(target=self._attend, args=(attendant,), name="auditd-client", daemon=True)
                self._attendants[attendant] = thread
                thread.start()
        if full:
            _turn_away(connection, "The audit trail serves too many at once.")

    def _attend(self, attendant: Attendant) -> None:
        try:
            attendant.serve()
        finally:
            with self._mutex:
                del self._attendants[attendant]

    def _living(self) -> frozenset[int]:
        with self._mutex:
            return frozenset(attendant.writer for attendant in self._attendants)


def _turn_away(connection: socket.socket, sentence: str) -> None:
    with connection, suppress(ConnectionLost):
        frames.send(connection, frames.encode({"error": sentence, "kind": "refused"}, frames.LARGEST_ANSWER), BEAT)
