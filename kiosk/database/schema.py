"""The tables of the directory: who may use the kiosk, with what, what was tried in vain, and what counts once.

No table holds a UID, a public key or a PIN: credentials are found by an HMAC, PINs checked by argon2id over an HMAC.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    inspect,
    select,
)
from sqlalchemy.types import TypeDecorator

from kiosk.errors import ConfigError

SCHEMA_VERSION = 2
VERSION_KEY = "schema_version"
FOREIGN = "The directory's database is not one that this kiosk made."


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in and out, also where the database keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses naive times: they would be somebody's guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A naive time cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite gives naive times back; they were stored as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", String(256), nullable=False),
)

person = Table(
    "person",
    metadata,
    Column("person_id", String(32), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("user_key", String(256), nullable=False, unique=True),  # NFKC, case-folded: "Anna" and "anna" are one
    Column("display_name", String(128), nullable=False),
    Column("role", String(32), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

credential = Table(
    "credential",
    metadata,
    Column("credential_id", String(32), primary_key=True),
    Column("person_id", ForeignKey("person.person_id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("assurance", Integer, nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("lookup", LargeBinary(32), nullable=False, unique=True),
    Column("masked", String(16), nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("enrolled_at", UtcDateTime, nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("revoked_reason", String(256), nullable=False),
    Index("credential_of_person", "person_id"),
)

pin = Table(
    "pin",
    metadata,
    Column("person_id", ForeignKey("person.person_id"), primary_key=True),
    Column("verifier", String(256), nullable=False),
    Column("key_id", String(16), nullable=False),
    Column("set_at", UtcDateTime, nullable=False),
)

lockout = Table(
    "lockout",
    metadata,
    Column("scope", String(16), primary_key=True),
    Column("subject", String(32), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("blocked_until", UtcDateTime),
    Column("last_failure_at", UtcDateTime, nullable=False),
)

grace = Table(
    "grace",
    metadata,
    Column("credential_id", ForeignKey("credential.credential_id"), primary_key=True),
    Column("person_id", ForeignKey("person.person_id"), nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Index("grace_of_person", "person_id"),
)

tap_counter = Table(
    "tap_counter",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("counter", BigInteger, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

ADDED_IN_2 = frozenset({tap_counter.name})


def create_or_check(connection: Connection) -> None:
    """Makes the tables in an empty database, else checks their version and adds what an older one lacks.

    `connection` is in a writing transaction, so of two kiosks starting at once one waits for the other.
    Raises ConfigError for a database of another version or of something else.
    """
    names = set(inspect(connection).get_table_names())
    if not names:
        metadata.create_all(connection)
        connection.execute(meta.insert().values(key=VERSION_KEY, value=str(SCHEMA_VERSION)))
        return
    if not names.issuperset(metadata.tables.keys() - ADDED_IN_2):
        raise ConfigError(FOREIGN)
    version = connection.execute(select(meta.c.value).where(meta.c.key == VERSION_KEY)).scalar()
    if version is None or not (version.isascii() and version.isdigit()):
        raise ConfigError("The directory's database does not say which version it has.")
    if int(version) > SCHEMA_VERSION:
        raise ConfigError(
            f"The directory's database has version {int(version)}; this kiosk knows {SCHEMA_VERSION}. Update the kiosk."
        )
    if int(version) < 1:
        raise ConfigError(f"The directory's database has version {int(version)}, older than any that there was.")
    if int(version) == 1:
        tap_counter.create(connection)
        connection.execute(meta.update().where(meta.c.key == VERSION_KEY).values(value=str(SCHEMA_VERSION)))
    elif not names.issuperset(metadata.tables):
        raise ConfigError(FOREIGN)
