"""How far a sink has come, in a small file of its own: the trail is the spool, and there is no second copy."""

import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from kiosk.audit.canonical import dumps, parse_time, time_text
from kiosk.audit.decode import Fields, RecordError, fields_of, loads
from kiosk.audit.disk import sync_directory
from kiosk.audit.forward.stream import Position
from kiosk.errors import TrailError

FORMAT: Final = "kiosk-trail-cursor-1"
SUFFIX: Final = ".cursor"
PRIVATE: Final = 0o600
SHARED: Final = 0o640


@dataclass(frozen=True)
class Standing:
    """Where a sink stands. What `settled` says needs never be sent again; records up to `sent` are on their way.

    `trail` is the genesis hash of the trail that is meant. `fault` is why the last try failed, empty when it did not,
    `fault_at` since when, `refused` whether one end did not believe the other's certificate; `sent_at` is when
    something was last sent. Records up to `pruned` were deleted before all of them were sent, 0 for none.
    """

    trail: bytes = b""
    settled: Position = field(default_factory=Position)
    sent: int = 0
    sent_at: datetime | None = None
    fault: str = ""
    fault_at: datetime | None = None
    refused: bool = False
    pruned: int = 0


class CursorFile:
    """One sink's file in the forwarder's directory: it is whole after any crash, as it was or as it is to be.

    Its group may read it where the directory's group may list that: so, whatever the umask, whoever made the directory
    says whether another user sees the status. No patient and no badge stands in it.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f"{_file_name(name)}{SUFFIX}"

    def read(self) -> Standing:
        """What it says; the beginning where there is no file yet. Raises TrailError when it cannot be read."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return Standing()
        except PermissionError:
            raise TrailError(
                f"The cursor {self.path} cannot be read by this user. Give its folder a group that this user and the "
                "forwarder's are in, and mode 2750."
            ) from None
        except OSError as error:
            raise TrailError(f"The cursor {self.path} cannot be read: {error.strerror}.") from None
        try:
            return _standing(fields_of(loads(text), "cursor"))
        except RecordError:
            raise TrailError(
                f"The cursor {self.path} is damaged. Put it back from a copy; without it everything is sent again."
            ) from None

    def write(self, standing: Standing) -> None:
        """Durable when it returns; raises OSError, and the file is as it was."""
        draft = self.path.with_suffix(".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, SHARED if self.path.parent.stat().st_mode & stat.S_IRGRP else PRIVATE)
            file.write(dumps(_fields(standing)) + b"\n")
            file.flush()
            os.fsync(handle)
        draft.replace(self.path)
        sync_directory(self.path.parent)


def _file_name(name: str) -> str:
    """A sink's name as a file's: what no file should be called is written as in a URL."""
    return quote(name, safe="").replace(".", "%2E")


def _fields(standing: Standing) -> dict[str, object]:
    settled = standing.settled
    return {
        "format": FORMAT,
        "trail": standing.trail.hex(),
        "sequence": settled.sequence,
        "hash": settled.hash.hex(),
        "checkpoint": settled.checkpoint,
        "follows": settled.follows,
        "sent": standing.sent,
        "sent_at": time_text(standing.sent_at) if standing.sent_at else "",
        "fault": standing.fault,
        "fault_at": time_text(standing.fault_at) if standing.fault_at else "",
        "refused": standing.refused,
        "pruned": standing.pruned,
    }


def _standing(fields: Fields) -> Standing:
    if fields.text("format") != FORMAT:
        raise fields.wrong("format", FORMAT)
    settled = Position(
        fields.integer("sequence"), fields.octets("hash"), fields.integer("checkpoint"), fields.integer("follows")
    )
    sent_at, fault_at = fields.text("sent_at"), fields.text("fault_at")
    standing = Standing(
        fields.octets("trail"),
        settled,
        fields.integer("sent"),
        parse_time(sent_at) if sent_at else None,
        fields.text("fault"),
        parse_time(fault_at) if fault_at else None,
        fields.boolean("refused") if "refused" in fields else False,
        fields.integer("pruned") if "pruned" in fields else 0,
    )
    fields.end()
    return standing
