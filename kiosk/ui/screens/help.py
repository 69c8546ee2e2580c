"""The keys of a screen."""

from collections.abc import Iterable
from typing import ClassVar

from textual import events, getters
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from kiosk.ui.host import Host
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.words import _


class HelpScreen(ModalScreen[None], inherit_bindings=False):
    """Lists what can be pressed where the person was; any key or click closes it."""

    ALLOW_SELECT: ClassVar[bool] = False
    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", _("Close"), id="help-close")]
    app = getters.app(Host)

    def __init__(self, bindings: Iterable[ActiveBinding]) -> None:
        super().__init__()
        self._bindings_shown = tuple(bindings)

    def compose(self) -> ComposeResult:
        """Keys left, what they do right."""
        with VerticalScroll(id="help"):
            yield PlainText(_("Keys"), classes="title")
            yield PlainText("\n".join(self._lines()))
            yield PlainText(_("Any key closes this."), classes="hint")

    def _lines(self) -> list[str]:
        keys: dict[str, list[str]] = {}
        for active in self._bindings_shown:
            if active.enabled and active.binding.description:
                display = self.app.get_key_display(active.binding)
                if display not in keys.setdefault(active.binding.description, []):
                    keys[active.binding.description].append(display)
        return [f"{' '.join(displays):>20}  {description}" for description, displays in keys.items()]

    def on_key(self, event: events.Key) -> None:
        """Any key closes it, and does nothing else."""
        event.stop()
        self.dismiss()

    def on_click(self) -> None:
        """So does a click."""
        self.dismiss()
