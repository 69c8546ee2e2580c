"""The archive's process is quick to come and never outlives the one that wanted it."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import pytest

from kiosk.demo.archive import DemoArchive
from kiosk.errors import PeerUnreachable
from tests.kiosk.demo.clients import echoscu

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 3, 17)
PATIENCE = 60.0


def _is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _ends(pid: int, seconds: float = PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _is_running(pid):
            return True
        time.sleep(0.02)
    return False


def test_the_process_ends_with_the_context() -> None:
    with DemoArchive(today=TODAY) as pacs:
        pid = pacs.pid
        assert pid is not None
        assert echoscu(pacs.archive)
    assert _ends(pid)
    assert pacs.pid is None
    pacs.close()


@pytest.mark.parametrize("by_thread", [False, True])
def test_the_process_ends_when_its_parent_is_killed(by_thread: bool) -> None:
    start = "t = threading.Thread(target=pacs.start); t.start(); t.join()" if by_thread else "pacs.start()"
    code = (
        "import threading, time\nfrom kiosk.demo.archive import DemoArchive\npacs = DemoArchive()\n"
        f"{start}\nprint(pacs.pid, flush=True)\ntime.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _is_running(pid)
        os.kill(parent.pid, signal.SIGKILL)
        assert _ends(pid)


def test_an_archive_started_by_a_thread_outlives_the_thread() -> None:
    pacs = DemoArchive(today=TODAY)
    thread = threading.Thread(target=pacs.start)
    thread.start()
    thread.join(PATIENCE)
    try:
        assert echoscu(pacs.archive)
    finally:
        pacs.close()


def test_a_port_that_is_taken_is_said(pacs: DemoArchive, capfd: pytest.CaptureFixture[str]) -> None:
    second = DemoArchive(ports=(pacs.archive.port,))
    with pytest.raises(PeerUnreachable, match="did not start"):
        second.start()
    assert "in use" in capfd.readouterr().err


def test_the_parent_loads_no_network_library() -> None:
    code = "import sys, kiosk.demo.archive\nprint({'pynetdicom', 'pydicom', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"
