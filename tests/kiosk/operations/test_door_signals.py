"""What the reader's lights are told about a tap."""

from pathlib import Path

import pytest

from kiosk.operations.facts import EndReason
from readers.credentials.claim import Refusal, RefusalReason
from readers.feedback import Signal
from tests.kiosk.access.support import GOOD_PIN, Room, pkoc_claim, uid_claim
from tests.kiosk.operations.ledgers import FullDisk
from tests.kiosk.operations.test_door import Lobby, lobby, room

__all__ = ["lobby", "room"]


def test_a_known_badge_is_accepted_also_where_its_pin_is_still_to_come(lobby: Lobby) -> None:
    assert lobby.door.present(uid_claim()) is Signal.ACCEPTED
    assert lobby.box


def test_tapping_again_to_leave_is_accepted(lobby: Lobby) -> None:
    lobby.sign_in()
    assert lobby.shown
    assert lobby.door.present(uid_claim()) is Signal.ACCEPTED
    assert lobby.shown is None


def test_a_phone_with_grace_that_opens_a_session_is_accepted(lobby: Lobby) -> None:
    lobby.door.present(pkoc_claim())
    assert lobby.box
    lobby.door.enter_pin(lobby.box, GOOD_PIN)
    lobby.door.sign_out(lobby.shown or "")
    assert lobby.door.present(pkoc_claim()) is Signal.ACCEPTED
    assert lobby.shown


@pytest.mark.parametrize(
    "said",
    [uid_claim("04DEADBEEF0102"), Refusal(RefusalReason.RANDOM_UID, "Another number at every tap.", "iso14443")],
)
def test_a_stranger_and_a_card_that_proves_nothing_are_refused(lobby: Lobby, said: Refusal) -> None:
    assert lobby.door.present(said) is Signal.REFUSED


def test_a_kiosk_that_is_shut_down_refuses(lobby: Lobby) -> None:
    lobby.door.shut(EndReason.SHUTDOWN)
    assert lobby.door.present(uid_claim()) is Signal.REFUSED


def test_a_tap_that_cannot_be_recorded_is_refused(tmp_path: Path, room: Room) -> None:
    lobby = Lobby(tmp_path, room, FullDisk(0))
    assert [lobby.door.present(uid_claim()) for _ in range(2)] == [Signal.REFUSED] * 2
