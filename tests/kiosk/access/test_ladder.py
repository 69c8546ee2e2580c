"""What [credentials] leans on is looked at before anybody taps, and what is wrong is said with what mends it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.access.ladder import Complaint, complaints, key_folder, ladder_settings, site_ladder
from kiosk.config.credentials import (
    CredentialsConfig,
    DesfireConfig,
    EmvConfig,
    Iso14443Config,
    Ntag424Config,
    PivConfig,
    PkocConfig,
    SunConfig,
)
from kiosk.config.model import Kiosk, KioskConfig
from kiosk.errors import ConfigError
from readers.credentials.aes_keys import KeyFiles
from readers.credentials.claim import Claim
from readers.credentials.desfire import Messaging
from readers.credentials.sdm import SunLayout
from readers.credentials.standard import LadderSettings, LadderSources
from readers.virtual.desfire_card import issue
from readers.virtual.pkoc_issuer import PkocIssuer
from tests.readers.cards import presented
from tests.readers.credentials.aes_cards import IDENTITY, UID
from tests.readers.credentials.piv_cards import NOW, PivSite

DESFIRE = DesfireConfig(enabled=True, application="F51234", uid_key="desfire-uid", system_identifier="696D67")
READ_KEY = bytes(range(16))
PLANTED = "5ec2e7c0ffee5ec2e7c0ffee5ec2e7c0"


class Site:
    """A state directory with its key files."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.keys = self.state / "keys" / "credentials"
        self.keys.mkdir(mode=0o700, parents=True)

    def key(self, name: str, content: bytes | str, mode: int = 0o600) -> Path:
        path = self.keys / f"{name}.key"
        path.write_text(content if isinstance(content, str) else content.hex())
        path.chmod(mode)
        return path

    def config(self, credentials: CredentialsConfig) -> KioskConfig:
        return KioskConfig(Kiosk("x", self.state), credentials=credentials)

    def complaints(self, credentials: CredentialsConfig) -> list[Complaint]:
        return complaints(self.config(credentials), lambda: NOW, {})


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_least_configuration_wants_no_key(site: Site) -> None:
    assert site.complaints(CredentialsConfig()) == []
    assert ladder_settings(CredentialsConfig()) == LadderSettings()


def test_the_table_is_what_the_ladder_is_told() -> None:
    told = ladder_settings(
        CredentialsConfig(
            pkoc=PkocConfig(enabled=False),
            piv=PivConfig(True, Path("/a"), Path("/r")),
            desfire=replace(DESFIRE, messaging=("ev1",)),
            ntag424=Ntag424Config(True, 3, "tags", system_identifier="00"),
            emv=EmvConfig(True, "wallets"),
            iso14443=Iso14443Config(enabled=False),
        )
    )
    assert told.schemes == ("piv", "desfire", "ntag424", "emv")
    assert told.piv is not None
    assert (told.piv.authorities, told.piv.revoked) == (Path("/a"), Path("/r"))
    assert told.desfire is not None
    assert (told.desfire.identifier, told.desfire.uid_key_number) == (bytes.fromhex("F51234"), 2)
    assert (told.desfire.system_identifier, told.desfire.messagings) == (b"img", (Messaging.EV1,))
    assert told.ntag424 is not None
    assert (told.ntag424.key_number, told.ntag424.own_key, told.ntag424.uid_key_number) == (3, "tags", None)
    assert told.emv_key == "wallets"
    tags = ladder_settings(CredentialsConfig(sun=SunConfig(True, 40, 7, 90))).sun
    assert tags is not None
    assert tags.layout == SunLayout(40, 7, 90)


def test_a_card_issued_by_the_tables_numbers_is_known(site: Site) -> None:
    site.key("desfire-read", READ_KEY)
    site.key("desfire-uid", READ_KEY[::-1])
    config = site.config(CredentialsConfig(desfire=DESFIRE))
    application = ladder_settings(config.credentials).desfire
    assert application is not None
    named = {"desfire-read": READ_KEY, "desfire-uid": READ_KEY[::-1]}
    ladder = site_ladder(config, LadderSources(keys=KeyFiles(key_folder(config, {})), now=lambda: NOW))
    with presented(issue(application, UID, IDENTITY, named, random_uid=True)) as card:
        claim = ladder.identify(card)
    assert isinstance(claim, Claim)
    assert (claim.kind, claim.uid) == ("desfire", UID)


