"""Cards of the site's own: the keys that they are made with, and a blank that becomes one."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from threading import Event
from typing import ClassVar

from kiosk.access.policy import Permission
from kiosk.audit import Outcome, codes, events
from kiosk.audit.alerts import CARD_URN
from kiosk.errors import Cancelled, KioskError
from kiosk.operations.perform import Ending, Operation
from kiosk.operations.principal import Badge, Principal, System
from kiosk.operations.statement import Statement, who
from readers.credentials.desfire_personalise import Personalised, Progress
from readers.credentials.native import ProofFailed
from readers.errors import CardError, ReaderError, ReaderUnavailable
from readers.uid import Uid

KIND = "desfire"
GO_ON = "Lay the same card on and begin again: it goes on where it stopped."
STOPPED = (CardError, ProofFailed, ReaderUnavailable)


@dataclass(frozen=True)
class MakeKeys(Operation[str, None]):
    """Makes the card keys of those names that are not there yet; yields the names of those that it made.

    `make` makes one and says whether it did.
    """

    name: ClassVar[str] = "card_keys_make"
    permission: ClassVar[Permission | None] = Permission.ADMINISTER_STAFF
    accepts: ClassVar[tuple[type, ...]] = (System,)

    key_names: tuple[str, ...]
    make: Callable[[str], bool]

    def intent(self, by: Principal) -> Statement:
        """Which keys there shall be."""
        return Statement(f"Make the card keys that are missing of {', '.join(self.key_names)}")

    def act(self, by: Principal, cancel: Event) -> Generator[str, None, None]:
        """Name by name. Raises KioskError where a file cannot be made."""
        for name in self.key_names:
            try:
                made = self.make(name)
            except ReaderError as error:
                raise KioskError(f"{error}.") from None
            if made:
                yield name

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, Security Configuration (PS3.15 A.5.3.11); how many were made, and never a key."""
        said = f"Make card keys: {ending.items} made, {ending.words}"
        messages = events.security_alert(
            who(by), codes.SECURITY_CONFIGURATION, "urn:kiosk:card-keys", said, ending.outcome
        )
        return Statement(said, ending.outcome, messages)


@dataclass(frozen=True)
class PersonaliseCard(Operation[Progress, Personalised]):
    """Makes the DESFire with that UID a card of the site; yields each step before it is done.

    `work` does it and holds the keys; `application` is the AID as people write it.
    """

    name: ClassVar[str] = "personalise_card"
    permission: ClassVar[Permission | None] = Permission.ADMINISTER_STAFF
    accepts: ClassVar[tuple[type, ...]] = (System,)

    uid: Uid
    application: str
    work: Callable[[], Generator[Progress, None, Personalised]]

    def intent(self, by: Principal) -> Statement:
        """Which card, whole, for which application."""
        return Statement(self._said, badge=Badge(KIND, self.uid.hex(), ""))

    def act(self, by: Principal, cancel: Event) -> Generator[Progress, None, Personalised]:
        """Step by step, between which it can be cancelled. Raises KioskError: the card refuses, or was taken away."""
        work = self.work()
        try:
            while True:
                if cancel.is_set():
                    raise Cancelled(f"The card is not finished. {GO_ON}")
                try:
                    progress = next(work)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]  # the generator's own result type
                yield progress
        except STOPPED as error:
            raise KioskError(f"{str(error).rstrip('.')}. {GO_ON}") from None
        except ReaderError as error:
            raise KioskError(str(error)) from None
        finally:
            work.close()

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Security Alert, Object Security Attributes Changed (PS3.15 A.5.3.11), with what the card proved at last."""
        done = ending.result
        badge = Badge(KIND, self.uid.hex(), "")
        words = f"{ending.items} steps, {ending.words}"
        if isinstance(done, Personalised):
            badge = Badge.of(done.claim)
            words = "done" if done.written else "it was one already, nothing was written"
        said = f"{self._said}: {words}"
        card = f"{CARD_URN}{self.uid.hex()}"
        messages = events.security_alert(who(by), codes.OBJECT_SECURITY_CHANGED, card, said, ending.outcome)
        return Statement(said, ending.outcome or Outcome.SUCCESS, messages, badge=badge)

    @property
    def _said(self) -> str:
        return f"Personalise a DESFire card for application {self.application}"
