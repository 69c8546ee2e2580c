"""[credentials] takes what a site's cards can be, and says of everything else which key it is and what to write."""

from pathlib import Path

import pytest

from kiosk.config.credentials import CredentialsConfig, DesfireConfig, PkocConfig
from kiosk.errors import ConfigError
from tests.kiosk.config.test_loader import LEAST, loaded, refused

DESFIRE = '[credentials.desfire]\nenabled = true\napplication = "F51234"\n'


def test_without_the_table_pkoc_and_the_uid_are_taken(tmp_path: Path) -> None:
    table = loaded(tmp_path, LEAST).credentials
    assert table == CredentialsConfig()
    schemes = ("pkoc", "piv", "desfire", "ntag424", "sun", "emv", "iso14443")
    assert [name for name in schemes if getattr(table, name).enabled] == ["pkoc", "iso14443"]


def test_a_scheme_is_set_up_beside_the_others(tmp_path: Path) -> None:
    table = loaded(tmp_path, LEAST + DESFIRE + 'uid_key = "desfire-uid"\n').credentials
    assert (table.desfire.application, table.desfire.read_key, table.desfire.uid_key) == (
        "F51234",
        "desfire-read",
        "desfire-uid",
    )
    assert table.pkoc == PkocConfig()


def test_paths_start_at_the_file_and_empty_ones_are_none(tmp_path: Path) -> None:
    text = '[credentials]\nkey_folder = "cards"\n[credentials.pkoc]\nsite_authority = "/etc/issuers"\n'
    table = loaded(tmp_path, LEAST + text + '[credentials.piv]\nauthorities = ""\n').credentials
    assert (table.key_folder, table.pkoc.site_authority) == (tmp_path / "cards", Path("/etc/issuers"))
    assert (table.piv.authorities, table.piv.revoked) == (None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[credentials.desfir]\n", "there is no key credentials.desfir; the nearest is credentials.desfire."),
        ("[credentials.desfire]\nfile = 1\n", "there is no key credentials.desfire.file;"),
        ('[credentials]\nkey = "00"\n', "Secrets do not belong in this file"),
        ("[credentials.desfire]\nenabled = true\n", "credentials.desfire.application must be the 6 hexadecimal digits"),
        (DESFIRE.replace("F51234", "000000"), "credentials.desfire.application must be"),
        (DESFIRE.replace("F51234", "F5123"), "credentials.desfire.application must be"),
        (DESFIRE.replace("F51234", "F5 1 3"), "credentials.desfire.application must be"),
        (DESFIRE + "file_size = 0\n", "credentials.desfire.file_size must be between 1 and 240"),
        (DESFIRE + "read_key_number = 14\n", "credentials.desfire.read_key_number must be between 0 and 13"),
        (DESFIRE + 'read_key = "../pepper"\n', "credentials.desfire.read_key must be the name of a key"),
        (DESFIRE + 'read_key = ""\n', "credentials.desfire.read_key must be the name of a key"),
        (DESFIRE + 'uid_key = "desfire-read"\n', "credentials.desfire.uid_key must be another key than read_key"),
        (DESFIRE + 'uid_key = "u"\nuid_key_number = 1\n', "of another number"),
        (DESFIRE + 'messaging = ["ev3"]\n', "credentials.desfire.messaging must be a list"),
        (DESFIRE + "messaging = []\n", "credentials.desfire.messaging must be a list"),
        (DESFIRE + f'system_identifier = "{"00" * 22}"\n', "credentials.desfire.system_identifier must be"),
        (DESFIRE + 'master_key = "desfire-read"\n', "credentials.desfire.master_key must be another key"),
        (DESFIRE + 'card_key = "desfire-master"\n', "credentials.desfire.card_key must be another key"),
        (DESFIRE + "random_uid = true\n", "credentials.desfire.random_uid must be false without uid_key"),
        ("[credentials.piv]\nenabled = true\n", "credentials.piv.authorities must be the folder"),
        ("[credentials.ntag424]\nkey_number = 5\n", "credentials.ntag424.key_number must be between 0 and 4"),
        ("[credentials.sun]\npicc_data = 40\n", "credentials.sun.mac must come after"),
        ("[credentials.sun]\nmac_input = 68\n", "credentials.sun.mac must come after"),
        ('[credentials.sun]\nfile_key = "ntag424-meta"\n', "credentials.sun.file_key must be another key"),
        ("[credentials.ntag424]\nenabled = true\n[credentials.sun]\nenabled = true\n", "credentials.sun.enabled must"),
        ("[credentials.pkoc]\nenabled = false\n[credentials.iso14443]\nenabled = false\n", "nobody can sign in"),
        ("[credentials.emv]\nenabled = 1\n", "credentials.emv.enabled must be true or false"),
        ("[credentials.piv]\nrevoked = false\n", "credentials.piv.revoked must be a path in quotes"),
    ],
)
def test_what_will_not_do_is_named(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path, LEAST + text)


def test_a_key_written_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    for planted in ("00112233445566778899AABBCCDDEEFF", "00112233445566778899aabbccddeeff"):
        for key in ("key", "read_key", "uid_key"):
            assert planted not in refused(tmp_path, LEAST + DESFIRE + f'{key} = "{planted}"\n')


def test_what_the_loader_refuses_cannot_be_made_in_code_either() -> None:
    with pytest.raises(ConfigError, match="application"):
        DesfireConfig(enabled=True)
