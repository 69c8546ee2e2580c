"""Who works here: the first enrolment officer, further people, their credentials and PINs."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from threading import Event
from typing import ClassVar, TypeVar

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.people import Directory
from kiosk.access.person import Credential, Person
from kiosk.access.policy import Permission, Role
from kiosk.audit import Outcome, codes, events
from kiosk.errors import DirectoryUnavailable, NotAllowed
from kiosk.operations.perform import Deed, Desk, Ending, Operation, finish, perform, refuse
from kiosk.operations.principal import Badge, Principal, Session, System
from kiosk.operations.statement import Statement, who
from readers.credentials.claim import Claim, Refusal
from readers.text import safe_text

T = TypeVar("T")


def change(desk: Desk, by: Principal, directory: Directory, deed: Deed[T]) -> T:
    """Performs a change of the directory: what is written and what is recorded of it stand or fall together.

    Raises what the deed raises, and TrailError when its outcome could not be recorded: then nothing was changed.
    """
    recorded = False
    try:
        with directory.together():
            result = finish(perform(desk, by, deed))
            recorded = True
    except DirectoryUnavailable as error:
        if recorded:  # as done, which it is not
            refuse(desk, by, deed.name, error)
        raise
    return result


@dataclass(frozen=True)
class _ChangeStaff(Deed[Person]):
    permission: ClassVar[Permission | None] = Permission.ADMINISTER_STAFF
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    directory: Directory
    user_id: str
    display_name: str

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, User Security Attributes Changed (PS3.15 A.5.3.11)."""
        said = f"{self.intent(by).summary}: {ending.words}"
        messages = events.security_alert(who(by), codes.USER_SECURITY_CHANGED, self.user_id, said, ending.outcome)
        return Statement(said, ending.outcome, messages)


@dataclass(frozen=True)
class Bootstrap(_ChangeStaff):
    """Makes the first enrolment officer, once."""

    name: ClassVar[str] = "staff_bootstrap"
    accepts: ClassVar[tuple[type, ...]] = (System,)

    def intent(self, by: Principal) -> Statement:
        """Who is to be the first."""
        return Statement(f"First enrolment officer {self.user_id}")

    def do(self, by: Principal, cancel: Event) -> Person:
        """Raises NotAllowed when there is one already."""
        return self.directory.bootstrap(self.user_id, self.display_name)


@dataclass(frozen=True)
class AddPerson(_ChangeStaff):
    """Adds a person with a role."""

    name: ClassVar[str] = "staff_add"

    role: Role

    def intent(self, by: Principal) -> Statement:
        """Who, as what."""
        return Statement(f"Add {self.user_id} as {self.role.value}")

    def do(self, by: Principal, cancel: Event) -> Person:
        """Raises NotAllowed for an unknown role or a user ID that is taken."""
        return self.directory.add_person(self.user_id, self.display_name, self.role)


@dataclass(frozen=True)
class _ChangePerson(Deed[T]):
    """A change to somebody who is in the directory."""

    permission: ClassVar[Permission | None] = Permission.ADMINISTER_STAFF
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    directory: Directory
    person: Person

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, User Security Attributes Changed (PS3.15 A.5.3.11)."""
        meant = self.intent(by)
        said = f"{meant.summary}: {ending.words}"
        card = meant.badge.uid if meant.badge else ""
        messages = events.security_alert(
            who(by), codes.USER_SECURITY_CHANGED, self.person.user_id, said, ending.outcome, card=card
        )
        return Statement(said, ending.outcome, messages, badge=meant.badge)


@dataclass(frozen=True)
class EnrolBadge(_ChangePerson[Credential]):
    """Makes the badge or phone that was just tapped a credential of the person; with `pin`, sets that PIN too."""

    name: ClassVar[str] = "staff_enrol"

    claim: Claim | Refusal
    pin: EnteredPin | None = field(default=None, repr=False)

    def intent(self, by: Principal) -> Statement:
        """Whose, and which badge."""
        badge = Badge.of(self.claim)
        named = f" ({badge.fingerprint})" if badge.fingerprint else ""
        return Statement(f"Enrol a {badge.kind} credential{named} for {self.person.user_id}", badge=badge)

    def do(self, by: Principal, cancel: Event) -> Credential:
        """Raises NotAllowed for a card that makes no claim and for one that is known already, DirectoryError for random
        UIDs and PINs against the rules."""
        if isinstance(self.claim, Refusal):
            raise NotAllowed(self.claim.sentence)
        if self.pin is not None:
            self.directory.pins.require_strong(self.person.user_id, self.pin)
        known = self.directory.by_claim(self.claim)
        if known is not None:
            raise NotAllowed(known_already(*known, by))
        credential = self.directory.enrol(self.person.person_id, self.claim)
        if self.pin is not None:
            self.directory.pins.set(self.person.person_id, self.pin)
        return credential


@dataclass(frozen=True)
class RevokeCredential(_ChangePerson[Credential]):
    """Ends one credential of a person for good."""

    name: ClassVar[str] = "staff_revoke"

    credential: Credential
    reason: str = ""

    def intent(self, by: Principal) -> Statement:
        """Whose, which one, and why."""
        why = f", {safe_text(self.reason)}" if self.reason else ""
        return Statement(f"Revoke {described(self.credential)} of {self.person.user_id}{why}")

    def do(self, by: Principal, cancel: Event) -> Credential:
        """Raises NotAllowed for one that is somebody else's or revoked already."""
        found = self.directory.credential(self.credential.credential_id)
        if found is None or found[0].person_id != self.person.person_id:
            raise NotAllowed("That credential is not theirs.")
        if found[1].revoked_at is not None:
            raise NotAllowed("That credential was revoked already.")
        return self.directory.revoke(self.credential.credential_id, self.reason)


