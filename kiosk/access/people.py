"""The directory: people and the credentials they carry."""

import secrets
import unicodedata
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, select
from sqlalchemy.exc import IntegrityError

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.grace import GraceTickets
from kiosk.access.lockout import Lockouts
from kiosk.access.lookup import LookupKey
from kiosk.access.person import Credential, Person
from kiosk.access.pin import Pins
from kiosk.access.policy import Role
from kiosk.clock import Clock
from kiosk.database import schema
from kiosk.database.transaction import reading, together, writing
from kiosk.errors import ConfigError, DirectoryError, NotAllowed
from readers.credentials.claim import Assurance, Claim
from readers.text import safe_text

USER_ID_LENGTH = 64
NAME_LENGTH = 128
REASON_LENGTH = 256
BOOTSTRAPPED = "bootstrapped"

AnyRow = Row[*tuple[Any, ...]]

_PERSON = (
    schema.person.c.person_id,
    schema.person.c.user_id,
    schema.person.c.display_name,
    schema.person.c.role,
    schema.person.c.active,
)
_CREDENTIAL = (
    schema.credential.c.credential_id,
    schema.credential.c.kind,
    schema.credential.c.assurance,
    schema.credential.c.masked,
    schema.credential.c.fingerprint,
    schema.credential.c.valid_from,
    schema.credential.c.valid_to,
    schema.credential.c.revoked_at,
    schema.credential.c.revoked_reason,
)
_BOTH = select(*_PERSON, *_CREDENTIAL).join_from(schema.credential, schema.person)


