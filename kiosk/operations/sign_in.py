"""A tap at the lock screen, the PIN that answers it, and the end of the session."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event
from typing import ClassVar

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.gate import DenialReason, Denied, Gate, Granted, PinRequired, WrongPin
from kiosk.access.lockout import LockoutRules
from kiosk.access.policy import Permission
from kiosk.audit import Node, Outcome, RecordedProof, Who, events
from kiosk.operations.facts import EndReason
from kiosk.operations.perform import Deed, Ending
from kiosk.operations.principal import Badge, Principal, Session, System
from kiosk.operations.statement import Statement
from readers.credentials.claim import Claim, Refusal

UNKNOWN = "unknown"
BLOCKS = frozenset({DenialReason.BLOCKED, DenialReason.LOCKED_OUT})


def _recorded(claim: Claim | Refusal) -> RecordedProof | None:
    proof = claim.proof if isinstance(claim, Claim) else None
    if proof is None:
        return None
    return RecordedProof(proof.algorithm, proof.nonce, proof.signature, proof.public_key, proof.binding)


def _someone(granted: Granted | PinRequired) -> tuple[str, str]:
    return granted.person.user_id, granted.person.display_name


def _session(session_id: str) -> tuple[tuple[str, str], ...]:
    """What ties a tap, its PIN and the end of its session together: their actor is the machine."""
    return (("session", session_id),) if session_id else ()


@dataclass(frozen=True)
class Tap(Deed["Granted | PinRequired | Denied"]):
    """A card was identified, or refused by the ladder; decides what its holder may have."""

    name: ClassVar[str] = "tap"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    gate: Gate
    node: Node
    claim: Claim | Refusal
    session_id: str = ""
    """Of the session that this tap opens if it opens one."""
    site: str = ""
    """Who is not known is "unknown@SITE" on record: the user that is claimed (PS3.15 A.5.3.12)."""

    def intent(self, by: Principal) -> Statement:
        """Somebody tapped; what the card proved goes in whole."""
        kind = self.claim.kind if isinstance(self.claim, Claim) else self.claim.scheme
        details = _session(self.session_id)
        return Statement(f"Tap ({kind})", badge=Badge.of(self.claim), proof=_recorded(self.claim), details=details)

    def do(self, by: Principal, cancel: Event) -> Granted | PinRequired | Denied:
        """Asks the gate; a card without a usable claim is denied with the ladder's reason."""
        if isinstance(self.claim, Refusal):
            return Denied(DenialReason.UNFIT_CLAIM, self.claim.sentence)
        return self.gate.decide(self.claim)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Granted, asked for a PIN, or refused with the true reason."""
        return replace(self._came(ending), details=_session(self.session_id))

    def _came(self, ending: Ending) -> Statement:
        badge = Badge.of(self.claim)
        match ending.result:
            case Granted() as granted:
                return _login(granted, badge, self.node, "Signed in; the PIN was given earlier in this shift")
            case PinRequired() as required:
                return Statement("Known badge; a PIN is needed", Outcome.SUCCESS, badge=badge, user=_someone(required))
            case Denied() as denied:
                return _refused(denied, badge, self.node, self._nobody, _reason(self.claim))
            case _:
                return _failed(f"Tap: {ending.words}", ending.outcome, badge, self.node, self._nobody)

    @property
    def _nobody(self) -> tuple[str, str]:
        return f"{UNKNOWN}@{self.site}" if self.site else UNKNOWN, ""


@dataclass(frozen=True)
class EnterPin(Deed["Granted | WrongPin | Denied"]):
    """The PIN that answers a PinRequired."""

    name: ClassVar[str] = "enter_pin"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    gate: Gate
    node: Node
    claim: Claim
    required: PinRequired
    pin: EnteredPin = field(repr=False)
    session_id: str = ""
    """Of the session that this PIN opens if it opens one."""

    def intent(self, by: Principal) -> Statement:
        """A PIN was entered; never which."""
        details = _session(self.session_id)
        return Statement("PIN entered", badge=Badge.of(self.claim), user=_someone(self.required), details=details)

    def do(self, by: Principal, cancel: Event) -> Granted | WrongPin | Denied:
        """Checks it; costs the time of one PIN hash."""
        return self.gate.check_pin(self.required, self.pin)

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Login, wrong PIN (4, then 8), or blocked (12): User Authentication, PS3.15 A.5.3.12."""
        return replace(self._came(ending), details=_session(self.session_id))

    def _came(self, ending: Ending) -> Statement:
        badge, user = Badge.of(self.claim), _someone(self.required)
        match ending.result:
            case Granted() as granted:
                return _login(granted, badge, self.node, "Signed in with badge and PIN")
            case WrongPin() as wrong:
                graded = Outcome.MINOR if wrong.attempts_left >= LockoutRules().block_after - 1 else Outcome.SERIOUS
                said = f"Wrong PIN, {wrong.attempts_left} attempts left"
                person = Who(user[0], user[1], badge.tokens)
                return Statement(said, graded, events.login(person, self.node, graded, said), badge=badge, user=user)
            case Denied() as denied:
                return _refused(denied, badge, self.node, user)
            case _:
                return _failed(f"PIN entered: {ending.words}", ending.outcome, badge, self.node, user)


