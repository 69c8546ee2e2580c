"""What tests of the command share: an environment of their own, and the state of a demo that did the main job."""

import fcntl
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.program import COMMAND, LOOK, runtime

LONGEST = 120.0
KEEP = '"$@" >said 2>errors; echo $? >ended.part; mv ended.part ended'


@dataclass(frozen=True)
class Kept:
    """What `kiosk demo --check --keep DIR` left, and what it said."""

    folder: Path
    code: int
    said: str
    errors: str

    @property
    def config(self) -> str:
        """Its configuration, as an argument."""
        return str(self.folder / "kiosk.toml")


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Control sockets of this test alone."""
    with runtime() as variables:
        yield variables


@pytest.fixture(scope="session", autouse=True)
def begun(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo that does the main job begins with the first test here, once for all test processes: it waits more than
    it works. Gives the folder in which it runs."""
    shared = tmp_path_factory.getbasetemp()
    if shared.name.startswith("popen-"):  # a worker of pytest-xdist
        shared = shared.parent
    wanted = any("original" in getattr(item, "fixturenames", ()) for item in request.session.items)
    with ExitStack() as stack:
        process: subprocess.Popen[bytes] | None = None
        with (shared / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if wanted and not (shared / "begun").exists():
                (shared / "begun").touch()
                command = ["sh", "-c", KEEP, "keep", *COMMAND, "demo", "--check", "--keep", "kept"]
                variables = stack.enter_context(runtime())
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=variables, cwd=shared)
        yield shared
        if process is not None:
            process.wait(LONGEST)


@pytest.fixture(scope="session")
def original(begun: Path) -> Kept:
    """What that demo left. Tests look, and copy before they run anything that writes."""
    deadline = time.monotonic() + LONGEST
    while not (begun / "ended").exists():
        assert time.monotonic() < deadline, "The demo does not end."
        time.sleep(LOOK)
    code, said, errors = ((begun / name).read_text() for name in ("ended", "said", "errors"))
    return Kept(begun / "kept", int(code), said, errors)


@pytest.fixture
def kept(original: Kept, tmp_path: Path) -> Kept:
    """A copy somewhere else."""
    folder = tmp_path / "kept"
    shutil.copytree(original.folder, folder)
    return Kept(folder, original.code, original.said, original.errors)
