"""`kiosk staff`: people, roles and credentials, each change on record under unix:NAME."""

from argparse import Namespace
from collections.abc import Sequence

from kiosk.access.person import Credential, Person
from kiosk.access.policy import Role
from kiosk.cli.audit import unix_principal
from kiosk.cli.office import Office, new_pin, office
from kiosk.cli.taps import say, taps
from kiosk.errors import NotAllowed
from kiosk.operations.perform import Deed, perform
from kiosk.operations.staff import (
    AddPerson,
    Bootstrap,
    DisablePerson,
    EnablePerson,
    EnrolBadge,
    ListCredentials,
    ListStaff,
    ResetPin,
    RevokeCredential,
    described,
)
from readers.credentials.claim import Assurance, Refusal

NUMBER_LENGTH = 8
SHORTEST_NUMBER = 4


def bootstrap(options: Namespace) -> int:
    """The first enrolment officer, once."""
    with office(options) as at:
        _add(at, Bootstrap(at.directory, options.user_id, options.name), options)
    return 0


def add(options: Namespace) -> int:
    """One more person; with --tap also one more badge for somebody who is known already."""
    try:
        role = Role(options.role)
    except ValueError:
        raise NotAllowed(f"There is no role {options.role}. Roles are {', '.join(Role)}.") from None
    with office(options) as at:
        known = at.directory.find(options.user_id)
        if options.tap and known is not None and known.role is role:
            _enrol(at, known, options.socket)
        else:
            _add(at, AddPerson(at.directory, options.user_id, options.name, role), options)
    return 0


def listing(options: Namespace) -> int:
    """Everybody: user ID, role, name, credentials; with --credentials, a line for each of these, revoked ones too."""
    with office(options) as at:
        if options.credentials:
            every = ListCredentials(at.directory.people, at.directory.credentials_of)
            for person, credentials in perform(at.desk, unix_principal(), every):
                print(f"{_named(person)}{_state(person)}")
                for credential in credentials:
                    print(f"  {_line(credential)}")
            return 0
        for person in perform(at.desk, unix_principal(), ListStaff(at.directory.people)):
            badges = [badge for badge in at.directory.credentials_of(person) if badge.revoked_at is None]
            held = ", ".join(f"{badge.kind} {badge.masked}" for badge in badges) or "no badge"
            print(f"{_named(person)}  {held}{_state(person)}")
    return 0


def revoke(options: Namespace) -> int:
    """Ends one credential of a person for good."""
    with office(options) as at:
        person = at.person(options.user_id)
        credential = chosen(at.directory.credentials_of(person), options.credential)
        at.change(RevokeCredential(at.directory, person, credential, options.reason))
        print(f"Revoked: {described(credential)} of {person.user_id}. An open session of it ends within seconds.")
    return 0


def disable(options: Namespace) -> int:
    """Lets nothing of a person in any more."""
    with office(options) as at:
        person = at.change(DisablePerson(at.directory, at.person(options.user_id)))
        print(f"{person.user_id} is disabled. An open session of theirs ends within seconds.")
    return 0


def enable(options: Namespace) -> int:
    """Takes `disable` back."""
    with office(options) as at:
        person = at.change(EnablePerson(at.directory, at.person(options.user_id)))
        print(f"{person.user_id} is enabled again.")
    return 0


def pin(options: Namespace) -> int:
    """A new PIN for a person."""
    with office(options) as at:
        person = at.person(options.user_id)
        at.change(ResetPin(at.directory, person, new_pin()))
        print(f"{person.user_id} has a new PIN.")
    return 0


def chosen(credentials: Sequence[Credential], text: str) -> Credential:
    """The one that `text` names: the beginning of its number, its fingerprint, or the end of its UID as it is shown.

    Raises NotAllowed for none, and for more than one.
    """
    wanted = text.strip().casefold()
    named = [credential for credential in credentials if wanted in _names(credential, len(wanted))]
    if len(named) == 1:
        return named[0]
    if named:
        raise NotAllowed("That names several of their credentials: give the number that begins the line in the list.")
    raise NotAllowed("They carry no such credential. `kiosk staff list --credentials` shows what they carry.")


def _names(credential: Credential, length: int) -> set[str]:
    number = credential.credential_id[:length] if length >= SHORTEST_NUMBER else credential.credential_id
    masked = credential.masked.casefold()
    return {number, credential.fingerprint.casefold(), masked, masked.removeprefix("…")} - {""}


def _add(at: Office, deed: Deed[Person], options: Namespace) -> None:
    person = at.change(deed)
    print(f"{person.user_id} ({person.display_name}) is {person.role.value}.")
    if options.tap:
        _enrol(at, person, options.socket)


def _enrol(at: Office, person: Person, socket: str | None) -> None:
    config = at.premises.config
    with taps(config.readers.specs[:1], socket, at.ladder(), config) as taken:
        say("Tap the badge or phone to enrol.")
        answer = taken.wait().answer
    entered = None if isinstance(answer, Refusal) else new_pin()
    credential = at.change(EnrolBadge(at.directory, person, answer, entered))
    print(f"Enrolled: {credential.kind} {credential.masked}.")


def _named(person: Person) -> str:
    return f"{person.user_id}  {person.role.value}  {person.display_name}"


def _state(person: Person) -> str:
    return "" if person.active else "  disabled"


def _line(credential: Credential) -> str:
    worth = "proves itself" if credential.assurance >= Assurance.AUTHENTICATED else "identifier"
    said = f"{credential.credential_id[:NUMBER_LENGTH]}  {credential.kind}  {credential.masked}  {worth}"
    if credential.fingerprint:
        said += f"  {credential.fingerprint}"
    said += f"  since {credential.valid_from:%Y-%m-%d}"
    if credential.valid_to is not None:
        said += f"  until {credential.valid_to:%Y-%m-%d}"
    if credential.revoked_at is not None:
        why = f" ({credential.revoked_reason})" if credential.revoked_reason else ""
        said += f"  revoked {credential.revoked_at:%Y-%m-%d}{why}"
    return said
