"""One site with every scheme there is, and for each of them a card, with the faults that fit it and how they end."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from readers.credentials.claim import Assurance, CredentialScheme, RefusalReason
from readers.credentials.counters import MemoryCounters
from readers.credentials.emv import EmvScheme
from readers.credentials.emv_keys import StoredIdentifierKey
from readers.credentials.iso14443 import UidScheme
from readers.credentials.keys import RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.piv import PivScheme
from readers.credentials.pkoc import PkocScheme
from readers.virtual import desfire_card, ntag424_card
from readers.virtual.card import VirtualCard
from readers.virtual.emv_card import EmvCard, Profile
from readers.virtual.faults import Fault
from readers.virtual.piv_card import PivCard
from readers.virtual.pkoc_card import PkocCard
from readers.virtual.pkoc_phone import PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.credentials.aes_cards import (
    APPLICATION,
    IDENTITY,
    SITE_KEYS,
    SUN_TAG,
    TAG_KEYS,
    TEMPLATE,
    UID,
    desfire_scheme,
    ntag424_scheme,
    sun_scheme,
)
from tests.readers.credentials.piv_cards import CARD_UUID, KEYS, PivSite
from tests.readers.credentials.pkoc_site import KEY, POINT, PkocSite
from tests.readers.credentials.test_emv import NUMBER, REFERENCE, Keys

Sleep = Callable[[float], None]
Make = Callable[["Site", Sleep], VirtualCard]
Ends = Mapping[Fault, frozenset[RefusalReason]]
SUN = "ntag424-sun"


class Site:
    """Its authorities' files in a folder, its keys, and ladders by a clock of the test's."""

    def __init__(self, folder: Path) -> None:
        self.piv = PivSite(folder)
        issuers = folder / "issuers"
        issuers.mkdir()
        self.pkoc = PkocSite(issuers)

    def ladder(self, monotonic: Callable[[], float] = time.monotonic, *, tags: str = "ntag424") -> Ladder:
        """Every scheme. A site has NTAG 424 with keys or with messages: a tag that knows challenges must pass one."""
        nonces = RandomNonceSource()
        schemes: tuple[CredentialScheme, ...] = (
            PkocScheme(nonces, monotonic, issuers=self.pkoc.issuers),
            PivScheme(self.piv.site, nonces, monotonic),
            desfire_scheme(),
            ntag424_scheme(),
            sun_scheme(MemoryCounters()),
            EmvScheme(StoredIdentifierKey(Keys())),
            UidScheme(),
        )
        return Ladder([scheme for scheme in schemes if scheme.kind not in _other_tags(tags)], monotonic)


def _other_tags(tags: str) -> set[str]:
    return {"ntag424"} if tags == SUN else set()


@dataclass(frozen=True)
class Row:
    """A card of one scheme, what it claims, and how each fault that fits it ends."""

    name: str
    kind: str
    assurance: Assurance
    make: Make
    ends: Ends = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def one(*reasons: RefusalReason) -> frozenset[RefusalReason]:
    return frozenset(reasons)


FAILED = one(RefusalReason.PROOF_FAILED)
SENSELESS = one(RefusalReason.MISBEHAVED)
EITHER = FAILED | SENSELESS
TWO = one(RefusalReason.TWO_CARDS)
UNREADY = one(RefusalReason.NOT_READY)

OF_THE_AIR: Ends = {
    Fault.TWO_UIDS: TWO,
    Fault.DROPPED: one(RefusalReason.CARD_GONE),
    Fault.ENDLESS_61XX: SENSELESS,
    Fault.SLOW: one(RefusalReason.TOO_SLOW),
}
OF_A_SIGNATURE: Ends = {
    **OF_THE_AIR,
    Fault.RANDOM_LENGTHS: EITHER,
    Fault.WRONG_KEY: FAILED,
    Fault.STALE_NONCE: FAILED,
    Fault.REPLAYED: FAILED,
}
OF_AN_AES_KEY: Ends = {
    **OF_THE_AIR,
    Fault.TWO_UIDS: FAILED,
    Fault.RANDOM_LENGTHS: FAILED,
    Fault.WRONG_KEY: FAILED,
    Fault.FORGED: FAILED,
    Fault.REPLAYED: FAILED,
    Fault.STALE_DATA: FAILED,
    Fault.TAMPERED: FAILED,
    Fault.WITHOUT_MAC: FAILED,
    Fault.ENDLESS_FRAMES: SENSELESS,
}
OF_A_MESSAGE: Ends = {
    **OF_THE_AIR,
    Fault.TWO_UIDS: FAILED,
    Fault.WRONG_KEY: FAILED,
    Fault.FORGED: FAILED,
    Fault.TAMPERED: FAILED,
    Fault.WITHOUT_MAC: FAILED,
    Fault.REPLAYED: one(RefusalReason.REPLAYED),
}
OF_A_PAYMENT: Ends = {
    **OF_THE_AIR,
    Fault.RANDOM_LENGTHS: SENSELESS,
    Fault.BROKEN_OFF: SENSELESS,
    Fault.LOCKED: UNREADY,
}
OF_A_NUMBER: Ends = {**OF_A_PAYMENT, Fault.NO_NUMBER: UNREADY}


def _desfire(*, knows_ev2: bool, random_uid: bool) -> Make:
    def make(_site: Site, sleep: Sleep) -> VirtualCard:
        return desfire_card.issue(
            APPLICATION, UID, IDENTITY, SITE_KEYS, knows_ev2=knows_ev2, random_uid=random_uid, sleep=sleep
        )

    return make


def _emv(profile: Profile, reference: str = "") -> Make:
    return lambda _site, sleep: EmvCard(NUMBER, profile, reference, uid=UID, sleep=sleep)


def _piv(name: str) -> Make:
    def make(site: Site, sleep: Sleep) -> VirtualCard:
        certificate = site.piv.authority.issue(KEYS[name].public_key(), card_uuid=CARD_UUID)
        return PivCard(KEYS[name], certificate, UID, sleep=sleep)

    return make


def _tag(_site: Site, sleep: Sleep) -> VirtualCard:
    return ntag424_card.issue(UID, SITE_KEYS, TAG_KEYS, SUN_TAG, TEMPLATE, sleep=sleep)


def _message_tag(_site: Site, sleep: Sleep) -> VirtualCard:
    return ntag424_card.issue(UID, SITE_KEYS, None, SUN_TAG, TEMPLATE, sleep=sleep)


def _phone(_site: Site, sleep: Sleep) -> VirtualCard:
    return PkocPhone(ec.generate_private_key(ec.SECP256R1()), sleep=sleep)


def _certified(site: Site, sleep: Sleep) -> VirtualCard:
    return PkocCard(KEY, site.pkoc.issuer.issue(POINT), sleep=sleep)


PROVED, NAMED = Assurance.AUTHENTICATED, Assurance.IDENTIFIER
ROWS = (
    Row("badge", "iso14443", NAMED, lambda _site, _sleep: UidCard(UID), {Fault.TWO_UIDS: TWO}),
    Row("smart badge", "iso14443", NAMED, lambda _site, _sleep: UidCard(UID, takes_apdus=True), OF_THE_AIR),
    Row("phone", "pkoc", PROVED, _phone, OF_A_SIGNATURE),
    Row("certified card", "pkoc-v2", PROVED, _certified, {**OF_A_SIGNATURE, Fault.NO_CERTIFICATE: FAILED}),
    Row("DESFire EV1", "desfire", PROVED, _desfire(knows_ev2=False, random_uid=False), OF_AN_AES_KEY),
    Row("DESFire EV2", "desfire", PROVED, _desfire(knows_ev2=True, random_uid=False), OF_AN_AES_KEY),
    Row("hidden DESFire", "desfire", PROVED, _desfire(knows_ev2=True, random_uid=True), OF_AN_AES_KEY),
    Row("NTAG 424", "ntag424", PROVED, _tag, OF_AN_AES_KEY),
    Row("NTAG 424 SUN", SUN, NAMED, _message_tag, OF_A_MESSAGE),
    *(Row(f"PIV {name}", "piv", PROVED, _piv(name), OF_A_SIGNATURE) for name in KEYS),
    Row("Visa", "emv", NAMED, _emv(Profile.VISA), OF_A_NUMBER),
    Row("Mastercard", "emv", NAMED, _emv(Profile.MASTERCARD), {**OF_A_NUMBER, Fault.MISSING_RECORD: SENSELESS}),
    Row("wallet", "emv", NAMED, _emv(Profile.WALLET, REFERENCE), OF_A_PAYMENT),
)
