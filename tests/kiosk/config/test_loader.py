from pathlib import Path

import pytest

from kiosk.config.loader import load
from kiosk.config.model import AccessConfig, KioskConfig, Limits, Readers, SessionRules
from kiosk.errors import ConfigError

LEAST = '[kiosk]\nname = "Room 3"\nstate_directory = "state"\n'
PEER = '[[archives]]\nname = "A"\nae_title = "ARCHIVE"\nhost = "127.0.0.1"\nport = 11112\n'


def loaded(tmp_path: Path, text: str | bytes) -> KioskConfig:
    file = tmp_path / "kiosk.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(file)


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, text)
    message = str(raised.value)
    assert str(tmp_path / "kiosk.toml") in message
    return message.replace(str(tmp_path / "kiosk.toml"), "")


def test_the_least_that_a_kiosk_needs(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST)
    assert config.kiosk.state_directory == tmp_path / "state"
    assert not config.kiosk.demo
    assert (config.readers, config.session, config.access) == (Readers(), SessionRules(), AccessConfig())
    assert (config.limits, config.archives, config.destinations) == (Limits(), (), ())


def test_the_defaults_are_those_that_were_agreed(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST + PEER)
    session = config.session
    rules = (session.idle_seconds, session.warning_seconds, session.cap_seconds, session.accidental_seconds)
    assert rules == (180.0, 30.0, 28800.0, 3.0)
    assert (config.access.grace_hours, config.limits.query_limit) == (8, 500)
    assert config.archives[0].character_set == "ISO_IR 192"


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        LEAST
        + 'demo = true\n[readers]\nspecs = ["pcsc:ACR*", "nfcpy:usb"]\n'
        + "[session]\nidle_seconds = 60\nwarning_seconds = 2.5\n"
        + f"[access]\ngrace_hours = 4\n{PEER}timeout = 3\n"
        + PEER.replace("archives", "destinations")
        + 'description = "Neuro"\n',
    )
    assert config.kiosk.demo
    assert config.readers.specs == ("pcsc:ACR*", "nfcpy:usb")
    assert (config.session.idle_seconds, config.session.warning_seconds) == (60.0, 2.5)
    assert config.access.grace_hours == 4.0
    assert (config.archives[0].timeout, config.destinations[0].description) == (3.0, "Neuro")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LEAST + "nmae = 1\n", ["kiosk.nmae", "kiosk.name"]),
        (LEAST + "[sesion]\n", ["sesion", "session"]),
        (LEAST + "[session]\nidle_second = 3\n", ["session.idle_second", "session.idle_seconds"]),
        (LEAST + PEER + "prot = 3\n", ["archives[0].prot", "archives[0].port"]),
        (
            LEAST + PEER + PEER.replace('"A"', '"B"') + "ae_titel = 3\n",
            ["archives[1].ae_titel", "archives[1].ae_title"],
        ),
        (LEAST + "[archive]\n", ["archive", "archives"]),
    ],
)
def test_an_unknown_key_is_named_with_its_nearest(tmp_path: Path, text: str, words: list[str]) -> None:
    message = refused(tmp_path, text)
    assert f"no key {words[0]};" in message
    assert f"the nearest is {words[1]}." in message


