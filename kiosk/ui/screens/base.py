"""What all screens share: no default key leads anywhere, and every screen can explain its keys."""

from pathlib import PurePath
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import Worker

from kiosk.ui.host import Host
from kiosk.ui.screens.help import HelpScreen
from kiosk.ui.widgets.key_bar import KeyBar
from kiosk.ui.widgets.session_bar import SessionBar
from kiosk.ui.widgets.transfer_bar import TransferBar
from kiosk.views.words import _

# Textual names this type in a private module only.
CSSPathType = str | PurePath | list[str | PurePath]

FOCUS_KEYS: list[BindingType] = [
    Binding("tab", "app.focus_next", _("Next"), show=False, id="focus-next"),
    Binding("shift+tab", "app.focus_previous", _("Previous"), show=False, id="focus-previous"),
]


class SessionScreen(Screen[None], inherit_bindings=False):
    """A screen of an open session: bar above, transfers and keys below. Subclasses compose `body`."""

    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *FOCUS_KEYS,
        Binding("x", "cancel_transfer", _("Stop transfer"), show=False, id="cancel-transfer"),
        Binding("r", "retry_transfer", _("Retry transfer"), show=False, id="retry-transfer"),
        Binding("f8", "transfers", _("Transfers"), id="transfers"),
        Binding("f12", "sign_out", _("Sign out"), id="sign-out"),
        Binding("question_mark,f9", "help", _("Keys"), key_display="?", id="help"),
    ]
    app = getters.app(Host)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """These messages do not bubble."""
        self.app.check_worker(event)

    def compose(self) -> ComposeResult:
        """The frame around `body`."""
        yield SessionBar()
        yield from self.body()
        yield TransferBar()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """The bars did not follow while another screen lay above."""
        for session_bar in self.query(SessionBar):
            session_bar.catch_up()
        for transfer_bar in self.query(TransferBar):
            transfer_bar.catch_up()

    def body(self) -> ComposeResult:
        """What the screen is about."""
        raise NotImplementedError

    def action_cancel_transfer(self) -> None:
        """Stops the transfer that the bar shows."""
        self.query_one(TransferBar).action_cancel()

    def action_retry_transfer(self) -> None:
        """Sends again what the bar says has failed."""
        self.query_one(TransferBar).action_retry()

    def action_transfers(self) -> None:
        """Lists the transfers."""
        self.app.show_transfers()

    def action_sign_out(self) -> None:
        """Ends the session."""
        self.app.give_up_session()

    def action_help(self) -> None:
        """Shows the keys of this screen."""
        self.app.push_screen(HelpScreen(self.active_bindings.values()))
