"""How a site issues DESFire cards: what goes on one, under which keys. Holds names of keys, no keys."""

from dataclasses import dataclass

from readers.credentials.aes_keys import AesKeyStore
from readers.credentials.desfire import DesfireApplication
from readers.credentials.desfire_commands import CARD_LEVEL, MASTER, FileRights
from readers.errors import ReaderError
from readers.uid import Uid

MASTER_KEY = "desfire-master"
CARD_KEY = "desfire-card"
KEY_VERSION = 1
SETTINGS = 0x01
"""The master key may be changed under itself and changes the others; whoever lacks it lists and makes nothing; and
nobody changes that, not even under the master key."""


@dataclass(frozen=True)
class DesfireIssue:
    """`hides_uid`: each card gets a random UID, for good. `master_key` is the name of the site's key for the
    application's master key, `card_key` of that for the card's own. Each is made for one card (AN10922)."""

    application: DesfireApplication
    hides_uid: bool = False
    master_key: str = MASTER_KEY
    card_key: str = CARD_KEY

    def __post_init__(self) -> None:
        application = self.application
        numbers, names = [MASTER, application.read_key_number], [self.master_key, self.card_key, application.read_key]
        if application.uid_key_number is not None:
            numbers.append(application.uid_key_number)
            names.append(application.uid_key)
        if len(set(numbers)) < len(numbers):
            raise ReaderError("The keys that read and that tell the UID have numbers of their own, and not 0")
        if len(set(names)) < len(names):
            raise ReaderError("Every key of a card has a site key of its own")
        if self.hides_uid and application.uid_key_number is None:
            raise ReaderError("Cards that hide their UID need a key that tells it")

    @property
    def key_count(self) -> int:
        """How many keys the application has: the master key, those that are used, and what lies between."""
        return 1 + max(self.application.read_key_number, self.application.uid_key_number or 0)

    @property
    def spare_key_numbers(self) -> tuple[int, ...]:
        """Keys that are there and that nobody uses: each becomes one that nobody knows."""
        used = (MASTER, self.application.read_key_number, self.application.uid_key_number)
        return tuple(number for number in range(self.key_count) if number not in used)

    @property
    def rights(self) -> FileRights:
        """The identity is read with the read key alone, and written again with the master key alone."""
        return FileRights(read=self.application.read_key_number, write=MASTER)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The site keys that issuing takes."""
        application = self.application
        uid_key = (application.uid_key,) if application.uid_key_number is not None else ()
        return (*uid_key, application.read_key, self.master_key, self.card_key)

    def keys_of(self, uid: Uid, keys: AesKeyStore) -> "IssuedKeys":
        """All the keys of the card with that UID; raises KeyError where the site lacks one."""
        application = self.application
        own = application.diversification(uid)
        return IssuedKeys(
            card=keys.diversified(self.card_key, uid.value + CARD_LEVEL + application.system_identifier),
            master=keys.diversified(self.master_key, own),
            read=keys.diversified(application.read_key, own),
            uid=keys.shared(application.uid_key) if application.uid_key_number is not None else b"",
        )


@dataclass(frozen=True, repr=False)
class IssuedKeys:
    """One card's keys, 16 bytes each; `uid` is the same on every card, and empty where no card hides its UID."""

    card: bytes
    master: bytes
    read: bytes
    uid: bytes