@pytest.mark.parametrize("key", ["pin", "pepper", "password", "ldap_password", "tls-key", "Secret"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    message = refused(tmp_path, f'{LEAST}{key} = "hunter2-730519"\n')
    assert "Secrets do not belong" in message
    assert "730519" not in message


def test_escapes_in_a_key_do_not_reach_the_message(tmp_path: Path) -> None:
    message = refused(tmp_path, LEAST + '"\\u001b]52;c;x\\u0007\\u202ekey" = 1\n')
    assert message.isprintable()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (LEAST + "site = 3\n", "kiosk.site"),
        (LEAST + 'demo = "true"\n', "kiosk.demo"),
        (LEAST + "demo = 1\n", "kiosk.demo"),
        (LEAST.replace('"state"', "3"), "kiosk.state_directory"),
        (LEAST.replace('"state"', '""'), "kiosk.state_directory"),
        (LEAST.replace('"state"', '"a\\u0000b"'), "kiosk.state_directory"),
        (LEAST + '[readers]\nspecs = "pcsc"\n', "readers.specs"),
        (LEAST + "[readers]\nspecs = [1]\n", "readers.specs[0]"),
        (LEAST + "[session]\nidle_seconds = true\n", "session.idle_seconds"),
        (LEAST + '[session]\nidle_seconds = "180"\n', "session.idle_seconds"),
        (LEAST + "[session]\nidle_seconds = 2026-01-01\n", "session.idle_seconds"),
        (LEAST + "[limits]\nquery_limit = 500.0\n", "limits.query_limit"),
        (LEAST + '[access]\ngrace_hours = "long"\n', "access.grace_hours"),
        (LEAST + "[access]\ngrace_hours = 25\n", "access.grace_hours"),
        (LEAST + "[archives]\nname = 3\n", "archives"),
        ("archives = [3]\n" + LEAST, "archives[0]"),
        ("session = 3\n" + LEAST, "session"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(tmp_path: Path, text: str, key: str) -> None:
    assert f" {key} must be " in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (LEAST.replace("Room 3", ""), "kiosk.name"),
        (LEAST.replace("Room 3", "x" * 65), "kiosk.name"),
        (LEAST.replace("Room 3", "a\\u001bb"), "kiosk.name"),
        (LEAST + '[readers]\nspecs = ["pcsc", "pcsc"]\n', "readers.specs"),
        (LEAST + "[readers]\nspecs = []\n", "readers.specs"),
        (LEAST + "[session]\nidle_seconds = 0\n", "session.idle_seconds"),
        (LEAST + "[session]\nidle_seconds = -5\n", "session.idle_seconds"),
        (LEAST + "[session]\nidle_seconds = nan\n", "session.idle_seconds"),
        (LEAST + "[session]\ncap_seconds = inf\n", "session.cap_seconds"),
        (LEAST + "[session]\nidle_seconds = 30\n", "session.warning_seconds"),
        (LEAST + "[access]\ngrace_hours = 25\n", "access.grace_hours"),
        (LEAST + "[limits]\nquery_limit = 0\n", "limits.query_limit"),
        (LEAST + PEER + PEER, "archives"),
        *((LEAST + PEER.replace("11112", port), "archives[0].port") for port in ("0", "-1", "65536")),
        *(
            (LEAST + PEER.replace("ARCHIVE", title), "archives[0].ae_title")
            for title in ("", " ", "A" * 17, "A\\\\B", "Ä", "A\\u0000", " A", "A ", "A\\tB")
        ),
        *(
            (LEAST + PEER.replace("127.0.0.1", host), "archives[0].host")
            for host in ("", "a b", "-a", "http://a", "a;b", "a\\nb", "x" * 254)
        ),
        *(
            (LEAST + PEER + f'character_set = "{value}"\n', "archives[0].character_set")
            for value in ("", "UTF-8", "ISO_IR 999", "ISO_IR 100\\\\x")
        ),
        (LEAST + PEER + "timeout = 0\n", "archives[0].timeout"),
    ],
)
def test_a_value_out_of_range_is_named(tmp_path: Path, text: str, key: str) -> None:
    assert f" {key} must " in refused(tmp_path, text)


@pytest.mark.parametrize(
    "value", ["ISO_IR 192", "ISO_IR 100", "GB18030", "\\\\ISO 2022 IR 87", "ISO 2022 IR 6\\\\ISO 2022 IR 149"]
)
def test_specific_character_sets_of_the_standard_are_taken(tmp_path: Path, value: str) -> None:
    config = loaded(tmp_path, LEAST + PEER + f'assumed_character_set = "{value}"\n')
    assert config.archives[0].assumed_character_set == value.replace("\\\\", "\\")


@pytest.mark.parametrize("host", ["localhost", "pacs.example.org", "192.0.2.7", "::1", "fe80::1%eth0", "pacs-2"])
def test_names_and_addresses_are_hosts(tmp_path: Path, host: str) -> None:
    assert loaded(tmp_path, LEAST + PEER.replace("127.0.0.1", host)).archives[0].host == host


@pytest.mark.parametrize("port", [1, 104, 65535])
def test_every_port_of_tcp_is_taken(tmp_path: Path, port: int) -> None:
    assert loaded(tmp_path, LEAST + PEER.replace("11112", str(port))).archives[0].port == port


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "kiosk is missing"),
        ('[kiosk]\nname = "x"\n', "kiosk.state_directory is missing"),
        (LEAST + '[[archives]]\nname = "A"\n', "archives[0].ae_title is missing"),
        ("[kiosk\n", "line 1"),
        (b"\xff\xfe", "UTF-8"),
        ("x = " + "[" * 20_000, "deeply"),
        (LEAST + "[session]\nidle_seconds = " + "9" * 400, "out of all range"),
        (LEAST + "[limits]\nquery_limit = " + "9" * 5000, "out of all range"),
        ("#" * ((1 << 20) + 1), "larger"),
    ],
)
def test_a_file_that_is_no_configuration_is_told_apart(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert words in refused(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(ConfigError) as raised:
            load(path)
        assert str(path) in str(raised.value)


def test_relative_paths_start_at_the_files_folder_wherever_we_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "kiosk.toml").write_text(LEAST.replace('"state"', '"../var/state"'))
    monkeypatch.chdir(tmp_path)
    assert load(Path("etc/kiosk.toml")).kiosk.state_directory == tmp_path / "var" / "state"
