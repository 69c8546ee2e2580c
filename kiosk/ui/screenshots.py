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

SIZE = (140, 42)
PATIENCE = 30.0
LOOK = 0.1
SETTLE = 1.5


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
        await until("4-study", lambda: isinstance(app.screen, StudyScreen))
        await pilot.press("t")
        await until("5-tags", lambda: isinstance(app.screen, TagsScreen))
        await pilot.press("escape", "p")
        await until("6-push", lambda: isinstance(app.screen, PushScreen))
        await pilot.press("enter")
        await pilot.press("f8")
        await until("7-transfers", lambda: isinstance(app.screen, TransfersScreen))


async def _until(pilot: Pilot[int], what: str, true: Callable[[], bool]) -> None:
    for _ in range(int(PATIENCE / LOOK)):
        if true():
            return
        await pilot.pause(LOOK)
    raise TimeoutError(f"the screen {what} did not come")
