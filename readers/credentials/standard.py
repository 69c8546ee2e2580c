"""The ladder that a site asks for, from plain settings. What comes before what is said here and nowhere else.

Strongest first, and among equals:
1 pkoc      Its proof can be checked again by anybody, years later; a phone that has it answers the first APDU.
2 piv       A proof of the same strength, behind a certificate: more to read before a card can be turned away.
3 desfire   Both sides prove a key, which no third party can check again. Before ntag424, for a DESFire may carry an
            NDEF application too, and would be asked there for a key that it has never heard of.
4 ntag424   As desfire.
5 sun       No proof of presence, but a message that counts once; so before everything that can be copied.
6 emv       An identifier nobody can read without the site's key. A bank card's UID says less than its account.
7 iso14443  What anybody can copy: only where nothing above answered. Without it, a card is told to prove more.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from readers.credentials.aes_keys import AesKeyStore, MemoryKeys
from readers.credentials.certificates import SiteAuthority
from readers.credentials.claim import CredentialScheme, NonceSource
from readers.credentials.counters import MemoryCounters
from readers.credentials.cvc_issuers import CvcIssuers
from readers.credentials.desfire import DesfireApplication, DesfireScheme
from readers.credentials.emv import EmvScheme
from readers.credentials.emv_keys import StoredIdentifierKey
from readers.credentials.iso14443 import ProofsOnly, UidScheme
from readers.credentials.keys import CounterStore, RandomNonceSource
from readers.credentials.ladder import Ladder
from readers.credentials.ntag424 import Ntag424Keys, Ntag424Scheme
from readers.credentials.ntag424_sun import SunScheme, SunTag
from readers.credentials.piv import PivScheme
from readers.credentials.pkoc import PkocScheme


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class PkocSettings:
    """`site_authority`: the folder of the keys of those who certify cards and phones (SE V2); None: nobody does."""

    site_authority: Path | None = None


@dataclass(frozen=True)
class PivSettings:
    """Folder or PEM file of the authorities that issue the cards, and the file of their revocation lists."""

    authorities: Path
    revoked: Path | None = None


@dataclass(frozen=True)
class LadderSettings:
    """Which schemes a site uses, and how its cards are made; None for a scheme that it does not use.

    `emv_key` is the name of the key that makes identifiers. `takes_uids` False: only what is proved counts.
    """

    pkoc: PkocSettings | None = PkocSettings()
    piv: PivSettings | None = None
    desfire: DesfireApplication | None = None
    ntag424: Ntag424Keys | None = None
    sun: SunTag | None = None
    emv_key: str | None = None
    takes_uids: bool = True

    @property
    def schemes(self) -> tuple[str, ...]:
        """Their names in the order in which a card is asked."""
        used = {
            "pkoc": self.pkoc is not None,
            "piv": self.piv is not None,
            "desfire": self.desfire is not None,
            "ntag424": self.ntag424 is not None,
            "ntag424-sun": self.sun is not None,
            "emv": self.emv_key is not None,
            "iso14443": self.takes_uids,
        }
        return tuple(name for name, is_used in used.items() if is_used)


@dataclass(frozen=True)
class LadderSources:
    """What the schemes are given from outside; by default randomness, no keys, and counters that a restart forgets."""

    nonces: NonceSource = field(default_factory=RandomNonceSource)
    keys: AesKeyStore = field(default_factory=lambda: MemoryKeys({}))
    counters: CounterStore = field(default_factory=MemoryCounters)
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now


PLAIN = LadderSettings()
"""PKOC and the UID: what needs nothing of the site's."""


def standard_ladder(settings: LadderSettings = PLAIN, sources: LadderSources | None = None) -> Ladder:
    """The site's ladder, ready to identify. Reads the authorities' files; raises ReaderError with a sentence."""
    sources = sources or LadderSources()
    return Ladder(tuple(_schemes(settings, sources)), sources.monotonic)


def _schemes(settings: LadderSettings, sources: LadderSources) -> list[CredentialScheme]:
    """In the order that the module's words give."""
    schemes: list[CredentialScheme] = []
    if settings.pkoc is not None:
        issuers = _issuers(settings.pkoc.site_authority, sources.now)
        schemes.append(PkocScheme(sources.nonces, sources.monotonic, issuers=issuers))
    if settings.piv is not None:
        authority = SiteAuthority(settings.piv.authorities, sources.now, settings.piv.revoked)
        authority.open()
        schemes.append(PivScheme(authority, sources.nonces, sources.monotonic))
    if settings.desfire is not None:
        schemes.append(DesfireScheme(settings.desfire, sources.keys))
    if settings.ntag424 is not None:
        schemes.append(Ntag424Scheme(settings.ntag424, sources.keys))
    if settings.sun is not None:
        schemes.append(SunScheme(settings.sun, sources.keys, sources.counters))
    if settings.emv_key is not None:
        schemes.append(EmvScheme(StoredIdentifierKey(sources.keys, settings.emv_key)))
    schemes.append(UidScheme() if settings.takes_uids else ProofsOnly())
    return schemes


def _issuers(folder: Path | None, now: Callable[[], datetime]) -> CvcIssuers | None:
    if folder is None:
        return None
    issuers = CvcIssuers(folder, now)
    issuers.open()
    return issuers
