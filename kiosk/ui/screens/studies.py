"""The query and its answer."""

from threading import Event
from time import perf_counter
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from kiosk.errors import KioskError
from kiosk.imaging.studies.model import Study, StudyQuery
from kiosk.ui.acts import in_thread, relay
from kiosk.ui.messages import ActFailed, QueryEnded, StudyArrived
from kiosk.ui.screens.audit import AuditScreen
from kiosk.ui.screens.base import CSSPathType, SessionScreen
from kiosk.ui.screens.push import PushScreen
from kiosk.ui.screens.study import StudyScreen
from kiosk.ui.widgets.patient_banner import PatientBanner
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.query_form import QueryPanel
from kiosk.ui.widgets.row_table import RowTable
from kiosk.ui.widgets.transfer_bar import TransferBar
from kiosk.views.audit import may_query, may_see_audit
from kiosk.views.columns import SortOrder
from kiosk.views.push import PushPlan
from kiosk.views.query import FormFault, next_page, study_query
from kiosk.views.refusals import refusal
from kiosk.views.studies import (
    FIRST_DESCENDING,
    NEWEST_FIRST,
    STUDY_COLUMNS,
    arriving_line,
    found_line,
    in_order,
    study_cells,
)
from kiosk.views.text import joined
from kiosk.views.words import _, plural

LEAST_WAIT = 0.05


