"""A person's day on record, session by session."""

from datetime import date
from threading import Event
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kiosk.audit import Record, Selection
from kiosk.errors import KioskError
from kiosk.ui.acts import in_thread, relay
from kiosk.ui.messages import ActFailed, RecordArrived, RecordsEnded
from kiosk.ui.screens.base import CSSPathType, SessionScreen
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.row_table import RowTable
from kiosk.ui.widgets.transfer_bar import TransferBar
from kiosk.views.audit import DAY_COLUMNS, day_rows, day_title, unread_line
from kiosk.views.audit_form import AuditForm, selection_of
from kiosk.views.query import FormFault
from kiosk.views.refusals import refusal
from kiosk.views.text import joined
from kiosk.views.words import _

MOST = 5000


class AuditDayScreen(SessionScreen):
    """What one person did that day: each session with its acts, how long they took and how they ended."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "audit_day.tcss"]
    AUTO_FOCUS = "#day"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", _("Back"), id="back"),
        Binding("d", "back", _("Back"), show=False, id="audit-day-close"),
    ]

    def __init__(self, person: str, day: date) -> None:
        super().__init__()
        self._person = person
        self._day = day
        self._records: list[Record] = []
        self._rows: tuple[tuple[str, ...], ...] = ()

    def body(self) -> ComposeResult:
        """Whose day, the sum of it, its rows."""
        yield PlainText(day_title(self._person, self._day), id="title", classes="status")
        yield PlainText(_("Reading the record…"), id="state", classes="status -busy")
        yield RowTable(DAY_COLUMNS, id="day", openable=False)

    def on_mount(self) -> None:
        """Asks for the records of that day."""
        form = AuditForm(person=self._person, day=self._day.isoformat())
        selection = selection_of(form, self._day)
        if not isinstance(selection, FormFault):
            self._read(self.app.session_id, selection, self.app.tickets.fresh("audit-day"))

    @in_thread("audit-day")
    def _read(self, session_id: str, selection: Selection, ticket: Event) -> None:
        try:
            stream = self.app.operations.read_audit(session_id, selection, MOST, ticket, newest_first=False)
            found = relay(stream, lambda record: self.post_message(RecordArrived(record, ticket)))
        except KioskError as error:
            self.post_message(ActFailed("audit-day", refusal(error), ticket))
        else:
            self.post_message(RecordsEnded(found, ticket))

    @on(RecordArrived)
    def keep_record(self, message: RecordArrived) -> None:
        """They are put together when all of them are here."""
        if not message.is_stale:
            self._records.append(message.record)

    @on(RecordsEnded)
    def finish(self, message: RecordsEnded) -> None:
        """All of them are here."""
        if message.is_stale:
            return
        self.app.tickets.done("audit-day", message.ticket)
        self._rows, said = day_rows(self._records)
        self.query_one("#day", RowTable).show([str(place) for place in range(len(self._rows))], self._cells)
        more = _("Only the first of that day: there are more.") if message.found.more else ""
        self._say(joined(said, more, unread_line(message.found)))

    @on(ActFailed)
    def fail(self, message: ActFailed) -> None:
        """Says why there is no more."""
        if not message.is_stale:
            self.app.tickets.done("audit-day", message.ticket)
            self._say(message.sentence, failed=True)

    def _cells(self, key: str) -> tuple[str, ...]:
        return self._rows[int(key)]

    def _say(self, sentence: str, *, failed: bool = False) -> None:
        state = self.query_one("#state", PlainText)
        state.set_class(failed, "-failed")
        state.set_class(False, "-busy")
        state.show(sentence)

    def action_back(self) -> None:
        """Back to the records."""
        self.app.tickets.cancel("audit-day")
        self.dismiss()

    @on(TransferBar.Left)
    def back_to_rows(self) -> None:
        """The transfer bar gives the focus back."""
        self.query_one("#day", RowTable).focus()