@dataclass(frozen=True)
class DisablePerson(_ChangePerson[Person]):
    """Lets none of a person's credentials in any more."""

    name: ClassVar[str] = "staff_disable"

    def intent(self, by: Principal) -> Statement:
        """Whom."""
        return Statement(f"Disable {self.person.user_id}")

    def do(self, by: Principal, cancel: Event) -> Person:
        """Raises NotAllowed for somebody who is disabled already."""
        if not self.person.active:
            raise NotAllowed(f"{self.person.user_id} is disabled already.")
        return self.directory.disable(self.person.person_id)


@dataclass(frozen=True)
class EnablePerson(_ChangePerson[Person]):
    """Lets a disabled person's credentials in again, but for those that were revoked."""

    name: ClassVar[str] = "staff_enable"

    def intent(self, by: Principal) -> Statement:
        """Whom."""
        return Statement(f"Enable {self.person.user_id}")

    def do(self, by: Principal, cancel: Event) -> Person:
        """Raises NotAllowed for somebody who is not disabled."""
        if self.person.active:
            raise NotAllowed(f"{self.person.user_id} is not disabled.")
        return self.directory.enable(self.person.person_id)


@dataclass(frozen=True)
class ResetPin(_ChangePerson[None]):
    """Gives a person a new PIN, and forgets the wrong ones that were entered for them."""

    name: ClassVar[str] = "staff_pin"

    pin: EnteredPin = field(repr=False)

    def intent(self, by: Principal) -> Statement:
        """Whose; never which."""
        return Statement(f"Reset the PIN of {self.person.user_id}")

    def do(self, by: Principal, cancel: Event) -> None:
        """Raises DirectoryError for a PIN against the rules; costs the time of one PIN hash."""
        self.directory.reset_pin(self.person.person_id, self.pin)


@dataclass(frozen=True)
class ListStaff(Operation[Person, None]):
    """Everybody in the directory."""

    name: ClassVar[str] = "staff_list"
    permission: ClassVar[Permission | None] = Permission.ADMINISTER_STAFF
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    people: Callable[[], tuple[Person, ...]]

    def intent(self, by: Principal) -> Statement:
        """The list is about to be shown."""
        return Statement("List staff")

    def act(self, by: Principal, cancel: Event) -> Generator[Person, None, None]:
        """Person by person."""
        yield from self.people()

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """How many were shown."""
        return Statement(f"List staff: {ending.items} people", ending.outcome or Outcome.SUCCESS)


@dataclass(frozen=True)
class ListCredentials(Operation[tuple[Person, tuple[Credential, ...]], None]):
    """Everybody in the directory with all they carry or carried."""

    name: ClassVar[str] = "staff_credentials"
    permission: ClassVar[Permission | None] = Permission.ADMINISTER_STAFF
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    people: Callable[[], tuple[Person, ...]]
    credentials_of: Callable[[Person], tuple[Credential, ...]]

    def intent(self, by: Principal) -> Statement:
        """The list is about to be shown."""
        return Statement("List staff and their credentials")

    def act(self, by: Principal, cancel: Event) -> Generator[tuple[Person, tuple[Credential, ...]], None, None]:
        """Person by person."""
        for person in self.people():
            yield person, self.credentials_of(person)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """How many were shown."""
        said = f"List staff and their credentials: {ending.items} people"
        return Statement(said, ending.outcome or Outcome.SUCCESS)


def known_already(person: Person, credential: Credential, by: Principal) -> str:
    """Why a card that is in the directory is not enrolled. Whose it is, is for those who may list people."""
    may_see_people = isinstance(by, System) or (isinstance(by, Session) and ListStaff.permission in by.permissions)
    whose = f" It is {person.user_id}'s." if may_see_people else ""
    if credential.revoked_at is not None:
        return f"This badge or phone was revoked, and what is revoked stays so.{whose}"
    return f"This badge or phone is known already.{whose}"


def described(credential: Credential) -> str:
    """A credential in a sentence: its kind, and what tells it from others."""
    return f"{credential.kind} {credential.fingerprint or credential.masked}"
