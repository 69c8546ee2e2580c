"""What a virtual DESFire keeps: keys, applications, files, and how much room there is for more."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from readers.credentials.aes import KEY_SIZE as AES_KEY_SIZE
from readers.credentials.des import KEY_SIZE as DES_KEY_SIZE

MAC_MODE = 0x01
NEVER = 0xF
FREE = 0xE
MASTER = 0

MASTER_CHANGEABLE = 0x01
FREE_LISTING = 0x02
FREE_CREATING = 0x04
SETTINGS_CHANGEABLE = 0x08
FACTORY_SETTINGS = MASTER_CHANGEABLE | FREE_LISTING | FREE_CREATING | SETTINGS_CHANGEABLE
ISSUED_SETTINGS = MASTER_CHANGEABLE | FREE_LISTING | SETTINGS_CHANGEABLE

FACTORY_DES_KEY = bytes(DES_KEY_SIZE)
ZERO_AES_KEY = bytes(AES_KEY_SIZE)
ROOM = 7936
APPLICATION_COST = 64
KEY_COST = 32
BLOCK_COST = 32


@dataclass(repr=False)
class DataFile:
    """A standard data file. Which key may do what, NEVER: none, FREE: anybody; `mode` is 0 plain, 1 MAC, 3 full."""

    content: bytes
    read_key_number: int
    write_key_number: int = NEVER
    both_key_number: int = NEVER
    change_key_number: int = NEVER
    mode: int = MAC_MODE

    @property
    def rights(self) -> bytes:
        """As they go over the air, two bytes."""
        both, one = self.both_key_number << 4, self.read_key_number << 4
        return bytes((both | self.change_key_number, one | self.write_key_number))

    @property
    def cost(self) -> int:
        """Bytes of memory that it takes: whole blocks."""
        return -(-len(self.content) // BLOCK_COST) * BLOCK_COST


@dataclass(repr=False)
class CardApplication:
    """Keys and files by their numbers, the versions of keys, and the settings of the master key."""

    keys: dict[int, bytes]
    files: dict[int, DataFile] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    settings: int = ISSUED_SETTINGS

    @property
    def cost(self) -> int:
        """Bytes of memory that it takes."""
        return APPLICATION_COST + KEY_COST * len(self.keys) + sum(file.cost for file in self.files.values())

    @property
    def change_key_number(self) -> int:
        """Which key changes the others; 14 each itself, 15 none."""
        return self.settings >> 4


class DesfireMemory:
    """The whole card. `applications` by the AID's 3 bytes as people write them; `card` holds the card's own one key."""

    def __init__(
        self,
        applications: Mapping[bytes, CardApplication],
        *,
        master_key: bytes = FACTORY_DES_KEY,
        master_version: int = 0,
        settings: int = FACTORY_SETTINGS,
        room: int = ROOM,
    ) -> None:
        """`master_key` of 8 bytes is DES, of 16 AES; `room` is in bytes."""
        self.applications = dict(applications)
        self.card = CardApplication({MASTER: master_key}, versions={MASTER: master_version}, settings=settings)
        self.room = room
        self.hides_uid = False
        self.forbids_format = False

    @property
    def free(self) -> int:
        """Bytes that are left."""
        return self.room - sum(application.cost for application in self.applications.values())
