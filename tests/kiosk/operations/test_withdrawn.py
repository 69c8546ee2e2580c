"""A badge that is taken back: what is open ends within a tick of the clock, and nothing weaker gets in."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk.access.gate import DenialReason
from kiosk.operations.facts import AccessDenied, EndReason, PinAsked, SessionEnded
from readers.credentials.iso14443 import UidScheme
from readers.credentials.ladder import Ladder
from readers.virtual.card import VirtualCard
from readers.virtual.desfire_card import DesfireCard, issue
from readers.virtual.uid_card import UidCard
from tests.kiosk.access.support import GOOD_PIN, Room, uid_claim
from tests.kiosk.operations.ledgers import MemoryLedger
from tests.kiosk.operations.test_door import Lobby, room  # noqa: F401  # a fixture
from tests.readers.cards import ManualClock, presented
from tests.readers.credentials.aes_cards import APPLICATION, IDENTITY, SITE_KEYS, UID, desfire_scheme


@pytest.fixture
def lobby(tmp_path: Path, room: Room) -> Lobby:  # noqa: F811  # the fixture's own name
    return Lobby(tmp_path, room, MemoryLedger())


def disable(lobby: Lobby, user_id: str) -> None:
    found = lobby.room.directory.find(user_id)
    assert found is not None
    lobby.room.directory.disable(found.person_id)


def revoke(lobby: Lobby, user_id: str) -> None:
    found = lobby.room.directory.find(user_id)
    assert found is not None
    for credential in lobby.room.directory.credentials_of(found):
        lobby.room.directory.revoke(credential.credential_id, "lost")


@pytest.mark.parametrize("withdraw", [disable, revoke])
def test_the_open_session_ends_at_the_next_tick_on_record(lobby: Lobby, withdraw: Callable[[Lobby, str], None]) -> None:
    lobby.sign_in()
    lobby.door.tick()
    assert lobby.book.current
    withdraw(lobby, "ada")
    lobby.door.tick()
    assert lobby.shown is None
    assert not list((lobby.folder / "sessions").glob("*"))
    (ended,) = [fact for fact in lobby.facts if isinstance(fact, SessionEnded)]
    assert ended.reason is EndReason.WITHDRAWN
    assert "help desk" in ended.sentence
    assert lobby.ledger.entries[-1].summary == "Session ended: badge revoked or person disabled"
    assert not lobby.ledger.entries[-1].messages[0].participants[0].is_requestor
    lobby.door.present(uid_claim())
    assert isinstance(lobby.facts[-1], AccessDenied)


def test_a_session_ends_when_its_badge_expires(lobby: Lobby) -> None:
    person = lobby.room.directory.find("ada")
    assert person is not None
    until = lobby.room.clock.now() + timedelta(seconds=60)
    lobby.room.directory.enrol(person.person_id, uid_claim("04AABBCCDDEEFF"), valid_to=until)
    lobby.sign_in("04AABBCCDDEEFF")
    assert lobby.shown
    lobby.room.clock.advance(59)
    lobby.door.tick()
    assert lobby.shown
    lobby.room.clock.advance(1)
    lobby.door.tick()
    assert lobby.shown is None


def test_somebody_elses_withdrawal_ends_nothing(lobby: Lobby) -> None:
    lobby.sign_in()
    disable(lobby, "tom")
    revoke(lobby, "yuki")
    lobby.door.tick()
    assert lobby.shown


def test_a_directory_that_cannot_be_read_ends_nothing_and_lets_nobody_in(lobby: Lobby) -> None:
    lobby.sign_in()
    path = lobby.room.path
    lobby.room.engine.dispose()
    moved = path.rename(path.with_suffix(".away"))
    path.mkdir()
    lobby.door.tick()
    assert lobby.shown
    path.rmdir()
    moved.rename(path)
    revoke(lobby, "ada")
    lobby.door.tick()
    assert lobby.shown is None


def tap(lobby: Lobby, card: VirtualCard) -> None:
    ladder = Ladder([UidScheme(), desfire_scheme()], ManualClock())
    with presented(card) as connected:
        lobby.door.on_card(ladder, connected).act()


def test_a_badge_enrolled_by_its_key_gets_nobody_in_by_its_number(lobby: Lobby) -> None:
    card = issue(APPLICATION, UID, IDENTITY, SITE_KEYS)
    with presented(card) as connected:
        claim = Ladder([UidScheme(), desfire_scheme()], ManualClock()).identify(connected)
    person, _ = lobby.room.add("eva", claim)  # type: ignore[arg-type]  # a Claim, or the enrolment fails
    tap(lobby, card)
    asked = lobby.facts[-1]
    assert isinstance(asked, PinAsked)
    lobby.door.enter_pin(asked.claim_id, GOOD_PIN)
    assert lobby.shown
    lobby.door.sign_out(lobby.shown)
    for weaker in (DesfireCard(UID, {}), UidCard(UID), UidCard(UID, takes_apdus=True)):
        tap(lobby, weaker)
        assert isinstance(lobby.facts[-1], AccessDenied)
        assert lobby.ledger.entries[-1].summary == f"Refused: {DenialReason.UNKNOWN_BADGE.value}"
        assert lobby.shown is None
    assert [one.kind for one in lobby.room.directory.credentials_of(person)] == ["desfire"]
