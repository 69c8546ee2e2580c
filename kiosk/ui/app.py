"""The terminal: facts of the kiosk in, screens out."""

import gc
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from kiosk.clock import Clock
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
from kiosk.operations.operations import Operations
from kiosk.ui.forgetting import forget_drawn_texts
from kiosk.ui.host import Host
from kiosk.ui.messages import FactArrived, OrderFailed
from kiosk.ui.screens.idle import IdleScreen
from kiosk.ui.screens.lock import LockScreen
from kiosk.ui.screens.pin import PinScreen
from kiosk.ui.screens.status import StatusScreen
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.screens.transfers import TransfersScreen
from kiosk.views.words import _

ScreenType = TypeVar("ScreenType", bound=Screen[Any])

FORGET_SECONDS = 0.5
SLOW_CARD_SECONDS = 0.15
DEMO_KEYS = ("f1", "f2", "f3", "f4", "f5", "f6", "f7")


class KioskApp(Host):
    """Listens to facts and decides which screen is on; the lock screen lies under everything."""

    # A default screen's own stylesheet is not loaded; that of a mode's first screen is.
    MODES: ClassVar[dict[str, type[Screen[Any]]]] = {"kiosk": LockScreen}  # type: ignore[assignment]  # narrower than Textual's
    DEFAULT_MODE = "kiosk"
    # Parsed before the first frame: a tap must not wait for the style sheet of what it brings up.
    CSS_PATH = ["screens/pin.tcss", "screens/studies.tcss"]  # noqa: RUF012 - Textual's own form
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                key,
                f"present('{key}')",
                _("Tap a demonstration card"),
                show=False,
                priority=True,
                id=f"demo-card-{key}",
            )
            for key in DEMO_KEYS
        ),
        Binding("f10", "leave_demo", _("End the demonstration"), show=False, priority=True, id="leave-demo"),
    ]

    def __init__(self, operations: Operations, clock: Clock | None = None, image_mode: str = "auto") -> None:
        super().__init__(operations, clock, image_mode)
        self.pin_box = PinScreen()
        self._unsubscribe: Callable[[], None] | None = None
        self._reading: Timer | None = None

    def on_mount(self) -> None:
        """Begins to listen; facts come from foreign threads and are only posted."""
        self._unsubscribe = self.operations.subscribe(lambda fact: void(self.post_message(FactArrived(fact))))

    def on_ready(self) -> None:
        """What was loaded stays: a full collection in the middle of a tap would cost it a fifth of a second."""
        self.install_screen(self.pin_box, "pin")
        self._get_screen(self.pin_box)  # mounts it: the first tap need not wait for that
        if not self.is_headless:
            gc.collect()
            gc.freeze()

    def on_unmount(self) -> None:
        """Listens no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()

    @on(FactArrived)
    def take(self, message: FactArrived) -> None:
        """One fact, one change."""
        if not isinstance(message.fact, TimeLeft | TransferProgress | AuditDelivery) and self._reading is not None:
            self._reading.stop()
        self._close_pin_box(message.fact)
        self._close_status(message.fact)
        match message.fact:
            case ReaderHealth() as health:
                others = tuple(reader for reader in self.readers if reader.name != health.name)
                self.readers = (*others, health)
            case AuditDelivery() as delivery:
                self.delivery = delivery
            case TapSeen():
                # Drawn at once it would only take the processor from the decision, which is there in a moment.
                self._reading = self.set_timer(SLOW_CARD_SECONDS, lambda: self.say(_("Reading the card…")))
            case PinAsked() as asked:
                self._ask_pin(asked)
            case PinClosed(sentence=sentence) | AccessDenied(sentence=sentence):
                self.say(sentence)
            case SessionOpened() as session:
                self._open_session(session)
            case SessionEnded(session_id=session_id, sentence=sentence):
                if self.session is not None and session_id == self.session.session_id:
                    self._lock(sentence)
            case OutOfService(sentence=sentence):
                self.out_of_service = sentence
                if sentence:
                    self._lock("")
            case fact:
                self._take_session_fact(fact)

    def _take_session_fact(self, fact: IdleWarning | IdleOver | TimeLeft | Notice | TransferProgress) -> None:
        if self.session is None or fact.session_id != self.session.session_id:
            return
        match fact:
            case TimeLeft() as left:
                self.time_left = left
            case IdleWarning(seconds=seconds):
                self._warn(seconds)
            case IdleOver():
                self._unwarn()
            case Notice(sentence=sentence):
                self.say(sentence)
            case TransferProgress() as progress:
                jobs = {transfer.job_id: transfer for transfer in self.transfers} | {progress.job_id: progress}
                self.transfers = tuple(jobs.values())

    def _open_session(self, session: SessionOpened) -> None:
        self._lock("")
        self.session = session
        self.push_screen(StudiesScreen())

    def _lock(self, sentence: str) -> None:
        self.forget_session()
        self.drop_screens()
        self.say(sentence)
        # Once the dropped screens were taken down: until then they may still draw.
        self.set_timer(FORGET_SECONDS, forget_drawn_texts)

    def _ask_pin(self, asked: PinAsked) -> None:
        self.say("")
        again = self.pin_box.asked is not None and self.pin_box.asked.claim_id == asked.claim_id
        if not again:
            self._unwarn()
        self.pin_box.ask(asked)
        if self.pin_box not in self.screen_stack:
            self.push_screen(self.pin_box)

    def _close_pin_box(self, fact: Fact) -> None:
        asked = self.pin_box.asked
        if asked is not None and self.pin_box in self.screen_stack and _voids(fact, asked):
            self.tickets.cancel("pin")
            self.pin_box.dismiss()

    def _close_status(self, fact: Fact) -> None:
        """Whoever taps is answered on the lock screen."""
        status = self._on_stack(StatusScreen)
        if status is not None and isinstance(fact, TapSeen | PinAsked | AccessDenied):
            status.action_back()

    def _on_stack(self, kind: type[ScreenType]) -> ScreenType | None:
        return next((screen for screen in self.screen_stack if isinstance(screen, kind)), None)

    def _warn(self, seconds: int) -> None:
        warning = self._on_stack(IdleScreen)
        if warning is not None:
            warning.count_from(seconds)
        else:
            self.push_screen(IdleScreen(seconds))

    def _unwarn(self) -> bool:
        warning = self._on_stack(IdleScreen)
        if warning is not None:
            warning.dismiss()
        return warning is not None

    def touched(self) -> bool:
        """Somebody is there: a warning goes at once, not only when the kiosk answers, and takes the event with it."""
        super().touched()
        return self._unwarn()

    @on(OrderFailed)
    def say_failure(self, message: OrderFailed) -> None:
        """A short order was refused."""
        self.say(message.sentence)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Cards can be tapped in the demo only."""
        if action == "present":
            return any(card.key.lower() == parameters[0] for card in self.station.demo_cards)
        if action == "leave_demo":
            return bool(self.station.demo_cards)
        return True

    def action_leave_demo(self) -> None:
        """A demonstration may be left from the keyboard; a kiosk at a wall may not."""
        self.exit()

    def action_present(self, key: str) -> None:
        """Lays a demonstration card on the reader."""
        for card in self.station.demo_cards:
            if card.key.lower() == key:
                self.courier.send(partial(self.operations.present, card.card))

    def show_transfers(self) -> None:
        """The list of transfers."""
        self.push_screen(TransfersScreen())


def _voids(fact: Fact, asked: PinAsked) -> bool:
    """True when this fact makes that PIN box void: every card event that is not its own, and every end."""
    match fact:
        case TapSeen() | AccessDenied() | SessionOpened() | SessionEnded():
            return True
        case PinAsked(claim_id=claim_id):
            return claim_id != asked.claim_id
        case PinClosed(claim_id=claim_id):
            return claim_id == asked.claim_id
        case ReaderHealth(available=available):
            return not available
        case OutOfService(sentence=sentence):
            return bool(sentence)
        case _:
            return False


def void(_result: object) -> None:
    """Drops a result."""


def run(operations: Operations, *, clock: Clock | None = None, image_mode: str = "auto") -> int:
    """Runs the terminal until it is told to stop; returns the exit code. The caller closes `operations`."""
    app = KioskApp(operations, clock, image_mode)
    app.run()
    return app.return_code or 0
