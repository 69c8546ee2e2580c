import pytest

from kiosk.access.gate import Granted
from kiosk.access.person import Credential, Person
from kiosk.access.policy import Role
from kiosk.access.session import (
    CapEnded,
    IdleEnded,
    OpenSession,
    SessionBook,
    SessionEvent,
    SessionRules,
    TapMeaning,
    TimeLeft,
    Warning,
    WarningOver,
)
from kiosk.errors import NoSession, NotAllowed
from readers.credentials.claim import Assurance
from tests.kiosk.access.support import NOON, HandClock, pkoc_claim, uid_claim

ANNA = Person("p1", "anna", "Anna", Role.RADIOLOGIST, True)
BORIS = Person("p2", "boris", "Boris", Role.TECHNOLOGIST, True)
BADGE = Credential("c1", "p1", "iso14443", Assurance.IDENTIFIER, "…E5F6", "", NOON)
GRANTED = Granted(ANNA, BADGE, by_grace=False)


@pytest.fixture
def book(clock: HandClock) -> SessionBook:
    return SessionBook(SessionRules(), clock)


def opened(book: SessionBook) -> OpenSession:
    return book.open(GRANTED, uid_claim())


def ticks(book: SessionBook, clock: HandClock, seconds: float, step: float = 0.25) -> list[SessionEvent]:
    events: list[SessionEvent] = []
    for _ in range(round(seconds / step)):
        clock.advance(step)
        events += book.tick(clock.monotonic())
    return events


def test_a_session_carries_who_with_what_since_when(book: SessionBook) -> None:
    session = opened(book)
    assert (session.person, session.credential, session.uid) == (ANNA, BADGE, uid_claim().uid)
    assert (session.opened_at, session.opened_monotonic) == (NOON, 1000.0)
    assert (session.ends_at - NOON).total_seconds() == 8 * 3600
    assert book.current == session == book.require(session.session_id)
    assert len(session.session_id) == 32


def test_no_two_sessions_share_an_id(book: SessionBook) -> None:
    ids = set()
    for _ in range(50):
        ids.add(book.end(opened(book).session_id).session_id)
    assert len(ids) == 50


def test_a_second_session_needs_the_first_to_end(book: SessionBook) -> None:
    first = opened(book)
    with pytest.raises(NotAllowed):
        opened(book)
    assert book.current == first


def test_a_session_opens_only_for_the_claim_that_was_granted(book: SessionBook) -> None:
    with pytest.raises(NotAllowed):
        book.open(GRANTED, pkoc_claim())
    assert book.current is None


def test_idling_warns_every_second_of_the_countdown_and_then_ends(book: SessionBook, clock: HandClock) -> None:
    session = opened(book)
    quiet = ticks(book, clock, 149.75)
    assert not [event for event in quiet if isinstance(event, Warning)]
    events = ticks(book, clock, 40)
    warnings = [event.seconds for event in events if isinstance(event, Warning)]
    assert warnings == list(range(30, 0, -1))
    assert [event for event in events if isinstance(event, IdleEnded)] == [IdleEnded(session)]
    assert events[-1] == IdleEnded(session)
    assert book.current is None


def test_a_touch_ends_the_countdown(book: SessionBook, clock: HandClock) -> None:
    session = opened(book)
    ticks(book, clock, 170)
    assert book.touch(session.session_id) == (WarningOver(session.session_id),)
    assert book.touch(session.session_id) == ()
    assert not [event for event in ticks(book, clock, 149) if isinstance(event, Warning | IdleEnded)]


def test_a_countdown_does_not_follow_into_the_next_session(book: SessionBook, clock: HandClock) -> None:
    ticks(book, clock, 1)
    first = opened(book)
    ticks(book, clock, 160)
    book.end(first.session_id)
    assert book.touch(opened(book).session_id) == ()


def test_touching_does_not_move_the_cap(book: SessionBook, clock: HandClock) -> None:
    session = opened(book)
    for _ in range(8 * 60 - 1):
        clock.advance(60)
        book.touch(session.session_id)
        assert not [event for event in book.tick(clock.monotonic()) if isinstance(event, CapEnded)]
    clock.advance(60)
    assert book.tick(clock.monotonic()) == (CapEnded(session),)


def test_time_left_is_told_once_a_second(book: SessionBook, clock: HandClock) -> None:
    session = opened(book)
    told = [event for event in ticks(book, clock, 10, step=0.1) if isinstance(event, TimeLeft)]
    assert told[0] == TimeLeft(session.session_id, 180, 28800)
    assert 10 <= len(told) <= 11
    assert told[-1].idle_seconds == 170


def test_an_overdue_session_cannot_be_used_or_touched_alive_before_the_tick(
    book: SessionBook, clock: HandClock
) -> None:
    session = opened(book)
    clock.advance(180)
    with pytest.raises(NoSession):
        book.require(session.session_id)
    with pytest.raises(NoSession):
        book.touch(session.session_id)
    assert book.tick(clock.monotonic()) == (IdleEnded(session),)


def test_the_time_of_day_has_no_say(book: SessionBook, clock: HandClock) -> None:
    session = opened(book)
    clock.time = clock.time.replace(year=2040)
    assert book.require(session.session_id) == session
    clock.time = clock.time.replace(year=1999)
    clock.seconds += 180
    assert book.tick(clock.monotonic()) == (IdleEnded(session),)


def test_what_a_tap_means(book: SessionBook, clock: HandClock) -> None:
    assert book.tap(ANNA) == TapMeaning.SIGN_IN
    session = opened(book)
    assert book.tap(ANNA) == TapMeaning.TOO_SOON
    assert book.tap(BORIS) == TapMeaning.TAKE_OVER
    clock.advance(2.999)
    assert book.tap(ANNA) == TapMeaning.TOO_SOON
    clock.advance(0.001)
    assert book.tap(ANNA) == TapMeaning.TAP_OUT
    assert book.current == session
    book.end(session.session_id)
    assert book.tap(ANNA) == TapMeaning.SIGN_IN


def test_an_ended_session_is_nobodys(book: SessionBook) -> None:
    session = opened(book)
    assert book.end(session.session_id) == session
    for act in (book.end, book.touch, book.require):
        with pytest.raises(NoSession):
            act(session.session_id)
    other = opened(book)
    with pytest.raises(NoSession):
        book.end(session.session_id)
    assert book.current == other


def test_nothing_of_a_session_is_left_in_the_book(book: SessionBook, clock: HandClock) -> None:
    opened(book)
    clock.advance(200)
    book.tick(clock.monotonic())
    assert not [value for value in vars(book).values() if isinstance(value, OpenSession | Person | Credential)]
    assert book.tick(clock.monotonic()) == ()
