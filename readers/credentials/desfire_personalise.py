"""Makes a factory-blank DESFire a card of the site: application, keys, identity, and then the lock on the door.

What can be taken back comes first and what cannot comes last. A card that is taken away at any point is still blank for
everybody who has the factory's key, or is this site's and goes on where it stopped when it is laid on again: each step
leaves a mark that `desfire_state` reads. The application's master key is its last key, so that an application under
that key is complete, and its identity is never written twice.

The factory's keys are known to everybody: whoever listens to the field while a blank is written learns its new keys.
"""

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum

from readers.apdu import Command, Response
from readers.credentials import desfire_commands as commands
from readers.credentials import ev1
from readers.credentials.aes import KEY_SIZE
from readers.credentials.aes_keys import AesKeyStore
from readers.credentials.claim import Claim
from readers.credentials.desfire import DesfireScheme
from readers.credentials.desfire_commands import AES_KEYS, CARD_LEVEL, MASTER
from readers.credentials.desfire_issue import KEY_VERSION, SETTINGS, DesfireIssue
from readers.credentials.desfire_state import (
    FACTORY_DES_KEY,
    ZERO_KEY,
    CardKey,
    CardState,
    NotPersonalisable,
    Progressed,
    Unfit,
    look,
    opened,
)
from readers.credentials.native import ProofFailed, SecureSession
from readers.reader import Card
from readers.uid import Uid


class Step(Enum):
    """What is done, in this order; each step's value is what a person reads while it is."""

    CREATE_APPLICATION = "Making the site's application"
    UID_KEY = "Writing the key that tells the UID"
    READ_KEY = "Writing the card's own read key"
    SPARE_KEYS = "Locking the keys that are not used"
    CREATE_FILE = "Making the identity file"
    WRITE_IDENTITY = "Writing the identity"
    MASTER_KEY = "Writing the application's master key"
    CARD_KEY = "Writing the card's master key"
    FREEZE = "Freezing the card's settings"
    HIDE_UID = "Switching to a random UID, for good"
    VERIFY = "Checking the card as a reader at the wall would"


@dataclass(frozen=True)
class Progress:
    """This step is about to be done; `number` counts from 1 to `of`."""

    step: Step
    number: int
    of: int


@dataclass(frozen=True)
class Personalised:
    """The card proved that it is the site's. `written` is False where it had been so before."""

    claim: Claim
    written: bool


def plan(state: CardState, issue: DesfireIssue) -> tuple[Step, ...]:
    """What is left to do."""
    steps: list[Step] = []
    application = issue.application
    if state.application is Progressed.ABSENT:
        steps.append(Step.CREATE_APPLICATION)
    if state.application is not Progressed.COMPLETE:
        if application.uid_key_number is not None and application.uid_key_number not in state.changed:
            steps.append(Step.UID_KEY)
        if application.read_key_number not in state.changed:
            steps.append(Step.READ_KEY)
        if set(issue.spare_key_numbers) - state.changed:
            steps.append(Step.SPARE_KEYS)
        if not state.has_file:
            steps.append(Step.CREATE_FILE)
        steps += (Step.WRITE_IDENTITY, Step.MASTER_KEY)
    if state.card_key is not CardKey.OWN:
        steps.append(Step.CARD_KEY)
    if not state.is_frozen:
        steps.append(Step.FREEZE)
    if issue.hides_uid and not state.is_hidden:
        steps.append(Step.HIDE_UID)
    return (*steps, Step.VERIFY)


