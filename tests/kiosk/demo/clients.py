"""DCMTK's tools as clients of the demo archive: somebody else's reading of the standard."""

import os
import subprocess
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from kiosk.imaging.peers import Peer

_QUICK = {**os.environ, "TCP_NODELAY": "1"}


def _run(tool: str, peer: Peer, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [tool, "-aet", "KIOSK", "-aec", peer.ae_title, *words]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, env=_QUICK)


def _address(peer: Peer) -> tuple[str, str]:
    return peer.host, str(peer.port)


def echoscu(peer: Peer) -> bool:
    """C-ECHO."""
    return _run("echoscu", peer, *_address(peer)).returncode == 0


def findscu(peer: Peer, folder: Path, level: str, *keys: str) -> list[Dataset]:
    """Study root C-FIND; the answers as written to disk, undecoded."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]
    done = _run("findscu", peer, "-S", "-X", "-od", str(folder), *asked, *_address(peer))
    assert done.returncode == 0, done.stderr.decode("latin-1")
    return [dcmread(path, force=True) for path in sorted(folder.glob("rsp*"))]


def getscu(peer: Peer, folder: Path, level: str, *keys: str) -> list[Path]:
    """Study root C-GET; the files that came."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]
    done = _run("getscu", peer, "-S", "-od", str(folder), *asked, *_address(peer))
    assert done.returncode == 0, done.stderr.decode("latin-1")
    return sorted(folder.iterdir())


def storescu(peer: Peer, *files: Path) -> None:
    """C-STORE; an instance that is not taken fails the test."""
    done = _run("storescu", peer, *_address(peer), *map(str, files))
    assert done.returncode == 0, done.stderr.decode("latin-1")
