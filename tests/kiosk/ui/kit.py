"""What the tests of the terminal share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widget import Widget

from kiosk.ui.app import KioskApp
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.screens.study import StudyScreen
from kiosk.ui.widgets.plain_text import PlainText
from kiosk.ui.widgets.row_table import RowTable
from tests.fakes import FakeOperations, Script

SIZE = (120, 36)
PATIENCE = 60.0
CHARACTERS = {"slash": "/", "question_mark": "?", "space": " ", "enter": "\r", "tab": "\t"}


class Terminal:
    """A running terminal on a fake kiosk."""

    def __init__(self, app: KioskApp, fake: FakeOperations, pilot: Pilot[int]) -> None:
        self.app = app
        self.fake = fake
        self.pilot = pilot

    async def until(self, predicate: Callable[[], object]) -> None:
        """Waits for what foreign threads bring about."""
        for _ in range(int(PATIENCE / 0.01)):
            if predicate():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"It did not come true within {PATIENCE:.0f} s; on the screen:\n{self.text()}")

    async def press(self, *keys: str) -> None:
        """Presses keys. Pilot's own way waits after each until the processor is idle, which may be long."""
        for key in keys:
            name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
            character = key if len(key) == 1 else CHARACTERS.get(key)
            self.app.post_message(events.Key(name, character))
            await self.pilot._wait_for_screen()
            await self.pilot._wait_for_screen()

    async def click(self, selector: str, offset: tuple[int, int] = (0, 0)) -> None:
        """Clicks on a widget once it lies somewhere: before that, Pilot would click elsewhere."""
        await self.until(lambda: any(widget.region.area for widget in self.app.screen.query(selector)))
        await self.pilot._wait_for_screen()
        await self.pilot.click(selector, offset=offset)

    def shows(self, kind: type) -> bool:
        """True when that screen is on top and mounted."""
        return isinstance(self.app.screen, kind) and self.app.screen.is_mounted

    def text(self) -> str:
        """The whole screen as lines."""
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in lines[:height])[: (width + 1) * height * 2]

    async def sees(self, *words: str) -> None:
        """Waits until all of these words are on the screen."""
        await self.until(lambda: all(word in self.text() for word in words))

    def words(self, selector: str) -> str:
        """The text of a PlainText."""
        return str(self.app.screen.query_one(selector, PlainText).content)

    def table(self, selector: str = "#studies") -> RowTable:
        """A table of the screen."""
        return self.app.screen.query_one(selector, RowTable)

    async def sign_in(self) -> None:
        """The radiologist's session opens, without the keys of a PIN."""
        self.fake.sign_in("radiologist-badge")
        await self.until(lambda: self.shows(StudiesScreen) and self.app.focused is not None)

    async def query(self) -> None:
        """Asks for everything and waits for the end."""
        await self.press("enter")
        await self.until(lambda: self.fake.queries and not self.app.tickets.is_running("query"))

    async def open_first_study(self) -> None:
        """Opens the first row and waits for its series."""
        await self.press("home", "enter")
        await self.until(lambda: self.shows(StudyScreen) and not self.app.tickets.is_running("study"))
        await self.until(lambda: self.table("#series").row_count)

    async def open_series(self, row: int = 0) -> None:
        """Opens a series and waits for its first picture."""
        opened = len(self.fake.called("open_series"))
        await self.press("home", *["down"] * row, "enter")
        screen = self.app.screen
        assert isinstance(screen, StudyScreen)
        await self.until(lambda: len(self.fake.called("open_series")) > opened)
        await self.until(lambda: not self.app.tickets.is_running("series") and screen.preview.picture is not None)


@asynccontextmanager
async def terminal(
    script: Script | None = None, size: tuple[int, int] = SIZE, **options: Any
) -> AsyncIterator[Terminal]:
    """A terminal under Pilot with half-block pictures."""
    fake = FakeOperations(script, **options)
    app = KioskApp(fake, image_mode="halfcell")
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Terminal(app, fake, pilot)


def texts(widgets: list[Widget]) -> str:
    """Everything those widgets would draw."""
    return "\n".join(
        strip.text for widget in widgets for strip in widget.render_lines(widget.size.region) if widget.size.area
    )
