"""Starts the demo archive as a process that cannot outlive the one that wants it."""

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kiosk.errors import PeerUnreachable
from kiosk.imaging.peers import Peer

ARCHIVE: Final = "DEMO_PACS"
DESTINATIONS: Final = ("DEMO_TEACHING", "DEMO_SECOND")
PARENT_DIED: Final = 3

_NAMES: Final = {ARCHIVE: "Demo archive", "DEMO_TEACHING": "Teaching files", "DEMO_SECOND": "Second opinion"}
_ROOT: Final = Path(__file__).resolve().parents[3]


class DemoArchive:
    """The demo archive and its destinations, running between `start` and `close`.

    `ports` fixes the ports of archive and destinations; empty lets the system choose.
    """

    def __init__(
        self,
        *,
        today: date | None = None,
        odd: bool = False,
        ports: tuple[int, ...] = (),
        calling_ae_title: str = "KIOSK",
        start_timeout: float = 30.0,
    ) -> None:
        self._today = today
        self._odd = odd
        self._ports = ports
        self._calling_ae_title = calling_ae_title
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._peers: dict[str, Peer] = {}

    @property
    def archive(self) -> Peer:
        """The archive to query and to retrieve from."""
        return self._peers[ARCHIVE]

    @property
    def destinations(self) -> tuple[Peer, ...]:
        """Where studies can be pushed to."""
        return tuple(self._peers[title] for title in DESTINATIONS)

    @property
    def pid(self) -> int | None:
        """The process, None while it is not running."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the process and waits until it listens. Raises PeerUnreachable when it does not in time."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Starts the process; `wait` says when it listens."""
        self._process = subprocess.Popen(  # noqa: S603 - our own module, our own interpreter
            self._command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT
        )

    def wait(self) -> None:
        """Waits until the launched process listens. Raises PeerUnreachable when it does not in time."""
        if self._process is None:
            raise PeerUnreachable("The demo archive is not running.")
        ports = self._announced(self._process)
        self._peers = {
            title: Peer(_NAMES[title], title, "127.0.0.1", port, self._calling_ae_title)
            for title, port in ports.items()
        }

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "kiosk.demo.archive"]
        # The kernel's signal follows the thread that starts the process, not the process: a thread that ends early
        # would take the archive with it. Standard input ends with this process whatever thread it was.
        if threading.current_thread() is threading.main_thread():
            command += ["--parent", str(os.getpid())]
        if self._today is not None:
            command += ["--today", self._today.isoformat()]
        if self._odd:
            command.append("--odd")
        if self._ports:
            command += ["--ports", ",".join(map(str, self._ports))]
        return command

    def _announced(self, process: subprocess.Popen[bytes]) -> dict[str, int]:
        if process.stdout is None:
            raise PeerUnreachable("The demo archive has no output to wait for.")
        deadline = time.monotonic() + self._start_timeout
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = deadline - time.monotonic()
                part = os.read(process.stdout.fileno(), 4096) if left > 0 and selector.select(left) else b""
                if not part:
                    self.close()
                    raise PeerUnreachable("The demo archive did not start.")
                line += part
        found: dict[str, int] = json.loads(line)
        return found

    def close(self) -> None:
        """Ends the process; may be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
