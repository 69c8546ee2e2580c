"""A real pcscd with vsmartcard's driver, private to this test process, and the fixtures that lay cards on it.

The daemon's directory is compiled in, so it runs in a mount namespace of its own with a private /run. libpcsclite reads
PCSCLITE_CSOCK_NAME once in a process: the path is set when this module is imported and stays the same for every daemon
that follows. Commands that tests start inherit it.
"""

import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from readers.virtual.card import VirtualCard
from readers.virtual.vpcd import VpcdSlot
from readers.vpcd_guard import listening_ports

DRIVER = Path(sys.prefix) / "vpcd/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
FRIENDLY_NAME = "Virtual PCD"
READERS = (f"{FRIENDLY_NAME} 00 00", f"{FRIENDLY_NAME} 00 01")
START_SECONDS = 60.0
STOP_SECONDS = 30.0
STATE = Path(tempfile.gettempdir()) / f"pcscd-{os.getpid()}-{secrets.token_hex(4)}"
SOCKET = STATE / "run" / "pcscd.comm"
os.environ["PCSCLITE_CSOCK_NAME"] = str(SOCKET)

# USB is hidden too: tests must not take hold of a reader that is plugged into this machine.
SCRIPT = """
mount -t tmpfs tmpfs /run && mkdir /run/pcscd && mount --bind "$1/run" /run/pcscd || exit 70
[ ! -d /dev/bus/usb ] || mount -t tmpfs tmpfs /dev/bus/usb || exit 70
exec "$2" --foreground --config "$1/reader.conf.d"
"""


class PrivatePcscd:
    """The daemon and the two slots of its virtual reader. One at a time in a process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def configure(self) -> None:
        """Writes the reader's configuration on two free ports next to each other."""
        STATE.mkdir(mode=0o700)
        (STATE / "run").mkdir()
        directory = STATE / "reader.conf.d"
        directory.mkdir()
        self.port = _two_free_ports()
        (directory / "vpcd").write_text(
            f'FRIENDLYNAME "{FRIENDLY_NAME}"\nDEVICENAME /dev/null:0x{self.port:X}\n'
            f"LIBPATH {DRIVER}\nCHANNELID 0x{self.port:X}\n"
        )

    def start(self) -> None:
        """Starts the daemon and returns when it takes clients and both slots listen."""
        for left_over in (STATE / "run").iterdir():
            left_over.unlink()
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
        daemon = shutil.which("pcscd", path="/usr/sbin:/usr/bin:/sbin:/bin") or "pcscd"
        with (STATE / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *unshare, "sh", "-c", SCRIPT, "pcscd", str(STATE), daemon],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"pcscd did not start: {(STATE / 'log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.01)

    def kill(self) -> None:
        """The daemon dies without a chance to say so."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """The daemon ends in order."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(SOCKET))
            except OSError:
                return False
        return {self.port, self.port + 1} <= listening_ports()


class PcscWithVpcd:
    """The system under test as a person sees it: a reader that `spec` names, and cards to lay on it."""

    spec = f"pcsc:{READERS[0]}"
    both_slots = f"pcsc:{FRIENDLY_NAME}*"

    def __init__(self, daemon: PrivatePcscd) -> None:
        self.daemon = daemon
        self.slots = (VpcdSlot(daemon.port), VpcdSlot(daemon.port + 1))

    def insert(self, card: VirtualCard, slot: int = 0) -> None:
        self.slots[slot].insert(card)

    def remove(self, slot: int = 0) -> None:
        self.slots[slot].remove()

    def kill_daemon(self) -> None:
        self.daemon.kill()

    def start_daemon(self) -> None:
        self.daemon.start()

    def clear(self) -> None:
        """Takes every card away and returns when the daemon has seen that its slots are empty."""
        for slot in self.slots:
            slot.remove()
        if not self.daemon.is_running:
            self.daemon.start()
        _wait_until_empty()


def _wait_until_empty() -> None:
    from readers.pcsc import Pyscard  # loaded only in tests that use the daemon
    from readers.pcsc_calls import STATE_PRESENT, SlotState

    calls = Pyscard()
    _, context = calls.establish_context()
    try:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            _, states = calls.get_status_change(context, 0, [SlotState(name, 0) for name in READERS])
            if states and not any(state.flags & STATE_PRESENT for state in states):
                return
            time.sleep(0.02)
        raise RuntimeError("A virtual card stays in the reader")
    finally:
        calls.release_context(context)


def _two_free_ports() -> int:
    """Below the range that the kernel takes client ports from, so that they are still free after a restart."""
    while True:
        port = random.SystemRandom().randrange(20001, 31999, 2)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("", port))
                second.bind(("", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture(scope="session")
def private_pcscd() -> Iterator[PrivatePcscd]:
    """The daemon of this test process."""
    if not DRIVER.exists() or shutil.which("pcscd", path="/usr/sbin:/usr/bin") is None:
        pytest.fail("pcscd or the driver of its virtual reader is missing: sh deploy/test.sh brings both")
    daemon = PrivatePcscd()
    daemon.configure()
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def pcsc_with_vpcd(private_pcscd: PrivatePcscd) -> Iterator[PcscWithVpcd]:
    """A running daemon with empty slots."""
    reader = PcscWithVpcd(private_pcscd)
    reader.clear()
    yield reader
    reader.clear()


def pytest_unconfigure() -> None:
    """Removes the daemon's directory with the test process."""
    shutil.rmtree(STATE, ignore_errors=True)
