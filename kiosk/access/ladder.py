"""From the [credentials] table to the ladder, and what stands in the way of it, in sentences."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from kiosk.config.credentials import CredentialsConfig
from kiosk.config.model import KioskConfig
from kiosk.errors import ConfigError
from readers.credentials.aes_keys import CREDENTIALS_DIRECTORY, SUFFIX, KeyFiles, KeyUnavailable
from readers.credentials.certificates import SiteAuthority
from readers.credentials.cvc_issuers import SUFFIX as ISSUER_SUFFIX
from readers.credentials.cvc_issuers import CvcIssuers
from readers.credentials.desfire import DesfireApplication, Messaging
from readers.credentials.ladder import Ladder
from readers.credentials.ntag424 import Ntag424Keys
from readers.credentials.ntag424_sun import SunTag
from readers.credentials.sdm import SunLayout
from readers.credentials.standard import LadderSettings, LadderSources, PivSettings, PkocSettings, standard_ladder
from readers.errors import ReaderError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Complaint:
    """Why no card can be asked as the table says, and what mends it. Holds no key."""

    sentence: str
    fix: str

    def __str__(self) -> str:
        return f"{self.sentence} {self.fix}"


def key_folder(config: KioskConfig, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the cards' keys are: as configured, else as the service manager handed them over, else with the state."""
    handed_over = environment.get(CREDENTIALS_DIRECTORY, "")
    default = Path(handed_over) if handed_over else config.kiosk.state_directory / "keys" / "credentials"
    return config.credentials.key_folder or default


def site_keys(config: KioskConfig, environment: Mapping[str, str] = os.environ) -> KeyFiles:
    """The keys in that folder."""
    if config.credentials.key_folder is None and environment.get(CREDENTIALS_DIRECTORY):
        return KeyFiles.from_credentials(environment)
    return KeyFiles(key_folder(config, environment))


def ladder_settings(config: CredentialsConfig) -> LadderSettings:
    """The table in the readers' words."""
    return LadderSettings(
        pkoc=PkocSettings(config.pkoc.site_authority) if config.pkoc.enabled else None,
        piv=PivSettings(config.piv.authorities, config.piv.revoked)
        if config.piv.enabled and config.piv.authorities
        else None,
        desfire=_if(config.desfire.enabled, lambda: desfire_application(config)),
        ntag424=_if(config.ntag424.enabled, lambda: _ntag424_keys(config)),
        sun=_if(config.sun.enabled, lambda: _sun_tag(config)),
        emv_key=config.emv.key if config.emv.enabled else None,
        takes_uids=config.iso14443.enabled,
    )


def desfire_application(config: CredentialsConfig) -> DesfireApplication:
    """The site's application on its DESFire cards; raises ReaderError where the table names none."""
    table = config.desfire
    return DesfireApplication(
        identifier=bytes.fromhex(table.application),
        file_number=table.file_number,
        file_size=table.file_size,
        read_key_number=table.read_key_number,
        uid_key_number=table.uid_key_number if table.uid_key else None,
        system_identifier=bytes.fromhex(table.system_identifier),
        read_key=table.read_key,
        uid_key=table.uid_key,
        messagings=tuple(map(Messaging, table.messaging)),
    )


def complaints(
    config: KioskConfig, now: Callable[[], datetime], environment: Mapping[str, str] = os.environ
) -> list[Complaint]:
    """What is missing or wrong among the files that the table leans on; empty when every enabled scheme can work."""
    return [*_authority_complaints(config.credentials, now), *_key_complaints(config, environment)]


def site_ladder(config: KioskConfig, sources: LadderSources) -> Ladder:
    """The configured ladder, ready to identify; raises ConfigError with all complaints there are."""
    found = complaints(config, sources.now)
    if found:
        raise ConfigError(" ".join(map(str, found)))
    try:
        return standard_ladder(ladder_settings(config.credentials), sources)
    except ReaderError as error:
        raise ConfigError(f"credentials: {error}.") from None


def _authority_complaints(config: CredentialsConfig, now: Callable[[], datetime]) -> Iterator[Complaint]:
    settings = ladder_settings(config)
    if settings.pkoc is not None and settings.pkoc.site_authority is not None:
        fix = f'Put the public key of who certifies cards and phones there as "<issuer>{ISSUER_SUFFIX}"'
        fix += ", or leave credentials.pkoc.site_authority empty."
        yield from _unopened(CvcIssuers(settings.pkoc.site_authority, now), "pkoc", fix)
    if settings.piv is not None:
        fix = "Put the PEM certificates of who issues the cards there, and the lists that they publish"
        yield from _unopened(
            SiteAuthority(settings.piv.authorities, now, settings.piv.revoked), "piv", _mended(fix, "piv")
        )


def _unopened(authority: CvcIssuers | SiteAuthority, scheme: str, fix: str) -> Iterator[Complaint]:
    try:
        authority.open()
    except ReaderError as error:
        yield Complaint(f"credentials.{scheme}: {error}.", fix)


def _key_complaints(config: KioskConfig, environment: Mapping[str, str]) -> Iterator[Complaint]:
    keys, folder = site_keys(config, environment), key_folder(config, environment)
    for scheme, names in _key_names(config.credentials):
        usable: dict[str, bytes] = {}
        for name in names:
            try:
                usable[name] = keys.shared(name)
            except KeyUnavailable as error:
                fix = f"Put the key's 32 hexadecimal digits into {folder / name}{SUFFIX}, mode 0600"
                fix += " (`kiosk credentials keys make` makes one for new cards)"
                yield Complaint(f"credentials.{scheme} has no key: {error}.", _mended(fix, scheme))
        for one, other in combinations(usable, 2):
            if usable[one] == usable[other]:
                fix = _mended("Make another key for one of them", scheme)
                yield Complaint(f"credentials.{scheme}: {one} and {other} are one and the same key.", fix)


def _key_names(config: CredentialsConfig) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each scheme that is enabled and wants keys, with their names."""
    desfire, ntag424, sun, emv = config.desfire, config.ntag424, config.sun, config.emv
    if desfire.enabled:
        yield "desfire", tuple(filter(None, (desfire.read_key, desfire.uid_key)))
    if ntag424.enabled:
        yield "ntag424", tuple(filter(None, (ntag424.key, ntag424.uid_key)))
    if sun.enabled:
        yield "sun", (sun.meta_key, sun.file_key)
    if emv.enabled:
        yield "emv", (emv.key,)


def _ntag424_keys(config: CredentialsConfig) -> Ntag424Keys:
    table = config.ntag424
    return Ntag424Keys(
        key_number=table.key_number,
        uid_key_number=table.uid_key_number if table.uid_key else None,
        system_identifier=bytes.fromhex(table.system_identifier),
        own_key=table.key,
        uid_key=table.uid_key,
    )


def _sun_tag(config: CredentialsConfig) -> SunTag:
    table = config.sun
    layout = SunLayout(table.picc_data, table.mac_input, table.mac)
    return SunTag(layout, bytes.fromhex(table.system_identifier), table.meta_key, table.file_key)


def _if(enabled: bool, make: Callable[[], Value]) -> Value | None:
    return make() if enabled else None


def _mended(how: str, scheme: str) -> str:
    return f"{how}, or set credentials.{scheme}.enabled to false."
