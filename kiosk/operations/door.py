"""The doorman: from a card in the field to an open session, and to its end.

Taps arrive in the reader's thread, PINs and sign-outs in a front end's, the clock in the agent's: one lock keeps them
apart.
"""

import contextlib
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kiosk.access import session as book
from kiosk.access.entered_pin import EnteredPin
from kiosk.access.gate import Denied, Gate, Granted, PinRequired, WrongPin
from kiosk.access.policy import permissions_of
from kiosk.audit import Node
from kiosk.clock import Clock
from kiosk.config.model import SessionRules
from kiosk.errors import NoSession, StorageFull, TrailError
from kiosk.operations.facts import (
    AccessDenied,
    BadgeView,
    EndReason,
    IdleOver,
    IdleWarning,
    Notice,
    PersonView,
    PinAsked,
    PinClosed,
    SessionEnded,
    SessionOpened,
    TimeLeft,
)
from kiosk.operations.hub import Hub
from kiosk.operations.perform import Desk, finish, perform
from kiosk.operations.principal import Badge, Session, System
from kiosk.operations.sign_in import AbandonPin, EndSession, EnterPin, Tap
from readers.credentials.claim import Claim, Refusal
from readers.credentials.ladder import Ladder
from readers.feedback import Signal
from readers.reader import Card
from readers.watch import Reading

OUT_OF_SERVICE = "This kiosk is out of service."
PIN_SECONDS = 60.0
"""How long a PIN box stays on the screen of a kiosk that somebody walked away from: it names them."""
WORDS = {
    "pkoc": "phone",
    "pkoc-v2": "phone",
    "piv": "card",
    "ntag424": "tag",
    "ntag424-sun": "tag",
    "emv": "payment card",
}
"""What the screen calls a credential; a badge where nothing is said here."""
ENDED = {
    EndReason.TAPPED_OUT: "You are signed out.",
    EndReason.SIGNED_OUT: "You are signed out.",
    EndReason.DISPLACED: "Another badge was tapped: the session before it has ended.",
    EndReason.IDLE: "Locked after a time without use.",
    EndReason.EXPIRED: "Locked: the session reached its time limit.",
    EndReason.WITHDRAWN: "Locked: this badge cannot be used here any more. Ask the help desk.",
    EndReason.OUT_OF_SERVICE: OUT_OF_SERVICE,
    EndReason.SHUTDOWN: "The kiosk is being shut down.",
}


@dataclass(frozen=True)
class _PinBox:
    claim_id: str
    session_id: str
    claim: Claim
    required: PinRequired


