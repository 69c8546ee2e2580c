"""`kiosk staff`: people, roles and badges, each change on record under unix:NAME."""

import getpass
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.people import Directory
from kiosk.access.person import Person
from kiosk.access.policy import Role
from kiosk.build import Premises
from kiosk.cli.audit import unix_principal
from kiosk.cli.reader import opened
from kiosk.config.loader import load
from kiosk.errors import NotAllowed
from kiosk.operations.ledger import TrailLedger
from kiosk.operations.perform import Deed, Desk, finish, perform
from kiosk.operations.staff import AddPerson, Bootstrap, EnrolBadge, ListStaff
from readers.credentials.claim import Claim, Refusal
from readers.credentials.standard import standard_ladder
from readers.reader import Card, CardPresented
from readers.watch import ReaderWatch, Reading

PATIENCE = 60.0


@dataclass(frozen=True)
class _Office:
    premises: Premises
    desk: Desk
    directory: Directory


def bootstrap(options: Namespace) -> int:
    """The first enrolment officer, once."""
    with _office(options) as office:
        _add(office, Bootstrap(office.directory, options.user_id, options.name), options)
    return 0


def add(options: Namespace) -> int:
    """One more person; with --tap also one more badge for somebody who is known already."""
    try:
        role = Role(options.role)
    except ValueError:
        raise NotAllowed(f"There is no role {options.role}. Roles are {', '.join(Role)}.") from None
    with _office(options) as office:
        known = office.directory.find(options.user_id)
        if options.tap and known is not None and known.role is role:
            _enrol(office, known, options.socket)
        else:
            _add(office, AddPerson(office.directory, options.user_id, options.name, role), options)
    return 0


def listing(options: Namespace) -> int:
    """Everybody: user ID, role, name, credentials."""
    with _office(options) as office:
        for person in perform(office.desk, unix_principal(), ListStaff(office.directory.people)):
            badges = [badge for badge in office.directory.credentials_of(person) if badge.revoked_at is None]
            state = "" if person.active else "  disabled"
            held = ", ".join(f"{badge.kind} {badge.masked}" for badge in badges) or "no badge"
            print(f"{person.user_id}  {person.role.value}  {person.display_name}  {held}{state}")
    return 0


def _add(office: _Office, deed: Deed[Person], options: Namespace) -> None:
    person = finish(perform(office.desk, unix_principal(), deed))
    print(f"{person.user_id} ({person.display_name}) is {person.role.value}.")
    if options.tap:
        _enrol(office, person, options.socket)


def _enrol(office: _Office, person: Person, socket: str | None) -> None:
    claim = _tapped(office.premises, socket)
    pin = _new_pin()
    credential = finish(perform(office.desk, unix_principal(), EnrolBadge(office.directory, person, claim, pin)))
    print(f"Enrolled: {credential.kind} {credential.masked}.")


def _tapped(premises: Premises, socket: str | None) -> Claim:
    answers: Queue[Claim | Refusal] = Queue()
    ladder = standard_ladder()

    def on_card(_: CardPresented, card: Card) -> Reading:
        answer = ladder.identify(card)
        return Reading(None, lambda: answers.put(answer))

    def on_crash(error: Exception) -> None:
        print(f"kiosk: the reader stumbled: {type(error).__name__}", file=sys.stderr)

    with opened(premises.config.readers.specs[0], socket) as reader:
        watch = ReaderWatch(reader, lambda _: None, on_card, on_crash=on_crash)
        print("Tap the badge or phone to enrol.", file=sys.stderr)
        watch.start()
        try:
            answer = answers.get(timeout=PATIENCE)
        except Empty:
            raise NotAllowed("Nobody tapped in time.") from None
        finally:
            watch.stop()
    if isinstance(answer, Refusal):
        raise NotAllowed(answer.sentence)
    return answer


def _new_pin() -> EnteredPin:
    first = EnteredPin(getpass.getpass("New PIN (6 digits or more): "))
    if first.reveal() != getpass.getpass("Once more: "):
        raise NotAllowed("The two PINs differ.")
    return first


@contextmanager
def _office(options: Namespace) -> Iterator[_Office]:
    premises = Premises(load(Path(options.config)))
    with premises.trail() as trail:
        people = premises.directory()
        try:
            desk = Desk(TrailLedger(trail, lambda said: print(said, file=sys.stderr)), lambda _: False)
            yield _Office(premises, desk, people.directory)
        finally:
            people.close()
