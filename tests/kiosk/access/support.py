"""What the access tests share: a clock that is set by hand, quick hashing, claims, and a whole access room on disk."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from kiosk.access.gate import Gate
from kiosk.access.lockout import Lockouts
from kiosk.access.people import Directory
from kiosk.access.person import Credential, Person
from kiosk.access.pin import Argon2id, HashCost, Pins
from kiosk.access.policy import Role
from kiosk.config.model import AccessConfig
from kiosk.database.engine import open_database
from readers.credentials.claim import Assurance, Claim
from readers.uid import Uid

PEPPER = bytes(range(32))
QUICK = HashCost(memory_kib=8, passes=1, lanes=1)
GOOD_PIN = "730519"
WRONG_PIN = "418206"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class HandClock:
    """A clock that moves when told."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds


class CountingHash:
    """Real argon2id at a low cost, which counts how often it is asked to compare."""

    def __init__(self, cost: HashCost = QUICK) -> None:
        self._real = Argon2id(cost)
        self.compared = 0

    def make(self, secret: bytes) -> str:
        return self._real.make(secret)

    def matches(self, verifier: str, secret: bytes) -> bool:
        self.compared += 1
        return self._real.matches(verifier, secret)

    def decoy(self) -> str:
        return self._real.decoy()

    def is_outdated(self, verifier: str) -> bool:
        return self._real.is_outdated(verifier)


def uid_claim(uid: str = "04A1B2C3D4E5F6") -> Claim:
    value = Uid.from_hex(uid)
    return Claim("iso14443", value.value, value, Assurance.IDENTIFIER)


def pkoc_claim(seed: str = "phone", uid: str = "08112233", assurance: Assurance = Assurance.AUTHENTICATED) -> Claim:
    key = b"\x04" + hashlib.sha512(seed.encode()).digest()
    return Claim("pkoc", key, Uid.from_hex(uid), assurance, "pkoc:" + hashlib.sha256(key).hexdigest()[:16])


@dataclass
class Room:
    """Everything between a claim and a decision, over one database file. `again()` is a restart."""

    path: Path
    clock: HandClock
    settings: AccessConfig
    hashing: CountingHash
    engine: Engine
    directory: Directory
    pins: Pins
    lockouts: Lockouts
    gate: Gate

    def add(self, user_id: str, claim: Claim, role: Role = Role.RADIOLOGIST) -> tuple[Person, Credential]:
        """Somebody with one credential and the good PIN."""
        person = self.directory.add_person(user_id, user_id.title(), role)
        self.directory.set_pin(person.person_id, GOOD_PIN)
        return person, self.directory.enrol(person.person_id, claim)

    def again(self) -> "Room":
        """The kiosk was switched off and on."""
        self.engine.dispose()
        return furnish(self.path, self.clock, self.settings, self.hashing)


def furnish(
    path: Path, clock: HandClock, settings: AccessConfig | None = None, hashing: CountingHash | None = None
) -> Room:
    settings = settings or AccessConfig()
    hashing = hashing or CountingHash()
    engine = open_database(f"sqlite:///{path}")
    pins = Pins(engine, PEPPER, clock, hashing)
    directory = Directory(engine, PEPPER, clock, pins)
    lockouts = Lockouts(engine, clock)
    gate = Gate(directory, pins, lockouts, clock, settings)
    return Room(path, clock, settings, hashing, engine, directory, pins, lockouts, gate)
