"""The site whose schemes are fuzzed, and its virtual cards."""

import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from readers.apdu import OK, Command, Response
from readers.credentials.aes_keys import MemoryKeys
from readers.credentials.certificates import SiteAuthority
from readers.credentials.claim import CredentialScheme
from readers.credentials.counters import MemoryCounters
from readers.credentials.cvc_issuers import CvcIssuers
from readers.credentials.desfire import DesfireScheme
from readers.credentials.emv import EmvScheme
from readers.credentials.emv_keys import StoredIdentifierKey
from readers.credentials.iso14443 import UidScheme
from readers.credentials.native import Instruction, Status
from readers.credentials.ntag424 import Ntag424Scheme
from readers.credentials.ntag424_sun import SunScheme
from readers.credentials.piv import GENERAL_AUTHENTICATE, PivScheme, subject_of
from readers.credentials.pkoc import SELECT, PkocScheme
from readers.virtual import desfire_card, ntag424_card
from readers.virtual.card import VirtualCard
from readers.virtual.emv_card import EmvCard, Fault, Profile
from readers.virtual.piv_authority import PivAuthority
from readers.virtual.piv_card import Fault as PivFault
from readers.virtual.piv_card import PivCard
from readers.virtual.pkoc_card import PkocCard
from readers.virtual.pkoc_card import Profile as PkocProfile
from readers.virtual.pkoc_issuer import PkocIssuer
from readers.virtual.pkoc_phone import SELECTED, PkocPhone
from readers.virtual.pkoc_phone import Fault as PhoneFault
from tests.fuzz.climb import Climb, Dice, climbing
from tests.fuzz.target import Target
from tests.readers.cards import FIXED_UID, ManualClock
from tests.readers.credentials.aes_cards import (
    APPLICATION,
    COVERING_LAYOUT,
    IDENTITY,
    SITE_KEYS,
    SUN_TAG,
    TAG_KEYS,
    TEMPLATE,
    UID,
)

KEYS = MemoryKeys({**SITE_KEYS, "emv": bytes(range(16))})
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NUMBER = "4929683127450918"
NUMBER_FORMS = (NUMBER.encode("ascii"), bytes.fromhex(NUMBER), bytes(map(int, NUMBER)), f"{NUMBER:.4}".encode("ascii"))
REFERENCE = "V0010013021123456789012345678"
PHONE_KEY = 0x1F2E3D4C


def _phone(fault: PhoneFault) -> PkocPhone:
    return PkocPhone.from_private_value(PHONE_KEY, fault)


def _desfire(*, knows_ev2: bool, random_uid: bool) -> VirtualCard:
    return desfire_card.issue(APPLICATION, UID, IDENTITY, SITE_KEYS, knows_ev2=knows_ev2, random_uid=random_uid)


def _tag(*, random_uid: bool, has_keys: bool = True) -> VirtualCard:
    keys = TAG_KEYS if has_keys else None
    return ntag424_card.issue(UID, SITE_KEYS, keys, SUN_TAG, TEMPLATE, random_uid=random_uid)


def pkoc() -> Climb:
    """A phone with the SE V1 applet."""

    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return PkocScheme(dice, clock), UidScheme()

    def is_there(command: Command, response: Response) -> bool:
        return command == SELECT and bytes(response) == SELECTED

    faults = (PhoneFault.NONE, PhoneFault.SWAPPED_ORDER, PhoneFault.REFUSES_LE)
    subject = _phone(PhoneFault.NONE).public_key
    return Climb(schemes, tuple(partial(_phone, fault) for fault in faults), {"pkoc": frozenset((subject,))}, is_there)


def pkoc_v2() -> Climb:
    """Cards and a phone with a certificate, where the site knows who issues them."""
    issuer, key = PkocIssuer.from_private_value(11), ec.derive_private_key(PHONE_KEY, ec.SECP256R1())
    subject = _phone(PhoneFault.NONE).public_key
    certificate = issuer.issue(subject)
    with tempfile.TemporaryDirectory() as directory:
        issuer.write(Path(directory))
        issuers = CvcIssuers(Path(directory), lambda: NOW)
        issuers.open()

    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return PkocScheme(dice, clock, issuers=issuers), UidScheme()

    def is_there(command: Command, response: Response) -> bool:
        return command == SELECT and bytes(response) in (
            bytes.fromhex(profile.value) + b"\x90\x00" for profile in PkocProfile
        )

    cards = tuple(
        partial(PkocCard, key, certificate, profile, uid=FIXED_UID, largest_answer=largest)
        for profile in PkocProfile
        for largest in (256, 64)
    )
    return Climb(schemes, cards, dict.fromkeys(("pkoc", "pkoc-v2"), frozenset((subject,))), is_there)


def desfire(*, knows_ev2: bool) -> Climb:
    """A DESFire EV2, or an EV1, with a fixed and with a random UID."""

    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return DesfireScheme(APPLICATION, KEYS, dice.throw), UidScheme()

    def is_there(command: Command, response: Response) -> bool:
        return command.ins == Instruction.SELECT_APPLICATION and response.status_word == Status.OK

    cards = tuple(partial(_desfire, knows_ev2=knows_ev2, random_uid=random) for random in (False, True))
    return Climb(schemes, cards, {"desfire": frozenset((UID.value + IDENTITY,))}, is_there)


