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
from kiosk.views.tags import (
    CLOSED,
    LEAF,
    OPEN,
    TAG_COLUMNS,
    folds,
    matching_places,
    parent,
    tag_cells,
    tag_line,
    unfolded,
)
from kiosk.views.text import joined
from kiosk.views.words import _, plural

FLUSH_SECONDS = 0.1


class TagsScreen(SessionScreen):
    """A tree of elements that fold, with a search; the element under the cursor is shown whole below."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["base.tcss", "tags.tcss"]
    AUTO_FOCUS = "#tags"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", _("Back"), id="back"),
        Binding("slash,f10", "search", _("Search"), key_display="/", id="tags-search"),
        Binding("left", "fold", _("Fold"), show=False, id="tags-fold"),
        Binding("right", "unfold", _("Unfold"), show=False, id="tags-unfold"),
        Binding("f", "fold_all", _("Fold all"), id="tags-fold-all"),
        Binding("t", "back", _("Back"), show=False, id="tags-close"),
    ]

    def __init__(self, study: Study, instance: Instance, about: str) -> None:
        super().__init__()
        self._study = study
        self._instance = instance
        self._about = about
        self._rows: list[TagRow] = []
        self._shown: list[int] = []
        self._folded: set[int] = set()
        self._is_flushing = False

    def body(self) -> ComposeResult:
        """Patient, search, elements, the whole of one."""
        yield PatientBanner(self._study.patient)
        yield PlainText(self._about, id="state", classes="status")
        yield Field(_("search: words in tag, keyword, value or name"), id="search")
        yield RowTable(TAG_COLUMNS, id="tags")
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
        words = self.query_one("#search", Field).value
        # A search looks into what is folded, too.
        self._shown = matching_places(self._rows, words) if words.strip() else unfolded(self._rows, self._folded)
        self.query_one("#tags", RowTable).show([str(place) for place in self._shown], self._cells)
        count = plural("{count} element", "{count} elements", len(self._shown))
        if len(self._shown) < len(self._rows):
            count = _("{count} of {total}").format(count=count, total=len(self._rows))
        self.query_one("#state", PlainText).show(joined(self._about, count))
        self._show_whole()

    def _cells(self, key: str) -> tuple[str, ...]:
        place = int(key)
        mark = LEAF
        if folds(self._rows, place):
            mark = CLOSED if place in self._folded and not self._is_searching else OPEN
        return tag_cells(self._rows[place], mark)

    @property
    def _is_searching(self) -> bool:
        return bool(self.query_one("#search", Field).value.strip())

    @property
    def _place(self) -> int | None:
        """The place of the row under the cursor."""
        index = self.query_one("#tags", RowTable).cursor_index
        return self._shown[index] if index < len(self._shown) else None

    @on(RowTable.Highlighted)
    def _show_whole(self) -> None:
        place = self._place
        self.query_one("#whole", PlainText).show("" if place is None else tag_line(self._rows[place]))

    @on(RowTable.Opened, "#tags")
    def turn(self) -> None:
        """Folds what is open, unfolds what is not."""
        place = self._place
        if place is not None:
            self._fold(place, place not in self._folded)

    def _fold(self, place: int, close: bool) -> None:
        if folds(self._rows, place) and not self._is_searching:
            (self._folded.add if close else self._folded.discard)(place)
            self._show()

    def action_fold(self) -> None:
        """Folds the row under the cursor; from one that is folded, or does not fold, to the one around it."""
        place = self._place
        if place is None or self._is_searching:
            return
        if folds(self._rows, place) and place not in self._folded:
            self._fold(place, True)
            return
        around = parent(self._rows, place)
        if around is not None:
            self.query_one("#tags", RowTable).move_to(self._shown.index(around))

    def action_unfold(self) -> None:
        """Unfolds the row under the cursor."""
        if self._place is not None:
            self._fold(self._place, False)

    def action_fold_all(self) -> None:
        """Folds every sequence, or unfolds all where some are folded."""
        sequences = {place for place, row in enumerate(self._rows) if row.depth == 0 and folds(self._rows, place)}
        self._folded = set() if self._folded else sequences
        self._show()

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
