"""The top line of every session screen: who, which badge, how long is left."""

from textual import getters
from textual.app import ComposeResult
from textual.containers import Horizontal

from kiosk.operations.facts import ReaderHealth, SessionOpened, TimeLeft
from kiosk.ui.host import Host
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.views.session import badge_text, time_left_text, who_text
from kiosk.views.text import one_line

SOON_SECONDS = 60


class SessionBar(Horizontal):
    """Watches the app; a notice takes the middle while it lasts."""

    DEFAULT_CSS = """
    SessionBar {
        height: 1;
        background: $panel;
        color: $foreground;
        PlainText { height: 1; width: auto; padding: 0 1; }
        #who { text-style: bold; color: $primary; max-width: 40%; }
        #notice { width: 1fr; color: $accent; text-style: bold; text-align: center; }
        #remaining { width: 34; color: $muted; text-align: right; }
        #remaining.-soon { color: $warning; text-style: bold; }
    }
    """
    app = getters.app(Host)

    def compose(self) -> ComposeResult:
        """Who, badge, notice, time."""
        yield PlainText(id="who")
        yield PlainText(id="badge")
        yield PlainText(id="notice")
        yield PlainText(id="remaining")

    def on_mount(self) -> None:
        """Follows the app's state for as long as this bar is there."""
        self.watch(self.app, "session", self._show_session)
        self.watch(self.app, "time_left", self._show_time)
        self.watch(self.app, "notice", self._show_notice)
        self.watch(self.app, "readers", self._show_notice)

    def catch_up(self) -> None:
        """Shows what the app says now: while another screen lies above, this one does not follow."""
        self._show_session(self.app.session)
        self._show_time(self.app.time_left)
        self._show_notice()

    def _show_session(self, session: SessionOpened | None) -> None:
        self.query_one("#who", PlainText).show("" if session is None else who_text(session))
        self.query_one("#badge", PlainText).show("" if session is None else badge_text(session.badge))

    def _show_time(self, left: TimeLeft | None) -> None:
        # Textual paints the whole screen again when one below it changes.
        if self.app.screen is self.screen:
            text = self.query_one("#remaining", PlainText)
            text.set_class(left is not None and left.idle_seconds <= SOON_SECONDS, "-soon")
            text.show("" if left is None else time_left_text(left), layout=False)

    def _show_notice(self) -> None:
        if self.app.screen is self.screen:
            sentence = one_line(self.app.notice) or reader_sentence(self.app.readers)
            self.query_one("#notice", PlainText).show(sentence, layout=False)


def reader_sentence(readers: tuple[ReaderHealth, ...]) -> str:
    """What is wrong with the readers, in one line; empty when all is well."""
    return "  ".join(one_line(reader.sentence) for reader in readers if reader.sentence)
