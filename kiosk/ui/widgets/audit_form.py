"""What is asked of the record: typed here, read by `kiosk.views.audit_form`."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from kiosk.ui.widgets.field import Field
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.audit_form import AuditForm
from kiosk.views.query import FormFault
from kiosk.views.words import _

ROWS = (
    (
        ("person", _("Person"), _("user ID or part of the name")),
        ("badge", _("Badge"), _("UID or fingerprint")),
        ("patient", _("Patient ID"), _("whole")),
        ("issuer", _("Issuer"), _("of that patient ID")),
    ),
    (
        ("day", _("Day"), _("any, today, 7 days, 2026-01-31")),
        ("act", _("Act"), _("push, tap, query …")),
        ("outcome", _("Outcome"), _("success, serious …")),
        ("study", _("Study UID"), _("whole")),
    ),
)


class AuditPanel(Vertical):
    """Eight fields. Enter in any of them searches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", _("Field above"), show=False, id="audit-form-up"),
        Binding("down", "app.focus_next", _("Field below"), show=False, id="audit-form-down"),
    ]
    DEFAULT_CSS = """
    AuditPanel {
        height: auto;
        background: $surface;
        padding: 0 1;
        .row { height: 1; }
        .label { width: 11; height: 1; color: $muted; text-align: right; padding-right: 1; }
        Field { width: 1fr; height: 1; background: $raised; color: $foreground; padding: 0 1; }
        Field:focus { background: $raised; text-style: bold; }
        Field.-faulty { background: $error 30%; }
    }
    """

    class Submitted(Message):
        """The person wants these records."""

        def __init__(self, form: AuditForm) -> None:
            super().__init__()
            self.form = form

    def compose(self) -> ComposeResult:
        """Two rows of fields."""
        for row in ROWS:
            with Horizontal(classes="row"):
                for name, label, hint in row:
                    yield PlainText(label, classes="label")
                    yield Field(hint, id=name)

    @property
    def form(self) -> AuditForm:
        """The fields as typed."""
        names = (name for row in ROWS for name, _label, _hint in row)
        return AuditForm(**{name: self.query_one(f"#{name}", Field).value for name in names})

    def point_at(self, fault: FormFault | None) -> None:
        """Marks the field that cannot be read and goes to it."""
        for field in self.query(Field):
            field.set_class(fault is not None and field.id == fault.field, "-faulty")
            if fault is not None and field.id == fault.field:
                field.focus()

    @on(Input.Submitted)
    def submit(self, event: Input.Submitted) -> None:
        """Enter in a field."""
        event.stop()
        self.post_message(self.Submitted(self.form))
