"""A disk that fills up or goes read-only, a real one: a small tmpfs in a mount namespace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kiosk.audit.daemons import ROOT, short_folder

NAMESPACE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]


@pytest.mark.parametrize("act", ["full", "reserve", "read_only", "daemon"])
def test_a_disk_that_takes_no_more_locks_the_trail_until_it_does(act: str) -> None:
    with short_folder() as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        command = [*NAMESPACE, sys.executable, "-m", "tests.kiosk.audit.disk_acts", act, str(disk)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
