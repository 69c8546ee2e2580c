"""Facts of the kiosk as printed lines."""

from collections.abc import Callable
from threading import RLock

from kiosk.clock import Clock, SystemClock
from kiosk.operations.facts import (
    AccessDenied,
    AuditDelivery,
    Fact,
    IdleOver,
    IdleWarning,
    Notice,
    OutOfService,
    PinAsked,
    PinClosed,
    ReaderHealth,
    SessionEnded,
    SessionOpened,
    TapSeen,
    TimeLeft,
    TransferProgress,
)
from kiosk.plain.console import Console
from kiosk.plain.desk import Desk
from kiosk.views.session import badge_text, idle_warning_text, pin_attempts_text, pin_question, who_text
from kiosk.views.status import delivery_line
from kiosk.views.text import joined
from kiosk.views.transfers import failures_line, transfer_line
from kiosk.views.words import _

LOCKED = _("Locked. Tap your badge or phone.")


class Listener:
    """Called from any thread. Holds the desk of the open session and the claim whose PIN is asked."""

    def __init__(self, console: Console, ended: Callable[[], None], clock: Clock | None = None) -> None:
        self._console = console
        self._clock = clock or SystemClock()
        self._lagging = AuditDelivery()
        self._ended = ended
        self._lock = RLock()
        self._told: dict[str, tuple[object, int]] = {}
        self.desk: Desk | None = None
        self.asked: PinAsked | None = None

    def __call__(self, fact: Fact) -> None:
        """Prints the fact and keeps what it changes."""
        with self._lock:
            self._close_pin(fact)
            self._take(fact)

    def _take(self, fact: Fact) -> None:
        say = self._console.say
        match fact:
            case ReaderHealth(sentence=sentence):
                if sentence:
                    say(sentence)
            case TapSeen():
                say(_("Reading the card…"))
            case PinAsked() as asked:
                self.asked = asked
                self._console.hide_typing()
                say(joined(pin_question(asked), pin_attempts_text(asked)))
                say(_("Type the PIN and press Enter (it is not shown); an empty line gives up."))
            case PinClosed(sentence=sentence) | AccessDenied(sentence=sentence):
                if sentence:
                    say(sentence)
            case SessionOpened() as session:
                self._told.clear()
                self.desk = Desk(session)
                say(joined(_("Signed in: {who}").format(who=who_text(session)), badge_text(session.badge)))
                say(_('Type "help" for what can be done.'))
            case SessionEnded(session_id=session_id, sentence=sentence):
                if self.desk is not None and self.desk.session.session_id == session_id:
                    self._lock_up(sentence)
            case OutOfService(sentence=sentence):
                if sentence:
                    self._lock_up(joined(_("OUT OF SERVICE"), sentence))
                else:
                    say(_("In service again."), LOCKED)
            case AuditDelivery() as delivery:
                self._take_delivery(delivery)
            case fact:
                self._take_session_fact(fact)

    def _take_delivery(self, delivery: AuditDelivery) -> None:
        """Said when another repository lags, or none any more; not at every record that waits."""
        known, self._lagging = self._lagging, delivery
        if (_names(known), known.fault) == (_names(delivery), delivery.fault):
            return
        self._console.say(delivery_line(delivery, self._clock.now()) or _("The audit trail is delivered again."))

    def _take_session_fact(self, fact: IdleWarning | IdleOver | TimeLeft | Notice | TransferProgress) -> None:
        if self.desk is None or fact.session_id != self.desk.session.session_id:
            return
        match fact:
            case IdleWarning(seconds=seconds):
                if self._is_news("idle", "warned", 0):
                    self._console.say(f"{idle_warning_text(seconds)} {_('Press Enter to go on.')}")
            case IdleOver():
                self._told.pop("idle", None)
            case Notice(sentence=sentence):
                self._console.say(sentence)
            case TransferProgress() as progress:
                self.desk.transfers[progress.job_id] = progress
                quarter = 4 * progress.instances_done // max(1, progress.instances_total)
                if self._is_news(progress.job_id, progress.state, quarter):
                    number = list(self.desk.transfers).index(progress.job_id) + 1
                    self._console.say(f"{_('transfer')} {number}: {transfer_line(progress)}")
                    if failures := failures_line(progress):
                        self._console.say(f"  {failures} · {_('retry')} {number}")

    def _is_news(self, about: str, state: object, step: int) -> bool:
        if self._told.get(about) == (state, step):
            return False
        self._told[about] = (state, step)
        return True

    def _lock_up(self, sentence: str) -> None:
        if self.desk is not None:
            self.desk.closed.set()
        self.desk = None
        self._told.clear()
        self._ended()
        self._console.wipe()
        self._console.say(sentence, LOCKED)

    def _close_pin(self, fact: Fact) -> None:
        if self.asked is None:
            return
        match fact:
            case PinClosed(claim_id=claim_id) if claim_id != self.asked.claim_id:
                return
            case TimeLeft() | IdleWarning() | IdleOver() | Notice() | TransferProgress() | ReaderHealth(available=True):
                return
            case AuditDelivery():
                return
            case OutOfService(sentence=""):
                return
            case _:
                self.asked = None
                self._console.show_typing()


def _names(delivery: AuditDelivery) -> set[str]:
    return {sink.name for sink in delivery.sinks}
