"""When a session ends nothing of it is left: not on the screen, not in a widget, not anywhere in the process."""

import asyncio
import gc
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import _lru_cache_wrapper

from textual.widget import Widget

from kiosk.imaging.studies.model import Patient, PersonName, Picture
from kiosk.operations.facts import EndReason, FailedInstance
from kiosk.ui.forgetting import LIBRARIES, caches
from kiosk.ui.screens.lock import LockScreen
from kiosk.ui.screens.push import PushScreen
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.screens.tags import TagsScreen
from tests import phantoms
from tests.fakes import Script
from tests.kiosk.ui.kit import PATIENCE, Terminal, terminal, texts


def _script(mark: str) -> Script:
    def named(number: int) -> Patient:
        return Patient(f"{mark}-id-{number}", f"{mark}-issuer", PersonName(f"{mark}^Name{number}"), None, "F")

    studies = [replace(phantoms.study(number, named(number)), description=f"{mark} study") for number in range(12)]
    return Script(studies)


def _left_in_the_process(mark: str) -> Iterator[tuple[str, str]]:
    """Every text with the mark in it that some object of this process still holds, and what holds it."""
    gc.collect()
    for holder in gc.get_objects():
        for held in gc.get_referents(holder):
            if type(held) is str and mark in held and held != mark:
                yield type(holder).__name__, held


def _pictures() -> set[tuple[str, str]]:
    return {("Picture", item.mode) for item in gc.get_objects() if type(item) is Picture}


def _empty(kiosk: Terminal) -> None:
    """The fake forgets, so that what is still there was kept by the terminal."""
    kiosk.fake.script.studies = []
    kiosk.fake.calls.clear()
    kiosk.fake.queries.clear()
    kiosk.fake.jobs.clear()


async def _use_everything(kiosk: Terminal) -> None:
    await kiosk.sign_in()
    await kiosk.query()
    await kiosk.press("down", "space", "p")
    await kiosk.until(lambda: kiosk.shows(PushScreen) and kiosk.table("#destinations").row_count)
    await kiosk.press("enter")
    await kiosk.until(lambda: kiosk.shows(StudiesScreen) and kiosk.fake.jobs)
    kiosk.fake.advance(next(iter(kiosk.fake.jobs)), 3, (FailedInstance("1.2.3", "out of resources"),))
    await kiosk.press("down")
    await kiosk.open_first_study()
    await kiosk.open_series(1)
    await kiosk.press("t")
    await kiosk.until(lambda: kiosk.shows(TagsScreen) and kiosk.table("#tags").row_count)


async def test_no_patient_text_and_no_picture_is_left_after_the_session() -> None:
    mark = "Zq" + secrets.token_hex(6)
    async with terminal(_script(mark)) as kiosk:
        await _use_everything(kiosk)
        assert mark in kiosk.text()
        tickets = list(kiosk.app.tickets._running.values())
        kiosk.fake.end(EndReason.TAPPED_OUT, "Your session is closed.")
        await kiosk.until(lambda: kiosk.shows(LockScreen) and len(kiosk.app.screen_stack) == 1)
        assert all(ticket.is_set() for ticket in tickets)
        assert kiosk.app.session is None
        assert kiosk.app.transfers == ()
        assert kiosk.app.time_left is None
        widgets = [widget for widget in kiosk.app.screen.walk_children() if isinstance(widget, Widget)]
        assert mark not in kiosk.text() + texts(widgets)
        _empty(kiosk)
        deadline = time.monotonic() + PATIENCE
        # Threads that were told to end let go of the last of it.
        while left := set(_left_in_the_process(mark)) | _pictures():
            assert time.monotonic() < deadline, left
            await asyncio.sleep(0.1)


async def test_a_query_that_still_runs_is_cancelled_and_its_late_rows_appear_nowhere() -> None:
    mark = "Zq" + secrets.token_hex(6)
    script = _script(mark)
    script.row_delay = 0.05
    async with terminal(script) as kiosk:
        await kiosk.sign_in()
        await kiosk.press("enter")
        await kiosk.until(lambda: kiosk.table().row_count > 0)
        kiosk.fake.end(EndReason.IDLE, "Locked.")
        await kiosk.until(lambda: kiosk.shows(LockScreen))
        await kiosk.until(lambda: kiosk.fake.queries[0][1].is_set())
        await asyncio.sleep(0.3)
        assert mark not in kiosk.text()


async def test_the_next_session_begins_with_an_empty_form_and_an_empty_list() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.press(*"Doe", "enter")
        await kiosk.until(lambda: kiosk.table().row_count)
        kiosk.fake.end(EndReason.DISPLACED, "Another badge took over.")
        kiosk.fake.sign_in("technologist-badge")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen) and "Tom Okafor" in kiosk.text())
        assert kiosk.table().row_count == 0
        assert "Doe*" not in kiosk.text()
        assert kiosk.words("#patient-name") == ""


async def test_every_cache_of_the_drawing_libraries_is_found() -> None:
    async with terminal() as kiosk:
        await _use_everything(kiosk)
        kept = {
            f"{held.__module__}.{held.__qualname__}"
            for held in gc.get_objects()
            if type(held) is _lru_cache_wrapper and held.__module__.partition(".")[0] in LIBRARIES
        }
        assert kept == {f"{cache.__module__}.{cache.__qualname__}" for cache in caches()}
        assert len(kept) > 20
