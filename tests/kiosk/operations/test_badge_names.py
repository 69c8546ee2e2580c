"""How badges and strangers are named on record, from the configuration to the trail."""

from pathlib import Path

import pytest

from kiosk.access.gate import DenialReason, Denied
from kiosk.audit import Outcome
from kiosk.config.loader import load
from kiosk.errors import ConfigError
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import System
from kiosk.operations.sign_in import Tap
from kiosk.premises import Premises
from readers.credentials.claim import Assurance, Claim
from readers.uid import Uid

UID = "04A1B2C3D4E580"
FINGERPRINT = "pkoc:9f2c51d07a3b4e6d"
CLAIM = Claim("pkoc", b"key", Uid.from_hex(UID), Assurance.AUTHENTICATED, FINGERPRINT)


class NobodysGate:
    """Knows nobody."""

    def decide(self, _: Claim) -> Denied:
        """This badge least of all."""
        return Denied(DenialReason.UNKNOWN_BADGE, "This badge is not known here")


def premises(folder: Path, badge_id: str, site: str = "North") -> Premises:
    path = folder / "kiosk.toml"
    path.write_text(
        f'[kiosk]\nname = "Kiosk 7"\nsite = "{site}"\nstate_directory = "state"\n'
        f'[limits]\ndisk_reserve_bytes = 0\n[audit]\nbadge_id = "{badge_id}"\n'
    )
    made = Premises(load(path))
    made.prepare()
    return made


def tapped(at: Premises) -> tuple[set[str], str, bytes]:
    """The badge as every record and message of one tap names it, the user, and the file itself."""
    with at.own_trail() as trail:
        desk = Desk(at.ledger(trail, lambda _: None), lambda _: False)
        act = Tap(NobodysGate(), at.node, CLAIM, site=at.config.site_name)  # type: ignore[arg-type]  # as far as a tap goes
        finish(perform(desk, System(), act))
        entries = [record.entry for record in trail.read()]
        rows = b"".join(row.body for row in trail.rows(1))
    (message,) = entries[-1].messages
    assert message.outcome is Outcome.SERIOUS
    person = message.participants[0]
    named = {";".join(entry.actor.badge) for entry in entries} | {person.alternative_user_id}
    assert person.network_access_point == at.node.host != ""
    return named, person.user_id, rows


def test_a_uid_is_on_record_with_what_proved_more_beside_it(tmp_path: Path) -> None:
    named, user, _ = tapped(premises(tmp_path, "uid"))
    assert named == {f"uid:{UID};{FINGERPRINT}"}
    assert user == "unknown@North"
    assert not (tmp_path / "state" / "keys" / "badge-token").exists()


def test_a_token_is_on_record_and_the_uid_nowhere(tmp_path: Path) -> None:
    at = premises(tmp_path, "token", site="")
    named, user, rows = tapped(at)
    assert named == {f"{at.badge_naming.token(UID)};{FINGERPRINT}"}
    assert user == "unknown@Kiosk 7"
    assert UID.encode() not in rows


def test_both_are_on_record_and_kiosks_with_one_secret_agree(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    first = tapped(premises(here, "both"))[0]
    (there / "state" / "keys").mkdir(parents=True, mode=0o700)
    key = (here / "state" / "keys" / "badge-token").read_bytes()
    (there / "state" / "keys" / "badge-token").write_bytes(key)
    (there / "state" / "keys" / "badge-token").chmod(0o600)
    assert tapped(premises(there, "both"))[0] == first
    (named,) = first
    assert [token.partition(":")[0] for token in named.split(";")] == ["uid", "token", "pkoc"]


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"audit\.badge_id must be"):
        premises(tmp_path, "name")