def personalise(
    card: Card,
    issue: DesfireIssue,
    keys: AesKeyStore,
    only: Uid | None = None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> Generator[Progress, None, Personalised]:
    """Does what is left to do, telling each step before it is done. With `only`, on the card of that UID alone.

    Raises NotPersonalisable before anything is written, or at the end where the card does not prove itself; before that
    CommandRefused or ProofFailed where a card refuses or somebody interferes, and what `card.transmit` raises. After
    any of these the same card may be tried again. `random` makes challenges, the identity and keys that nobody knows.
    """
    state = look(card, issue, keys, random)
    if only is not None and state.uid != only:
        raise NotPersonalisable(Unfit.OTHER_CARD)
    work = _Work(card, issue, state, random)
    *steps, last = plan(state, issue)
    for number, step in enumerate(steps, start=1):
        yield Progress(step, number, len(steps) + 1)
        work.do(step)
    yield Progress(last, len(steps) + 1, len(steps) + 1)
    return Personalised(_verified(card, issue, keys, state.uid), bool(steps))


class _Work:
    """The steps on one card. Those that follow one another under one key share its session."""

    def __init__(self, card: Card, issue: DesfireIssue, state: CardState, random: Callable[[int], bytes]) -> None:
        self._card = card
        self._issue = issue
        self._state = state
        self._random = random
        self._session: tuple[bytes, SecureSession] | None = None
        self._steps: dict[Step, Callable[[], None]] = {
            Step.CREATE_APPLICATION: self._create_application,
            Step.UID_KEY: self._uid_key,
            Step.READ_KEY: self._read_key,
            Step.SPARE_KEYS: self._spare_keys,
            Step.CREATE_FILE: self._create_file,
            Step.WRITE_IDENTITY: self._write_identity,
            Step.MASTER_KEY: self._master_key,
            Step.CARD_KEY: self._card_key,
            Step.FREEZE: self._freeze,
            Step.HIDE_UID: self._hide_uid,
        }

    def do(self, step: Step) -> None:
        self._steps[step]()

    def _create_application(self) -> None:
        """A blank lets everybody make one; a card of ours that was emptied wants its master key."""
        session = None
        if self._state.card_key is CardKey.OWN:
            session = self._under_card_key()
        else:
            commands.select(self._card, CARD_LEVEL)
        identifier = self._issue.application.identifier
        commands.create_application(self._card, session, identifier, SETTINGS, self._issue.key_count)

    def _uid_key(self) -> None:
        self._change(self._issue.application.uid_key_number or 0, self._state.keys.uid)

    def _read_key(self) -> None:
        self._change(self._issue.application.read_key_number, self._state.keys.read)

    def _spare_keys(self) -> None:
        for number in self._issue.spare_key_numbers:
            if number not in self._state.changed:
                self._change(number, self._random(KEY_SIZE))

    def _create_file(self) -> None:
        application = self._issue.application
        session = self._in_application()
        number, size = application.file_number, application.file_size
        commands.create_data_file(self._card, session, number, self._issue.rights, size)

    def _write_identity(self) -> None:
        application = self._issue.application
        identity = self._random(application.file_size)
        commands.write_data(self._card, self._in_application(), application.file_number, identity)

    def _master_key(self) -> None:
        session = self._in_application()
        commands.change_key(self._card, session, MASTER, self._state.keys.master, KEY_VERSION, old=None)
        self._session = None

    def _card_key(self) -> None:
        commands.select(self._card, CARD_LEVEL)
        self._session = None
        if self._state.card_key is CardKey.FACTORY_DES:
            session: SecureSession = ev1.authenticate_des(self._card, MASTER, FACTORY_DES_KEY, self._random)
        else:
            session = self._authenticated(ZERO_KEY)
        commands.change_key(self._card, session, AES_KEYS | MASTER, self._state.keys.card, KEY_VERSION, old=None)

    def _freeze(self) -> None:
        commands.change_key_settings(self._card, self._under_card_key(), SETTINGS)

    def _hide_uid(self) -> None:
        commands.hide_uid(self._card, self._under_card_key())

    def _change(self, number: int, key: bytes) -> None:
        commands.change_key(self._card, self._in_application(), number, key, KEY_VERSION, old=ZERO_KEY)

    def _in_application(self) -> SecureSession:
        return self._at(self._issue.application.identifier, ZERO_KEY)

    def _under_card_key(self) -> SecureSession:
        return self._at(CARD_LEVEL, self._state.keys.card)

    def _at(self, place: bytes, key: bytes) -> SecureSession:
        if self._session is None or self._session[0] != place:
            commands.select(self._card, place)
            self._session = place, self._authenticated(key)
        return self._session[1]

    def _authenticated(self, key: bytes) -> SecureSession:
        session = opened(self._card, self._issue, MASTER, key, self._random)
        if session is None:
            raise ProofFailed("The card's key is not the one it had a moment ago.")
        return session


def _verified(card: Card, issue: DesfireIssue, keys: AesKeyStore, uid: Uid) -> Claim:
    """Where cards may hide their UID, the card is asked for it as if it did."""
    asked = card if issue.application.uid_key_number is None else _WithoutUid(card)
    claim = DesfireScheme(issue.application, keys).identify(asked)
    if not isinstance(claim, Claim) or claim.uid != uid:
        raise NotPersonalisable(Unfit.UNVERIFIED)
    return claim


class _WithoutUid:
    """A card whose reader tells no UID."""

    uid: Uid | None = None

    def __init__(self, card: Card) -> None:
        self._card = card
        self.atr = card.atr
        self.takes_apdus = card.takes_apdus

    def transmit(self, command: Command) -> Response:
        return self._card.transmit(command)
