"""The data elements of one instance."""

from threading import Event
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from kiosk.errors import KioskError
from kiosk.imaging.studies.model import Instance, Study, TagRow
from kiosk.ui.acts import in_thread, relay
from kiosk.ui.messages import ActFailed, TagArrived, TagsEnded
from kiosk.ui.screens.base import CSSPathType, SessionScreen
from kiosk.ui.widgets.field import Field
from kiosk.ui.widgets.patient_banner import PatientBanner
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.row_table import RowTable
from kiosk.ui.widgets.transfer_bar import TransferBar
from kiosk.views.refusals import refusal
from kiosk.views.tags import TAG_COLUMNS, matching, tag_cells, tag_line
from kiosk.views.text import joined
from kiosk.views.words import _, plural

FLUSH_SECONDS = 0.1


class TagsScreen(SessionScreen):
    """A tree-like table with a search; the element under the cursor is shown whole below."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "tags.tcss"]
    AUTO_FOCUS = "#tags"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", _("Back"), id="back"),
        Binding("slash,f10", "search", _("Search"), key_display="/", id="tags-search"),
        Binding("t", "back", _("Back"), show=False, id="tags-close"),
    ]

    def __init__(self, study: Study, instance: Instance, about: str) -> None:
        super().__init__()
        self._study = study
        self._instance = instance
        self._about = about
        self._rows: list[TagRow] = []
        self._shown: list[TagRow] = []
        self._is_flushing = False

    def body(self) -> ComposeResult:
        """Patient, search, elements, the whole of one."""
        yield PatientBanner(self._study.patient)
        yield PlainText(self._about, id="state", classes="status")
        yield Field(_("search: words in tag, keyword, value or name"), id="search")
        yield RowTable(TAG_COLUMNS, id="tags", openable=False)
        yield PlainText(id="whole")

    def on_mount(self) -> None:
        """Asks for the elements."""
        self._read(self.app.session_id, self._instance, self.app.tickets.fresh("tags"))

    @in_thread("tags")
    def _read(self, session_id: str, instance: Instance, ticket: Event) -> None:
        try:
            stream = self.app.operations.tags(session_id, instance, ticket)
            relay(stream, lambda row: self.post_message(TagArrived(row, ticket)))
        except KioskError as error:
            self.post_message(ActFailed("tags", refusal(error), ticket))
        else:
            self.post_message(TagsEnded(ticket))

    @on(TagArrived)
    def keep_row(self, message: TagArrived) -> None:
        """Rows are put on in batches."""
        if message.is_stale:
            return
        self._rows.append(message.row)
        if not self._is_flushing:
            self._is_flushing = True
            self.set_timer(FLUSH_SECONDS, self._show)

    @on(TagsEnded)
    def finish(self, message: TagsEnded) -> None:
        """All of them are here."""
        if not message.is_stale:
            self.app.tickets.done("tags", message.ticket)
            self._show()

    @on(ActFailed)
    def fail(self, message: ActFailed) -> None:
        """Says why there is no more."""
        if not message.is_stale:
            self.app.tickets.done("tags", message.ticket)
            state = self.query_one("#state", PlainText)
            state.add_class("-failed")
            state.show(message.sentence)

    @on(Input.Changed, "#search")
    def _show(self) -> None:
        self._is_flushing = False
        self._shown = matching(self._rows, self.query_one("#search", Field).value)
        self.query_one("#tags", RowTable).show([str(place) for place in range(len(self._shown))], self._cells)
        count = plural("{count} element", "{count} elements", len(self._shown))
        self.query_one("#state", PlainText).show(joined(self._about, count))
        self._show_whole()

    def _cells(self, key: str) -> tuple[str, ...]:
        return tag_cells(self._shown[int(key)])

    @on(RowTable.Highlighted)
    def _show_whole(self) -> None:
        index = self.query_one("#tags", RowTable).cursor_index
        row = self._shown[index] if index < len(self._shown) else None
        self.query_one("#whole", PlainText).show("" if row is None else tag_line(row))

    @on(Input.Submitted, "#search")
    @on(TransferBar.Left)
    def action_rows(self) -> None:
        """To the elements."""
        self.query_one("#tags", RowTable).focus()

    def action_search(self) -> None:
        """To the search."""
        self.query_one("#search", Field).focus()

    def action_back(self) -> None:
        """From the search to the elements, from the elements back to the study."""
        if self.query_one("#search", Field).has_focus:
            self.action_rows()
            return
        self.app.tickets.cancel("tags")
        self.dismiss()