TABLES = {
    "desfire": CredentialsConfig(desfire=replace(DESFIRE, uid_key="")),
    "ntag424": CredentialsConfig(ntag424=Ntag424Config(True, key="desfire-read")),
    "sun": CredentialsConfig(sun=SunConfig(True, meta_key="desfire-read", file_key="f")),
    "emv": CredentialsConfig(emv=EmvConfig(True, "desfire-read")),
}
WRONG: dict[str, tuple[Callable[[Site], object], str]] = {
    "missing": (lambda site: None, "No such file or directory"),
    "open to others": (lambda site: site.key("desfire-read", READ_KEY, 0o640), "set its mode to 0600"),
    "not hexadecimal": (lambda site: site.key("desfire-read", PLANTED[:-1] + "x"), "not hexadecimal"),
    "too short": (lambda site: site.key("desfire-read", PLANTED[:-2]), "not 16 bytes"),
    "a factory key": (lambda site: site.key("desfire-read", bytes(16)), "as cards leave the factory"),
    "a folder": (lambda site: (site.keys / "desfire-read.key").mkdir(), "Is a directory"),
    "a link": (lambda site: os.symlink("/dev/zero", site.keys / "desfire-read.key"), "Too many levels"),
}


@pytest.mark.parametrize("scheme", TABLES)
@pytest.mark.parametrize("what", WRONG)
def test_a_key_that_will_not_do_is_said_with_what_mends_it(site: Site, scheme: str, what: str) -> None:
    spoil, words = WRONG[what]
    site.key("f", READ_KEY)
    spoil(site)
    (complaint,) = site.complaints(TABLES[scheme])
    assert complaint.sentence.startswith(f"credentials.{scheme}")
    assert "desfire-read" in complaint.sentence
    assert words in complaint.sentence
    assert f"{site.keys}/desfire-read.key, mode 0600" in complaint.fix
    assert f"set credentials.{scheme}.enabled to false" in complaint.fix
    assert PLANTED[:-2] not in str(complaint)
    with pytest.raises(ConfigError, match=f"credentials.{scheme}"):
        site_ladder(site.config(TABLES[scheme]), LadderSources(keys=KeyFiles(site.keys), now=lambda: NOW))


def test_every_key_that_is_missing_is_said(site: Site) -> None:
    table = CredentialsConfig(desfire=DESFIRE, emv=EmvConfig(True))
    said = " ".join(complaint.sentence for complaint in site.complaints(table))
    assert [name in said for name in ("desfire-read.key", "desfire-uid.key", "emv.key")] == [True] * 3


def test_one_key_under_two_names_is_refused(site: Site) -> None:
    site.key("desfire-read", READ_KEY)
    site.key("desfire-uid", READ_KEY)
    (complaint,) = site.complaints(CredentialsConfig(desfire=DESFIRE))
    assert complaint.sentence == "credentials.desfire: desfire-read and desfire-uid are one and the same key."


def test_keys_come_from_where_they_are_configured_then_from_the_service_manager(site: Site, tmp_path: Path) -> None:
    handed_over, own = tmp_path / "handed over", tmp_path / "own"
    environment = {"CREDENTIALS_DIRECTORY": str(handed_over)}
    table = CredentialsConfig(desfire=replace(DESFIRE, uid_key=""))
    config, elsewhere = site.config(table), site.config(replace(table, key_folder=own))
    assert key_folder(config, {}) == site.keys
    assert key_folder(config, environment) == handed_over
    assert key_folder(elsewhere, environment) == own
    handed_over.mkdir()
    (handed_over / "desfire-read.key").write_text(READ_KEY.hex())
    (handed_over / "desfire-read.key").chmod(0o440)  # an access list for the service's user shows as group permission
    assert complaints(config, lambda: NOW, environment) == []
    assert len(complaints(elsewhere, lambda: NOW, environment)) == 1
    (handed_over / "desfire-read.key").chmod(0o444)
    assert "mode" in str(complaints(config, lambda: NOW, environment)[0])


def test_authorities_of_cards_are_looked_at(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "authorities"
    table = CredentialsConfig(piv=PivConfig(True, folder))
    assert "No such file or directory" in site.complaints(table)[0].sentence
    folder.mkdir(mode=0o755)
    assert "no *.pem or *.crt file is in it" in site.complaints(table)[0].sentence
    issuer = PivSite(tmp_path)
    (folder / "a.pem").write_bytes(issuer.authority.pem)
    assert site.complaints(table) == []
    revoking = replace(table, piv=replace(table.piv, revoked=tmp_path / "revoked.crl"))
    assert "revoked.crl: No such file" in site.complaints(revoking)[0].sentence
    issuer.revoke()
    assert site.complaints(revoking) == []
    (folder / "a.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert "not a PEM file of certificates" in site.complaints(table)[0].sentence


def test_issuers_of_keys_are_looked_at(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "issuers"
    folder.mkdir()
    table = CredentialsConfig(pkoc=PkocConfig(site_authority=folder))
    (complaint,) = site.complaints(table)
    assert complaint.sentence.startswith("credentials.pkoc: ")
    assert "leave credentials.pkoc.site_authority empty" in complaint.fix
    PkocIssuer().write(folder)
    assert site.complaints(table) == []
