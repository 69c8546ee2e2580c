"""The kiosk's side of one worker process: starts it when needed, talks to it, replaces it when it died."""

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread, Timer
from time import monotonic
from typing import Any, Final

import kiosk
from kiosk.errors import Cancelled, UnreadableObject, WorkerDied
from kiosk.imaging.worker.requests import Request
from kiosk.imaging.worker.wire import Channel, Frame, Kind, WireError, decode_value, frame, raised

POLL_SECONDS: Final = 0.05
CANCEL_SECONDS: Final = 0.6
START_SECONDS: Final = 20.0
END_SECONDS: Final = 2.0

Inbox = SimpleQueue[Frame | None]


@dataclass(frozen=True)
class LaneOptions:
    """How a lane's worker runs. `seconds` limits each wait of a call; None where calls watch the time themselves."""

    name: str
    memory_bytes: int
    seconds: float | None = None


class Lane:
    """One worker process at a time. Calls may come from any thread; each may raise WorkerDied."""

    def __init__(self, options: LaneOptions) -> None:
        self._options = options
        self._lock = Lock()
        self._worker: _Worker | None = None
        self._closed = False

    def start(self) -> None:
        """Starts the worker ahead of the first call."""
        self._running()

    def close(self) -> None:
        """Ends the worker; calls under way raise WorkerDied."""
        with self._lock:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    @property
    def process_id(self) -> int | None:
        """The worker's process id, None while there is none."""
        worker = self._worker
        return worker.process_id if worker is not None and worker.alive else None

    def call(self, request: Request, cancel: Event) -> Generator[Any, None, Any]:
        """Streams what the worker answers; ends with its result or raises its error."""
        if cancel.is_set():
            raise Cancelled
        worker = self._running()
        number, inbox = worker.send(request)
        ended = False
        try:
            while True:
                received = self._next(worker, number, inbox, cancel)
                if received is None:
                    raise WorkerDied("The imaging worker ended in the middle of this.")
                if received.kind is Kind.ITEM:
                    yield self._decoded(worker, received, request.ITEM)
                    continue
                ended = True
                if received.kind is Kind.FAILURE:
                    raise raised(received)
                return self._decoded(worker, received, request.RESULT)
        finally:
            if not ended:
                worker.abandon(number, self._options.seconds)
            worker.forget(number)

    def _next(self, worker: "_Worker", number: int, inbox: Inbox, cancel: Event) -> Frame | None:
        started = monotonic()
        while True:
            # Before each answer, not only while there is none: a worker may answer faster than anybody reads.
            if cancel.is_set():
                self._await_end(worker, inbox, number)
                raise Cancelled
            try:
                return inbox.get(timeout=POLL_SECONDS)
            except Empty:
                if self._options.seconds is not None and monotonic() - started > self._options.seconds:
                    worker.kill()
                    raise UnreadableObject(
                        f"Reading the object took longer than {self._options.seconds:g} s and was stopped."
                    ) from None

    def _await_end(self, worker: "_Worker", inbox: Inbox, number: int) -> None:
        """Lets a call that watches its cancel event put things away, so that nothing appears in its spool later."""
        if self._options.seconds is not None:
            return
        worker.cancel(number)
        deadline = monotonic() + CANCEL_SECONDS
        with suppress(Empty):
            while (left := deadline - monotonic()) > 0:
                received = inbox.get(timeout=left)
                if received is None or received.kind is not Kind.ITEM:
                    return

    def _decoded(self, worker: "_Worker", received: Frame, expected: type) -> object:
        try:
            return decode_value(received, expected)
        except WireError:
            worker.kill()
            raise

    def _running(self) -> "_Worker":
        with self._lock:
            if self._closed:
                raise WorkerDied("The imaging worker has been closed.")
            if self._worker is None or not self._worker.alive:
                self._worker = _Worker(self._options)
                self._worker.start()
            return self._worker


class _Worker:
    """One life of the worker process. Its thread starts it, reads from it, and ends with it.

    The kernel kills the worker when the thread that started it ends (PR_SET_PDEATHSIG), so that thread must live as
    long as the worker does.
    """

    def __init__(self, options: LaneOptions) -> None:
        self._options = options
        self._lock = Lock()
        self._inboxes: dict[int, Inbox] = {}
        self._abandoned: set[int] = set()
        self._calls = 0
        self._ours, self._theirs = socket.socketpair()
        self._channel = Channel(self._ours)
        self._started = Event()
        self._ended = Event()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        Thread(target=self._live, name=f"imaging-{self._options.name}", daemon=True).start()
        if not self._started.wait(START_SECONDS) or self._process is None:
            raise WorkerDied("The imaging worker cannot be started.")

    def send(self, request: Request) -> tuple[int, Inbox]:
        inbox: Inbox = SimpleQueue()
        with self._lock:
            self._calls += 1
            number = self._calls
            self._inboxes[number] = inbox
            if self._ended.is_set():
                inbox.put(None)
        with suppress(OSError):
            self._channel.write(frame(Kind.CALL, number, request))
        return number, inbox

    def cancel(self, number: int) -> None:
        with suppress(OSError):
            self._channel.write(Frame(Kind.CANCEL, number))

    def abandon(self, number: int, seconds: float | None) -> None:
        """Tells the worker that nobody waits any more; what cannot be interrupted gets until the time limit."""
        self.cancel(number)
        if seconds is None or not self.alive:
            return
        with self._lock:
            self._abandoned.add(number)
        watch = Timer(seconds, self._kill_unless_ended, [number])
        watch.daemon = True
        watch.start()

    def forget(self, number: int) -> None:
        with self._lock:
            self._inboxes.pop(number, None)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._ended.wait(END_SECONDS)

    def end(self) -> None:
        self._channel.close()
        if not self._ended.wait(END_SECONDS):
            self.kill()

    def _kill_unless_ended(self, number: int) -> None:
        with self._lock:
            lost = number in self._abandoned
        if lost:
            self.kill()

    def _live(self) -> None:
        try:
            self._spawn()
        except OSError:
            self._bury()
            return
        finally:
            self._theirs.close()
            self._started.set()
        try:
            self._read()
        finally:
            self._bury()

    def _spawn(self) -> None:
        root = str(Path(kiosk.__file__).resolve().parent.parent)
        environment = {
            "LANG": "C.UTF-8",
            "MALLOC_ARENA_MAX": "2",
            "OPENBLAS_NUM_THREADS": "1",
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": root,
        }
        arguments = {
            "--fd": self._theirs.fileno(),
            "--lane": self._options.name,
            "--memory": self._options.memory_bytes,
            "--parent": os.getpid(),
        }
        self._process = subprocess.Popen(  # noqa: S603 # our own interpreter and module
            [
                sys.executable,
                "-P",
                "-m",
                "kiosk.imaging.worker",
                *(str(part) for pair in arguments.items() for part in pair),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[self._theirs.fileno()],
            env=environment,
            cwd="/",
            start_new_session=True,
        )

    def _read(self) -> None:
        with suppress(WireError):
            while (received := self._channel.read()) is not None:
                with self._lock:
                    inbox = self._inboxes.get(received.call)
                    if received.kind is not Kind.ITEM:
                        self._abandoned.discard(received.call)
                if inbox is not None:
                    inbox.put(received)

    def _bury(self) -> None:
        self._channel.close()
        process = self._process
        if process is not None:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with self._lock:
            self._ended.set()
            for inbox in self._inboxes.values():
                inbox.put(None)
        self._ours.close()
