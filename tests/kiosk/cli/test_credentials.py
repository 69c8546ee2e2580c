"""`kiosk credentials`: keys that are made once, and a blank DESFire that becomes a card of the site, through pcscd."""

import getpass
import stat
from pathlib import Path

import pytest

from kiosk.audit import Entry, Phase, Trail
from kiosk.cli.credentials import make_keys, personalise_desfire
from kiosk.cli.parser import parser
from kiosk.errors import ConfigError
from readers.credentials.aes import diversify
from readers.virtual.desfire_card import DesfireCard, blank
from readers.virtual.torn_card import TornCard
from readers.virtual.uid_card import UidCard
from tests.end_to_end.program import Program, kiosk
from tests.pcscd import PcscWithVpcd
from tests.readers.credentials.aes_cards import UID

CONFIG = """
[kiosk]
name = "Card office"
state_directory = "state"

[readers]
specs = ["{spec}"]

[limits]
disk_reserve_bytes = 0

[credentials.desfire]
enabled = true
application = "F51234"
uid_key = "desfire-uid"
"""
NAMES = ("desfire-uid", "desfire-read", "desfire-master", "desfire-card")
MAKE = ("credentials", "keys", "make", "--config")
WRITE = ("credentials", "desfire", "personalise", "--config")
ASKED = "Write this to the card? [y/N] "


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "kiosk.toml"
    path.write_text(CONFIG.format(spec=PcscWithVpcd.spec))
    return str(path)


@pytest.fixture
def with_keys(config: str) -> str:
    assert make_keys(parser().parse_args([*MAKE, config])) == 0
    return config


def keys(config: str) -> dict[str, str]:
    folder = Path(config).parent / "state" / "keys" / "credentials"
    return {path.stem: path.read_text().strip() for path in folder.iterdir()}


def records(config: str, act: str) -> list[Entry]:
    with Trail.read_only(Path(config).parent / "state" / "trail.db") as trail:
        return [record.entry for record in trail.read() if record.entry.act == act]


def personalised(
    environment: dict[str, str], pcscd: PcscWithVpcd, config: str, card: "DesfireCard | TornCard | UidCard", *words: str
) -> tuple[int, str, str]:
    """Lays the card on, agrees when asked, and gives exit code, output and errors."""
    with Program(environment, *WRITE, config, *words) as program:
        program.await_error("Lay the card on the reader")
        pcscd.insert(card)
        program.type("y\n")
        code = program.wait()
        return code, program.text, program.errors


def test_keys_are_made_once_and_on_record(config: str, environment: dict[str, str]) -> None:
    first = kiosk(environment, *MAKE, config)
    assert (first.returncode, first.stdout) == (0, "".join(f"{name}: made.\n" for name in NAMES))
    assert "desfire-card and desfire-master only issue cards" in first.stderr
    made = keys(config)
    assert set(made) == set(NAMES)
    assert len({*made.values()}) == len(NAMES)
    folder = Path(config).parent / "state" / "keys" / "credentials"
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    (folder / "desfire-card.key").unlink()
    second = kiosk(environment, *MAKE, config)
    assert second.returncode == 0
    assert "desfire-card: made.\ndesfire-uid: there already, left as it is.\n" in second.stdout
    assert {name: key for name, key in keys(config).items() if name != "desfire-card"} == {
        name: key for name, key in made.items() if name != "desfire-card"
    }
    acts = records(config, "card_keys_make")
    assert [entry.phase for entry in acts] == 2 * [Phase.INTENT, Phase.OUTCOME]
    assert {entry.actor.user_id for entry in acts} == {f"unix:{getpass.getuser()}"}
    said = first.stdout + first.stderr + second.stdout + second.stderr + repr(acts)
    assert not any(key.lower() in said.lower() for key in (*made.values(), *keys(config).values()))


def test_issuing_keys_have_the_names_that_the_site_gives_them(config: str, environment: dict[str, str]) -> None:
    with Path(config).open("a") as file:
        file.write('master_key = "clinic-master"\ncard_key = "clinic-card"\n')
    done = kiosk(environment, *MAKE, config)
    assert done.returncode == 0, done.stderr
    assert set(keys(config)) == {"desfire-uid", "desfire-read", "clinic-master", "clinic-card"}
    assert "clinic-card and clinic-master only issue cards" in done.stderr


def test_a_kiosk_without_keys_says_what_makes_them(config: str) -> None:
    with pytest.raises(ConfigError, match=r"desfire-uid\.key: .* `kiosk credentials keys make` makes it"):
        personalise_desfire(parser().parse_args([*WRITE, config]))


def test_a_kiosk_without_such_cards_makes_no_keys(config: str) -> None:
    path = Path(config)
    path.write_text(path.read_text().replace("enabled = true", "enabled = false"))
    with pytest.raises(ConfigError, match="enables no cards"):
        make_keys(parser().parse_args([*MAKE, config]))


