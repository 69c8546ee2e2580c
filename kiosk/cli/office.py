"""Where staff are administered: the directory, the trail, and a desk that acts in the name of unix:NAME."""

import getpass
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.people import Directory
from kiosk.access.person import Person
from kiosk.audit import TrailPort
from kiosk.cli.audit import unix_principal
from kiosk.config.loader import load
from kiosk.errors import NotAllowed
from kiosk.operations.ledger import TrailNonces
from kiosk.operations.perform import Deed, Desk
from kiosk.operations.staff import change
from kiosk.premises import People, Premises
from readers.credentials.ladder import Ladder

T = TypeVar("T")


@dataclass(frozen=True)
class Office:
    """An open trail and directory of one kiosk, running or not."""

    premises: Premises
    trail: TrailPort
    people: People
    desk: Desk

    @property
    def directory(self) -> Directory:
        """The directory of people."""
        return self.people.directory

    def ladder(self) -> Ladder:
        """The kiosk's own ladder; raises ConfigError where a key or an authority will not do."""
        return self.premises.ladder(self.people.counters, TrailNonces(self.trail))

    def change(self, deed: Deed[T]) -> T:
        """Does it and records it, both or neither, under unix:NAME."""
        return change(self.desk, unix_principal(), self.directory, deed)

    def person(self, user_id: str) -> Person:
        """The person of that user ID; raises NotAllowed."""
        found = self.directory.find(user_id)
        if found is None:
            raise NotAllowed("There is nobody of that user ID. `kiosk staff list` shows who there is.")
        return found

    def active_person(self, user_id: str) -> Person:
        """As above, and raises NotAllowed as well for somebody who is disabled."""
        found = self.person(user_id)
        if not found.active:
            raise NotAllowed(f"{user_id} is disabled. `kiosk staff enable {user_id}` takes that back.")
        return found


@contextmanager
def office(options: Namespace) -> Iterator[Office]:
    """The office of the kiosk of `--config`; raises ConfigError, TrailError and DirectoryError."""
    premises = Premises(load(Path(options.config)))
    with premises.signed_trail() as trail:
        people = premises.directory()
        try:
            desk = Desk(premises.ledger(trail, lambda said: print(said, file=sys.stderr)), lambda _: False)
            yield Office(premises, trail, people, desk)
        finally:
            people.close()


def new_pin() -> EnteredPin:
    """Asked twice without an echo. Without a terminal it is the first line of standard input, and the second the same
    if there is one. Raises NotAllowed.
    """
    if sys.stdin.isatty():
        first = EnteredPin(getpass.getpass("New PIN (6 digits or more): "))
        second = EnteredPin(getpass.getpass("Once more: "))
    else:
        first = EnteredPin(sys.stdin.readline().strip())
        second = EnteredPin(sys.stdin.readline().strip() or first.reveal())
    if first.reveal() != second.reveal():
        raise NotAllowed("The two PINs differ.")
    return first
