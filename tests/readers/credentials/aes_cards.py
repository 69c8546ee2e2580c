"""The site whose DESFire cards and NTAG 424 tags the tests use: its keys, and how its cards are set up."""

from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.counters import MemoryCounters
from readers.credentials.desfire import DesfireApplication, DesfireScheme, Messaging
from readers.credentials.keys import CounterStore
from readers.credentials.ntag424 import Ntag424Keys, Ntag424Scheme
from readers.credentials.ntag424_sun import SunScheme, SunTag
from readers.credentials.sdm import SunLayout
from readers.uid import Uid

UID = Uid.from_hex("04A1B2C3D4E580")
OTHER_UID = Uid.from_hex("04A1B2C3D4E680")
IDENTITY = bytes(range(0xC0, 0xE0))
SITE_KEYS = {
    name: bytes((number,)) * 15 + b"\x2a"
    for number, name in enumerate(
        ("desfire-read", "desfire-uid", "ntag424", "ntag424-uid", "ntag424-meta", "ntag424-file"), start=0x11
    )
}
KEYS = MemoryKeys(SITE_KEYS)
FOREIGN_KEYS = MemoryKeys({name: bytes(15) + key[:1] for name, key in SITE_KEYS.items()})

EITHER = (Messaging.EV2, Messaging.EV1)
APPLICATION = DesfireApplication(
    identifier=bytes.fromhex("F51234"),
    file_number=1,
    file_size=len(IDENTITY),
    read_key_number=2,
    uid_key_number=3,
    system_identifier=b"imaging",
)
TAG_KEYS = Ntag424Keys(key_number=1, uid_key_number=2, system_identifier=b"imaging")

# AN12196 table 17: the NDEF file before anything is written into it
TEMPLATE = bytes.fromhex("0051D1014D5504") + b"choose.url.com/ntag424?e=" + b"0" * 32 + b"&c=" + b"0" * 16
LAYOUT = SunLayout(picc_data=0x20, mac_input=0x43, mac=0x43)
COVERING_LAYOUT = SunLayout(picc_data=0x20, mac_input=0x07, mac=0x43)
SUN_TAG = SunTag(LAYOUT, system_identifier=b"imaging")


def desfire_scheme(application: DesfireApplication = APPLICATION, keys: MemoryKeys = KEYS) -> DesfireScheme:
    return DesfireScheme(application, keys)


def ntag424_scheme(layout: Ntag424Keys = TAG_KEYS, keys: MemoryKeys = KEYS) -> Ntag424Scheme:
    return Ntag424Scheme(layout, keys)


def sun_scheme(counters: CounterStore | None = None, tag: SunTag = SUN_TAG, keys: MemoryKeys = KEYS) -> SunScheme:
    return SunScheme(tag, keys, counters or MemoryCounters())
