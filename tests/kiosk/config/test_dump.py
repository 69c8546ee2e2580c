import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.config.audit import AuditConfig
from kiosk.config.credentials import CredentialsConfig, DesfireConfig, PivConfig, PkocConfig, SunConfig
from kiosk.config.dump import dump
from kiosk.config.loader import load
from kiosk.config.model import (
    AccessConfig,
    Kiosk,
    KioskConfig,
    Limits,
    Readers,
    SessionRules,
)
from kiosk.config.peers import PeerConfig, ReceivingConfig
from kiosk.config.refuse import refusals
from kiosk.config.section import Section
from kiosk.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "deploy" / "kiosk.example.toml"

printable = st.characters(exclude_categories=("C", "Z")) | st.just(" ")
texts = st.text(printable, min_size=1, max_size=64).map(str.strip).filter(bool)
titles = st.from_regex(r"[A-Za-z0-9_\"'#=]{1,16}", fullmatch=True)
peers = st.builds(
    PeerConfig,
    name=texts,
    ae_title=titles,
    host=st.sampled_from(["localhost", "192.0.2.1", "::1"]),
    port=st.integers(1, 65535),
    timeout=st.floats(0.1, 600),
    character_set=st.sampled_from(["ISO_IR 192", "\\ISO 2022 IR 87"]),
    description=st.just("") | texts,
)
secure_peers = st.builds(
    PeerConfig,
    name=texts,
    ae_title=titles,
    host=st.just("localhost"),
    port=st.just(2762),
    sends_from=st.sampled_from([(), ("192.0.2.1", "pacs.example")]),
    bytes_per_second=st.integers(0, 2**40),
    tls=st.just(True),
    authority=st.just(Path("/etc/kiosk/site.pem")),
    certificate=st.just(Path("/etc/kiosk/kiosk.crt")),
    key=st.just(Path("/etc/kiosk/kiosk.key")),
    server_name=st.sampled_from(["", "pacs.example"]),
    pinned_authority=st.booleans(),
    user_identity=st.just("passcode"),
    user_name=texts,
    user_secret=st.just(Path("/etc/kiosk/passcode")),
)
peer_lists = st.lists(peers | secure_peers, max_size=3, unique_by=lambda peer: peer.name).map(tuple)
folders = st.none() | st.sampled_from([Path("/etc/kiosk/authorities"), Path('/tmp/a "b" \\c/ü')])
credential_tables = st.builds(
    CredentialsConfig,
    key_folder=folders,
    pkoc=st.builds(PkocConfig, enabled=st.booleans(), site_authority=folders),
    piv=st.builds(PivConfig, enabled=st.booleans(), authorities=folders.filter(bool), revoked=folders),
    desfire=st.builds(
        DesfireConfig,
        enabled=st.booleans(),
        application=st.just("F51234"),
        uid_key=st.sampled_from(["", "desfire-uid"]),
        messaging=st.sampled_from([("ev2",), ("ev1", "ev2")]),
    ),
    sun=st.builds(SunConfig, enabled=st.booleans(), mac=st.integers(67, 240)),
)
configs = st.builds(
    KioskConfig,
    kiosk=st.builds(
        Kiosk,
        name=texts,
        site=st.just("") | texts,
        ae_title=titles,
        state_directory=st.sampled_from([Path("/var/lib/kiosk"), Path('/tmp/a "b" \\c/ü')]),
        demo=st.booleans(),
    ),
    readers=st.builds(Readers, specs=st.lists(texts, min_size=1, max_size=3, unique=True).map(tuple)),
    session=st.builds(SessionRules, idle_seconds=st.floats(31, 86400), cap_seconds=st.floats(1, 604800)),
    access=st.builds(AccessConfig, grace_hours=st.floats(0, 24)),
    credentials=credential_tables,
    limits=st.builds(Limits, disk_reserve_bytes=st.integers(0, 2**50)),
    archives=peer_lists,
    destinations=peer_lists,
    listeners=peer_lists,
)


@given(configs)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_what_is_dumped_loads_as_the_same(tmp_path: Path, config: KioskConfig) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text(dump(config), encoding="utf-8")
    assert load(file) == config


def test_a_dump_names_every_setting() -> None:
    peer = PeerConfig("A", "A", "localhost", 104)
    config = KioskConfig(Kiosk("x", Path("/s")), archives=(peer,), destinations=(peer,), listeners=(peer,))
    written = tomllib.loads(dump(config))
    for item in fields(KioskConfig):
        assert item.name in written
    assert set(written["credentials"]) == keys_of(CredentialsConfig)
    assert written["credentials"]["piv"] == {"enabled": False, "authorities": "", "revoked": ""}


def keys_of(section: type[Section]) -> set[str]:
    return {item.name for item in fields(section)}


def test_the_example_loads_is_fit_to_run_and_shows_every_setting() -> None:
    config = load(EXAMPLE)
    assert refusals(config) == []
    written = tomllib.loads(EXAMPLE.read_text())
    assert set(written) == keys_of(KioskConfig)
    for name, section in (
        ("kiosk", Kiosk),
        ("readers", Readers),
        ("session", SessionRules),
        ("access", AccessConfig),
        ("credentials", CredentialsConfig),
        ("audit", AuditConfig),
        ("limits", Limits),
        ("receiving", ReceivingConfig),
    ):
        assert set(written[name]) == keys_of(section)
    for item in fields(CredentialsConfig):
        table = getattr(config.credentials, item.name)
        if isinstance(table, Section):
            assert set(written["credentials"][item.name]) == keys_of(type(table))
    assert set(written["archives"][0]) == set(written["destinations"][0]) == keys_of(PeerConfig)


def test_the_examples_values_are_the_defaults() -> None:
    config = load(EXAMPLE)
    assert (config.readers, config.session) == (Readers(), SessionRules())
    assert (config.access, config.credentials, config.limits) == (AccessConfig(), CredentialsConfig(), Limits())
    assert config.audit == AuditConfig()


@pytest.mark.parametrize(
    ("specs", "demo", "count"),
    [
        (("pcsc", "nfcpy:usb", "pcsc:ACR*"), False, 0),
        (("pcsc",), True, 1),
        (("simulated",), False, 1),
        (("simulated:/run/x.sock",), False, 1),
        ((" Simulated ",), False, 1),
        (("nfcpy:udp",), False, 1),
        (("nfcpy:udp:localhost:54321",), False, 1),
        (("NFCPY:UDP:0.0.0.0",), False, 1),
        (("pcsc", "simulated", "nfcpy:udp"), True, 3),
    ],
)
def test_only_a_demo_may_have_virtual_readers_and_demo_people(specs: tuple[str, ...], demo: bool, count: int) -> None:
    config = KioskConfig(Kiosk("x", Path("/s"), demo=demo), Readers(specs))
    assert len(refusals(config)) == count
    assert all(sentence.endswith(".") for sentence in refusals(config))


def test_what_the_loader_refuses_cannot_be_made_in_code_either() -> None:
    for make in (
        lambda: PeerConfig("A", "A" * 17, "localhost", 104),
        lambda: PeerConfig("A", "A", "localhost", 0),
        lambda: SessionRules(idle_seconds=10, warning_seconds=10),
        lambda: AccessConfig(grace_hours=-1),
        lambda: Readers(()),
    ):
        with pytest.raises(ConfigError):
            make()