@pytest.mark.parametrize(
    ("replaced", "by", "words", "said"),
    [
        ("enabled = true", "enabled = false", (), "does not enable DESFire"),
        ('uid_key = "desfire-uid"', "", ("--random-uid",), "needs credentials.desfire.uid_key"),
        ('application = "F51234"', 'application = "F51234"\nread_key_number = 0', (), "numbers of their own"),
    ],
)
def test_a_configuration_that_names_no_such_card_is_refused(
    config: str, replaced: str, by: str, words: tuple[str, ...], said: str
) -> None:
    path = Path(config)
    path.write_text(path.read_text().replace(replaced, by))
    with pytest.raises(ConfigError, match=said):
        personalise_desfire(parser().parse_args([*WRITE, config, *words]))


def test_a_blank_becomes_a_card_of_the_site_on_record(
    with_keys: str, environment: dict[str, str], pcsc_with_vpcd: PcscWithVpcd
) -> None:
    card = blank(UID)
    code, text, errors = personalised(environment, pcsc_with_vpcd, with_keys, card, "--random-uid")
    assert code == 0, errors
    assert "DESFire EV2 …E580. What will be done:" in text
    assert ASKED in errors
    assert "[1/10] Making the site's application" in text
    assert "[10/10] Checking the card as a reader at the wall would" in text
    assert "The card is now a card of this site: desfire:" in text
    assert card.memory.hides_uid
    intent, outcome = records(with_keys, "personalise_card")
    assert (intent.phase, outcome.phase) == (Phase.INTENT, Phase.OUTCOME)
    assert int(outcome.outcome or 0) == 0
    assert {entry.actor.user_id for entry in (intent, outcome)} == {f"unix:{getpass.getuser()}"}
    assert f"uid:{UID.hex()}" in intent.actor.badge
    said = (text + errors + repr((intent, outcome))).lower()
    own = [key.hex() for application in card.memory.applications.values() for key in application.keys.values()]
    assert not any(key.lower() in said for key in (*keys(with_keys).values(), *own, card.memory.card.keys[0].hex()))
    assert UID.hex() not in text + errors
    pcsc_with_vpcd.clear()
    code, text, errors = personalised(environment, pcsc_with_vpcd, with_keys, card)
    assert code == 0, errors
    assert "a card of this site already" in text
    assert ASKED not in errors
    assert "nothing was written" in text


def test_a_site_of_hidden_uids_need_not_say_so_for_each_card(
    config: str, environment: dict[str, str], pcsc_with_vpcd: PcscWithVpcd
) -> None:
    with Path(config).open("a") as file:
        file.write('card_key = "clinic-card"\nrandom_uid = true\n')
    assert make_keys(parser().parse_args([*MAKE, config])) == 0
    card = blank(UID)
    code, text, errors = personalised(environment, pcsc_with_vpcd, config, card)
    assert code == 0, errors
    assert "Switching to a random UID, for good" in text
    assert card.memory.hides_uid
    own = diversify(bytes.fromhex(keys(config)["clinic-card"]), UID.value + bytes(3))
    assert card.memory.card.keys[0] == own


def test_nothing_is_written_unless_somebody_agrees(
    with_keys: str, environment: dict[str, str], pcsc_with_vpcd: PcscWithVpcd
) -> None:
    card = blank(UID)
    with Program(environment, *WRITE, with_keys) as program:
        program.await_error("Lay the card on the reader")
        pcsc_with_vpcd.insert(card)
        program.type("n\n")
        assert program.wait() == 1
        assert "Nothing was written." in program.errors
    assert not card.memory.applications
    assert card.memory.card.keys == {0: bytes(8)}
    assert not records(with_keys, "personalise_card")


def test_a_card_that_is_taken_away_is_finished_by_running_it_again(
    with_keys: str, environment: dict[str, str], pcsc_with_vpcd: PcscWithVpcd
) -> None:
    card = blank(UID)
    code, _, errors = personalised(environment, pcsc_with_vpcd, with_keys, TornCard(card, 25, heard=True))
    assert code == 1
    assert "begin again: it goes on where it stopped." in errors
    pcsc_with_vpcd.clear()
    code, text, errors = personalised(environment, pcsc_with_vpcd, with_keys, card)
    assert code == 0, errors
    assert "The card is now a card of this site" in text
    outcomes = [entry for entry in records(with_keys, "personalise_card") if entry.phase is Phase.OUTCOME]
    assert [int(entry.outcome or 0) for entry in outcomes] == [8, 0]


def test_another_card_is_refused_in_words(
    with_keys: str, environment: dict[str, str], pcsc_with_vpcd: PcscWithVpcd
) -> None:
    code, text, errors = personalised(environment, pcsc_with_vpcd, with_keys, UidCard(UID, takes_apdus=True))
    assert (code, text) == (1, "")
    assert "kiosk: This is not a MIFARE DESFire." in errors
    assert "Traceback" not in errors
