"""What the kiosk shows while nobody is signed in."""

from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Center, Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Button

from kiosk.operations.facts import AuditDelivery, ReaderHealth
from kiosk.ui.host import Host
from kiosk.ui.screens.help import HelpScreen
from kiosk.ui.screens.status import StatusScreen
from kiosk.ui.widgets.big_clock import BigClock
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.press import Press
from kiosk.ui.widgets.session_bar import reader_sentence
from kiosk.views.dates import day_line
from kiosk.views.status import delivery_line
from kiosk.views.text import one_line
from kiosk.views.words import _


class LockScreen(Screen[None], inherit_bindings=False):
    """Clock, name, the invitation to tap; what is wrong with the reader, the kiosk or its record's delivery; in the
    demo its cards."""

    ALLOW_SELECT: ClassVar[bool] = False
    CSS_PATH = "lock.tcss"
    AUTO_FOCUS = None
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it as an instance variable
        (0, "-short"),
        (32, "-tall"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "status", _("Status"), show=False, id="status"),
        Binding("question_mark,f9", "help", _("Keys"), key_display="?", show=False, id="help"),
    ]
    app = getters.app(Host)

    def compose(self) -> ComposeResult:
        """From the top: place, clock, invitation, notices, cards."""
        station = self.app.station
        yield PlainText(one_line(station.name), id="name")
        yield PlainText(one_line(station.site), id="site")
        with Vertical(id="centre"):
            yield BigClock()
            yield PlainText(id="day")
            with Center():
                yield PlainText(_("Tap your badge or phone"), id="invitation")
            yield PlainText(id="notice")
            yield PlainText(id="reader")
            with Center():
                yield PlainText(id="delivery")
            with Center():
                yield PlainText(id="out")
        if station.demo_cards:
            yield PlainText(_("Demonstration: simulated cards, made-up patients. F10 ends it."), id="demo")
            with Horizontal(id="cards"):
                for card in station.demo_cards:
                    yield Press(
                        f"{one_line(card.key)}\n{one_line(card.label)}",
                        id=f"card-{card.key.lower()}",
                        classes="card",
                        focusable=False,
                    )

    def on_mount(self) -> None:
        """Follows the app's state; the clock is set at each full minute only."""
        self._tick()
        self.watch(self.app, "notice", self._show_notice)
        self.watch(self.app, "readers", self._show_readers)
        self.watch(self.app, "out_of_service", self._show_service)
        self.watch(self.app, "delivery", self._show_delivery)

    def _tick(self) -> None:
        now = self.app.clock.now().astimezone()
        self.query_one(BigClock).show(now)
        self.query_one("#day", PlainText).show(day_line(now))
        self.set_timer(60.05 - now.second - now.microsecond / 1e6, self._tick)

    def _show_notice(self, notice: str) -> None:
        self.query_one("#notice", PlainText).show(one_line(notice))

    def _show_readers(self, readers: tuple[ReaderHealth, ...]) -> None:
        sentence = reader_sentence(readers)
        self.query_one("#reader", PlainText).show(sentence)
        self.set_class(bool(sentence), "-reader-fault")

    def _show_service(self, sentence: str) -> None:
        self.set_class(bool(sentence), "-out")
        self.query_one("#out", PlainText).show(f"{_('OUT OF SERVICE')}\n{one_line(sentence)}" if sentence else "")

    def _show_delivery(self, delivery: AuditDelivery) -> None:
        line = delivery_line(delivery, self.app.clock.now())
        self.query_one("#delivery", PlainText).display = bool(line)
        self.query_one("#delivery", PlainText).show(f"{line} {_('S shows more.')}" if line else "")

    @on(Button.Pressed, ".card")
    async def tap(self, event: Button.Pressed) -> None:
        """A click on a card lays it on the reader."""
        await self.run_action(f"app.present('{(event.button.id or '').removeprefix('card-')}')")

    def action_status(self) -> None:
        """Shows how the kiosk stands."""
        self.app.push_screen(StatusScreen())

    def action_help(self) -> None:
        """Shows the keys of this screen."""
        self.app.push_screen(HelpScreen(self.active_bindings.values()))
