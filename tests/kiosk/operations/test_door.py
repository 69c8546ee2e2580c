"""The door when the record cannot be kept, the disk is full, or two things happen at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from kiosk.access.policy import Role
from kiosk.access.session import SessionBook
from kiosk.audit import Entry, Phase, Receipt, Trail
from kiosk.config.model import SessionRules
from kiosk.errors import NoSession, StorageFull, TrailError
from kiosk.operations.door import PIN_SECONDS, Door
from kiosk.operations.facts import (
    AccessDenied,
    EndReason,
    Fact,
    PinAsked,
    PinClosed,
    SessionEnded,
    SessionOpened,
)
from kiosk.operations.hub import Hub
from kiosk.operations.in_service import Service
from kiosk.operations.perform import Desk
from kiosk.operations.sessions import SessionHoldings
from readers.credentials.ladder import Ladder
from readers.reader import Card
from tests.kiosk.access.support import GOOD_PIN, HandClock, Room, furnish, pkoc_claim, uid_claim
from tests.kiosk.operations.acts import NODE
from tests.kiosk.operations.ledgers import FullDisk, MemoryLedger

RULES = SessionRules(idle_seconds=300.0, warning_seconds=10.0, accidental_seconds=0.0)
PATIENT_FILE = "f" * 32
ENTRIES_OF_A_DAY = 18


@dataclass
class Reporting:
    """A ledger that tells the service of its first failure, as the kiosk's own does."""

    kept: MemoryLedger
    on_fault: Callable[[str], None] = lambda _: None

    def append(self, entry: Entry) -> Receipt:
        try:
            return self.kept.append(entry)
        except TrailError as error:
            self.on_fault(str(error))
            raise


@dataclass
class Lobby:
    """A door with a real gate, on a record with room for so many entries."""

    folder: Path
    room: Room
    ledger: MemoryLedger
    facts: list[Fact] = field(default_factory=list)
    refuses_spools: bool = False

    def __post_init__(self) -> None:
        self.hub = Hub()
        self.hub.subscribe(self.facts.append)
        self.holdings = SessionHoldings(self.folder / "sessions")
        service = Service(NODE, cast("Trail", None), self.hub)
        desk = Desk(Reporting(self.ledger, service.fault), lambda session_id: self.door.is_open(session_id))
        self.book = SessionBook(RULES, self.room.clock)
        self.door = Door(
            desk,
            self.room.gate,
            self.book,
            RULES,
            self.hub,
            NODE,
            self.room.clock,
            before_open=self._begin,
            on_open=lambda *_: None,
            on_end=self.holdings.end,
        )
        service.shut = self.door.shut

    def _begin(self, session_id: str) -> None:
        if self.refuses_spools:
            raise StorageFull("The disk takes nothing more: no session can be opened.")
        self.holdings.begin(session_id)
        (self.folder / "sessions" / session_id / PATIENT_FILE).touch()

    def sign_in(self, uid: str = "04A1B2C3D4E5F6") -> None:
        self.door.present(uid_claim(uid))
        asked = [fact for fact in self.facts if isinstance(fact, PinAsked)]
        if asked:
            self.door.enter_pin(asked[-1].claim_id, GOOD_PIN)

    @property
    def shown(self) -> str | None:
        """The session that a front end would have on its screen."""
        open_ = None
        for fact in self.facts:
            if isinstance(fact, SessionOpened):
                open_ = fact.session_id
            elif isinstance(fact, SessionEnded) and fact.session_id == open_:
                open_ = None
        return open_

    @property
    def box(self) -> str | None:
        """The PIN box that a front end would have on its screen."""
        box = None
        for fact in self.facts:
            if isinstance(fact, PinAsked):
                box = fact.claim_id
            elif isinstance(fact, PinClosed | SessionOpened):
                box = None
        return box


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = furnish(tmp_path / "directory.db", HandClock())
    made.add("ada", uid_claim())
    made.add("tom", uid_claim("04FFEEDDCCBBAA"), Role.TECHNOLOGIST)
    made.add("yuki", pkoc_claim())
    yield made
    made.engine.dispose()


@pytest.fixture
def lobby(tmp_path: Path, room: Room) -> Lobby:
    return Lobby(tmp_path, room, MemoryLedger())


