"""`kiosk staff enrol`: what the card can prove is shown, its best is enrolled, and it is tapped twice before that."""

import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kiosk.access.people import Directory
from kiosk.access.policy import Role
from kiosk.audit import Entry, Phase, Trail
from kiosk.cli.taps import SETTLE, Taps
from kiosk.config.loader import load
from kiosk.errors import NotAllowed
from kiosk.premises import Premises
from readers.control import LONGEST_TAP, remove, tap
from readers.credentials.claim import Assurance
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.credentials.ntag424 import SELECT
from readers.errors import ReaderUnavailable
from readers.reader import Card, CardPresented, ReaderInfo
from readers.virtual.desfire_card import DesfireCard, issue
from tests.end_to_end.program import PATIENCE, Program, kiosk
from tests.pcscd import PcscWithVpcd
from tests.readers.cards import ManualClock, ScriptedCard
from tests.readers.credentials.aes_cards import APPLICATION, IDENTITY, SITE_KEYS, UID

CONFIG = """
[kiosk]
name = "Enrolment desk"
state_directory = "state"

[readers]
specs = ["{spec}"]

[limits]
disk_reserve_bytes = 0
"""
DESFIRE = """
[credentials]
key_folder = "card-keys"

[credentials.desfire]
enabled = true
application = "F51234"
file_number = 1
file_size = 32
read_key_number = 2
uid_key_number = 3
uid_key = "desfire-uid"
system_identifier = "696D6167696E67"
"""
PHONE_KEY = "1F5C0A7E3D2B4968877695A4B3C2D1E0F00112233445566778899AABBCCDDEEF"
DECK = f"""
[[card]]
name = "badge"
kind = "uid"
uid = "04A1B2C3D4E580"

[[card]]
name = "other"
kind = "uid"
uid = "04C7D81A2B3C4D"

[[card]]
name = "phone"
kind = "pkoc-phone"
private_key = "{PHONE_KEY}"

[[card]]
name = "bare-phone"
kind = "uid"
uid = "08112233"
apdus = true
"""


