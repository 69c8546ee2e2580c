"""A kiosk does not start on revocation lists that it could not hold a peer's certificate against."""

from pathlib import Path

import pytest

from tests.end_to_end.program import kiosk
from tests.kiosk.imaging.certificates import make_site
from tests.kiosk.imaging.revocations import HOUR, revoke

CONFIGURED = """
[kiosk]
name = "Reading room 1"
state_directory = "state"

[[archives]]
name = "Archive"
ae_title = "PACS"
host = "127.0.0.1"
port = 104
tls = true
authority = "{site.authority.file}"
certificate = "{site.kiosk.certificate}"
key = "{site.kiosk.key}"
crl = "lists.pem"
"""


@pytest.mark.parametrize("command", [("config", "check"), ("run",)], ids=["config-check", "run"])
def test_a_list_that_has_expired_is_refused_at_the_start(
    command: tuple[str, ...], tmp_path: Path, environment: dict[str, str]
) -> None:
    site = make_site(tmp_path / "site")
    (tmp_path / "lists.pem").write_bytes(revoke(site.authority, until=-HOUR))
    path = tmp_path / "kiosk.toml"
    path.write_text(CONFIGURED.format(site=site))
    done = kiosk(environment, *command, "--config", str(path))
    assert done.returncode == 1
    assert f"{tmp_path / 'lists.pem'} holds a revocation list that has expired on" in done.stderr
    assert not (tmp_path / "state").exists()