class Directory:
    """Who is who. Every method may raise DirectoryUnavailable.

    `lookup_key` is a 32-byte pepper kept outside the database. `pins` defaults to full-strength hashing and strict
    rules under the same pepper.
    """

    def __init__(self, engine: Engine, lookup_key: bytes, clock: Clock, pins: Pins | None = None) -> None:
        self._engine = engine
        self._key = LookupKey(lookup_key)
        self._clock = clock
        self.pins = pins or Pins(engine, lookup_key, clock)
        self.grace = GraceTickets(engine, clock)

    def verify_key(self) -> None:
        """Raises ConfigError when the directory's credentials were enrolled under another lookup key."""
        with reading(self._engine) as connection:
            query = select(schema.credential.c.credential_id).where(schema.credential.c.key_id != self._key.key_id)
            if connection.execute(query.limit(1)).first() is not None:
                raise ConfigError("The lookup key is not the one that the directory's badges were enrolled under.")

    def together(self) -> AbstractContextManager[None]:
        """What this thread does to the directory in the block is done whole when it ends, and not at all if it raises.

        Other writers wait meanwhile, up to two seconds.
        """
        return together(self._engine)

    def bootstrap(self, user_id: str, display_name: str) -> Person:
        """Makes the first enrolment officer, once in the life of a directory; raises NotAllowed after that."""
        table = schema.meta
        with writing(self._engine) as connection:
            done = connection.execute(select(table.c.key).where(table.c.key == BOOTSTRAPPED)).first()
            officer = connection.execute(
                select(schema.person.c.person_id).where(schema.person.c.role == Role.ENROLMENT_OFFICER.value).limit(1)
            ).first()
            if done is not None or officer is not None:
                raise NotAllowed("This kiosk has had its first enrolment officer.")
            connection.execute(table.insert().values(key=BOOTSTRAPPED, value=self._clock.now().isoformat()))
            row = self._new_person(user_id, display_name, Role.ENROLMENT_OFFICER)
            connection.execute(schema.person.insert().values(row))
        return self._expect(row["person_id"])

    def add_person(self, user_id: str, display_name: str, role: Role) -> Person:
        """Adds somebody; raises DirectoryError for a user ID that is taken, empty, too long or not plain text."""
        row = self._new_person(user_id, display_name, role)
        with writing(self._engine) as connection:
            try:
                connection.execute(schema.person.insert().values(row))
            except IntegrityError:
                raise DirectoryError("This user ID is taken.") from None
        return self._expect(row["person_id"])

    def people(self) -> tuple[Person, ...]:
        """Everybody, by user ID."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(*_PERSON).order_by(schema.person.c.user_key)).all()
            return tuple(_person(row) for row in rows)

    def find(self, user_id: str) -> Person | None:
        """The person of that user ID, whatever its case."""
        return self._one(schema.person.c.user_key == _user_key(user_id))

    def person(self, person_id: str) -> Person | None:
        """The person of that internal ID."""
        return self._one(schema.person.c.person_id == person_id)

    def disable(self, person_id: str) -> Person:
        """Lets none of the person's credentials in any more; raises DirectoryError for an unknown person."""
        table = schema.person
        with writing(self._engine) as connection:
            connection.execute(
                table.update()
                .where(table.c.person_id == person_id, table.c.active)
                .values(active=False, disabled_at=self._clock.now())
            )
            connection.execute(schema.grace.delete().where(schema.grace.c.person_id == person_id))
        return self._expect(person_id)

    def enable(self, person_id: str) -> Person:
        """Takes `disable` back; what was revoked stays revoked. Raises DirectoryError for an unknown person."""
        table = schema.person
        with writing(self._engine) as connection:
            connection.execute(
                table.update().where(table.c.person_id == person_id).values(active=True, disabled_at=None)
            )
        return self._expect(person_id)

    def reset_pin(self, person_id: str, pin: EnteredPin) -> None:
        """The help desk's act: a new PIN, and every wrong one before it forgotten. Raises as `set_pin`."""
        with self.together():
            self.pins.set(person_id, pin)
            Lockouts(self._engine, self._clock).reset(person_id)

    def set_pin(self, person_id: str, pin: str | EnteredPin) -> None:
        """Gives the person a PIN and ends their grace; raises DirectoryError for a weak one, without naming it."""
        entered = pin if isinstance(pin, EnteredPin) else EnteredPin(pin)
        del pin  # a traceback that prints locals must not find it
        self.pins.set(person_id, entered)

    def enrol(
        self,
        person_id: str,
        claim: Claim,
        valid_from: datetime | None = None,
        valid_to: datetime | None = None,
    ) -> Credential:
        """Makes what the claim is about a credential of the person, at the claim's assurance.

        Raises DirectoryError for an identifier made anew at each tap, for a claim that proves nothing, for a
        credential known already (revoked ones too), and for a person who is unknown or disabled.
        """
        now = self._clock.now()
        start = valid_from or now
        _refuse_unfit(claim)
        if valid_to is not None and valid_to <= start:
            raise DirectoryError("A credential must not expire before it begins.")
        credential_id = _new_id()
        with writing(self._engine) as connection:
            active = connection.execute(
                select(schema.person.c.active).where(schema.person.c.person_id == person_id)
            ).scalar()
            if not active:
                raise DirectoryError("There is no such person, or they are disabled.")
            try:
                connection.execute(
                    schema.credential.insert().values(
                        credential_id=credential_id,
                        person_id=person_id,
                        kind=claim.kind,
                        assurance=int(claim.assurance),
                        key_id=self._key.key_id,
                        lookup=self._key.of(claim),
                        masked=_masked(claim),
                        fingerprint=safe_text(claim.fingerprint),
                        enrolled_at=now,
                        valid_from=start,
                        valid_to=valid_to,
                        revoked_reason="",
                    )
                )
            except IntegrityError:
                raise DirectoryError("This badge or phone is known already.") from None
        found = self.credential(credential_id)
        if found is None:
            raise DirectoryError("The credential vanished while it was being enrolled.")
        return found[1]

    def credentials_of(self, person: Person) -> tuple[Credential, ...]:
        """The person's credentials, oldest first, revoked ones too."""
        table = schema.credential
        with reading(self._engine) as connection:
            query = _BOTH.where(table.c.person_id == person.person_id)
            rows = connection.execute(query.order_by(table.c.enrolled_at, table.c.credential_id)).all()
            return tuple(_credential(row) for row in rows)

    def credential(self, credential_id: str) -> tuple[Person, Credential] | None:
        """A credential and its person as they stand now."""
        return self._pair(schema.credential.c.credential_id == credential_id)

    def by_claim(self, claim: Claim) -> tuple[Person, Credential] | None:
        """Whose credential this is, whatever its state; the gate judges that."""
        return self._pair(schema.credential.c.lookup == self._key.of(claim))

    def revoke(self, credential_id: str, reason: str = "") -> Credential:
        """Ends a credential for good; the first reason stays. Raises DirectoryError for an unknown one."""
        table = schema.credential
        with writing(self._engine) as connection:
            connection.execute(
                table.update()
                .where(table.c.credential_id == credential_id, table.c.revoked_at.is_(None))
                .values(revoked_at=self._clock.now(), revoked_reason=safe_text(reason, REASON_LENGTH))
            )
            connection.execute(schema.grace.delete().where(schema.grace.c.credential_id == credential_id))
        found = self.credential(credential_id)
        if found is None:
            raise DirectoryError("There is no such credential.")
        return found[1]

    def _new_person(self, user_id: str, display_name: str, role: Role) -> dict[str, Any]:
        user, name = safe_text(user_id).strip(), safe_text(display_name).strip()
        if not user or user != unicodedata.normalize("NFC", user_id) or len(user) > USER_ID_LENGTH:
            raise DirectoryError(f"A user ID is plain text of 1 to {USER_ID_LENGTH} characters.")
        if not name or len(name) > NAME_LENGTH:
            raise DirectoryError(f"A display name has 1 to {NAME_LENGTH} characters.")
        return {
            "person_id": _new_id(),
            "user_id": user,
            "user_key": _user_key(user),
            "display_name": name,
            "role": Role(role).value,
            "active": True,
            "created_at": self._clock.now(),
        }

    def _expect(self, person_id: str) -> Person:
        found = self.person(person_id)
        if found is None:
            raise DirectoryError("There is no such person.")
        return found

    def _one(self, condition: ColumnElement[bool]) -> Person | None:
        with reading(self._engine) as connection:
            row = connection.execute(select(*_PERSON).where(condition)).first()
            return None if row is None else _person(row)

    def _pair(self, condition: ColumnElement[bool]) -> tuple[Person, Credential] | None:
        with reading(self._engine) as connection:
            row = connection.execute(_BOTH.where(condition)).first()
            return None if row is None else (_person(row), _credential(row))


