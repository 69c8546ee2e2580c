"""The query form: what is typed is read by `kiosk.views.query`."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Button, Input

from kiosk.ui.widgets.field import Field
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.press import Press
from kiosk.views.query import DATE_CHOICES, FormFault, QueryForm
from kiosk.views.words import _

Row = tuple[tuple[str, str, str], ...]
ROWS: tuple[Row, ...] = (
    (
        ("patient_name", _("Patient name"), _("Doe, J* or 山田*")),
        ("patient_id", _("Patient ID"), _("whole, or with *")),
        ("accession_number", _("Accession"), _("whole, or with *")),
    ),
    (
        ("study_date", _("Study date"), _("any, 7 days, 2026-01-01..02")),
        ("modality", _("Modality"), _("CT MR US")),
        ("description", _("Description"), _("part of it")),
    ),
    (
        ("issuer", _("ID issuer"), _("whole, or with *")),
        ("referring_physician", _("Referring"), _("Doe, J*")),
        ("study_time", _("Study time"), _("any, 08:00-12:30, 22-")),
    ),
    (
        ("study_id", _("Study ID"), _("whole, or with *")),
        ("accession_issuer", _("Acc. issuer"), _("whole, or with *")),
        ("study_uids", _("Study UIDs"), _("one or several")),
    ),
)
USUAL_ROWS = 2


class QueryPanel(Vertical):
    """Six fields, six rarer ones behind F6, and the usual dates as buttons. Enter in any field asks for the query."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", _("Field above"), show=False, id="form-up"),
        Binding("down", "app.focus_next", _("Field below"), show=False, id="form-down"),
        Binding("f6", "rarer", _("More fields"), id="form-rarer"),
    ]
    DEFAULT_CSS = """
    QueryPanel {
        height: auto;
        background: $surface;
        padding: 0 1;
        .row { height: 1; margin-bottom: 1; }
        .rarer { display: none; }
        &.-rarer .rarer { display: block; }
        .label { width: 14; height: 1; color: $muted; text-align: right; padding-right: 1; }
        Field { width: 1fr; height: 1; background: $raised; color: $foreground; padding: 0 1; }
        Field:focus { background: $raised; text-style: bold; }
        Field.-faulty { background: $error 30%; }
        #dates { height: 1; }
        #dates Press { width: auto; min-width: 9; height: 1; margin-right: 1; background: $panel; color: $primary; }
        #search { background: $primary; color: $background; text-style: bold; }
        .spacer { width: 1fr; height: 1; }
    }
    """

    class Submitted(Message):
        """The person wants this query."""

        def __init__(self, form: QueryForm) -> None:
            super().__init__()
            self.form = form

    def compose(self) -> ComposeResult:
        """Rows of fields, one of buttons."""
        for place, row in enumerate(ROWS):
            with Horizontal(classes="row" if place < USUAL_ROWS else "row rarer"):
                for name, label, hint in row:
                    yield PlainText(label, classes="label")
                    yield Field(hint, id=name)
        with Horizontal(id="dates"):
            yield PlainText("", classes="label")
            for number, choice in enumerate(DATE_CHOICES):
                yield Press(_(choice), id=f"date-{number}", classes="date", focusable=False, flat=True)
            yield PlainText("", classes="spacer")
            yield Press(_("Search  ⏎"), id="search", focusable=False, flat=True)
            yield Press(_("Clear"), id="clear", focusable=False, flat=True)

    @property
    def form(self) -> QueryForm:
        """The fields as typed."""
        return QueryForm(*(self.query_one(f"#{name}", Field).value for row in ROWS for name, _label, _hint in row))

    def point_at(self, fault: FormFault | None) -> None:
        """Marks the field that cannot be read and goes to it."""
        for field in self.query(Field):
            field.set_class(fault is not None and field.id == fault.field, "-faulty")
            if fault is not None and field.id == fault.field:
                field.focus()

    def action_rarer(self) -> None:
        """Shows the rarer fields, or empties and hides them: what is not seen is not asked for."""
        shown = not self.has_class("-rarer")
        if not shown:
            for field in self.query(".rarer Field").results(Field):
                field.value = ""
        self.set_class(shown, "-rarer")
        first = ROWS[USUAL_ROWS if shown else 0][0][0]
        self.query_one(f"#{first}", Field).focus()

    @on(Input.Submitted)
    def submit(self, event: Input.Submitted) -> None:
        """Enter in a field."""
        event.stop()
        self.post_message(self.Submitted(self.form))

    @on(Button.Pressed, "#search")
    def search(self, event: Button.Pressed) -> None:
        """The button for those without a keyboard."""
        event.stop()
        self.post_message(self.Submitted(self.form))

    @on(Button.Pressed, ".date")
    def choose_date(self, event: Button.Pressed) -> None:
        """One of the usual dates, and off it goes."""
        event.stop()
        choice = DATE_CHOICES[int((event.button.id or "").removeprefix("date-"))]
        self.query_one("#study_date", Field).value = "" if choice == "any" else choice
        self.post_message(self.Submitted(self.form))

    @on(Button.Pressed, "#clear")
    def clear(self, event: Button.Pressed) -> None:
        """Empties every field."""
        event.stop()
        for field in self.query(Field):
            field.value = ""
        self.point_at(None)
        self.query_one("#patient_name", Field).focus()
