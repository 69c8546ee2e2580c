"""What kiosk.toml says, as frozen values that cannot hold what the checks refuse.

Units are in the names; times are seconds unless they say hours.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from kiosk.config import checks
from kiosk.config.audit import AuditConfig
from kiosk.config.checks import between
from kiosk.config.credentials import CredentialsConfig
from kiosk.config.peers import PeerConfig, ReceivingConfig
from kiosk.config.section import Section
from kiosk.errors import ConfigError

DAY = 24 * 3600


@dataclass(frozen=True)
class Kiosk(Section):
    """[kiosk]: this terminal."""

    name: Annotated[str, checks.text(64)]
    state_directory: Path
    site: Annotated[str, checks.optional_text(64)] = ""
    ae_title: Annotated[str, checks.ae_title] = "KIOSK"
    demo: bool = False


@dataclass(frozen=True)
class Readers(Section):
    """[readers]: specifications such as "pcsc:ACR1252*"; a card that
    comes back within `settle_seconds` of its removal has not been tapped again."""

    specs: Annotated[tuple[str, ...], checks.reader_specs] = ("pcsc",)
    settle_seconds: Annotated[float, between(0, 5)] = 1.0


@dataclass(frozen=True)
class SessionRules(Section):
    """[session]: the last `warning_seconds` of `idle_seconds` are a countdown; `cap_seconds` ends any session.

    A tap by the same person within `accidental_seconds` of signing in is taken for an accident.
    """

    idle_seconds: Annotated[float, between(1, DAY)] = 180.0
    warning_seconds: Annotated[float, between(0, DAY)] = 30.0
    cap_seconds: Annotated[float, between(1, 7 * DAY)] = 8 * 3600.0
    accidental_seconds: Annotated[float, between(0, 60)] = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warning_seconds >= self.idle_seconds:
            raise ConfigError("warning_seconds must be less than idle_seconds.")


@dataclass(frozen=True)
class AccessConfig(Section):
    """[access]: after a PIN, an authenticated credential needs none for `grace_hours`; 0 asks every time."""

    grace_hours: Annotated[float, between(0, 24)] = 8.0


@dataclass(frozen=True)
class Limits(Section):
    """[limits]: bytes of disk that stay free, bytes of memory a worker may have, rows of one query, days after which a
    push that failed or was stopped is removed, destinations that are pushed to at a time."""

    disk_reserve_bytes: Annotated[int, between(0, 2**50)] = 2**30
    worker_memory_bytes: Annotated[int, between(2**27, 2**45)] = 2**31
    query_limit: Annotated[int, between(1, 100_000)] = 500
    failed_push_days: Annotated[float, between(0.01, 3650)] = 7.0
    destinations_at_once: Annotated[int, between(1, 64)] = 4


@dataclass(frozen=True)
class KioskConfig(Section):
    """All of kiosk.toml."""

    kiosk: Kiosk
    readers: Readers = field(default_factory=Readers)
    session: SessionRules = field(default_factory=SessionRules)
    access: AccessConfig = field(default_factory=AccessConfig)
    credentials: CredentialsConfig = field(default_factory=CredentialsConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    limits: Limits = field(default_factory=Limits)
    receiving: ReceivingConfig = field(default_factory=ReceivingConfig)
    archives: tuple[PeerConfig, ...] = ()
    destinations: tuple[PeerConfig, ...] = ()
    listeners: tuple[PeerConfig, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        lists = (("archives", self.archives), ("destinations", self.destinations), ("listeners", self.listeners))
        for key, peers in lists:
            names = [peer.name for peer in peers]
            if len(set(names)) != len(names):
                raise ConfigError(f"{key} must not use a name twice.")
        if not self.receiving.port and any(archive.retrieve_by == "move" for archive in self.archives):
            raise ConfigError("receiving.port must be set: an archive is asked by C-MOVE to send here.")
        known = {archive.name for archive in self.archives}
        if unknown := sorted({name for to in self.destinations for name in to.fed_by} - known):
            raise ConfigError(f"fed_by must name archives, and {unknown[0]} is none.")

    @property
    def audit_directory(self) -> Path:
        """Where the audit trail and its keys lie."""
        return self.audit.directory or self.kiosk.state_directory

    @property
    def cursors_directory(self) -> Path:
        """Where it is written how far each sink of the audit trail has come."""
        return self.audit.cursors or self.kiosk.state_directory / "forwarder"

    @property
    def site_name(self) -> str:
        """What stands behind the @ of whoever is unknown."""
        return self.kiosk.site or self.kiosk.name

    @property
    def segments_directory(self) -> Path:
        """Where the sealed months of the audit trail lie."""
        return self.audit.segments or self.audit_directory / "segments"

    @property
    def trail_path(self) -> Path:
        """The file of the audit trail."""
        return self.audit_directory / "trail.db"