def _new_id() -> str:
    return secrets.token_hex(16)


def _user_key(user_id: str) -> str:
    return unicodedata.normalize("NFKC", safe_text(user_id).strip()).casefold()


def _person(row: AnyRow) -> Person:
    return Person(row.person_id, row.user_id, row.display_name, Role(row.role), row.active is True)


def _credential(row: AnyRow) -> Credential:
    return Credential(
        credential_id=row.credential_id,
        person_id=row.person_id,
        kind=row.kind,
        assurance=Assurance(row.assurance),
        masked=row.masked,
        fingerprint=row.fingerprint,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        revoked_at=row.revoked_at,
        revoked_reason=row.revoked_reason,
    )


def _refuse_unfit(claim: Claim) -> None:
    if claim.assurance == Assurance.NONE:
        raise DirectoryError("This card proves nothing and cannot be enrolled.")
    if claim.uid is not None and claim.subject == claim.uid.value:
        if claim.uid.is_random:
            raise DirectoryError("This identifier changes at every tap. Use the phone app or a card.")
        if not claim.uid.is_valid:
            raise DirectoryError("No card may carry this identifier.")


def _masked(claim: Claim) -> str:
    """A phone's UID is another one at each tap, so its fingerprint must tell it apart."""
    if claim.uid is not None and not claim.uid.is_random:
        return claim.uid.masked
    return "…" + safe_text(claim.fingerprint)[-4:].upper()


__all__ = ["Credential", "Directory", "Person"]
