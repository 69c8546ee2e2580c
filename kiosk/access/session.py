"""The one session a terminal may have: when it opens, warns and ends. No threads, no I/O, no clock of its own."""

import math
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from kiosk.access.decision import Granted
from kiosk.access.person import Credential, Person
from kiosk.clock import Clock
from kiosk.config.model import SessionRules
from kiosk.errors import NoSession, NotAllowed
from readers.credentials.claim import Assurance, Claim
from readers.uid import Uid


@dataclass(frozen=True)
class OpenSession:
    """Who is signed in, with what, since when. `opened_monotonic` is seconds of the clock's `monotonic`."""

    session_id: str
    person: Person
    credential: Credential
    kind: str
    uid: Uid | None
    fingerprint: str
    assurance: Assurance
    opened_at: datetime
    opened_monotonic: float
    ends_at: datetime


@dataclass(frozen=True)
class Warning:  # the caller's word; nothing here raises Python warnings
    """Nobody touched anything; the session ends in `seconds`."""

    session_id: str
    seconds: int


@dataclass(frozen=True)
class WarningOver:
    """Somebody touched something after a Warning."""

    session_id: str


@dataclass(frozen=True)
class TimeLeft:
    """Whole seconds, rounded up, until idling ends the session and until its cap does."""

    session_id: str
    idle_seconds: int
    session_seconds: int


@dataclass(frozen=True)
class IdleEnded:
    """Nobody touched anything for too long; the session is over."""

    session: OpenSession


@dataclass(frozen=True)
class CapEnded:
    """The session reached its longest time; it is over."""

    session: OpenSession


SessionEvent = Warning | WarningOver | TimeLeft | IdleEnded | CapEnded


class TapMeaning(Enum):
    """What a tap by a known person means now."""

    SIGN_IN = "sign in"
    TAP_OUT = "tap out"
    TOO_SOON = "too soon"
    TAKE_OVER = "take over"


class SessionBook:
    """At most one open session. Its caller sees to it that one thread at a time is in here."""

    def __init__(self, rules: SessionRules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._session: OpenSession | None = None
        self._touched = 0.0
        self._warned: int | None = None
        self._told: tuple[int, int] | None = None

    @property
    def current(self) -> OpenSession | None:
        """The session that has not ended, even when it is overdue; `require` is what acts ask."""
        return self._session

    def open(self, granted: Granted, claim: Claim, session_id: str = "") -> OpenSession:
        """Opens a session for the one who was granted it with this claim, under that id or a new one.

        Raises NotAllowed while another is open, and for a claim other than the one that was granted.
        """
        if self._session is not None:
            raise NotAllowed("A session is open already.")
        credential = granted.credential
        if claim.kind != credential.kind or claim.assurance < credential.assurance:
            raise NotAllowed("This is not the credential that was let in.")
        now = self._clock.monotonic()
        opened_at = self._clock.now()
        self._session = OpenSession(
            session_id=session_id or secrets.token_hex(16),
            person=granted.person,
            credential=credential,
            kind=claim.kind,
            uid=claim.uid,
            fingerprint=claim.fingerprint,
            assurance=credential.assurance,
            opened_at=opened_at,
            opened_monotonic=now,
            ends_at=opened_at + timedelta(seconds=self._rules.cap_seconds),
        )
        self._touched = now
        self._warned = self._told = None
        return self._session

    def require(self, session_id: str) -> OpenSession:
        """The session, for an act in it. Raises NoSession when it has ended or is overdue, ticked or not."""
        session = self._session
        if session is None or session.session_id != session_id or self._overdue(session, self._clock.monotonic()):
            raise NoSession("The session has ended.")
        return session

    def touch(self, session_id: str) -> tuple[SessionEvent, ...]:
        """Somebody is there: idling starts anew. Raises NoSession; an overdue session cannot be touched alive."""
        self.require(session_id)
        self._touched = max(self._touched, self._clock.monotonic())
        if self._warned is None:
            return ()
        self._warned = None
        return (WarningOver(session_id),)

    def tick(self, monotonic_now: float) -> tuple[SessionEvent, ...]:
        """What time has done since the last tick; call it a few times a second. After an end the book is empty."""
        session = self._session
        if session is None:
            return ()
        overdue = self._overdue(session, monotonic_now)
        if overdue is not None:
            self._session = None
            return (overdue,)
        idle, cap = (math.ceil(left) for left in self._left(session, monotonic_now))
        events: list[SessionEvent] = []
        if self._told != (idle, cap):
            self._told = (idle, cap)
            events.append(TimeLeft(session.session_id, idle, cap))
        if idle <= self._rules.warning_seconds and self._warned != idle:
            self._warned = idle
            events.append(Warning(session.session_id, idle))
        return tuple(events)

    def tap(self, person: Person) -> TapMeaning:
        """What this person's tap means now; changes nothing."""
        session = self._session
        if session is None:
            return TapMeaning.SIGN_IN
        if person.person_id != session.person.person_id:
            return TapMeaning.TAKE_OVER
        age = self._clock.monotonic() - session.opened_monotonic
        return TapMeaning.TOO_SOON if age < self._rules.accidental_seconds else TapMeaning.TAP_OUT

    def end(self, session_id: str) -> OpenSession:
        """Ends the session and says which it was; raises NoSession when it is not the open one."""
        session = self._session
        if session is None or session.session_id != session_id:
            raise NoSession("The session has ended.")
        self._session = None
        return session

    def _left(self, session: OpenSession, now: float) -> tuple[float, float]:
        idle = self._rules.idle_seconds - max(0.0, now - self._touched)
        cap = self._rules.cap_seconds - max(0.0, now - session.opened_monotonic)
        return idle, cap

    def _overdue(self, session: OpenSession, now: float) -> IdleEnded | CapEnded | None:
        idle, cap = self._left(session, now)
        if cap <= 0:
            return CapEnded(session)
        return IdleEnded(session) if idle <= 0 else None


__all__ = [
    "CapEnded",
    "IdleEnded",
    "OpenSession",
    "SessionBook",
    "SessionEvent",
    "SessionRules",
    "TapMeaning",
    "TimeLeft",
    "Warning",
    "WarningOver",
]