class Desk:
    """A kiosk with two people. Only the command that is tested runs as a process."""

    def __init__(self, folder: Path, environment: dict[str, str], spec: str = "", more: str = "") -> None:
        (folder / "deck.toml").write_text(DECK)
        self.path = folder / "kiosk.toml"
        self.path.write_text(CONFIG.format(spec=spec or f"simulated:{folder / 'deck.toml'}") + more)
        self.folder = folder
        self.environment = environment
        with self.directory() as directory:
            directory.add_person("a.weber", "Anna Weber", Role.RADIOLOGIST)
            directory.add_person("b.new", "Ben New", Role.SERVICE)

    @contextmanager
    def directory(self) -> Iterator[Directory]:
        people = Premises(load(self.path)).directory()
        yield people.directory
        people.close()

    def carried(self, user_id: str = "a.weber") -> list[tuple[str, Assurance, bool]]:
        """Kind, assurance and whether it is revoked, of each of the person's credentials."""
        with self.directory() as directory:
            found = directory.find(user_id)
            assert found is not None
            every = directory.credentials_of(found)
        return [(one.kind, one.assurance, one.revoked_at is not None) for one in every]

    def staff(self, *words: str) -> tuple[int, str, str]:
        done = kiosk(self.environment, "staff", *words, "--config", str(self.path))
        return done.returncode, done.stdout, done.stderr

    def enrolling(self, *words: str, who: str = "a.weber") -> Program:
        return Program(self.environment, "staff", "enrol", who, *words, "--config", str(self.path))

    @property
    def socket(self) -> Path:
        return Path(self.environment["XDG_RUNTIME_DIR"]) / f"imaging-kiosk-{os.getuid()}" / "reader.sock"

    def tap(self, card: str) -> None:
        """It lies there until it has been read, however busy the machine is."""
        tap(self.socket, card, LONGEST_TAP, timeout=PATIENCE)

    def tap_until(self, card: str, done: Callable[[], bool]) -> None:
        """A second tap counts once the first card is seen to be gone for a moment."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, "No tap counted."
            with suppress(ReaderUnavailable):  # the command may be done already, and its reader closing
                remove(self.socket, timeout=PATIENCE)
                time.sleep(2 * SETTLE)
                self.tap(card)
            again = time.monotonic() + 5.0
            while not done() and time.monotonic() < again:
                time.sleep(0.05)

    def records(self) -> list[Entry]:
        with Trail.read_only(self.folder / "state" / "trail.db") as trail:
            return [record.entry for record in trail.read() if record.entry.act == "staff_enrol"]


@pytest.fixture
def desk(tmp_path: Path, environment: dict[str, str]) -> Desk:
    return Desk(tmp_path, environment)


@contextmanager
def tapped(desk: Desk, card: str, *words: str) -> Iterator[Program]:
    with desk.enrolling(*words) as enrolling:
        enrolling.await_error("Tap the badge or phone of a.weber (Anna Weber)")
        desk.tap(card)
        yield enrolling


def test_a_phone_is_enrolled_by_its_key_after_a_question_and_a_second_tap(desk: Desk) -> None:
    with tapped(desk, "phone") as enrolling:
        enrolling.await_error("Enrol it by pkoc for a.weber? [y/N]")
        enrolling.type("y\n")
        enrolling.await_error("Take it away, then tap it once more.")
        desk.tap_until("phone", lambda: enrolling.process.poll() is not None)
        enrolling.await_text("Enrolled for a.weber: pkoc pkoc:")
        enrolling.await_error("a.weber has no PIN yet: `kiosk staff pin a.weber` sets one.")
        assert enrolling.wait() == 0
        said = enrolling.text.splitlines()
    assert said[0].startswith("Card: phone, watch or card with a random number, UID 08")
    assert said[0].endswith("random: another one at each tap")
    assert said[1].split()[0] == "pkoc"
    assert "ms  proved itself  pkoc:" in said[1]
    assert [line.split()[0] for line in said[2:-1]] == ["iso14443"]
    assert "refused: This phone or card shows a different number at every tap." in said[2]
    intent, outcome = desk.records()
    fingerprint = said[1].split()[-1]
    assert outcome.summary == f"Enrol a pkoc credential ({fingerprint}) for a.weber: done"
    assert fingerprint in outcome.actor.badge
    assert {entry.actor.kind for entry in (intent, outcome)} == {"unix"}
    _, listed, _ = desk.staff("list", "--credentials")
    assert f"  proves itself  {fingerprint}  since 20" in listed


def test_with_yes_one_tap_is_enough_and_a_card_that_could_be_better_is_told_of(desk: Desk) -> None:
    with tapped(desk, "badge", "--yes") as enrolling:
        enrolling.await_text("Enrolled for a.weber: iso14443 …E580.")
        assert enrolling.wait() == 0
        text = enrolling.text
    assert "Card: MIFARE Classic 1K, UID 04A1B2C3D4E580, fixed" in text
    assert "identifier, which can be copied" in text
    assert "A DESFire card or a phone with a PKOC app proves itself." in text


def test_another_card_at_the_second_tap_enrols_nothing(desk: Desk) -> None:
    with tapped(desk, "badge") as enrolling:
        enrolling.await_error("[y/N]")
        enrolling.type("yes\n")
        enrolling.await_error("once more")
        desk.tap_until("other", lambda: enrolling.process.poll() is not None)
        assert enrolling.wait() == 1
        enrolling.await_error("kiosk: That was another card. Nothing was enrolled.")
    assert desk.carried() == []
    assert desk.records() == []


def test_anything_but_yes_enrols_nothing(desk: Desk) -> None:
    with tapped(desk, "badge") as enrolling:
        enrolling.await_error("[y/N]")
        enrolling.end_of_input()
        assert enrolling.wait() == 1
        enrolling.await_error("kiosk: Nothing was enrolled.")
    assert desk.records() == []


def test_a_phone_without_an_app_is_refused_on_record_with_advice(desk: Desk) -> None:
    with tapped(desk, "bare-phone") as enrolling:
        assert enrolling.wait() == 1
        enrolling.await_error("kiosk: This phone or card shows a different number at every tap.")
        enrolling.await_text("A phone could prove itself: install a PKOC app on it.")
    _, outcome = desk.records()
    assert outcome.actor.badge == ("uid:08112233",)
    assert int(outcome.outcome or 0) == 8


def test_a_card_that_is_known_and_one_that_was_revoked_are_refused(desk: Desk) -> None:
    with tapped(desk, "badge", "--yes") as enrolling:
        assert enrolling.wait() == 0
    for reply in ("is known already", "was revoked, and what is revoked stays so"):
        with desk.enrolling(who="b.new") as enrolling:
            enrolling.await_error("Tap the badge")
            desk.tap("badge")
            assert enrolling.wait() == 1
            enrolling.await_error(f"kiosk: This badge or phone {reply}. It is a.weber's.")
        if "known" in reply:
            assert desk.staff("revoke", "b.new", "E580")[0] == 1
            code, said, _ = desk.staff("revoke", "a.weber", "E580", "--reason", "lost")
            assert (code, said.partition(".")[0]) == (0, "Revoked: iso14443 …E580 of a")
    assert desk.carried() == [("iso14443", Assurance.IDENTIFIER, True)]
    assert desk.carried("b.new") == []
    assert [int(entry.outcome or 0) for entry in desk.records() if entry.phase is Phase.OUTCOME] == [0, 8, 8]


def test_ctrl_c_ends_the_wait_and_says_that_nothing_was_done(desk: Desk) -> None:
    with desk.enrolling() as enrolling:
        enrolling.await_error("Ctrl+C ends it.")
        assert enrolling.end(signal.SIGINT) == 130
        enrolling.await_error("Nothing was enrolled.")
        assert "Traceback" not in enrolling.errors


def test_nobody_is_enrolled_who_is_not_there(desk: Desk) -> None:
    code, said, error = desk.staff("enrol", "x.y")
    assert (code, said) == (1, "")
    assert error == "kiosk: There is nobody of that user ID. `kiosk staff list` shows who there is.\n"


def test_somebody_who_is_disabled_is_not_asked_to_tap(desk: Desk) -> None:
    assert desk.staff("disable", "b.new")[0] == 0
    code, said, error = desk.staff("enrol", "b.new")
    assert (code, said) == (1, "")
    assert error == "kiosk: b.new is disabled. `kiosk staff enable b.new` takes that back.\n"


def test_the_wait_for_a_tap_has_an_end() -> None:
    with pytest.raises(NotAllowed, match="Nobody tapped in time"):
        Taps(Ladder([], ManualClock())).wait(0.05)


def test_a_card_that_left_too_soon_may_be_tapped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", said := io.StringIO())
    taps = Taps(Ladder([UidScheme(), Fleeting()], ManualClock()))
    presented = CardPresented(ReaderInfo("reader", "simulated"), 1)
    for left in (True, False):
        Fleeting.left = left
        taps.read(presented, ScriptedCard([], uid=UID)).act()
    tapped = taps.wait(1.0)
    assert tapped.key == ("iso14443", UID.value)
    assert said.getvalue() == "The card left too soon. Hold it still and tap again.\n"


class Fleeting:
    """A scheme of cards that come and go."""

    kind = "fleeting"
    assurance = Assurance.AUTHENTICATED
    left = False

    def may_apply(self, card: Card) -> bool:
        return True

    def identify(self, card: Card) -> None:
        if self.left:
            card.transmit(SELECT)  # its script is empty


@pytest.fixture
def keyed(tmp_path: Path, environment: dict[str, str], pcsc_with_vpcd: PcscWithVpcd) -> Desk:
    """A site whose badges are DESFire cards, at a real reader service."""
    folder = tmp_path / "card-keys"
    folder.mkdir(mode=0o700)
    for name in ("desfire-read", "desfire-uid"):
        path = folder / f"{name}.key"
        path.touch(mode=0o600)
        path.write_text(SITE_KEYS[name].hex())
    return Desk(tmp_path, environment, "simulated", DESFIRE)


def at_reader(desk: Desk, reader: PcscWithVpcd, *words: str) -> Program:
    return desk.enrolling("--reader", reader.spec, *words)


def test_through_pcscd_a_blank_desfire_is_advised_and_a_personalised_one_proves_itself(
    keyed: Desk, pcsc_with_vpcd: PcscWithVpcd
) -> None:
    with at_reader(keyed, pcsc_with_vpcd) as enrolling:
        enrolling.await_error("Tap the badge")
        pcsc_with_vpcd.insert(DesfireCard(UID, {}))
        enrolling.await_text("This DESFire could prove itself: `kiosk credentials desfire personalise` prepares it.")
        enrolling.await_error("Enrol it by iso14443 for a.weber?")
        enrolling.type("n\n")
        assert enrolling.wait() == 1
    pcsc_with_vpcd.clear()
    card = issue(APPLICATION, UID, IDENTITY, SITE_KEYS)
    with at_reader(keyed, pcsc_with_vpcd) as enrolling:
        enrolling.await_error("Tap the badge")
        pcsc_with_vpcd.insert(card)
        enrolling.await_error("Enrol it by desfire for a.weber?")
        enrolling.type("y\n")
        enrolling.await_error("once more")
        pcsc_with_vpcd.clear()
        pcsc_with_vpcd.insert(card)
        enrolling.await_text("Enrolled for a.weber: desfire desfire:")
        assert enrolling.wait() == 0
        assert "could prove itself" not in enrolling.text
    *_, outcome = keyed.records()
    assert (outcome.phase, int(outcome.outcome or 0)) == (Phase.OUTCOME, 0)
    assert keyed.carried() == [("desfire", Assurance.AUTHENTICATED, False)]
    kept = (keyed.folder / "state" / "trail.db").read_bytes()
    for name in ("desfire-read", "desfire-uid"):
        assert SITE_KEYS[name] not in kept
        assert SITE_KEYS[name].hex().encode() not in kept.lower()
