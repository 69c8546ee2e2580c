"""Sequences on the tags screen fold and unfold, by keys and all at once."""

from kiosk.ui.screens.tags import TagsScreen
from tests.kiosk.ui.kit import terminal


async def test_sequences_fold_by_enter_by_arrows_and_all_at_once() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series()
        await kiosk.press("t")
        await kiosk.until(lambda: kiosk.shows(TagsScreen) and kiosk.table("#tags").row_count == 67)
        await kiosk.press("f")
        await kiosk.until(lambda: kiosk.table("#tags").row_count == 65)
        await kiosk.sees("▸ (0008,1140)")
        await kiosk.press("home", "down", "down", "right")
        await kiosk.until(lambda: kiosk.table("#tags").row_count == 67)
        await kiosk.press("down", "down", "left", "left")
        await kiosk.until(lambda: kiosk.table("#tags").row_count == 66)
        await kiosk.press("enter")
        await kiosk.until(lambda: kiosk.table("#tags").row_count == 67)
