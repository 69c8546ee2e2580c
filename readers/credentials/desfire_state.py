"""How far a DESFire is on its way from a factory blank to a card of this site. Looks, and changes nothing."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from readers.credentials import desfire_commands as commands
from readers.credentials import ev1
from readers.credentials.aes import KEY_SIZE
from readers.credentials.aes_keys import AesKeyStore
from readers.credentials.desfire import authenticate
from readers.credentials.desfire_commands import CARD_LEVEL, MASTER, CardVersion, CommandRefused
from readers.credentials.desfire_issue import KEY_VERSION, SETTINGS, DesfireIssue, IssuedKeys
from readers.credentials.native import NotSupported, ProofFailed, SecureSession, fixed_uid, real_uid
from readers.errors import ReaderError
from readers.reader import Card
from readers.uid import Uid

FACTORY_SETTINGS = 0x0F
FACTORY_VERSION = 0
FACTORY_DES_KEY = bytes(8)
ZERO_KEY = bytes(KEY_SIZE)
FIRST_WITH_AES = 0x01


class Unfit(Enum):
    """Why a card is not made one of this site's."""

    NOT_DESFIRE = "not_desfire"
    TOO_OLD = "too_old"
    NOT_BLANK = "not_blank"
    FOREIGN = "foreign"
    HIDDEN_UID = "hidden_uid"
    TWO_UIDS = "two_uids"
    OTHER_CARD = "other_card"
    KEY_MISSING = "key_missing"
    UNVERIFIED = "unverified"


SENTENCES = {
    Unfit.NOT_DESFIRE: "This is not a MIFARE DESFire. Use a blank DESFire EV1, EV2 or EV3.",
    Unfit.TOO_OLD: "This DESFire is too old: it knows no AES. Use a blank DESFire EV1, EV2 or EV3.",
    Unfit.NOT_BLANK: "This card is not blank: somebody keeps something on it already. Nothing was written.",
    Unfit.FOREIGN: "This card belongs to another site: its keys are not ours. Nothing was written.",
    Unfit.HIDDEN_UID: "This card hides its number, so it is no blank one, and this site cannot ask it for its number.",
    Unfit.TWO_UIDS: "This card shows one number and tells another. Do not use it.",
    Unfit.OTHER_CARD: "This is another card than the one before. Nothing was written.",
    Unfit.KEY_MISSING: "This kiosk lacks a key that the card needs.",
    Unfit.UNVERIFIED: "The card was written but does not prove who it is. Do not give it out.",
}


class NotPersonalisable(ReaderError):
    """This card will not become one of the site's; the sentence says why. Unless UNVERIFIED, nothing was written."""

    def __init__(self, reason: Unfit, detail: str = "") -> None:
        super().__init__(f"{SENTENCES[reason]} {detail}".strip())
        self.reason = reason


class CardKey(Enum):
    """What the card's own master key is: of the factory, or this site's."""

    FACTORY_DES = "factory_des"
    FACTORY_AES = "factory_aes"
    OWN = "own"


class Progressed(Enum):
    """How far the application is. COMPLETE: its master key is the site's, which is done last."""

    ABSENT = "absent"
    BEGUN = "begun"
    COMPLETE = "complete"


@dataclass(frozen=True, repr=False)
class CardState:
    """`changed` are the numbers of the application's keys that are not the factory's any more."""

    uid: Uid
    model: str
    keys: IssuedKeys
    card_key: CardKey
    application: Progressed
    changed: frozenset[int]
    has_file: bool
    is_frozen: bool
    is_hidden: bool

    def __repr__(self) -> str:
        return f"CardState({self.uid!r}, {self.model}, {self.card_key.name}, {self.application.name})"


def look(
    card: Card, issue: DesfireIssue, keys: AesKeyStore, random: Callable[[int], bytes] = secrets.token_bytes
) -> CardState:
    """What there is to know before anything is written; raises NotPersonalisable, or what `card.transmit` raises."""
    return _Look(card, issue, keys, random).state()


