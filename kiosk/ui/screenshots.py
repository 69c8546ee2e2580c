"""Pictures of every screen, drawn without a terminal: for the demo's --keep, the README and the tests."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from kiosk.operations.operations import Operations
from kiosk.ui.app import KioskApp
from kiosk.ui.screens.pin import PinScreen
from kiosk.ui.screens.push import PushScreen
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.screens.study import StudyScreen
from kiosk.ui.screens.tags import TagsScreen
from kiosk.ui.screens.transfers import TransfersScreen
from kiosk.ui.widgets.row_table import RowTable

SIZE = (140, 42)
PATIENCE = 30.0
LOOK = 0.1
SETTLE = 1.5
MIDDLE = 9
"""Slices down into the series, to where there is something to see."""


def take_screenshots(operations: Operations, card: str, pin: str, folder: Path) -> None:
    """Signs in with that card, walks through the screens and leaves an SVG of each; raises TimeoutError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(_walk(operations, card, pin, folder))


async def _walk(operations: Operations, card: str, pin: str, folder: Path) -> None:
    app = KioskApp(operations, image_mode="halfcell")
    async with app.run_test(size=SIZE) as pilot:

        async def until(what: str, true: Callable[[], bool]) -> None:
            await _until(pilot, what, true)
            await pilot.pause(SETTLE)
            (folder / f"{what}.svg").write_text(app.export_screenshot(title="Imaging kiosk"), encoding="utf-8")

        await until("1-lock", lambda: app.session is None and bool(app.readers))
        operations.present(card)
        await until("2-pin", lambda: isinstance(app.screen, PinScreen))
        await pilot.press(*pin, "enter")
        await _until(pilot, "studies", lambda: isinstance(app.screen, StudiesScreen))
        await pilot.press("enter")
        await until("3-studies", lambda: isinstance(app.screen, StudiesScreen) and app.screen.table.row_count > 0)
        await pilot.press("enter")
        await _until(pilot, "series", lambda: _rows(app, "#series") > 1)
        await pilot.press("down", "enter")
        await _until(pilot, "instances", lambda: _rows(app, "#instances") > 1)
        await pilot.press(*["down"] * MIDDLE)
        await until("4-study", lambda: isinstance(app.screen, StudyScreen) and app.screen.instance is not None)
        await pilot.press("t")
        await until("5-tags", lambda: isinstance(app.screen, TagsScreen))
        await pilot.press("escape", "p")
        await until("6-push", lambda: isinstance(app.screen, PushScreen))
        await pilot.press("enter", "f8")
        await until("7-transfers", lambda: isinstance(app.screen, TransfersScreen))


def _rows(app: KioskApp, selector: str) -> int:
    """Rows of a table of the study screen; 0 while it is not there."""
    if not isinstance(app.screen, StudyScreen):
        return 0
    return app.screen.query_one(selector, RowTable).row_count


async def _until(pilot: Pilot[int], what: str, true: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE / LOOK)):
        if true():
            return
        await pilot.pause(LOOK)
    raise TimeoutError(f"the screen {what} did not come")
