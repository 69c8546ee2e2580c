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
from kiosk.ui.messages import ActFailed, DestinationsArrived, PushesQueued
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.press import Press
from kiosk.ui.widgets.row_table import RowTable
from kiosk.views.push import DESTINATION_COLUMNS, PushPlan, destination_cells, patient_lines, push_question
from kiosk.views.refusals import refusal
from kiosk.views.words import _


class PushScreen(ModalScreen[bool], inherit_bindings=False):
    """Names patients, destination and amount; True when the pushes are in the outbox."""

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

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """These messages do not bubble."""
        self.app.check_worker(event)

    def compose(self) -> ComposeResult:
        """Who, how much, whereto, yes or no."""
        with Vertical(id="box"):
            yield PlainText(id="question")
            yield PlainText("\n".join(patient_lines(self._plan)), id="patients")
            yield RowTable(DESTINATION_COLUMNS, id="destinations", opens_on_click=False)
            yield PlainText(_("Asking where this may go…"), id="state")
            with Horizontal(id="answers"):
                yield Press(_("Push  (Enter)"), id="yes")
                yield Press(_("Do not push  (Esc)"), id="no")

    def on_mount(self) -> None:
        """Asks where this person may push to."""
        self.query_one("#question", PlainText).show(push_question(self._plan, None))
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
        self._say("" if self._destinations else _("There is nowhere that you may push to."), bool(self._destinations))

    @on(ActFailed)
    def fail(self, message: ActFailed) -> None:
        """Says why not; the question stays for another try."""
        if not message.is_stale:
            self.app.tickets.done(message.act, message.ticket)
            self._say(message.sentence, False)

    def _say(self, sentence: str, well: bool) -> None:
        state = self.query_one("#state", PlainText)
        state.set_class(not well, "-failed")
        state.show(sentence)

    @property
    def _chosen(self) -> Destination | None:
        return self._destinations.get(self.query_one(RowTable).cursor_key or "")

    @on(RowTable.Highlighted)
    def name_destination(self) -> None:
        """The question names what would happen."""
        self.query_one("#question", PlainText).show(push_question(self._plan, self._chosen))

    @on(RowTable.Opened)
    def accept_row(self) -> None:
        """Enter on a destination."""
        self._push_to(self._chosen)

    @on(Button.Pressed, "#yes")
    def accept(self) -> None:
        """The button."""
        self._push_to(self._chosen)

    @on(Button.Pressed, "#no")
    def action_refuse(self) -> None:
        """Nothing is pushed."""
        self.dismiss(False)

    def _push_to(self, destination: Destination | None) -> None:
        if destination is None or self.app.tickets.is_running("push"):
            return
        self._say(_("Putting it into the outbox…"), True)
        self._push(self.app.session_id, self._plan.requests(destination), self.app.tickets.fresh("push"))

    @in_thread("push")
    def _push(self, session_id: str, requests: tuple[PushRequest, ...], ticket: Event) -> None:
        try:
            for request in requests:
                if ticket.is_set():
                    return
                self.app.operations.push(session_id, request)
        except KioskError as error:
            self.post_message(ActFailed("push", refusal(error), ticket))
        else:
            self.post_message(PushesQueued(len(requests), ticket))

    @on(PushesQueued)
    def close(self, message: PushesQueued) -> None:
        """The transfer bar takes over."""
        if not message.is_stale:
            self.app.tickets.done("push", message.ticket)
            self.dismiss(True)
