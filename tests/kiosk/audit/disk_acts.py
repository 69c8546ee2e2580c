"""What is done on a small disk of its own, in a mount namespace: `python -m tests.kiosk.audit.disk_acts NAME DIR`."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kiosk.audit import Trail, TrailClient, codes, verify
from kiosk.audit.disk import free_bytes
from kiosk.errors import TrailError
from tests.kiosk.audit.daemons import client_of, daemon_at, system_trail, until
from tests.kiosk.audit.samples import event

DISK = 8 * 1024 * 1024
RESERVE = 2 * 1024 * 1024


def refusal(attempt: Callable[[], object]) -> str:
    """The sentence with which it is refused."""
    try:
        attempt()
    except TrailError as error:
        return str(error)
    raise AssertionError("it was not refused")


def fill(folder: Path, leave: int = 0) -> Path:
    """Takes all the room there is, or leaves a little less than so many octets."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while free_bytes(folder) >= leave:
            file.write(bytes(4096))
    assert free_bytes(folder) < leave or not leave
    return path


def full(folder: Path) -> None:
    """Without a reserve, to the last octet: the ballast makes room for one more record, and then nothing is taken."""
    with system_trail(folder) as trail:
        trail.append(event(1))
        filler = fill(folder)
        number = 1
        said = ""
        while not said:  # what SQLite has allocated already may still hold a few
            number += 1
            try:
                trail.append(event(number))
            except TrailError as error:
                said = str(error)
        assert said == "The audit trail cannot be written: database or disk is full.", said
        fill(folder)
        assert "No space left" in refusal(trail.reopen) or "full" in refusal(trail.reopen)
        assert refusal(lambda: trail.append(event(0)))
        filler.unlink()
        trail.resume()
        trail.append(event(0))
        summaries = [record.entry.summary for record in trail.read(number)]
    assert summaries[0] == f"Audit recording stopped: {said}", summaries
    assert summaries[1].startswith("Audit recording goes on after: "), summaries
    assert summaries[2:] == [event(0).summary]
    assert verify(trail.path).whole


def reserve(folder: Path) -> None:
    """Under its reserve it says so in its last record, and recovers."""
    with system_trail(folder, RESERVE) as trail:
        trail.append(event(1))
        filler = fill(folder, RESERVE)
        said = refusal(lambda: trail.append(event(2)))
        assert said.startswith("The disk of the audit trail is nearly full: "), said
        assert refusal(trail.check) == said
        (last,) = trail.read(2)
        assert last.entry.messages[0].event_types == (codes.AUDIT_RECORDING_STOPPED,)
        filler.unlink()
        trail.resume()
        assert trail.append(event(3)).sequence == 4
    assert verify(trail.path).whole


def read_only(folder: Path) -> None:
    """A disk that was remounted read-only is not opened for writing; written again, it goes on."""
    with system_trail(folder) as trail:
        trail.append(event(1))
    remount(folder, "ro")
    said = refusal(trail.open)
    assert "Read-only file system" in said or "readonly" in said, said
    assert refusal(lambda: trail.append(event(2))) == said
    assert verify(trail.path).whole
    remount(folder, "rw")
    trail.resume()
    assert trail.append(event(3)).sequence == 3
    trail.close()
    assert verify(trail.path).whole


def daemon(folder: Path) -> None:
    """The same through the socket: the client is refused, the daemon recovers by itself, both is on record."""
    sockets = folder.parent / "sockets"
    sockets.mkdir()
    client = client_of(sockets)
    with daemon_at(sockets, system_trail(folder, RESERVE)):
        client.open()
        client.append(event(1))
        filler = fill(folder, RESERVE)
        assert "nearly full" in refusal(lambda: client.append(event(2)))
        assert "nearly full" in refusal(client.reopen)
        filler.unlink()
        until(lambda: back(client))
        client.append(event(3))
    remount(folder, "ro")
    with daemon_at(sockets, system_trail(folder, RESERVE)):
        assert "Read-only" in refusal(client.reopen)
        refusal(lambda: client.append(event(4)))
        remount(folder, "rw")
        until(lambda: back(client))
        client.append(event(5))
        said = [record.entry.summary for record in client.read()]
        client.close()
    assert [line for line in said if line.startswith("Note")] == ["Note 1", "Note 3", "Note 5"], said
    assert len([line for line in said if line.startswith("Audit recording goes on after")]) == 2, said
    with Trail.read_only(folder / "audit" / "trail.sqlite") as trail:
        assert trail.open_intents() == ()
        assert verify(trail.path).whole


def back(client: TrailClient) -> bool:
    """Whether it takes records again."""
    try:
        client.reopen()
    except TrailError:
        return False
    return True


def remount(folder: Path, how: str) -> None:
    """Makes the disk writable or not; nothing on it is open for writing."""
    subprocess.run(["mount", "-o", f"remount,{how},size={DISK}", str(folder)], timeout=60, check=True)


if __name__ == "__main__":
    place = Path(sys.argv[2])
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(place)], timeout=60, check=True)
    {"full": full, "reserve": reserve, "read_only": read_only, "daemon": daemon}[sys.argv[1]](place)
