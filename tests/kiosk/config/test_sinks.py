"""[[audit.sinks]]: what a sink must have, and that nothing else is taken."""

from pathlib import Path

import pytest

from kiosk.config.dump import dump
from kiosk.config.loader import load
from kiosk.config.model import KioskConfig
from kiosk.config.sinks import SinkConfig
from kiosk.errors import ConfigError

LEAST = '[kiosk]\nname = "Room 3"\nstate_directory = "state"\n'
TLS = """[[audit.sinks]]
name = "ARR"
kind = "tls"
host = "arr.example.org"
port = 6514
authority = "certs/ca.pem"
certificate = "certs/kiosk.pem"
key = "certs/kiosk.key"
"""
FILE = '[[audit.sinks]]\nname = "Copy"\nkind = "file"\npath = "copy.log"\n'


def loaded(tmp_path: Path, text: str) -> KioskConfig:
    file = tmp_path / "kiosk.toml"
    file.write_text(text)
    return load(file)


def test_sinks_are_read_with_paths_beside_the_file(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST + TLS + FILE)
    certificates = tmp_path / "certs"
    assert config.audit.sinks == (
        SinkConfig(
            "ARR",
            "tls",
            "arr.example.org",
            6514,
            authority=certificates / "ca.pem",
            certificate=certificates / "kiosk.pem",
            key=certificates / "kiosk.key",
        ),
        SinkConfig("Copy", "file", path=tmp_path / "copy.log"),
    )
    assert (config.audit.sinks[0].facility, config.audit.sinks[0].msgid) == (10, "DICOM+RFC3881")
    assert config.audit.forwarder == "terminal"
    assert loaded(tmp_path, LEAST).audit.sinks == ()


def test_what_is_dumped_loads_as_the_same(tmp_path: Path) -> None:
    config = loaded(tmp_path, LEAST + TLS + FILE)
    for folder in (None, tmp_path):
        assert loaded(tmp_path, dump(config, folder)) == config


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TLS.replace('"tls"', '"smoke"'), "audit.sinks[0].kind must be "),
        (TLS.replace("port = 6514\n", ""), "audit.sinks[0].port is missing: a sink of kind tls has one"),
        (TLS.replace('host = "arr.example.org"\n', ""), "audit.sinks[0].host is missing"),
        (TLS.replace("authority", "certificate_authority"), "there is no key audit.sinks[0].certificate_authority"),
        (TLS.replace('authority = "certs/ca.pem"\n', ""), "audit.sinks[0].authority is missing"),
        (TLS.replace('key = "certs/kiosk.key"\n', ""), "audit.sinks[0].key is missing"),
        (TLS.replace('"tls"', '"relp"').replace('certificate = "certs/kiosk.pem"\n', ""), "certificate is missing"),
        (TLS + "port = 1\n", "overwrite"),
        (TLS + "facility = 24\n", "audit.sinks[0].facility must be between 0 and 23"),
        (TLS + 'msgid = "IHE RFC-3881"\n', "audit.sinks[0].msgid must be 1 to 32 printable ASCII"),
        (TLS + 'server_name = "a b"\n', "audit.sinks[0].server_name must be a host name"),
        (TLS + "resend_seconds = -1\n", "audit.sinks[0].resend_seconds must be between"),
        (FILE.replace('path = "copy.log"\n', ""), "audit.sinks[0].path is missing: a sink of kind file has one"),
        (FILE + FILE, "audit.sinks must not use a name twice"),
        ('[audit]\nforwarder = "nobody"\n', "audit.forwarder must be "),
    ],
)
def test_what_will_not_do_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, LEAST + text)
    assert said in str(raised.value)
