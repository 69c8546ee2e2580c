"""Any order of taps, touches, PINs, waits and clock jumps: never two sessions, never one past its time or owner."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiosk.access.gate import Granted
from kiosk.access.person import Credential, Person
from kiosk.access.policy import Role
from kiosk.access.session import CapEnded, IdleEnded, OpenSession, SessionBook, SessionRules, TapMeaning, Warning
from kiosk.errors import NoSession, NotAllowed
from readers.credentials.claim import Assurance
from tests.kiosk.access.support import NOON, HandClock, uid_claim

PEOPLE = [Person(f"p{number}", f"user{number}", "Somebody", Role.RADIOLOGIST, True) for number in range(3)]
CREDENTIALS = [
    Credential(f"c{number}", f"p{number}", "iso14443", Assurance.IDENTIFIER, "…", "", NOON) for number in range(3)
]
CLAIMS = [uid_claim(f"0400000000000{number}") for number in range(3)]
WHO = st.integers(0, 2)


class Terminal(RuleBasedStateMachine):
    """The model holds what the book should: who is in, since when, untouched since when."""

    @initialize(
        idle=st.integers(2, 60), warning=st.integers(0, 59), cap=st.integers(1, 200), accidental=st.integers(0, 5)
    )
    def start(self, idle: int, warning: int, cap: int, accidental: int) -> None:
        self.limits = SessionRules(idle, min(warning, idle - 1), cap, accidental)
        self.clock = HandClock()
        self.book = SessionBook(self.limits, self.clock)
        self.session: OpenSession | None = None
        self.owner: int | None = None
        self.touched = 0.0
        self.ended: list[str] = []
        self.countdown: int | None = None

    def due(self) -> bool:
        assert self.session is not None
        now = self.clock.monotonic()
        return (
            now - self.touched >= self.limits.idle_seconds
            or now - self.session.opened_monotonic >= self.limits.cap_seconds
        )

    def forget(self) -> None:
        assert self.session is not None
        self.ended.append(self.session.session_id)
        self.session = self.owner = self.countdown = None

    def sign_in(self, who: int) -> None:
        self.session = self.book.open(Granted(PEOPLE[who], CREDENTIALS[who], by_grace=False), CLAIMS[who])
        self.owner, self.touched, self.countdown = who, self.clock.monotonic(), None

    @rule(who=WHO)
    def tap(self, who: int) -> None:
        meaning = self.book.tap(PEOPLE[who])
        if self.session is None:
            assert meaning == TapMeaning.SIGN_IN
            self.sign_in(who)
        elif who != self.owner:
            assert meaning == TapMeaning.TAKE_OVER
            self.book.end(self.session.session_id)
            self.forget()
            self.sign_in(who)
        else:
            young = self.clock.monotonic() - self.session.opened_monotonic < self.limits.accidental_seconds
            assert meaning == (TapMeaning.TOO_SOON if young else TapMeaning.TAP_OUT)
            if not young:
                self.book.end(self.session.session_id)
                self.forget()

    @rule(who=WHO)
    def open_without_ending(self, who: int) -> None:
        if self.session is not None:
            with pytest.raises(NotAllowed):
                self.book.open(Granted(PEOPLE[who], CREDENTIALS[who], by_grace=False), CLAIMS[who])

    @rule()
    def touch(self) -> None:
        if self.session is None:
            return
        if self.due():
            with pytest.raises(NoSession):
                self.book.touch(self.session.session_id)
        else:
            events = self.book.touch(self.session.session_id)
            assert bool(events) == (self.countdown is not None)
            self.touched, self.countdown = self.clock.monotonic(), None

    @rule(seconds=st.floats(0, 90, allow_nan=False))
    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @rule(days=st.integers(-5000, 5000))
    def set_the_time_of_day(self, days: int) -> None:
        self.clock.time = NOON + timedelta(days=days)

    @rule()
    def tick(self) -> None:
        events = self.book.tick(self.clock.monotonic())
        if self.session is None:
            assert events == ()
            return
        ends = [event for event in events if isinstance(event, IdleEnded | CapEnded)]
        assert bool(ends) == self.due()
        if ends:
            assert list(events) == ends
            assert ends[0].session == self.session
            self.forget()
            return
        for event in events:
            if isinstance(event, Warning):
                assert 0 < event.seconds <= self.limits.warning_seconds
                assert self.countdown is None or event.seconds < self.countdown
                self.countdown = event.seconds

    @rule(late=st.floats(0, 1000, allow_nan=False))
    def tick_with_an_old_reading(self, late: float) -> None:
        """A tick delayed on its way must not end what is young, nor warn of what is not."""
        if self.session is not None and not self.due() and self.countdown is None:
            events = self.book.tick(self.clock.monotonic() - late)
            assert not [event for event in events if isinstance(event, IdleEnded | CapEnded)]
            self.countdown = min([event.seconds for event in events if isinstance(event, Warning)], default=None)

    @invariant()
    def the_book_agrees_about_who_is_in(self) -> None:
        if hasattr(self, "book"):
            assert self.book.current == self.session
            if self.session is not None:
                assert self.owner is not None
                assert self.session.person == PEOPLE[self.owner]
                assert self.session.uid == CLAIMS[self.owner].uid

    @invariant()
    def no_act_without_an_open_session_in_time(self) -> None:
        if not hasattr(self, "book"):
            return
        if self.session is not None and not self.due():
            assert self.book.require(self.session.session_id) == self.session
        elif self.session is not None:
            with pytest.raises(NoSession):
                self.book.require(self.session.session_id)
        for old in self.ended[-3:]:
            with pytest.raises(NoSession):
                self.book.require(old)


TestTerminal = Terminal.TestCase
TestTerminal.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
