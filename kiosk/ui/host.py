"""What every screen finds in its app: the operations, the session, and nothing that leads out of the kiosk."""

import asyncio
import logging
import signal
import threading
import traceback
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import App
from textual.binding import BindingType
from textual.reactive import var
from textual.timer import Timer
from textual.worker import Worker, WorkerState

from kiosk.clock import Clock, SystemClock
from kiosk.operations.facts import AuditDelivery, ReaderHealth, SessionOpened, TimeLeft, TransferProgress
from kiosk.operations.operations import Operations, Station
from kiosk.ui.courier import Courier
from kiosk.ui.driver import Driver
from kiosk.ui.messages import OrderFailed
from kiosk.ui.theme import NIGHT
from kiosk.ui.tickets import Tickets
from kiosk.views.refusals import BROKEN, STOPPED

ENDINGS = (signal.SIGTERM, signal.SIGHUP)
"""Heard between two steps of the loop: an exception from a signal would come in the middle of anything."""
NOTICE_SECONDS = 8.0
TOUCH_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Host(App[int], inherit_bindings=False):
    """State of the terminal that screens watch. Facts change it through `KioskApp`; it knows no screen by name."""

    ALLOW_SELECT: ClassVar[bool] = False
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    # Not reactive(): a change of those paints the whole screen again.
    session: var[SessionOpened | None] = var(None)
    time_left: var[TimeLeft | None] = var(None)
    transfers: var[tuple[TransferProgress, ...]] = var(())
    readers: var[tuple[ReaderHealth, ...]] = var(())
    notice: var[str] = var("")
    out_of_service: var[str] = var("")
    delivery: var[AuditDelivery] = var(AuditDelivery())

    def __init__(self, operations: Operations, clock: Clock | None = None, image_mode: str = "auto") -> None:
        super().__init__(driver_class=Driver)
        self.operations = operations
        self.clock = clock or SystemClock()
        self.image_mode = image_mode
        self.station: Station = operations.station()
        self.tickets = Tickets()
        self.courier = Courier(lambda sentence: self.post_message(OrderFailed(sentence)))
        self._notice_timer: Timer | None = None
        self._touched_at = -TOUCH_SECONDS
        self.register_theme(NIGHT)
        self.theme = NIGHT.name
        self.title = "Kiosk"

    @property
    def session_id(self) -> str:
        """The open session, or an empty string: operations refuse that."""
        return "" if self.session is None else self.session.session_id

    def say(self, sentence: str) -> None:
        """Shows a sentence on whatever screen is there, for about eight seconds."""
        if self._notice_timer is not None:
            self._notice_timer.stop()
        self.notice = sentence
        self._notice_timer = self.set_timer(NOTICE_SECONDS, self._hush) if sentence else None

    def _hush(self) -> None:
        self.notice = ""

    def forget_session(self) -> None:
        """Stops the session's work and drops what it left in this app; screens are the caller's."""
        self.tickets.cancel_all()
        self.workers.cancel_all()
        self.session = None
        self.time_left = None
        self.transfers = ()
        self.clear_notifications()
        self.mouse_over = None
        self._mouse_down_widget = None

    async def on_event(self, event: events.Event) -> None:
        """Every key and every move of the mouse counts as somebody being there."""
        if isinstance(event, events.InputEvent) and not event.is_forwarded and self.touched():
            # The key that says "I am here" says nothing else, nor does the release of that mouse button.
            self._mouse_down_widget = None
            return
        await super().on_event(event)

    def touched(self) -> bool:
        """Tells the session that somebody is there, at most once a second; True when that was all the event was for."""
        now = self.clock.monotonic()
        if self.session is not None and now - self._touched_at >= TOUCH_SECONDS:
            self._touched_at = now
            self.courier.send(partial(self.operations.touch, self.session.session_id))
        return False

    def on_mount(self) -> None:
        """Starts the courier; shuts the door of Ctrl+Z; told to end, leaves nothing on the terminal."""
        self.courier.start()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTSTP, signal.SIG_IGN)
            # A terminal that goes away sends this too: Textual would take it for a return and begin anew.
            signal.signal(signal.SIGCONT, signal.SIG_DFL)
            for ending in ENDINGS:
                if signal.getsignal(ending) is not signal.SIG_IGN:
                    asyncio.get_running_loop().add_signal_handler(ending, self.exit)

    def on_unmount(self) -> None:
        """Lets every thread of this app go."""
        self.tickets.cancel_all()
        self.courier.stop()

    def check_worker(self, event: Worker.StateChanged) -> None:
        """Expected failures come as messages; a worker that broke ends the session."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            _log_without_data(event.worker.error)
            self.give_up_session()
            self.say(BROKEN)

    def give_up_session(self) -> None:
        """Signs the person out because this terminal can no longer be trusted to show the right thing."""
        if self.session is not None:
            self.courier.send(partial(self.operations.sign_out, self.session.session_id))

    def show_transfers(self) -> None:
        """Puts the list of transfers on."""
        raise NotImplementedError

    def copy_to_clipboard(self, text: str) -> None:
        """Nothing leaves through the clipboard."""

    def action_suspend_process(self) -> None:
        """There is no shell to go to."""

    async def action_quit(self) -> None:
        """There is no way out."""

    def action_help_quit(self) -> None:
        """There is no way out, and no hint at one."""

    def action_screenshot(self, filename: str | None = None, path: str | None = None) -> None:
        """No picture of the screen is ever written."""

    def action_copy_text(self) -> None:
        """Nothing leaves through the clipboard."""

    def _handle_exception(self, error: Exception) -> None:
        # Textual's own handler prints the locals of every frame: names of patients.
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        _log_without_data(error)
        self.tickets.cancel_all()
        self.give_up_session()
        if not self._exit_renderables:
            self.panic(STOPPED)

    def drop_screens(self) -> None:
        """Takes every screen off the lock screen."""
        while len(self.screen_stack) > 1:
            self.pop_screen()


def _log_without_data(error: BaseException) -> None:
    """Where it broke, not with what: neither locals nor the message, which may quote a patient."""
    frames = "".join(
        f"\n  {frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    )
    _log.error("The terminal broke: %s%s", type(error).__name__, frames)
