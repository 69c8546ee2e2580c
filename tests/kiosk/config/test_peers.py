"""What the tables of archives and destinations must not say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.config.loader import load
from kiosk.config.model import Kiosk, KioskConfig
from kiosk.config.peers import PeerConfig, ReceivingConfig
from kiosk.errors import ConfigError
from kiosk.imaging.peers import IdentityKind, RetrieveBy, Tls, UserIdentity
from kiosk.operations.neighbours import peer, receiving, revocation_complaints

PEER = {"name": "Archive", "ae_title": "PACS", "host": "pacs.example", "port": 2762}
FILES = {"authority": "site.pem", "certificate": "kiosk.crt", "key": "kiosk.key"}


def written(folder: Path, settings: dict[str, object], receiving_port: int = 0) -> Path:
    lines = ["[kiosk]", 'name = "K"', 'state_directory = "state"', f"[receiving]\nport = {receiving_port}"]
    lines.append("[[archives]]")
    for name, value in (PEER | settings).items():
        literal = str(value).lower() if isinstance(value, bool | int) else f'"{value}"'
        lines.append(f"{name} = {literal}")
    path = folder / "kiosk.toml"
    path.write_text("\n".join(lines))
    return path


def test_a_peer_with_tls_and_identity_reaches_the_imaging_room(tmp_path: Path) -> None:
    identity = {"user_identity": "passcode", "user_name": "room", "user_secret": "secret"}
    extra: dict[str, object] = {"tls": True, "server_name": "pacs", "retrieve_by": "move", "bytes_per_second": 1000}
    config = load(written(tmp_path, {**FILES, **identity, **extra}, 11112))
    made = peer(config.archives[0], "KIOSK")
    authority, certificate, key = (str(tmp_path / file) for file in FILES.values())
    assert made.tls == Tls(authority, certificate, key, server_name="pacs")
    assert made.user_identity == UserIdentity(IdentityKind.PASSCODE, "room", str(tmp_path / "secret"))
    assert (made.retrieve_by, made.bytes_per_second) == (RetrieveBy.MOVE, 1000)
    place = receiving(config)
    assert place is not None
    assert (place.ae_title, place.port, place.callers) == ("KIOSK", 11112, (made,))


def test_revocation_lists_reach_the_imaging_room(tmp_path: Path) -> None:
    config = load(written(tmp_path, {**FILES, "tls": True, "crl": "lists.pem"}))
    made = peer(config.archives[0], "KIOSK")
    assert made.tls is not None
    assert made.tls.crl == str(tmp_path / "lists.pem")
    (said,) = revocation_complaints(config, datetime.now(UTC))
    assert said == f"{tmp_path / 'lists.pem'} cannot be read: No such file or directory."


def test_a_peer_without_tls_has_none() -> None:
    made = peer(PeerConfig("Archive", "PACS", "pacs.example", 104), "KIOSK")
    assert made.tls is None
    assert made.user_identity is None
    assert receiving(KioskConfig(Kiosk("K", Path("/s")))) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tls": True}, "authority must be a file of PEM"),
        ({"tls": True, "authority": "a", "certificate": "b"}, "key must be a file of PEM"),
        ({"authority": "a"}, "tls must be true for authority"),
        ({"server_name": "pacs"}, "tls must be true"),
        ({"pinned_authority": True}, "tls must be true"),
        ({"crl": "lists.pem"}, "tls must be true for crl"),
        ({"user_identity": "username", "user_name": "x"}, "would go over the network in the open"),
        ({"tls": True, **FILES, "user_identity": "username"}, "user_name must be given"),
        ({"tls": True, **FILES, "user_identity": "passcode", "user_name": "x"}, "user_secret must be a file"),
        (
            {"tls": True, **FILES, "user_identity": "jwt", "user_name": "x", "user_secret": "s"},
            "user_name must be given",
        ),
        ({"tls": True, **FILES, "user_secret": "s"}, "user_secret must be a file"),
        ({"tls": True, **FILES, "user_identity": "badge"}, 'must be "" or "username"'),
        ({"retrieve_by": "both"}, '"get" or "move"'),
        ({"retrieve_by": "move"}, "receiving.port must be set"),
        ({"bytes_per_second": -1}, "bytes_per_second must be between 0"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, settings))
    assert words in str(caught.value)


def test_a_place_to_receive_is_checked() -> None:
    with pytest.raises(ConfigError, match="port"):
        ReceivingConfig(port=70000)
    with pytest.raises(ConfigError, match="address"):
        ReceivingConfig(address="not an address")
