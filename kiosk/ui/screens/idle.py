"""The warning before an idle session is locked."""

from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from kiosk.ui.host import Host
from kiosk.ui.widgets.big_clock import big_digits
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.quantities import duration_text
from kiosk.views.session import idle_warning_text
from kiosk.views.words import _


class IdleScreen(ModalScreen[None], inherit_bindings=False):
    """Counts down over whatever was open. Any key or touch takes it off and does nothing else."""

    ALLOW_SELECT: ClassVar[bool] = False
    CSS_PATH = "idle.tcss"
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = []
    app = getters.app(Host)

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self._seconds = seconds

    def compose(self) -> ComposeResult:
        """The question, the seconds, what to do."""
        with Vertical(id="warning"):
            yield PlainText(id="question")
            yield PlainText(id="seconds")
            yield PlainText(_("Press any key to go on"), id="any-key")

    def on_mount(self) -> None:
        """Counts by itself between the facts."""
        self.count_from(self._seconds)
        self.set_interval(1.0, self._tick)

    def count_from(self, seconds: int) -> None:
        """The kiosk says how many seconds are left."""
        self._seconds = max(0, seconds)
        self.query_one("#question", PlainText).show(idle_warning_text(self._seconds))
        self.query_one("#seconds", PlainText).show(big_digits(duration_text(self._seconds), 2, 1))

    def _tick(self) -> None:
        self.count_from(self._seconds - 1)