class Door:
    """Opens and ends the one session of this terminal."""

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        sessions: book.SessionBook,
        rules: SessionRules,
        hub: Hub,
        node: Node,
        clock: Clock,
        before_open: Callable[[str], None],
        on_open: Callable[[str, str], None],
        on_end: Callable[[str], None],
        site: str = "",
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._book = sessions
        self._rules = rules
        self._hub = hub
        self._node = node
        self._clock = clock
        self._before_open = before_open
        self._on_open = on_open
        self._on_end = on_end
        self._site = site
        self._lock = threading.RLock()
        self._box: _PinBox | None = None
        self._asked_at = 0.0
        self._closing = False
        self._session: Session | None = None
        self._claim: Claim | None = None
        self._by = System()
        self._unrecorded: list[Session] = []

    def on_card(self, ladder: Ladder, card: Card) -> Reading:
        """The reader's thread: identifies the card; `present` is what the tap does unless the card bounced."""
        try:
            claim = ladder.identify(card)
        except TrailError:  # no challenge without the trail's head
            return Reading(None, partial(self._refuse, OUT_OF_SERVICE))
        key = (claim.kind, claim.subject) if isinstance(claim, Claim) else (claim.scheme, claim.uid)
        return Reading(key, partial(self.present, claim))

    def present(self, claim: Claim | Refusal) -> Signal:
        """A card said who it is, or could not. For the reader's lights: REFUSED where nothing came of it."""
        with self._lock:
            self._close_box("another card was tapped")
            if self._hub.out_of_service or self._closing:
                return self._refuse(ENDED[EndReason.SHUTDOWN] if self._closing else OUT_OF_SERVICE)
            try:
                return self._decide(claim)
            except TrailError:
                return self._refuse(OUT_OF_SERVICE)

    def enter_pin(self, claim_id: str, pin: str) -> None:
        """Answers the open box; a box that closed meanwhile is answered by a PinClosed."""
        entered = EnteredPin(pin)
        del pin  # a traceback that prints locals must not find it
        with self._lock:
            box = self._box
        if box is None or box.claim_id != claim_id:
            self._hub.publish(PinClosed(claim_id))
            return
        try:
            answer = finish(
                perform(
                    self._desk,
                    self._by,
                    EnterPin(self._gate, self._node, box.claim, box.required, entered, box.session_id),
                )
            )
        except TrailError:
            self._hub.publish(PinClosed(claim_id, OUT_OF_SERVICE))
            return
        with self._lock:
            if self._box is box:
                self._answer(box, answer)
            elif isinstance(answer, Granted):
                self._overtaken(box, answer)

    def abandon_pin(self, claim_id: str) -> None:
        """The person closed the box."""
        with self._lock:
            if self._box is not None and self._box.claim_id == claim_id:
                self._close_box("given up")

    def session(self, session_id: str) -> Session:
        """The open session of that id; raises NoSession, also for one that is overdue and not yet ended."""
        with self._lock:
            self._book.require(session_id)
            if self._session is None:
                raise NoSession("The session has ended. Tap your badge to go on.")
            return self._session

    def is_open(self, session_id: str) -> bool:
        """True while that session is the open one."""
        with self._lock:
            return self._session is not None and self._session.session_id == session_id

    def touch(self, session_id: str) -> None:
        """Somebody is there."""
        with self._lock:
            if not self.is_open(session_id):
                return
            try:
                events = self._book.touch(session_id)
            except NoSession:
                return  # overdue: the clock's next tick ends it
            if events:
                self._hub.publish(IdleOver(session_id))

    def sign_out(self, session_id: str) -> None:
        """The person asked for the end."""
        with self._lock:
            if self.is_open(session_id):
                self._end(EndReason.SIGNED_OUT, by_person=True)

    def shut(self, reason: EndReason) -> None:
        """Ends whatever is open; after a SHUTDOWN nothing opens any more."""
        with self._lock:
            self._closing = self._closing or reason is EndReason.SHUTDOWN
            self._close_box(reason.value)
            if self._session is not None:
                self._end(reason, by_person=False)

    def tick(self) -> None:
        """About once a second: warns, locks, says what time is left, and closes a PIN box that nobody answers.

        A session whose badge was revoked or whose person was disabled ends here, whoever did it and wherever.
        """
        with self._lock:
            if self._box is not None and self._clock.monotonic() - self._asked_at > PIN_SECONDS:
                self._close_box("nobody answered")
            session = self._book.current
            if session is not None and self._gate.standing(session.credential.credential_id) is not None:
                self._end(EndReason.WITHDRAWN, by_person=False)
            if self._session is None:
                return
            for event in self._book.tick(self._clock.monotonic()):
                match event:
                    case book.Warning(session_id, seconds):
                        self._hub.publish(IdleWarning(session_id, seconds))
                    case book.TimeLeft(session_id, idle_seconds, session_seconds):
                        self._hub.publish(TimeLeft(session_id, idle_seconds, session_seconds))
                    case book.IdleEnded():
                        self._end(EndReason.IDLE, by_person=False)
                    case book.CapEnded():
                        self._end(EndReason.EXPIRED, by_person=False)
                    case book.WarningOver(session_id):
                        self._hub.publish(IdleOver(session_id))

    def _refuse(self, sentence: str) -> Signal:
        self._hub.publish(AccessDenied(sentence))
        return Signal.REFUSED

    def _decide(self, claim: Claim | Refusal) -> Signal:
        if self._is_the_same_badge(claim) and self._tapped_again():
            return Signal.ACCEPTED
        session_id = secrets.token_hex(16)
        decision = finish(perform(self._desk, self._by, Tap(self._gate, self._node, claim, session_id, self._site)))
        if isinstance(decision, Denied) or isinstance(claim, Refusal):
            return self._refuse(decision.sentence if isinstance(decision, Denied) else OUT_OF_SERVICE)
        session = self._book.current
        if session is not None and self._book.tap(decision.person) is not book.TapMeaning.TAKE_OVER:
            self._tapped_again()
            return Signal.ACCEPTED
        if not self._end(EndReason.DISPLACED, by_person=False):
            return self._refuse(OUT_OF_SERVICE)
        match decision:
            case PinRequired():
                self._box = _PinBox(uuid.uuid4().hex, session_id, claim, decision)
                self._hub.publish(self._asked(self._box, decision.attempts_left))
            case Granted():
                self._open(decision, claim, session_id)
                return Signal.ACCEPTED if self._session is not None else Signal.REFUSED
        return Signal.ACCEPTED

    def _is_the_same_badge(self, claim: Claim | Refusal) -> bool:
        known = self._claim
        if known is None or isinstance(claim, Refusal):
            return False
        return (claim.kind, claim.subject) == (known.kind, known.subject)

    def _tapped_again(self) -> bool:
        """The person of the open session tapped: out, or too soon to be meant. False when no session is open."""
        session = self._book.current
        if session is None:
            return False
        if self._book.tap(session.person) is book.TapMeaning.TOO_SOON:
            said = "You are signed in. Tap once more in a moment to sign out."
            self._hub.publish(Notice(session.session_id, said))
        else:
            self._end(EndReason.TAPPED_OUT, by_person=True)
        return True

    def _answer(self, box: _PinBox, answer: Granted | WrongPin | Denied) -> None:
        match answer:
            case Granted():
                self._box = None
                self._hub.publish(PinClosed(box.claim_id))
                self._open(answer, box.claim, box.session_id)
            case WrongPin():
                self._hub.publish(self._asked(box, answer.attempts_left, answer.sentence))
            case Denied():
                self._box = None
                self._hub.publish(PinClosed(box.claim_id, answer.sentence))
                self._hub.publish(AccessDenied(answer.sentence))

    def _open(self, granted: Granted, claim: Claim, session_id: str) -> None:
        opened = self._book.open(granted, claim, session_id)
        badge, person = Badge.of(claim), granted.person
        permissions = frozenset(permission.value for permission in permissions_of(person.role))
        session = Session(opened.session_id, person.user_id, person.display_name, person.role.value, badge, permissions)
        self._claim, self._session = claim, session
        try:
            self._before_open(session.session_id)
        except StorageFull as error:
            self._end(EndReason.OUT_OF_SERVICE, by_person=False)
            self._hub.publish(AccessDenied(str(error)))
            return
        self._hub.publish(
            SessionOpened(
                opened.session_id,
                _person(granted),
                _view(badge),
                permissions,
                self._rules.idle_seconds,
                self._rules.warning_seconds,
                opened.ends_at,
            )
        )
        if self._session is session:  # a listener may have ended it
            self._on_open(session.session_id, session.user_id)

    def _overtaken(self, box: _PinBox, granted: Granted) -> None:
        """Another card came while the PIN was being checked: the login that is on record ends on record, unseen."""
        person = granted.person
        session = Session(
            box.session_id, person.user_id, person.display_name, person.role, Badge.of(box.claim), frozenset()
        )
        with contextlib.suppress(TrailError):
            finish(perform(self._desk, self._by, EndSession(self._node, session, EndReason.DISPLACED, lambda: None)))

    def _end(self, reason: EndReason, *, by_person: bool) -> bool:
        """Whatever goes wrong, nothing stays open. False when it is not on record: then nothing else may be done."""
        session, recorded = self._session, False
        if session is None:
            return True
        close = partial(self._close, session)
        try:
            finish(
                perform(
                    self._desk,
                    session if by_person else self._by,
                    EndSession(self._node, session, reason, close),
                )
            )
            recorded = True
        except TrailError:
            reason = EndReason.OUT_OF_SERVICE
            if self._session is session:  # not even that it was to end
                self._unrecorded.append(session)
        finally:
            try:
                close()
            finally:
                self._hub.publish(SessionEnded(session.session_id, reason, ENDED[reason]))
        return recorded

    def record_ends(self) -> None:
        """Puts the ends of sessions on record that could not be when they came; raises TrailError."""
        with self._lock:
            while self._unrecorded:
                end = EndSession(self._node, self._unrecorded[0], EndReason.OUT_OF_SERVICE, lambda: None)
                finish(perform(self._desk, self._by, end))
                self._unrecorded.pop(0)

    def _close(self, session: Session) -> None:
        if self._session is not session:
            return
        self._session = self._claim = None
        with contextlib.suppress(NoSession):  # a session that time ended is out of the book already
            self._book.end(session.session_id)
        self._on_end(session.session_id)

    def _close_box(self, why: str) -> None:
        box = self._box
        if box is None:
            return
        self._box = None

        def close() -> None:
            self._hub.publish(PinClosed(box.claim_id))

        try:
            finish(perform(self._desk, self._by, AbandonPin(box.claim, box.required, why, close, box.session_id)))
        except TrailError:
            close()

    def _asked(self, box: _PinBox, attempts_left: int, sentence: str = "") -> PinAsked:
        self._asked_at = self._clock.monotonic()
        return PinAsked(box.claim_id, _person(box.required), _view(Badge.of(box.claim)), attempts_left, sentence)


def _person(decided: Granted | PinRequired) -> PersonView:
    return PersonView(decided.person.user_id, decided.person.display_name, decided.person.role.value)


def _view(badge: Badge) -> BadgeView:
    return BadgeView(WORDS.get(badge.kind, "badge"), badge.masked)
