"""Who works here: the first enrolment officer, further people, their badges and PINs."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from threading import Event
from typing import ClassVar

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.people import Directory
from kiosk.access.person import Credential, Person
from kiosk.access.policy import Permission, Role
from kiosk.audit import Outcome, codes, events
from kiosk.operations.perform import Deed, Ending, Operation
from kiosk.operations.principal import Badge, Principal, Session, System
from kiosk.operations.statement import Statement, who
from readers.credentials.claim import Claim


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
class EnrolBadge(Deed[Credential]):
    """Gives a person the badge that was just tapped, and a PIN for it."""

    name: ClassVar[str] = "staff_enrol"
    permission: ClassVar[Permission | None] = Permission.ADMINISTER_STAFF
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    directory: Directory
    person: Person
    claim: Claim
    pin: EnteredPin = field(repr=False)

    def intent(self, by: Principal) -> Statement:
        """Whose, and which badge."""
        return Statement(f"Enrol a {self.claim.kind} credential for {self.person.user_id}", badge=Badge.of(self.claim))

    def do(self, by: Principal, cancel: Event) -> Credential:
        """Raises NotAllowed for random UIDs, badges already known, and PINs against the rules."""
        self.directory.pins.require_strong(self.person.user_id, self.pin)
        credential = self.directory.enrol(self.person.person_id, self.claim)
        self.directory.pins.set(self.person.person_id, self.pin)
        return credential

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, User Security Attributes Changed (PS3.15 A.5.3.11)."""
        said = f"Enrol a {self.claim.kind} credential for {self.person.user_id}: {ending.words}"
        messages = events.security_alert(
            who(by), codes.USER_SECURITY_CHANGED, self.person.user_id, said, ending.outcome
        )
        return Statement(said, ending.outcome, messages, badge=Badge.of(self.claim))


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
