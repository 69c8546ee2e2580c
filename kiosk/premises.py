"""What one kiosk has on its machine: the state directory, its secrets, its trail and its directory of people."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kiosk.access.counters import SqlCounters
from kiosk.access.gate import Gate
from kiosk.access.ladder import site_keys, site_ladder
from kiosk.access.lockout import Lockouts
from kiosk.access.people import Directory
from kiosk.access.pin import Argon2id, HashCost, Pins
from kiosk.audit import (
    AuditSource,
    BadgeId,
    BadgeNaming,
    FileAnchors,
    KeeperRules,
    Occasion,
    OpenArchive,
    Retention,
    RetentionRules,
    Trail,
    TrailClient,
    TrailPort,
    TrailRules,
)
from kiosk.audit.forward.delivered import CursorDelivery
from kiosk.clock import Clock, SystemClock
from kiosk.config.model import KioskConfig
from kiosk.config.secrets import load_or_create_secret
from kiosk.database.engine import open_database
from kiosk.errors import ConfigError, TrailError
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.subjects import this_node
from readers.credentials.claim import NonceSource
from readers.credentials.keys import CounterStore, RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.standard import LadderSources


class Premises:
    """The state directory of one kiosk, its secrets, its trail and its directory of people."""

    def __init__(self, config: KioskConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.clock: Clock = clock or SystemClock()
        self.state = config.kiosk.state_directory
        self.node = this_node(config.kiosk.ae_title)

    @property
    def trail_path(self) -> Path:
        """The trail's file."""
        return self.config.trail_path

    @property
    def trail_keys(self) -> Path:
        """Where the keys of its checkpoints and MACs lie."""
        return self.config.audit_directory / "audit-keys"

    @property
    def anchors(self) -> list[FileAnchors]:
        """Where its checkpoints are kept elsewhere."""
        path = self.config.audit.anchors
        return [FileAnchors(path)] if path else []

    @property
    def directory_path(self) -> Path:
        """The file of the directory of people."""
        return self.state / "directory.db"

    def prepare(self) -> None:
        """Makes the state directory, its owner's alone; raises ConfigError."""
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.state} cannot be made: {error.strerror}.") from None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Only one terminal runs on a state directory; raises ConfigError for the second."""
        self.prepare()
        try:
            handle = os.open(self.state / "kiosk.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"{self.state} cannot be used: {error.strerror}.") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(f"A kiosk is running already on {self.state}.") from None
            yield
        finally:
            os.close(handle)

    def trail(self) -> TrailPort:
        """The trail, not yet open: behind the daemon's socket where the configuration names one."""
        socket = self.config.audit.socket
        return self.own_trail() if socket is None else TrailClient(socket)

    @contextmanager
    def signed_trail(self) -> Iterator[TrailPort]:
        """The open trail for one command; raises TrailError. What was recorded is signed for when the block ends, by a
        daemon in its own time: records that no checkpoint covers could be cut off unseen.
        """
        with self.trail() as trail:
            try:
                yield trail
            finally:
                if isinstance(trail, Trail):
                    with suppress(TrailError):  # it could not be written any more, and said so where it mattered
                        trail.checkpoint(Occasion.STOP)
                        trail.anchor()

    def own_trail(self, *, alone: bool = False) -> Trail:
        """The trail's file, not yet open, for whoever writes it: the daemon, which is `alone`, or without one anybody.

        The kiosk's identity is a digest of a secret that is made once, beside the trail. Raises ConfigError.
        """
        folder, audit = self.config.audit_directory, self.config.audit
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be made: {error.strerror}.") from None
        was_one = self._had_a_trail()
        identity = hashlib.sha256(load_or_create_secret(folder / "keys", "identity")).hexdigest()[:16]
        return Trail(
            self.trail_path,
            identity,
            AuditSource(self.config.kiosk.name, self.config.kiosk.site),
            self.clock,
            reserve_bytes=self.config.limits.disk_reserve_bytes,
            keys=self.trail_keys,
            anchors=self.anchors,
            rules=TrailRules(audit.clock_seconds, audit.settle_seconds, ballast_bytes=audit.ballast_bytes),
            alone=alone,
            was_one=was_one,
        )

    def ledger(self, trail: TrailPort, on_fault: Callable[[str], None]) -> TrailLedger:
        """The trail as operations use it, badges named as [audit] says; raises ConfigError."""
        return TrailLedger(trail, on_fault, self.badge_naming)

    @property
    def badge_naming(self) -> BadgeNaming:
        """How badges are named on record; raises ConfigError."""
        badge_id = BadgeId(self.config.audit.badge_id)
        # kiosks of one site share this secret, or the same badge has another token at each of them
        return BadgeNaming(badge_id, b"" if badge_id is BadgeId.UID else self._secret("badge-token"))

    def retention(self, trail: Trail) -> Retention:
        """How long the trail is kept, for whoever writes it."""
        rules = RetentionRules(self.config.segments_directory, self.config.audit.keep_months)
        names = [sink.name for sink in self.config.audit.sinks]
        deliveries = [
            CursorDelivery(self.config.cursors_directory, name, lambda: trail.identity.genesis) for name in names
        ]
        return Retention(trail, rules, self.clock, deliveries)

    def archive(self, trail: TrailPort) -> OpenArchive | None:
        """What was archived of the trail: behind its daemon's socket, or in the files here; None for another trail."""
        match trail:
            case Trail():
                return self.retention(trail).archive
            case TrailClient():
                return lambda: trail
            case _:
                return None

    @property
    def keeper_rules(self) -> KeeperRules:
        """How often checkpoints are signed."""
        return KeeperRules(self.config.audit.busy_seconds, self.config.audit.heartbeat_seconds)

    def directory(self, *, demo: bool = False) -> "People":
        """People, PINs and lockouts. The demo's PINs are known to everybody: there, weak ones pass, cheaply hashed."""
        self.prepare()
        pepper = self._secret("pepper")
        engine = open_database(f"sqlite:///{self.directory_path}")
        hashing = Argon2id(HashCost(memory_kib=8192, passes=1, lanes=1)) if demo else Argon2id()
        pins = Pins(engine, pepper, self.clock, hashing, allow_weak=demo)
        directory = Directory(engine, pepper, self.clock, pins)
        directory.verify_key()
        lockouts = Lockouts(engine, self.clock)
        gate = Gate(directory, pins, lockouts, self.clock, self.config.access)
        return People(directory, gate, SqlCounters(engine, pepper, self.clock), engine.dispose)

    def ladder(self, counters: CounterStore, nonces: NonceSource | None = None) -> Ladder:
        """The schemes that [credentials] enables; raises ConfigError where a key or an authority will not do."""
        nonces = nonces or RandomNonceSource()
        clock = self.clock
        sources = LadderSources(nonces, site_keys(self.config), counters, clock.monotonic, clock.now)
        return site_ladder(self.config, sources)

    def _had_a_trail(self) -> bool:
        """Whether anything is left of a trail of this kiosk: its identity, how far it was delivered, sealed months."""
        left = (
            self.config.audit_directory / "keys" / "identity",
            *self.config.cursors_directory.glob("*.cursor"),
            *self.config.segments_directory.glob("trail-*"),
        )
        return any(os.path.lexists(path) for path in left)

    def _secret(self, name: str) -> bytes:
        return load_or_create_secret(self.state / "keys", name)


@dataclass(frozen=True)
class People:
    """The directory, the gate before it, and the counters of cards that count their taps."""

    directory: Directory
    gate: Gate
    counters: CounterStore
    close: Callable[[], None]
