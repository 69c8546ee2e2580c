"""Where the audit trail is written, by whom, and within which bounds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from kiosk.config import checks
from kiosk.config.checks import between
from kiosk.config.section import Section
from kiosk.config.sinks import SinkConfig
from kiosk.errors import ConfigError

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

    `badge_id` is what names a badge on record: "uid", "token" (made from the UID with the site's secret "badge-token")
    or "both". The records of a closed month are sealed into a file of `segments`, None for a folder beside the trail;
    `kiosk audit prune` deletes what is older than `keep_months` whole months, nothing when 0.

    `forwarder` says who delivers to the `sinks`: the terminal, or `kiosk forwarder` as a process of its own. `cursors`
    is the folder where it notes how far each has come, None for "forwarder" in the state directory. A forwarder with a
    user of its own needs a folder of its own, made beforehand with mode 2750 and a group that the users of the
    terminal, of `kiosk auditd` and of `kiosk audit prune` are in too: they read from it how deliveries stand.
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
    badge_id: Annotated[str, checks.one_of("uid", "token", "both")] = "uid"
    segments: Path | None = None
    keep_months: Annotated[int, between(0, 1200)] = 0
    forwarder: Annotated[str, checks.one_of("terminal", "process")] = "terminal"
    cursors: Path | None = None
    sinks: tuple[SinkConfig, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [sink.name for sink in self.sinks]
        if len(set(names)) != len(names):
            raise ConfigError("sinks must not use a name twice.")
