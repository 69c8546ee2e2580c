"""PINs: chosen by rule, kept as argon2id over an HMAC, checked at one cost whoever is asked about."""

import secrets
from base64 import b64encode
from dataclasses import dataclass
from typing import Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Engine, select

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.lookup import LookupKey
from kiosk.access.pin_rules import weakness
from kiosk.clock import Clock
from kiosk.database import schema
from kiosk.database.transaction import reading, writing
from kiosk.errors import DirectoryError

HASH_BYTES = 32
SALT_BYTES = 16


@dataclass(frozen=True)
class HashCost:
    """What one argon2id hash costs (RFC 9106): KiB of memory, passes, lanes."""

    memory_kib: int = 65536
    passes: int = 3
    lanes: int = 4


class PinHash(Protocol):
    """The slow function between a guess and an answer."""

    def make(self, secret: bytes) -> str:
        """A verifier with a fresh salt."""

    def matches(self, verifier: str, secret: bytes) -> bool:
        """Compares in constant time, at the verifier's cost."""

    def decoy(self) -> str:
        """A verifier of nothing, which costs as much as a real one."""

    def is_outdated(self, verifier: str) -> bool:
        """True for a verifier of another cost than new ones have."""


class Argon2id:
    """argon2id in its PHC string form."""

    def __init__(self, cost: HashCost | None = None) -> None:
        self._cost = cost or HashCost()
        self._hasher = PasswordHasher(
            time_cost=self._cost.passes,
            memory_cost=self._cost.memory_kib,
            parallelism=self._cost.lanes,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
        )

    def make(self, secret: bytes) -> str:
        """A verifier with a fresh salt."""
        return self._hasher.hash(secret)

    def matches(self, verifier: str, secret: bytes) -> bool:
        """Compares in constant time, at the verifier's cost; a verifier that is none matches nothing."""
        try:
            return self._hasher.verify(verifier, secret)
        except (VerificationError, InvalidHashError):
            return False

    def decoy(self) -> str:
        """A verifier of 32 random bytes, which no secret is known to match."""
        salt, digest = (b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (SALT_BYTES, HASH_BYTES))
        cost = f"m={self._cost.memory_kib},t={self._cost.passes},p={self._cost.lanes}"
        return f"$argon2id$v=19${cost}${salt}${digest}"

    def is_outdated(self, verifier: str) -> bool:
        """True for a verifier of another cost than new ones have."""
        return self._hasher.check_needs_rehash(verifier)


class Pins:
    """The PINs of the directory's people.

    `pepper` is 32 bytes from outside the database: a stolen database alone cannot be searched for PINs.
    """

    def __init__(
        self, engine: Engine, pepper: bytes, clock: Clock, hashing: PinHash | None = None, allow_weak: bool = False
    ) -> None:
        key = LookupKey(pepper)
        self._engine = engine
        self._key = key.derived("kiosk pin pepper")
        self._key_id = key.key_id
        self._clock = clock
        self._hashing: PinHash = hashing or Argon2id()
        self._allow_weak = allow_weak

    def set(self, person_id: str, pin: str | EnteredPin) -> None:
        """Gives the person this PIN. Raises DirectoryError for a weak PIN (without the PIN) or an unknown person."""
        entered = pin if isinstance(pin, EnteredPin) else EnteredPin(pin)
        del pin  # a traceback that prints locals must not find it
        with reading(self._engine) as connection:
            user_id = connection.execute(
                select(schema.person.c.user_id).where(schema.person.c.person_id == person_id)
            ).scalar()
        if user_id is None:
            raise DirectoryError("There is no such person.")
        self.require_strong(user_id, entered)
        verifier = self._hashing.make(entered.under(self._key, person_id))
        with writing(self._engine) as connection:
            self._store(connection, person_id, verifier)
            connection.execute(schema.grace.delete().where(schema.grace.c.person_id == person_id))

    def require_strong(self, user_id: str, pin: EnteredPin) -> None:
        """Raises DirectoryError for a PIN that the rules refuse, without the PIN."""
        if complaint := weakness(pin, user_id, self._allow_weak):
            raise DirectoryError(complaint)

    def has(self, person_id: str) -> bool:
        """True when a PIN was set under this pepper."""
        return self._verifier(person_id) is not None

    def verify(self, person_id: str, pin: str | EnteredPin) -> bool:
        """True for this person's PIN. One hash is computed whether or not there is such a person or such a PIN."""
        entered = pin if isinstance(pin, EnteredPin) else EnteredPin(pin)
        del pin
        stored = self._verifier(person_id)
        secret = entered.under(self._key, person_id)
        matches = self._hashing.matches(self._hashing.decoy() if stored is None else stored, secret)
        if stored is None or not matches:
            return False
        if self._hashing.is_outdated(stored):
            renewed = self._hashing.make(secret)
            with writing(self._engine) as connection:
                self._store(connection, person_id, renewed)
        return True

    def _verifier(self, person_id: str) -> str | None:
        table = schema.pin
        with reading(self._engine) as connection:
            return connection.execute(
                select(table.c.verifier).where(table.c.person_id == person_id, table.c.key_id == self._key_id)
            ).scalar()

    def _store(self, connection: Connection, person_id: str, verifier: str) -> None:
        table = schema.pin
        connection.execute(table.delete().where(table.c.person_id == person_id))
        connection.execute(
            table.insert().values(person_id=person_id, verifier=verifier, key_id=self._key_id, set_at=self._clock.now())
        )
