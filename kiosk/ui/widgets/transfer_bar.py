"""The pushes of this session in two lines at the bottom of every session screen."""

from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message

from kiosk.operations.facts import TransferProgress, TransferState
from kiosk.ui.host import Host
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.text import joined
from kiosk.views.transfers import (
    done_share,
    failures_line,
    may_cancel,
    may_retry,
    most_pressing,
    transfer_line,
    transfer_subject,
)
from kiosk.views.words import _, plural

BAR_CELLS = 12


class TransferBar(Vertical, can_focus=True, inherit_bindings=False):
    """Hidden while there is nothing to tell. It takes the focus when a push starts, so that Esc stops it at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", _("Stop transfer"), id="bar-cancel"),
        Binding("up,down,pageup,pagedown,home,end,enter", "leave", _("Back to the list"), show=False, id="bar-leave"),
    ]
    DEFAULT_CSS = """
    TransferBar {
        height: auto;
        display: none;
        background: $panel;
        color: $foreground;
        border-left: outer $primary;
        PlainText { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #hint { color: $muted; }
        &.-shown { display: block; }
        &.-failed { border-left: outer $error; }
        &.-failed #hint { color: $error; text-style: bold; }
        &.-done { border-left: outer $success; }
        &:focus { background: $raised; }
        &:focus #hint { color: $accent; }
    }
    """
    app = getters.app(Host)

    class Left(Message):
        """The person wants the list back."""

    def compose(self) -> ComposeResult:
        """Progress, and what can be done about it."""
        yield PlainText(id="progress")
        yield PlainText(id="hint")

    def on_mount(self) -> None:
        """Follows the app's transfers."""
        self.watch(self.app, "transfers", self._show)

    @property
    def transfer(self) -> TransferProgress | None:
        """The one that the bar shows."""
        return most_pressing(self.app.transfers)

    def catch_up(self) -> None:
        """Shows what the app says now: while another screen lies above, this one does not follow."""
        self._show(self.app.transfers)

    def _show(self, transfers: tuple[TransferProgress, ...]) -> None:
        if self.app.screen is not self.screen:
            return
        transfer = most_pressing(transfers)
        self.set_class(transfer is not None, "-shown")
        if transfer is None:
            self.query_one("#progress", PlainText).show("", layout=False)
            self.query_one("#hint", PlainText).show("", layout=False)
            return
        failed = bool(transfer.instances_failed) or transfer.state is TransferState.FAILED
        self.set_class(failed, "-failed")
        self.set_class(not failed and transfer.state.is_done, "-done")
        filled = round(done_share(transfer) * BAR_CELLS)
        share = "█" * filled + "░" * (BAR_CELLS - filled)
        self.query_one("#progress", PlainText).show(f"{share} {transfer_line(transfer)}", layout=False)
        self.query_one("#hint", PlainText).show(self._hint(transfer, len(transfers)), layout=False)
        if transfer.state.is_final and self.has_focus:
            self.action_leave()

    def _hint(self, transfer: TransferProgress, count: int) -> str:
        keys = joined(
            _("x or Esc here stops it") if may_cancel(transfer) else "",
            _("r retries") if may_retry(transfer) else "",
            plural("F8 lists {count} transfer", "F8 lists {count} transfers", count),
        )
        failures = failures_line(transfer) or transfer_subject(transfer)
        room = self.size.width - cell_len(keys) - 4
        if cell_len(failures) > room > 8:
            # The reason is at the end, the UID before it: what is cut away is the middle of the UID.
            failures = f"{failures[: max(0, room - 61)]}…{failures[-60:]}"
        return joined(failures, keys)

    def take_focus(self) -> None:
        """Takes the focus while there is something that Esc could stop."""
        if self.transfer is not None and may_cancel(self.transfer):
            self.focus()

    def action_cancel(self) -> None:
        """Stops the transfer that is shown."""
        transfer = self.transfer
        if transfer is not None and may_cancel(transfer):
            self.app.courier.send(partial(self.app.operations.cancel_push, self.app.session_id, transfer.job_id))
            self.action_leave()

    def action_retry(self) -> None:
        """Sends again what failed or was stopped."""
        transfer = self.transfer
        if transfer is not None and may_retry(transfer):
            self.app.courier.send(partial(self.app.operations.retry_push, self.app.session_id, transfer.job_id))

    def action_leave(self) -> None:
        """Gives the focus back."""
        if self.has_focus:
            self.post_message(self.Left())
