"""Where the audit trail is written, by whom, and within which bounds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from kiosk.config import checks
from kiosk.config.checks import between
from kiosk.config.section import Section

DAY = 24 * 3600


@dataclass(frozen=True)
class AuditConfig(Section):
    """[audit]: with a `socket`, `kiosk auditd` writes the trail and everybody else goes through it; without one,
    whoever acts writes it.

    `directory` is where the trail and its keys lie, None for the state directory. `writers` and `readers` are the users
    that the daemon serves besides its own and root; `group` is the group of its socket. `anchors` is a file on which
    checkpoints are kept elsewhere. A checkpoint comes `busy_seconds` after a record at the latest, else every
    `heartbeat_seconds`. The clock may stray by `clock_seconds`; a larger jump is believed after `settle_seconds`, never
    when 0. `ballast_bytes` are kept for the last record on a full disk.
    """

    socket: Path | None = None
    directory: Path | None = None
    writers: Annotated[tuple[str, ...], checks.user_names] = ()
    readers: Annotated[tuple[str, ...], checks.user_names] = ()
    group: Annotated[str, checks.optional_user_name] = ""
    anchors: Path | None = None
    busy_seconds: Annotated[float, between(1, 3600)] = 60.0
    heartbeat_seconds: Annotated[float, between(1, DAY)] = 600.0
    clock_seconds: Annotated[float, between(1, 3600)] = 60.0
    settle_seconds: Annotated[float, between(0, DAY)] = 600.0
    ballast_bytes: Annotated[int, between(0, 2**30)] = 2**20
