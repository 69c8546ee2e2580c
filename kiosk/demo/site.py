"""The demo's own card issuer: site keys, an authority, and the cards that they make. Good for nothing else.

The keys are made at a demo's first start and stay with its state, so that any command on that state can lay the same
cards on its simulated reader. The authority's key is made from one of them.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec

from kiosk.access.ladder import key_folder, ladder_settings, site_keys
from kiosk.config.credentials import CredentialsConfig, DesfireConfig, EmvConfig, Ntag424Config, PivConfig
from kiosk.config.model import KioskConfig
from kiosk.errors import ConfigError
from readers.credentials.aes import KEY_SIZE
from readers.credentials.aes_keys import SUFFIX, AesKeyStore, KeyUnavailable
from readers.credentials.ntag424_sun import SunTag
from readers.uid import Uid
from readers.virtual import desfire_card, ntag424_card
from readers.virtual.deck import DeckCard
from readers.virtual.emv_card import EmvCard, Profile
from readers.virtual.piv_authority import PivAuthority
from readers.virtual.piv_card import PivCard

DESFIRE_BADGE: Final = "radiologist-desfire"
PIV_CARD: Final = "radiologist-piv"
NTAG424_TAG: Final = "technologist-ntag424"
SUN_TAG: Final = "technologist-sun"
WALLET: Final = "auditor-wallet"

AUTHORITY_KEY: Final = "demo-authority"
AUTHORITY_FILE: Final = "demo.pem"
AUTHORITY_NAME: Final = "Demo hospital card authority"
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DESFIRE_UID: Final = Uid.from_hex("04D3F12E8A5B80")
NTAG424_UID: Final = Uid.from_hex("04424A6B7C8D90")
SUN_UID: Final = Uid.from_hex("0453554E7A8B90")
PIV_UID: Final = Uid.from_hex("04B1C2D3E4F580")
PIV_UUID: Final = UUID("6a1f0c52-94b3-4f7e-8d20-3be5a7c9f014")
CARD_NUMBER: Final = "4111111111111111"
"""The number that card schemes give to whoever tests, and nobody pays with."""


def demo_credentials(state: Path) -> CredentialsConfig:
    """Every scheme that a demo can have at once, its keys and its authority in that state directory."""
    keys = state / "keys"
    return CredentialsConfig(
        key_folder=keys / "credentials",
        piv=PivConfig(enabled=True, authorities=keys / "authorities"),
        desfire=DesfireConfig(enabled=True, application="F5DE30", uid_key="desfire-uid"),
        ntag424=Ntag424Config(enabled=True),
        emv=EmvConfig(enabled=True),
    )


def prepare(config: KioskConfig) -> None:
    """Makes the keys that are not there yet, and writes the authority's certificate; raises ConfigError."""
    folder, authorities = key_folder(config), config.credentials.piv.authorities
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (AUTHORITY_KEY, *_key_names(config.credentials)):
            path = folder / (name + SUFFIX)
            if not path.exists():
                _write(path, secrets.token_bytes(KEY_SIZE).hex().encode("ascii"))
        if authorities is not None:
            authorities.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = authorities / f".{AUTHORITY_FILE}.draft"
            draft.unlink(missing_ok=True)
            _write(draft, _authority(site_keys(config)).pem)
            draft.replace(authorities / AUTHORITY_FILE)
    except (OSError, KeyUnavailable) as error:
        raise ConfigError(f"The demo's card keys cannot be made in {folder}: {error}.") from None


def site_cards(config: KioskConfig) -> Iterator[DeckCard]:
    """A card of each kind that a demo's kiosk asks for and has the keys of; none for a kiosk that is not a demo."""
    if not config.kiosk.demo:
        return
    settings, keys = ladder_settings(config.credentials), site_keys(config)
    try:
        if settings.desfire is not None:
            named = _named(keys, settings.desfire.read_key, settings.desfire.uid_key)
            identity = b"a.weber".ljust(settings.desfire.file_size, b"\x00")[: settings.desfire.file_size]
            hides = settings.desfire.uid_key_number is not None
            badge = desfire_card.issue(settings.desfire, DESFIRE_UID, identity, named, random_uid=hides)
            yield DeckCard(DESFIRE_BADGE, "Radiologist's DESFire badge", badge)
        if settings.piv is not None:
            yield DeckCard(PIV_CARD, "Radiologist's PIV card", _piv_card(keys))
        if settings.ntag424 is not None:
            named = _named(keys, settings.ntag424.own_key, settings.ntag424.uid_key)
            tag = ntag424_card.issue(NTAG424_UID, named, settings.ntag424)
            yield DeckCard(NTAG424_TAG, "Technologist's NTAG 424 tag", tag)
        if settings.sun is not None:
            yield DeckCard(SUN_TAG, "Technologist's tag with a message", _sun_card(keys, settings.sun))
        if settings.emv_key is not None:
            yield DeckCard(WALLET, "Auditor's wallet", EmvCard(CARD_NUMBER, Profile.WALLET))
    except KeyUnavailable:
        return  # keys that are somebody else's, or of a demo that never started: the cards before it are there


def _key_names(config: CredentialsConfig) -> Iterator[str]:
    desfire, ntag424, sun, emv = config.desfire, config.ntag424, config.sun, config.emv
    wanted = {
        (desfire.read_key, desfire.uid_key): desfire.enabled,
        (ntag424.key, ntag424.uid_key): ntag424.enabled,
        (sun.meta_key, sun.file_key): sun.enabled,
        (emv.key,): emv.enabled,
    }
    for names, enabled in wanted.items():
        if enabled:
            yield from filter(None, names)


def _named(keys: AesKeyStore, *names: str) -> dict[str, bytes]:
    return {name: keys.shared(name) for name in names if name}


def _piv_card(keys: AesKeyStore) -> PivCard:
    own = _private_key(keys, b"card")
    certificate = _authority(keys).issue(own.public_key(), card_uuid=PIV_UUID)
    return PivCard(own, certificate, PIV_UID)


def _authority(keys: AesKeyStore) -> PivAuthority:
    """The same key in every process; its certificate is signed anew, which no card notices."""
    return PivAuthority(AUTHORITY_NAME, key=_private_key(keys, b"authority"))


def _private_key(keys: AesKeyStore, purpose: bytes) -> ec.EllipticCurvePrivateKey:
    halves = (keys.diversified(AUTHORITY_KEY, purpose + bytes((half,))) for half in range(2))
    return ec.derive_private_key(1 + int.from_bytes(b"".join(halves), "big") % (P256_ORDER - 1), ec.SECP256R1())


def _sun_card(keys: AesKeyStore, sun: SunTag) -> ntag424_card.Ntag424Card:
    template = b"\x00\xfeD" + b"0" * (sun.layout.size - 3)
    return ntag424_card.issue(SUN_UID, _named(keys, sun.meta_key, sun.file_key), sun=sun, template=template)


def _write(path: Path, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
