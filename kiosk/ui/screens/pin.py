"""The PIN box. It belongs to one claim and goes when that claim goes; its widgets stay, empty, for the next one.

Built anew for each tap it cost a person half of the time between tap and question.
"""

from functools import partial
from threading import Event
from typing import ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.worker import Worker

from kiosk.errors import KioskError
from kiosk.operations.facts import PinAsked
from kiosk.ui.acts import in_thread
from kiosk.ui.host import Host
from kiosk.ui.messages import ActFailed
from kiosk.ui.widgets.key_pad import KeyPad
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.refusals import refusal
from kiosk.views.session import pin_attempts_text, pin_question
from kiosk.views.text import one_line
from kiosk.views.words import _

MOST_DIGITS = 12


class PinScreen(ModalScreen[None], inherit_bindings=False):
    """Takes digits from keys or from the pad, shows dots, and hands the PIN over once."""

    ALLOW_SELECT: ClassVar[bool] = False
    CSS_PATH = "pin.tcss"
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "abandon", _("Give up"), id="pin-abandon"),
        Binding("enter", "press('enter')", _("OK"), id="pin-enter"),
        Binding("backspace,delete", "press('back')", _("Delete"), id="pin-back"),
    ]
    app = getters.app(Host)

    def __init__(self) -> None:
        super().__init__()
        self.asked: PinAsked | None = None
        self._digits = ""
        self._checking = False

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """These messages do not bubble."""
        self.app.check_worker(event)

    def compose(self) -> ComposeResult:
        """Whose PIN, dots, state, keypad."""
        with Vertical(id="box"):
            yield PlainText(id="whose")
            yield PlainText(id="digits")
            yield PlainText(id="state")
            yield KeyPad(id="pad")
            if self.app.station.demo_pin:
                hint = _("Demonstration PIN: {pin}").format(pin=one_line(self.app.station.demo_pin))
                yield PlainText(hint, id="demo-pin")
            yield PlainText(_("Esc gives up"), id="keys")

    def on_mount(self) -> None:
        """Shows a question that came before the box was there."""
        if self.asked is not None:
            self.ask(self.asked)

    def on_screen_suspend(self) -> None:
        """Whose PIN it was goes with the box; not when a warning merely lies above it."""
        if self not in self.app.screen_stack:
            self.asked = None
            self._digits, self._checking = "", False
            self.query_one("#whose", PlainText).show("")
            self._say("", "")
            self._show_digits()

    def ask(self, asked: PinAsked) -> None:
        """Asks (again) for the PIN of the claim."""
        self.asked = asked
        if not self.is_mounted:
            return
        self._digits, self._checking = "", False
        self.query_one("#whose", PlainText).show(pin_question(asked))
        self._say(pin_attempts_text(asked), "-failed" if asked.sentence else "")
        self._show_digits()

    def on_key(self, event: events.Key) -> None:
        """Digits go into the box."""
        if event.character is not None and event.character in "0123456789":
            event.stop()
            self.action_press(event.character)

    @on(KeyPad.Pressed)
    def press_pad(self, event: KeyPad.Pressed) -> None:
        """So do presses on the pad."""
        self.action_press(event.key)

    def action_press(self, key: str) -> None:
        """A digit, "back" or "enter"."""
        if self._checking or self.asked is None:
            return
        if key == "enter":
            self._hand_over()
        elif key == "back":
            self._digits = self._digits[:-1]
        elif len(self._digits) < MOST_DIGITS:
            self._digits += key
        self._show_digits()

    def action_abandon(self) -> None:
        """The person does not want to."""
        self._digits = ""
        self.app.tickets.cancel("pin")
        if self.asked is not None:
            self.app.courier.send(partial(self.app.operations.abandon_pin, self.asked.claim_id))
            self.dismiss()

    def _hand_over(self) -> None:
        if not self._digits or self.asked is None:
            return
        self._checking = True
        self._say(_("checking…"), "-busy")
        pin, self._digits = self._digits, ""
        self._check(self.asked.claim_id, pin, self.app.tickets.fresh("pin"))

    @in_thread("pin")
    def _check(self, claim_id: str, pin: str, ticket: Event) -> None:
        try:
            self.app.operations.enter_pin(claim_id, pin)
        except KioskError as error:
            self.post_message(ActFailed("pin", refusal(error), ticket))

    @on(ActFailed)
    def refused(self, message: ActFailed) -> None:
        """The PIN could not even be checked."""
        if not message.is_stale:
            self._checking = False
            self._say(message.sentence, "-failed")

    def _show_digits(self) -> None:
        dots = " ".join("●" * len(self._digits))
        self.query_one("#digits", PlainText).show(dots or "·  ·  ·  ·  ·  ·", layout=False)

    def _say(self, sentence: str, tone: str) -> None:
        state = self.query_one("#state", PlainText)
        state.set_class(tone == "-failed", "-failed")
        state.set_class(tone == "-busy", "-busy")
        state.show(sentence)