def a_day(lobby: Lobby) -> None:
    """Signs in, is displaced by a phone with grace and by a badge, signs out: every way in and out."""
    lobby.door.present(pkoc_claim())
    asked = [fact for fact in lobby.facts if isinstance(fact, PinAsked)]
    if asked:
        lobby.door.enter_pin(asked[-1].claim_id, GOOD_PIN)
    lobby.sign_in()
    lobby.door.present(pkoc_claim())
    lobby.door.present(uid_claim("04FFEEDDCCBBAA"))


def test_the_day_of_these_tests_has_every_way_in_and_out(lobby: Lobby) -> None:
    a_day(lobby)
    assert [fact.reason for fact in lobby.facts if isinstance(fact, SessionEnded)] == [EndReason.DISPLACED] * 3
    assert lobby.box
    assert len(lobby.ledger.entries) == ENTRIES_OF_A_DAY


@pytest.mark.parametrize("room_left", range(ENTRIES_OF_A_DAY))
def test_wherever_the_record_fills_up_nothing_stays_open(tmp_path: Path, room: Room, room_left: int) -> None:
    lobby = Lobby(tmp_path, room, FullDisk(room_left))
    a_day(lobby)
    assert lobby.hub.out_of_service
    assert lobby.shown is None
    assert lobby.box is None
    assert lobby.book.current is None
    assert not list((tmp_path / "sessions").glob("*"))
    lobby.door.present(uid_claim())
    assert lobby.facts[-1] == AccessDenied("This kiosk is out of service.")


def test_a_session_whose_spool_cannot_be_made_does_not_bar_the_door(lobby: Lobby) -> None:
    lobby.refuses_spools = True
    lobby.sign_in()
    assert lobby.shown is None
    assert lobby.facts[-1] == AccessDenied("The disk takes nothing more: no session can be opened.")
    assert lobby.ledger.phases("sign_out") == [Phase.INTENT, Phase.OUTCOME]
    lobby.refuses_spools = False
    lobby.sign_in()
    assert lobby.shown


def test_a_spool_that_cannot_be_made_is_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "sessions").touch()
    with pytest.raises(StorageFull):
        SessionHoldings(tmp_path / "sessions").begin("s1")


def test_a_pin_box_closes_when_its_person_walked_away(lobby: Lobby) -> None:
    lobby.door.present(uid_claim())
    lobby.room.clock.advance(PIN_SECONDS)
    lobby.door.tick()
    box = lobby.box
    assert box
    lobby.room.clock.advance(1.0)
    lobby.door.tick()
    assert lobby.box is None
    assert lobby.ledger.entries[-1].summary == "PIN box closed unanswered: nobody answered"


def test_nobody_signs_in_while_the_kiosk_shuts_down(lobby: Lobby) -> None:
    lobby.door.shut(EndReason.SHUTDOWN)
    lobby.sign_in()
    assert lobby.facts[-1] == AccessDenied("The kiosk is being shut down.")
    assert not lobby.ledger.entries


def test_a_session_ends_even_when_its_spool_resists(lobby: Lobby, monkeypatch: pytest.MonkeyPatch) -> None:
    lobby.sign_in()

    def stuck(_: str) -> None:
        raise PermissionError

    monkeypatch.setattr(lobby.door, "_on_end", stuck)
    with pytest.raises(PermissionError):
        lobby.door.sign_out(lobby.shown or "")
    assert lobby.shown is None
    assert lobby.ledger.phases("sign_out") == [Phase.INTENT, Phase.OUTCOME]


def test_a_front_end_that_ends_the_session_it_hears_of_is_obeyed(lobby: Lobby) -> None:
    def leave(fact: Fact) -> None:
        if isinstance(fact, SessionOpened):
            lobby.door.sign_out(fact.session_id)

    lobby.hub.subscribe(leave)
    lobby.sign_in()
    assert lobby.shown is None
    with pytest.raises(NoSession):
        lobby.door.session("")


class _NoHead:
    def identify(self, _: Card) -> None:
        raise TrailError("The audit trail is not open.")


def test_a_card_that_needs_a_challenge_without_a_trail_is_told_so(lobby: Lobby) -> None:
    reading = lobby.door.on_card(cast("Ladder", _NoHead()), cast("Card", None))
    reading.act()
    assert lobby.facts[-1] == AccessDenied("This kiosk is out of service.")