def ntag424() -> Climb:
    """A tag with keys."""

    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return Ntag424Scheme(TAG_KEYS, KEYS, dice.throw), UidScheme()

    def is_there(command: Command, response: Response) -> bool:
        challenged = command.ins == Instruction.AUTHENTICATE_EV2_FIRST and response.status_word == Status.MORE
        return challenged and len(response.data) == 16

    cards = tuple(partial(_tag, random_uid=random) for random in (False, True))
    return Climb(schemes, cards, {"ntag424": frozenset((UID.value,))}, is_there)


def sun() -> Climb:
    """A tag that is only read."""

    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return SunScheme(SUN_TAG, KEYS, MemoryCounters()), UidScheme()

    def covering() -> VirtualCard:
        tag = type(SUN_TAG)(COVERING_LAYOUT, SUN_TAG.system_identifier)
        return ntag424_card.issue(UID, SITE_KEYS, None, tag, TEMPLATE)

    cards: tuple[Callable[[], VirtualCard], ...] = (
        partial(_tag, random_uid=False, has_keys=False),
        partial(_tag, random_uid=True, has_keys=False),
        covering,
    )
    return Climb(schemes, cards, {"ntag424-sun": frozenset((UID.value,))})


class PivSite:
    """An authority whose files are read once, and two cards of it."""

    def __init__(self) -> None:
        authority = PivAuthority()
        self._keys = (ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1()))
        self._certificates = [authority.issue(key.public_key()) for key in self._keys]
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "cards.pem"
            file.write_bytes(authority.pem)
            self.authority = SiteAuthority(file, lambda: NOW)
            self.authority.open()

    @property
    def subjects(self) -> frozenset[bytes]:
        """The cards' names."""
        return frozenset(map(subject_of, self._certificates))

    def cards(self) -> tuple[Callable[[], VirtualCard], ...]:
        """Each card as it is, and with its certificate compressed."""
        pairs = list(zip(self._keys, self._certificates, strict=True))
        return tuple(
            partial(PivCard, key, certificate, FIXED_UID, fault)
            for key, certificate in pairs
            for fault in (PivFault.NONE, PivFault.COMPRESSED)
        )


def piv() -> Climb:
    """PIV cards with keys on P-256 and P-384; the virtual card is too slow with an RSA key."""
    site = PivSite()

    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return PivScheme(site.authority, dice, clock), UidScheme()

    def is_there(command: Command, response: Response) -> bool:
        return command.ins == GENERAL_AUTHENTICATE and command.cla in (0x00, 0x10) and response.status_word == OK

    return Climb(schemes, site.cards(), {"piv": site.subjects}, is_there)


def emv() -> Climb:
    """Payment cards and wallets with the planted number."""

    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return EmvScheme(StoredIdentifierKey(KEYS)), UidScheme()

    variants = [(profile, reference, Fault.NONE) for profile in Profile for reference in ("", REFERENCE)]
    variants += [(Profile.VISA, "", Fault.REFUSES_OPTIONS), (Profile.MASTERCARD, "", Fault.NO_DIRECTORY)]
    cards = tuple(
        partial(EmvCard, NUMBER, profile, reference, uid=FIXED_UID, fault=fault)
        for profile, reference, fault in variants
    )
    return Climb(schemes, cards, {}, secrets=NUMBER_FORMS[:3])


def ladder() -> Climb:
    """Everything a site can have, strongest first."""
    site = PivSite()

    def schemes(clock: ManualClock, dice: Dice) -> Sequence[CredentialScheme]:
        return (
            PkocScheme(dice, clock),
            DesfireScheme(APPLICATION, KEYS, dice.throw),
            Ntag424Scheme(TAG_KEYS, KEYS, dice.throw),
            PivScheme(site.authority, dice, clock),
            SunScheme(SUN_TAG, KEYS, MemoryCounters()),
            EmvScheme(StoredIdentifierKey(KEYS)),
            UidScheme(),
        )

    cards = (
        partial(_phone, PhoneFault.NONE),
        partial(_desfire, knows_ev2=True, random_uid=True),
        partial(_tag, random_uid=True),
        partial(_tag, random_uid=False, has_keys=False),
        site.cards()[0],
        partial(EmvCard, NUMBER, Profile.MASTERCARD, uid=FIXED_UID),
    )
    proven = {
        "pkoc": frozenset((_phone(PhoneFault.NONE).public_key,)),
        "desfire": frozenset((UID.value + IDENTITY,)),
        "ntag424": frozenset((UID.value,)),
        "ntag424-sun": frozenset((UID.value,)),
        "piv": site.subjects,
    }
    there = [climb.is_there for climb in (pkoc(), desfire(knows_ev2=True), ntag424(), piv())]

    def is_there(command: Command, response: Response) -> bool:
        return any(each(command, response) for each in there)

    return Climb(schemes, cards, proven, is_there, NUMBER_FORMS[:3])


CARDS: dict[str, Callable[[], Climb]] = {
    "pkoc": pkoc,
    "pkoc-v2": pkoc_v2,
    "desfire-ev1": partial(desfire, knows_ev2=False),
    "desfire-ev2": partial(desfire, knows_ev2=True),
    "ntag424": ntag424,
    "sun": sun,
    "piv": piv,
    "emv": emv,
    "ladder": ladder,
}


def target(name: str) -> Target:
    """The card target of that name; making one may take a moment, for keys are made."""
    return climbing(name, CARDS[name]())
