"""The record of every act, for those who may see it."""

from threading import Event
from time import perf_counter
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kiosk.audit import Record, Selection, record_fields
from kiosk.errors import KioskError
from kiosk.ui.acts import in_thread, relay
from kiosk.ui.messages import ActFailed, ChainChecked, RecordArrived, RecordsEnded
from kiosk.ui.screens.audit_day import AuditDayScreen
from kiosk.ui.screens.base import CSSPathType, SessionScreen
from kiosk.ui.widgets.audit_form import AuditPanel
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.row_table import RowTable
from kiosk.ui.widgets.transfer_bar import TransferBar
from kiosk.views.audit import (
    AUDIT_COLUMNS,
    FIELD_COLUMNS,
    audit_arriving_line,
    audit_cells,
    audit_found_line,
    person_of,
)
from kiosk.views.audit_form import AuditForm, selection_of
from kiosk.views.query import FormFault
from kiosk.views.refusals import refusal
from kiosk.views.text import joined, one_line
from kiosk.views.words import _

MOST = 1000
LEAST_WAIT = 0.05
CHAIN_LENGTH = 512
VALUE_LENGTH = 4096


class AuditScreen(SessionScreen):
    """Filters above, records newest first, the whole of the one under the cursor below; whether the chain is whole."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "audit.tcss"]
    AUTO_FOCUS = "#records"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", _("Back"), id="back"),
        Binding("slash,f10", "form", _("Filters"), key_display="/", id="audit-form"),
        Binding("d", "day", _("Person's day"), id="audit-day"),
        Binding("f5", "again", _("Newest"), id="audit-again"),
        Binding("f7", "back", _("Back"), show=False, id="audit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[str, Record] = {}
        self._fields: list[tuple[str, str]] = []
        self._is_flushing = False
        self._wait = LEAST_WAIT

    def body(self) -> ComposeResult:
        """Chain, filters, state, records, fields of one."""
        yield PlainText(_("Checking the chain…"), id="chain")
        yield AuditPanel()
        yield PlainText(id="state", classes="status")
        yield RowTable(AUDIT_COLUMNS, id="records", opens_on_click=False)
        yield RowTable(FIELD_COLUMNS, id="fields", openable=False)

    def on_mount(self) -> None:
        """Asks for the newest records, and has the chain checked."""
        self._search(Selection())
        self._check_chain(self.app.session_id, self.app.tickets.fresh("audit-chain"))

    @property
    def table(self) -> RowTable:
        """The records."""
        return self.query_one("#records", RowTable)

    @property
    def chosen(self) -> Record | None:
        """The record under the cursor."""
        return self._records.get(self.table.cursor_key or "")

    @on(AuditPanel.Submitted)
    def start_search(self, message: AuditPanel.Submitted) -> None:
        """Reads the filters and searches; the search before it is cancelled."""
        if self._start(message.form):
            self.table.focus()

    def _start(self, form: AuditForm) -> bool:
        selection = selection_of(form, self.app.clock.now().astimezone().date())
        panel = self.query_one(AuditPanel)
        if isinstance(selection, FormFault):
            panel.point_at(selection)
            self._say(selection.sentence, "-failed")
            return False
        panel.point_at(None)
        self._search(selection)
        return True

    def _search(self, selection: Selection) -> None:
        self._records = {}
        self.table.clear()
        self._show_fields()
        self._wait = LEAST_WAIT
        self._say(_("Reading the record…"), "-busy")
        self._read(self.app.session_id, selection, self.app.tickets.fresh("audit"))

    @in_thread("audit")
    def _read(self, session_id: str, selection: Selection, ticket: Event) -> None:
        try:
            stream = self.app.operations.read_audit(session_id, selection, MOST, ticket)
            found = relay(stream, lambda record: self.post_message(RecordArrived(record, ticket)))
        except KioskError as error:
            self.post_message(ActFailed("audit", refusal(error), ticket))
        else:
            self.post_message(RecordsEnded(found, ticket))

    @in_thread("audit-chain")
    def _check_chain(self, session_id: str, ticket: Event) -> None:
        try:
            state = self.app.operations.verify_audit(session_id, ticket)
        except KioskError as error:
            self.post_message(ActFailed("audit-chain", refusal(error), ticket))
        else:
            self.post_message(ChainChecked(state, ticket))

    @on(RecordArrived)
    def keep_record(self, message: RecordArrived) -> None:
        """Rows are put on in batches."""
        if message.is_stale:
            return
        self._records[str(message.record.sequence)] = message.record
        if not self._is_flushing:
            self._is_flushing = True
            self.set_timer(self._wait, self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        started = perf_counter()
        self._show_rows()
        if self.app.tickets.is_running("audit"):
            self._say(audit_arriving_line(len(self._records)), "-busy")
        self._wait = max(LEAST_WAIT, 5 * (perf_counter() - started))

    @on(RecordsEnded)
    def finish_search(self, message: RecordsEnded) -> None:
        """All that match are here."""
        if message.is_stale:
            return
        self.app.tickets.done("audit", message.ticket)
        self._show_rows()
        self._say(audit_found_line(message.found))

    @on(ChainChecked)
    def show_chain(self, message: ChainChecked) -> None:
        """Whether the chain is whole, and how far it is signed for."""
        if not message.is_stale:
            self.app.tickets.done("audit-chain", message.ticket)
            self._show_chain(message.state.sentence, whole=message.state.whole)

    @on(ActFailed)
    def fail(self, message: ActFailed) -> None:
        """Says why there is no more."""
        if message.is_stale:
            return
        self.app.tickets.done(message.act, message.ticket)
        if message.act == "audit-chain":
            self._show_chain(message.sentence, whole=False)
        else:
            self._say(message.sentence, "-failed")

    def _show_chain(self, sentence: str, *, whole: bool) -> None:
        chain = self.query_one("#chain", PlainText)
        chain.set_class(whole, "-whole")
        chain.set_class(not whole, "-broken")
        chain.show(one_line(sentence, CHAIN_LENGTH))

    def _show_rows(self) -> None:
        self.table.show(list(self._records), lambda key: audit_cells(self._records[key]))

    @on(RowTable.Highlighted, "#records")
    def _show_fields(self) -> None:
        chosen = self.chosen
        self._fields = [] if chosen is None else list(record_fields(chosen))
        table = self.query_one("#fields", RowTable)
        table.clear()
        table.show([str(place) for place in range(len(self._fields))], self._field_cells)

    def _field_cells(self, key: str) -> tuple[str, ...]:
        name, text = self._fields[int(key)]
        indent = " " * (len(name) - len(name.lstrip()))
        return indent + one_line(name), one_line(text, VALUE_LENGTH)

    @on(RowTable.Opened, "#records")
    def go_to_fields(self) -> None:
        """To the fields of the record, to read on below what fits."""
        self.query_one("#fields", RowTable).focus()

    def _say(self, sentence: str, tone: str = "") -> None:
        state = self.query_one("#state", PlainText)
        state.set_class(tone == "-failed", "-failed")
        state.set_class(tone == "-busy", "-busy")
        state.show(joined(sentence))

    def action_form(self) -> None:
        """Goes to the filters."""
        self.query_one("#person").focus()

    def action_again(self) -> None:
        """Asks again with the same filters: what happened since comes first."""
        self._start(self.query_one(AuditPanel).form)

    def action_day(self) -> None:
        """What the person of this record did that day."""
        chosen = self.chosen
        person = "" if chosen is None else person_of(chosen)
        if chosen is not None and person:
            self.app.push_screen(AuditDayScreen(person, chosen.time.astimezone().date()))

    def action_back(self) -> None:
        """From filters and fields to the records, from the records back; what runs is cancelled."""
        if not self.table.has_focus:
            self.table.focus()
            return
        self.app.tickets.cancel("audit")
        self.app.tickets.cancel("audit-chain")
        self.dismiss()

    @on(TransferBar.Left)
    def back_to_rows(self) -> None:
        """The transfer bar gives the focus back."""
        self.table.focus()