@dataclass(frozen=True)
class AbandonPin(Deed[None]):
    """The PIN box closed unanswered."""

    name: ClassVar[str] = "abandon_pin"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (System,)

    claim: Claim
    required: PinRequired
    why: str
    close: Callable[[], None]
    session_id: str = ""

    def intent(self, by: Principal) -> Statement:
        """The box is about to close."""
        return self._said(f"PIN box closing: {self.why}")

    def do(self, by: Principal, cancel: Event) -> None:
        """Closes it."""
        self.close()

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """It is closed."""
        return self._said(f"PIN box closed unanswered: {self.why}", ending.outcome)

    def _said(self, said: str, outcome: Outcome | None = None) -> Statement:
        badge, user = Badge.of(self.claim), _someone(self.required)
        return Statement(said, outcome, badge=badge, user=user, details=_session(self.session_id))


@dataclass(frozen=True)
class EndSession(Deed[None]):
    """Ends a session: its person taps out or signs out, or the machine ends it."""

    name: ClassVar[str] = "sign_out"
    permission: ClassVar[Permission | None] = None
    accepts: ClassVar[tuple[type, ...]] = (Session, System)

    node: Node
    session: Session
    reason: EndReason
    end: Callable[[], None]

    def intent(self, by: Principal) -> Statement:
        """Whose session ends, and why."""
        details = _session(self.session.session_id)
        said = f"Session ending: {self.reason.value}"
        return Statement(said, badge=self.session.badge, user=self._user, details=details)

    def do(self, by: Principal, cancel: Event) -> None:
        """Ends it."""
        self.end()

    def outcome(self, by: Principal, ending: Ending) -> Statement:
        """Logout (PS3.15 A.5.3.12); the person is the requestor only when they asked for it (IHE ITI TF-2 3.20)."""
        session = self.session
        asked = isinstance(by, Session)
        person = Who(session.user_id, session.display_name, session.badge.tokens, session.role, asked)
        said = f"Session ended: {self.reason.value}"
        messages = events.logout(person, self.node, said, ending.outcome)
        details = _session(session.session_id)
        return Statement(said, ending.outcome, messages, badge=session.badge, user=self._user, details=details)

    @property
    def _user(self) -> tuple[str, str]:
        return self.session.user_id, self.session.display_name


def _login(granted: Granted, badge: Badge, node: Node, said: str) -> Statement:
    person = Who(granted.person.user_id, granted.person.display_name, badge.tokens, granted.person.role)
    messages = events.login(person, node, Outcome.SUCCESS, said)
    return Statement(said, Outcome.SUCCESS, messages, badge=badge, user=_someone(granted))


def _failed(said: str, outcome: Outcome, badge: Badge, node: Node, user: tuple[str, str]) -> Statement:
    """Nobody could decide, and so nobody was let in."""
    messages = events.login(Who(user[0], user[1], badge.tokens), node, outcome, said)
    return Statement(said, outcome, messages, badge=badge, user=user)


def _reason(claim: Claim | Refusal) -> str:
    """Which scheme of the card said no, and why: each reason has words of its own on record."""
    return f"{claim.scheme}, {claim.reason.value.replace('_', ' ')}" if isinstance(claim, Refusal) else ""


def _refused(denied: Denied, badge: Badge, node: Node, user: tuple[str, str], reason: str = "") -> Statement:
    outcome = Outcome.MAJOR if denied.reason in BLOCKS else Outcome.SERIOUS
    if denied.person is not None:
        user = (denied.person.user_id, denied.person.display_name)
    said = f"Refused: {reason or denied.reason.value}"
    person = Who(user[0], user[1], badge.tokens)
    return Statement(said, outcome, events.login(person, node, outcome, said), badge=badge, user=user)
