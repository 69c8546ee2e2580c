"""The question before a push."""

from threading import Event
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button
from textual.worker import Worker

from kiosk.errors import KioskError
from kiosk.operations.operations import Destination, PushRequest
from kiosk.ui.acts import in_thread
from kiosk.ui.host import Host
from kiosk.ui.messages import ActFailed, DestinationsArrived, PushesQueued, PushQueued
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.press import Press
from kiosk.ui.widgets.row_table import RowTable
from kiosk.views.push import (
    DESTINATION_COLUMNS,
    PushPlan,
    destination_cells,
    patient_lines,
    push_question,
    queued_line,
)
from kiosk.views.refusals import refusal
from kiosk.views.words import _


class PushScreen(ModalScreen[bool], inherit_bindings=False):
    """Names patients, destinations and amount; True when pushes are in the outbox.

    Without a mark the highlighted destination is meant, else those that are marked. What is in the outbox already when
    something goes wrong is not put there again by another try.
    """

    ALLOW_SELECT: ClassVar[bool] = False
    CSS_PATH = "push.tcss"
    AUTO_FOCUS = "#destinations"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "refuse", _("Do not push"), id="push-no"),
        Binding("tab", "app.focus_next", _("Next"), show=False, id="focus-next"),
        Binding("shift+tab", "app.focus_previous", _("Previous"), show=False, id="focus-previous"),
    ]
    app = getters.app(Host)

    def __init__(self, plan: PushPlan) -> None:
        super().__init__()
        self._plan = plan
        self._destinations: dict[str, Destination] = {}
        self._queued: list[PushRequest] = []

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """These messages do not bubble."""
        self.app.check_worker(event)

    def compose(self) -> ComposeResult:
        """Who, how much, whereto, yes or no."""
        with Vertical(id="box"):
            yield PlainText(id="question")
            yield PlainText("\n".join(patient_lines(self._plan)), id="patients")
            yield RowTable(DESTINATION_COLUMNS, id="destinations", markable=True, opens_on_click=False)
            yield PlainText(_("Asking where this may go…"), id="state")
            with Horizontal(id="answers"):
                yield Press(_("Push  (Enter)"), id="yes")
                yield Press(_("Do not push  (Esc)"), id="no")

    def on_mount(self) -> None:
        """Asks where this person may push to."""
        self.query_one("#question", PlainText).show(push_question(self._plan))
        self._load(self.app.session_id, self.app.tickets.fresh("destinations"))

    @in_thread("destinations")
    def _load(self, session_id: str, ticket: Event) -> None:
        try:
            destinations = self.app.operations.destinations(session_id)
        except KioskError as error:
            self.post_message(ActFailed("destinations", refusal(error), ticket))
        else:
            self.post_message(DestinationsArrived(destinations, ticket))

    @on(DestinationsArrived)
    def show_destinations(self, message: DestinationsArrived) -> None:
        """Offers them; the first is highlighted."""
        if message.is_stale:
            return
        self._destinations = {destination.name: destination for destination in message.destinations}
        self.query_one(RowTable).show(list(self._destinations), lambda key: destination_cells(self._destinations[key]))
        if not self._destinations:
            self._say(_("There is nowhere that you may push to."), False)
        else:
            self._say(_("Space marks several destinations.") if len(self._destinations) > 1 else "", True)

    @on(ActFailed)
    def fail(self, message: ActFailed) -> None:
        """Says why not; the question stays for another try."""
        if not message.is_stale:
            self.app.tickets.done(message.act, message.ticket)
            queued = queued_line(len(self._queued), len(self._queued) + len(self._wanted))
            self._say(f"{message.sentence} {queued}".rstrip(), False)

    def _say(self, sentence: str, well: bool) -> None:
        state = self.query_one("#state", PlainText)
        state.set_class(not well, "-failed")
        state.show(sentence)

    @property
    def _chosen(self) -> tuple[Destination, ...]:
        table = self.query_one(RowTable)
        keys = [key for key in table.keys if key in table.marks] or [table.cursor_key or ""]
        return tuple(self._destinations[key] for key in keys if key in self._destinations)

    @property
    def _wanted(self) -> tuple[PushRequest, ...]:
        return tuple(request for request in self._plan.requests(*self._chosen) if request not in self._queued)

    @on(RowTable.Highlighted)
    @on(RowTable.Marked)
    def name_destinations(self) -> None:
        """The question names what would happen."""
        self.query_one("#question", PlainText).show(push_question(self._plan, *self._chosen))

    @on(RowTable.Opened)
    @on(Button.Pressed, "#yes")
    def accept(self) -> None:
        """Enter on a destination, or the button."""
        wanted = self._wanted
        if self._queued and not wanted:
            self.dismiss(True)
        elif wanted and not self.app.tickets.is_running("push"):
            self._say(_("Putting it into the outbox…"), True)
            self._push(self.app.session_id, wanted, self.app.tickets.fresh("push"))

    @on(Button.Pressed, "#no")
    def action_refuse(self) -> None:
        """Nothing more is pushed."""
        self.dismiss(bool(self._queued))

    @in_thread("push")
    def _push(self, session_id: str, requests: tuple[PushRequest, ...], ticket: Event) -> None:
        try:
            for request in requests:
                if ticket.is_set():
                    return
                self.app.operations.push(session_id, request)
                self.post_message(PushQueued(request, ticket))
        except KioskError as error:
            self.post_message(ActFailed("push", refusal(error), ticket))
        else:
            self.post_message(PushesQueued(ticket))

    @on(PushQueued)
    def note(self, message: PushQueued) -> None:
        """It is not put there again."""
        self._queued.append(message.request)

    @on(PushesQueued)
    def close(self, message: PushesQueued) -> None:
        """The transfer bar takes over."""
        if not message.is_stale:
            self.app.tickets.done("push", message.ticket)
            self.dismiss(True)
