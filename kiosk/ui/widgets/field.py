"""A one-line input without a clipboard."""

from textual import events
from textual.binding import Binding
from textual.widgets import Input

from kiosk.views.text import one_line
from kiosk.views.words import _


class Field(Input, inherit_bindings=False):
    """Takes typed text. Nothing can be cut or copied out of it; what is pasted in is made plain first."""

    BINDINGS = [  # noqa: RUF012 - Textual's own form
        Binding("left", "cursor_left", _("Left"), show=False, id="field-left"),
        Binding("right", "cursor_right", _("Right"), show=False, id="field-right"),
        Binding("ctrl+left", "cursor_left_word", _("Word left"), show=False, id="field-word-left"),
        Binding("ctrl+right", "cursor_right_word", _("Word right"), show=False, id="field-word-right"),
        Binding("home", "home", _("Start"), show=False, id="field-home"),
        Binding("end", "end", _("End"), show=False, id="field-end"),
        Binding("backspace", "delete_left", _("Delete left"), show=False, id="field-delete-left"),
        Binding("delete", "delete_right", _("Delete right"), show=False, id="field-delete-right"),
        Binding("ctrl+w", "delete_left_word", _("Delete word"), show=False, id="field-delete-word"),
        Binding("ctrl+u", "delete_left_all", _("Clear to start"), show=False, id="field-clear"),
        Binding("enter", "submit", _("Enter"), show=False, id="field-submit"),
    ]

    def __init__(self, placeholder: str = "", *, id: str | None = None, most: int = 64) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=True, select_on_focus=False, max_length=most)

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.insert_text_at_cursor(one_line(event.text))