class _Look:
    def __init__(self, card: Card, issue: DesfireIssue, keys: AesKeyStore, random: Callable[[int], bytes]) -> None:
        self._card = card
        self._issue = issue
        self._site_keys = keys
        self._random = random

    def state(self) -> CardState:
        version = self._version()
        seen = fixed_uid(self._card.uid)
        try:
            uid = seen or self._hidden_uid()
            keys = self._issue.keys_of(uid, self._site_keys)
        except KeyError as error:
            raise NotPersonalisable(Unfit.KEY_MISSING, str(error)) from None
        if seen is not None and version.uid != seen:
            raise NotPersonalisable(Unfit.TWO_UIDS)
        card_key, is_frozen, is_there = self._card_level(keys)
        progressed, changed, has_file = Progressed.ABSENT, frozenset[int](), False
        if is_there:
            progressed, changed, has_file = self._application(keys)
        return CardState(
            uid, version.name, keys, card_key, progressed, changed, has_file, is_frozen, is_hidden=seen is None
        )

    def _version(self) -> CardVersion:
        if not self._card.takes_apdus:
            raise NotPersonalisable(Unfit.NOT_DESFIRE)
        try:
            commands.select(self._card, CARD_LEVEL)  # a session that somebody left open would protect what comes next
            version = commands.version(self._card)
        except (NotSupported, CommandRefused):
            raise NotPersonalisable(Unfit.NOT_DESFIRE) from None
        if not version.is_desfire:
            raise NotPersonalisable(Unfit.NOT_DESFIRE)
        if version.major < FIRST_WITH_AES:
            raise NotPersonalisable(Unfit.TOO_OLD)
        return version

    def _hidden_uid(self) -> Uid:
        """Only a card that this site has finished may hide its UID."""
        application = self._issue.application
        if application.uid_key_number is None:
            raise NotPersonalisable(Unfit.HIDDEN_UID)
        shared = self._site_keys.shared(application.uid_key)
        try:
            commands.select(self._card, application.identifier)
            session = self._opened(application.uid_key_number, shared)
        except CommandRefused:
            raise NotPersonalisable(Unfit.HIDDEN_UID) from None
        if session is None:
            raise NotPersonalisable(Unfit.FOREIGN)
        return real_uid(self._card, session)

    def _card_level(self, keys: IssuedKeys) -> tuple[CardKey, bool, bool]:
        """The card's own key, whether its settings are final, and whether the application is there."""
        commands.select(self._card, CARD_LEVEL)
        try:
            told = commands.key_settings(self._card)
        except CommandRefused:  # only a master key may ask: no blank
            told = None
        is_factory = told is not None and told.settings == FACTORY_SETTINGS
        if told is not None and not told.are_aes:
            if not is_factory:
                raise NotPersonalisable(Unfit.NOT_BLANK)
            return CardKey.FACTORY_DES, False, self._blank_but_for_ours(self._opens_with_des)
        if is_factory and commands.key_version(self._card, MASTER) == FACTORY_VERSION:
            return CardKey.FACTORY_AES, False, self._blank_but_for_ours(self._opens_with_zeros)
        session = self._opened(MASTER, keys.card)
        if session is None:
            raise NotPersonalisable(Unfit.FOREIGN)
        settings = commands.key_settings(self._card, session).settings
        identifiers = commands.application_ids(self._card, session)
        return CardKey.OWN, settings == SETTINGS, self._issue.application.identifier in identifiers

    def _blank_but_for_ours(self, opens: Callable[[], bool]) -> bool:
        identifiers = commands.application_ids(self._card)
        if set(identifiers) - {self._issue.application.identifier}:
            raise NotPersonalisable(Unfit.NOT_BLANK)
        if not opens():
            raise NotPersonalisable(Unfit.FOREIGN)
        return bool(identifiers)

    def _opens_with_des(self) -> bool:
        try:
            ev1.authenticate_des(self._card, MASTER, FACTORY_DES_KEY, self._random)
        except (ProofFailed, NotSupported):
            return False
        return True

    def _opens_with_zeros(self) -> bool:
        return self._opened(MASTER, ZERO_KEY) is not None

    def _application(self, keys: IssuedKeys) -> tuple[Progressed, frozenset[int], bool]:
        commands.select(self._card, self._issue.application.identifier)
        numbers = range(self._issue.key_count)
        if self._key_version(MASTER) != FACTORY_VERSION:
            if self._opened(MASTER, keys.master) is None:
                raise NotPersonalisable(Unfit.FOREIGN)
            return Progressed.COMPLETE, frozenset(numbers), True
        session = self._opened(MASTER, ZERO_KEY)
        if session is None:
            raise NotPersonalisable(Unfit.FOREIGN)
        told = commands.key_settings(self._card, session)
        if (told.settings, told.count, told.are_aes) != (SETTINGS, self._issue.key_count, True):
            raise NotPersonalisable(Unfit.NOT_BLANK)
        versions = {number: commands.key_version(self._card, number, session) for number in numbers}
        if set(versions.values()) - {FACTORY_VERSION, KEY_VERSION}:
            raise NotPersonalisable(Unfit.FOREIGN)
        has_file = self._has_file(session)
        changed = frozenset(number for number in numbers if versions[number] == KEY_VERSION)
        self._require_ours(changed, keys)
        return Progressed.BEGUN, changed, has_file

    def _key_version(self, number: int) -> int:
        try:
            return commands.key_version(self._card, number)
        except CommandRefused:
            raise NotPersonalisable(Unfit.FOREIGN) from None

    def _has_file(self, session: SecureSession) -> bool:
        application = self._issue.application
        files = commands.file_ids(self._card, session)
        if not files:
            return False
        expected = commands.data_file_settings(self._issue.rights, application.file_size)
        if files != (application.file_number,) or (
            commands.file_settings(self._card, session, application.file_number) != expected
        ):
            raise NotPersonalisable(Unfit.NOT_BLANK)
        return True

    def _require_ours(self, changed: frozenset[int], keys: IssuedKeys) -> None:
        """A key that somebody changed before must be the one that this site would have put there."""
        application = self._issue.application
        own = [(application.read_key_number, keys.read)]
        if application.uid_key_number is not None:
            own.append((application.uid_key_number, keys.uid))
        for number, key in own:
            if number in changed and self._opened(number, key) is None:
                raise NotPersonalisable(Unfit.FOREIGN)

    def _opened(self, number: int, key: bytes) -> SecureSession | None:
        return opened(self._card, self._issue, number, key, self._random)


def opened(
    card: Card, issue: DesfireIssue, number: int, key: bytes, random: Callable[[int], bytes]
) -> SecureSession | None:
    """A session under that key of what is selected; None where the card has another one."""
    try:
        return authenticate(card, issue.application.messagings, number, key, random)
    except ProofFailed:
        return None
