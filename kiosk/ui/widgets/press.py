"""A button whose label is plain text."""

from textual.binding import Binding
from textual.content import Content
from textual.widgets import Button

from kiosk.views.words import _


class Press(Button, inherit_bindings=False):
    """A button for a finger or a mouse; on the keyboard Enter or Space."""

    BINDINGS = [Binding("enter,space", "press", _("Press"), show=False, id="press")]  # noqa: RUF012 - Textual's own form

    def __init__(
        self,
        label: str,
        *,
        id: str | None = None,
        classes: str | None = None,
        focusable: bool = True,
        flat: bool = False,
    ) -> None:
        super().__init__(Content(label), id=id, classes=classes, compact=flat)
        self.can_focus = focusable