class StudiesScreen(SessionScreen):
    """Form above, rows below as they come; the patient of the row under the cursor between rows and transfers."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "studies.tcss"]
    AUTO_FOCUS = "#patient_name"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", _("Stop query"), id="query-stop"),
        Binding("p", "push", _("Push"), id="push"),
        Binding("s", "sort_next", _("Sort by"), id="sort-next"),
        Binding("S", "sort_turn", _("Turn order"), id="sort-turn", show=False),
        Binding("m", "more", _("More"), id="query-more"),
        Binding("slash,f10", "form", _("Query form"), key_display="/", id="query-form"),
        Binding("f7", "audit", _("Audit trail"), id="audit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._studies: dict[str, Study] = {}
        self._order = NEWEST_FIRST
        self._is_flushing = False
        self._wait = LEAST_WAIT
        self._state = _("Fill in what you know and press Enter.")
        self._asked: StudyQuery | None = None
        self._more: StudyQuery | None = None

    def on_mount(self) -> None:
        """Whoever may not query is told what they may do instead."""
        session = self.app.session
        if session is not None and may_see_audit(session) and not may_query(session):
            self._say(_("Press F7 for the audit trail."))

    def body(self) -> ComposeResult:
        """Form, state, rows, patient."""
        yield QueryPanel()
        yield PlainText(self._state, id="state", classes="status")
        yield RowTable(STUDY_COLUMNS, id="studies", markable=True)
        yield PatientBanner()

    @property
    def table(self) -> RowTable:
        """The rows."""
        return self.query_one("#studies", RowTable)

    @on(QueryPanel.Submitted)
    def start_query(self, message: QueryPanel.Submitted) -> None:
        """Reads the form and asks the archive; the query before it is cancelled."""
        query = study_query(message.form, self.app.clock.now().astimezone().date())
        panel = self.query_one(QueryPanel)
        if isinstance(query, FormFault):
            panel.point_at(query)
            self._say(query.sentence, "-failed")
            return
        panel.point_at(None)
        self._studies = {}
        self.table.clear()
        self.table.focus()
        self._ask(query)

    def action_more(self) -> None:
        """The same query for one page more; the rows stay while they come again."""
        if self._more is not None:
            self._ask(self._more)

    def _ask(self, query: StudyQuery) -> None:
        self._asked, self._more = query, None
        self._wait = LEAST_WAIT
        self._say(_("Asking the archive…"), "-busy")
        self.refresh_bindings()
        self._query(self.app.session_id, query, self.app.tickets.fresh("query"))

    @in_thread("query")
    def _query(self, session_id: str, query: StudyQuery, ticket: Event) -> None:
        stream = self.app.operations.query(session_id, query, ticket)
        try:
            found = relay(stream, lambda study: self.post_message(StudyArrived(study, ticket)))
        except KioskError as error:
            self.post_message(ActFailed("query", refusal(error), ticket))
        else:
            self.post_message(QueryEnded(found, ticket))

    @on(StudyArrived)
    def keep_study(self, message: StudyArrived) -> None:
        """Rows are put on in batches, so that a fast archive does not stall the keys."""
        if message.is_stale:
            return
        self._studies[message.study.study_instance_uid] = message.study
        if not self._is_flushing:
            self._is_flushing = True
            self.set_timer(self._wait, self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        started = perf_counter()
        self._show_rows()
        if self.app.tickets.is_running("query"):
            self._say(arriving_line(len(self._studies)), "-busy")
        # A fifth of the time for painting rows, the rest for the person.
        self._wait = max(LEAST_WAIT, 5 * (perf_counter() - started))

    @on(QueryEnded)
    def finish_query(self, message: QueryEnded) -> None:
        """All rows are here."""
        if message.is_stale:
            return
        self.app.tickets.done("query", message.ticket)
        self._show_rows()
        self._say(found_line(message.found))
        if message.found.more and self._asked is not None:
            self._more = next_page(self._asked)
            self.refresh_bindings()
        if not self._studies and self.table.has_focus:
            self.action_form()

    @on(ActFailed)
    def fail_query(self, message: ActFailed) -> None:
        """The archive said no, or nothing; what came stays."""
        if message.is_stale:
            return
        self.app.tickets.done("query", message.ticket)
        self._say(message.sentence, "-failed")

    def _show_rows(self) -> None:
        rows = in_order(self._studies.values(), self._order)
        self.table.show([study.study_instance_uid for study in rows], self._cells, self._order)

    def _cells(self, key: str) -> tuple[str, ...]:
        return study_cells(self._studies[key])

    def _say(self, sentence: str, tone: str = "") -> None:
        self._state = sentence
        state = self.query_one("#state", PlainText)
        state.set_class(tone == "-failed", "-failed")
        state.set_class(tone == "-busy", "-busy")
        marked = len(self.table.marks)
        chosen = plural("{count} selected", "{count} selected", marked) if marked else ""
        state.show(joined(sentence, chosen))

    @on(RowTable.Highlighted)
    def show_patient(self, message: RowTable.Highlighted) -> None:
        """The patient of the row under the cursor."""
        study = self._studies.get(message.key or "")
        self.query_one(PatientBanner).show(None if study is None else study.patient)

    @on(RowTable.Marked)
    def count_marks(self) -> None:
        """Says how many are selected."""
        self._say(self._state)

    @on(RowTable.HeaderPressed)
    def sort_by(self, message: RowTable.HeaderPressed) -> None:
        """A click on a header."""
        self._sort(self._order.pressed(message.key or self._order.column, FIRST_DESCENDING))

    def _sort(self, order: SortOrder) -> None:
        self._order = order
        self._show_rows()

    def action_sort_next(self) -> None:
        """Sorts by the next column."""
        keys = [column.key for column in STUDY_COLUMNS]
        self._sort(self._order.pressed(keys[(keys.index(self._order.column) + 1) % len(keys)], FIRST_DESCENDING))

    def action_sort_turn(self) -> None:
        """Turns the order round."""
        self._sort(self._order.pressed(self._order.column, FIRST_DESCENDING))

    @on(RowTable.Opened)
    def open_study(self, message: RowTable.Opened) -> None:
        """Opens the study on its own screen."""
        study = self._studies.get(message.key or "")
        if study is not None:
            self.app.push_screen(StudyScreen(study))

    def action_stop(self) -> None:
        """Cancels a running query; with none running goes back to the form."""
        if self.app.tickets.cancel("query"):
            self._show_rows()
            self._say(joined(_("Cancelled."), arriving_line(len(self._studies))))
        else:
            self.action_form()

    def action_form(self) -> None:
        """Goes to the form."""
        self.query_one("#patient_name").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The audit trail is there for those who may see it, more where there is more."""
        session = self.app.session
        if action == "more":
            return self._more is not None
        return action != "audit" or (session is not None and may_see_audit(session))

    def action_audit(self) -> None:
        """Opens the audit trail."""
        self.app.push_screen(AuditScreen())

    def action_push(self) -> None:
        """Asks whereto with the selected studies, or the one under the cursor."""
        keys = [key for key in self.table.keys if key in self.table.marks]
        if not keys and self.table.cursor_key is not None:
            keys = [self.table.cursor_key]
        if keys:
            self.app.push_screen(PushScreen(PushPlan(tuple(self._studies[key] for key in keys))), self._pushed)

    def _pushed(self, pushed: bool | None) -> None:
        if pushed:
            self.table.marks = frozenset()
            self._say(self._state)
            self.query_one(TransferBar).take_focus()

    @on(TransferBar.Left)
    def back_to_rows(self) -> None:
        """The transfer bar gives the focus back."""
        self.table.focus()
