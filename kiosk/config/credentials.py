"""[credentials]: by what this kiosk lets a card or a phone say who it is. Names and places of keys, never a key.

A table's numbers are those of the cards as they were issued; `readers.credentials` says what each means on the card.
An empty path or name in the file means that there is none.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from kiosk.config.checks import between, hexadecimal, key_name, messagings, optional_key_name
from kiosk.config.section import Section
from kiosk.errors import ConfigError


@dataclass(frozen=True)
class PkocConfig(Section):
    """[credentials.pkoc]: phones and cards with a key pair of their own.

    `site_authority`: the folder of the public keys of those who certify them (SE V2), "<issuer>.pem" each; None where
    nobody does, and only SE V1 is spoken.
    """

    enabled: bool = True
    site_authority: Path | None = None


@dataclass(frozen=True)
class PivConfig(Section):
    """[credentials.piv]: the key in slot 9E. `authorities`: the folder of the *.pem and *.crt of who issues the cards.

    With `revoked`, a file of revocation lists, a card counts only under a current list.
    """

    enabled: bool = False
    authorities: Path | None = None
    revoked: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.enabled and self.authorities is None:
            raise ConfigError("authorities must be the folder of the certificates of who issues the cards.")


@dataclass(frozen=True)
class DesfireConfig(Section):
    """[credentials.desfire]: the site's application on MIFARE DESFire. `application` and `system_identifier` in hex.

    `uid_key` is empty where no card has a random UID. `messaging` are tried in turn. `master_key`, `card_key` and
    `random_uid`, that each new card hides its UID, are for issuing cards: a kiosk at the wall needs none of them.
    """

    enabled: bool = False
    application: Annotated[str, hexadecimal(0, 3)] = ""
    file_number: Annotated[int, between(0, 31)] = 1
    file_size: Annotated[int, between(1, 240)] = 32
    read_key_number: Annotated[int, between(0, 13)] = 1
    read_key: Annotated[str, key_name] = "desfire-read"
    uid_key_number: Annotated[int, between(0, 13)] = 2
    uid_key: Annotated[str, optional_key_name] = ""
    system_identifier: Annotated[str, hexadecimal(0, 21)] = ""
    messaging: Annotated[tuple[str, ...], messagings] = ("ev2", "ev1")
    master_key: Annotated[str, key_name] = "desfire-master"
    card_key: Annotated[str, key_name] = "desfire-card"
    random_uid: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.enabled and (len(self.application) != 6 or not int(self.application, 16)):
            raise ConfigError("application must be the 6 hexadecimal digits of the site's application, not 000000.")
        _two_keys((self.read_key, self.read_key_number), (self.uid_key, self.uid_key_number), "read_key")
        for name, others in (("master_key", ()), ("card_key", (self.master_key,))):
            if getattr(self, name) in (self.read_key, self.uid_key, *others):
                raise ConfigError(f"{name} must be another key than those beside it: each does something else.")
        if self.random_uid and not self.uid_key:
            raise ConfigError("random_uid must be false without uid_key: no kiosk would know such a card.")


@dataclass(frozen=True)
class Ntag424Config(Section):
    """[credentials.ntag424]: NTAG 424 DNA that is asked to prove its key. `uid_key` as in [credentials.desfire]."""

    enabled: bool = False
    key_number: Annotated[int, between(0, 4)] = 1
    key: Annotated[str, key_name] = "ntag424"
    uid_key_number: Annotated[int, between(0, 4)] = 2
    uid_key: Annotated[str, optional_key_name] = ""
    system_identifier: Annotated[str, hexadecimal(0, 24)] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _two_keys((self.key, self.key_number), (self.uid_key, self.uid_key_number), "key")


@dataclass(frozen=True)
class SunConfig(Section):
    """[credentials.sun]: NTAG 424 DNA that write a message anew at each read; the offsets are of their NDEF file."""

    enabled: bool = False
    picc_data: Annotated[int, between(2, 255)] = 32
    mac_input: Annotated[int, between(0, 255)] = 67
    mac: Annotated[int, between(34, 240)] = 67
    meta_key: Annotated[str, key_name] = "ntag424-meta"
    file_key: Annotated[str, key_name] = "ntag424-file"
    system_identifier: Annotated[str, hexadecimal(0, 24)] = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.picc_data + 32 > self.mac or self.mac_input > self.mac:
            raise ConfigError("mac must come after the 32 digits at picc_data, and not before mac_input.")
        if self.meta_key == self.file_key:
            raise ConfigError("file_key must be another key than meta_key: whoever opens one tag has that one.")


@dataclass(frozen=True)
class EmvConfig(Section):
    """[credentials.emv]: bank cards and wallets as identifiers; `key` makes them unreadable."""

    enabled: bool = False
    key: Annotated[str, key_name] = "emv"


@dataclass(frozen=True)
class Iso14443Config(Section):
    """[credentials.iso14443]: the UID, which anybody can copy. Off: only proofs count."""

    enabled: bool = True


@dataclass(frozen=True)
class CredentialsConfig(Section):
    """[credentials]: `key_folder` holds "<name>.key" files; None is where `kiosk.access.ladder` says."""

    key_folder: Path | None = None
    pkoc: PkocConfig = field(default_factory=PkocConfig)
    piv: PivConfig = field(default_factory=PivConfig)
    desfire: DesfireConfig = field(default_factory=DesfireConfig)
    ntag424: Ntag424Config = field(default_factory=Ntag424Config)
    sun: SunConfig = field(default_factory=SunConfig)
    emv: EmvConfig = field(default_factory=EmvConfig)
    iso14443: Iso14443Config = field(default_factory=Iso14443Config)

    def __post_init__(self) -> None:
        super().__post_init__()
        schemes = (self.pkoc, self.piv, self.desfire, self.ntag424, self.sun, self.emv, self.iso14443)
        if not any(scheme.enabled for scheme in schemes):
            raise ConfigError("pkoc.enabled must be true, or that of another scheme: else nobody can sign in.")
        if self.ntag424.enabled and self.sun.enabled:
            raise ConfigError(
                "sun.enabled must be false while ntag424 is enabled: a tag that can answer a challenge has to."
            )


def _two_keys(own: tuple[str, int], shared: tuple[str, int], name: str) -> None:
    if shared[0] and (own[0] == shared[0] or own[1] == shared[1]):
        raise ConfigError(f"uid_key must be another key than {name}, of another number: it is the same on every card.")
