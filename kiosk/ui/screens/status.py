"""How the kiosk stands, for anybody at the lock screen: the trail, and where it is delivered to."""

from datetime import datetime
from threading import Event
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.worker import Worker

from kiosk.audit.forward import SinkStatus
from kiosk.errors import KioskError
from kiosk.operations.status import KioskStatus
from kiosk.ui.acts import in_thread
from kiosk.ui.host import Host
from kiosk.ui.messages import ActFailed, StatusSeen
from kiosk.ui.widgets.key_bar import KeyBar
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.refusals import refusal
from kiosk.views.status import no_sinks_line, service_line, sink_lines, sink_title, trail_facts
from kiosk.views.text import joined, one_line
from kiosk.views.words import _
from readers.text import cell_width

EVERY = 3.0
STAYS = 120.0
"""Seconds after which the lock screen is back."""
GROUP = "status"


class StatusScreen(Screen[None], inherit_bindings=False):
    """Names no person and no patient. What it shows is read anew every few seconds, in a thread; a tap takes it off."""

    ALLOW_SELECT: ClassVar[bool] = False
    CSS_PATH = "status.tcss"
    AUTO_FOCUS = "#all"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,s", "back", _("Back"), key_display="Esc", id="status-back"),
    ]
    app = getters.app(Host)

    def compose(self) -> ComposeResult:
        """Whose status, then trail and sinks."""
        station = self.app.station
        yield PlainText(joined(_("Status"), one_line(station.name), one_line(station.site)), id="title")
        with VerticalScroll(id="all"):
            yield PlainText(_("Looking…"), id="service")
            yield _panel("trail", _("Audit trail"))
            yield _panel("faults", _("Not delivered"))
            yield _panel("sinks", _("Delivery"))
        yield KeyBar()

    def on_mount(self) -> None:
        """Looks at once, and again."""
        self.set_timer(STAYS, self.action_back)
        self.set_interval(EVERY, self._look_again)
        self._look_again()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """These messages do not bubble."""
        self.app.check_worker(event)

    def _look_again(self) -> None:
        if not self.app.tickets.is_running(GROUP):
            self._look(self.app.tickets.fresh(GROUP))

    @in_thread(GROUP)
    def _look(self, ticket: Event) -> None:
        try:
            status = self.app.operations.status()
        except KioskError as error:
            self.post_message(ActFailed(GROUP, refusal(error), ticket))
        else:
            self.post_message(StatusSeen(status, ticket))

    @on(StatusSeen)
    def show_status(self, message: StatusSeen) -> None:
        """Everything anew."""
        if not message.is_stale:
            self.app.tickets.done(GROUP, message.ticket)
            self._show(message.status)

    @on(ActFailed)
    def show_failure(self, message: ActFailed) -> None:
        """It could not be asked."""
        if not message.is_stale:
            self.app.tickets.done(GROUP, message.ticket)
            self.query_one("#service", PlainText).show(message.sentence)

    def _show(self, status: KioskStatus) -> None:
        self.set_class(bool(status.out_of_service), "-out")
        self.set_class(status.sight is None, "-unread")
        sinks = status.sight.sinks if status.sight else ()
        failing = "\n\n".join(_block(sink, status.time) for sink in sinks if sink.fault)
        well = "\n\n".join(_block(sink, status.time) for sink in sinks if not sink.fault)
        self.query_one("#service", PlainText).show(service_line(status))
        self._fill("trail", "\n".join(_aligned(trail_facts(status))))
        self._fill("faults", failing)
        self._fill("sinks", well if sinks or status.sight is None else no_sinks_line())

    def _fill(self, panel: str, text: str) -> None:
        found = self.query_one(f"#{panel}", PlainText)
        found.show(text)
        found.display = bool(text)

    def action_back(self) -> None:
        """To the lock screen."""
        self.app.tickets.cancel(GROUP)
        self.dismiss()


def _panel(name: str, title: str) -> PlainText:
    panel = PlainText(id=name, classes="panel")
    panel.border_title = title
    panel.display = False
    return panel


def _aligned(facts: tuple[tuple[str, str], ...]) -> list[str]:
    width = max(cell_width(name) for name, _text in facts)
    return [f"{name}{' ' * (width - cell_width(name))}   {text}" if name else text for name, text in facts]


def _block(sink: SinkStatus, now: datetime) -> str:
    return "\n".join((sink_title(sink), *sink_lines(sink, now)))
