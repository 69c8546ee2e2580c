"""The status screen: for anybody at the lock screen, and gone as soon as somebody taps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kiosk.audit.forward import SinkStatus
from kiosk.errors import TrailError
from kiosk.operations.facts import AccessDenied, AuditDelivery, Fact, OutOfService, PinAsked, TapSeen
from kiosk.operations.status import KioskStatus
from kiosk.ui.screens.lock import LockScreen
from kiosk.ui.screens.pin import PinScreen
from kiosk.ui.screens.status import StatusScreen
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.widgets.plain_text import PlainText
from tests.fakes import PEOPLE, STATUS, Script
from tests.kiosk.ui.kit import Terminal, terminal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SINK = SinkStatus(
    "ARR", "relp", "arr.example:6514", 12, NOW - timedelta(hours=2), 4, None, "Audit sink ARR: it is off.", NOW, True
)
assert STATUS.sight is not None
SIGHT = replace(STATUS.sight, sinks=(SINK, replace(SINK, name="SIEM", waiting=0, fault="", refused=False)))
BEHIND = replace(STATUS, sight=SIGHT)
ANCHORED = replace(
    SIGHT, trail=replace(SIGHT.trail, anchored=3, anchored_at=NOW, anchor_fault="It is full.", begun_anew=NOW)
)


async def open_status(kiosk: Terminal) -> None:
    """Presses the key and waits for the first look."""
    await kiosk.press("s")
    await kiosk.until(lambda: kiosk.shows(StatusScreen))
    await kiosk.sees("In service: every act is recorded.")


async def test_s_on_the_lock_screen_shows_trail_and_sinks_and_escape_goes_back() -> None:
    async with terminal(Script(status=BEHIND)) as kiosk:
        await open_status(kiosk)
        await kiosk.sees(
            "Status · Kiosk 7",
            "4 records, head 9f2c9f2c9f2c9f2c",
            "ARR · relp · arr.example:6514",
            "12 records wait, the oldest for 2 hours",
            "Audit sink ARR: it is off.",
            "everything is sent",
        )
        assert not any(person.display_name in kiosk.text() for person, _ in PEOPLE.values())
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(LockScreen))


async def test_it_shows_how_far_the_trail_is_kept_elsewhere_and_whether_it_was_begun_anew() -> None:
    async with terminal(Script(status=replace(BEHIND, sight=ANCHORED))) as kiosk:
        await open_status(kiosk)
        await kiosk.sees("up to checkpoint 3, signed", "Begun anew", "which is gone", "Anchors", "It is full.")
        faults, sinks = (kiosk.app.screen.query_one(name, PlainText) for name in ("#faults", "#sinks"))
        assert faults.display
        assert sinks.display
        assert kiosk.text().index("Audit trail") < kiosk.text().index("Not delivered") < kiosk.text().index("SIEM")


async def test_it_looks_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.ui.screens.status.EVERY", 0.1)
    async with terminal() as kiosk:
        await open_status(kiosk)
        await kiosk.sees("delivered nowhere")
        kiosk.fake.script.status = BEHIND
        await kiosk.sees("12 records wait")
        kiosk.fake.script.status = KioskStatus(NOW, "The disk is full.", None, "The daemon does not answer.")
        await kiosk.sees("OUT OF SERVICE · The disk is full.", "cannot be read now: The daemon does not answer.")
        assert "12 records wait" not in kiosk.text()
        kiosk.fake.script.failing["status"] = TrailError("Nobody can tell.")
        await kiosk.sees("Nobody can tell.")
        kiosk.fake.script.failing.clear()
        kiosk.fake.script.status = STATUS
        await kiosk.sees("In service: every act is recorded.")


@pytest.mark.parametrize(
    "fact",
    [TapSeen(), AccessDenied("This badge is not known here."), OutOfService("The disk is full.")],
    ids=lambda fact: type(fact).__name__,
)
async def test_whoever_taps_is_answered_on_the_lock_screen(fact: Fact) -> None:
    async with terminal() as kiosk:
        await open_status(kiosk)
        kiosk.fake.post(fact)
        await kiosk.until(lambda: kiosk.shows(LockScreen))


async def test_a_pin_is_asked_over_the_lock_screen_and_the_session_opens() -> None:
    async with terminal() as kiosk:
        await open_status(kiosk)
        kiosk.fake.post(PinAsked("claim", *PEOPLE["radiologist-badge"], 5))
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        assert not any(isinstance(screen, StatusScreen) for screen in kiosk.app.screen_stack)
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(LockScreen))
        await open_status(kiosk)
        await kiosk.sign_in()
        assert [type(screen) for screen in kiosk.app.screen_stack] == [LockScreen, StudiesScreen]


async def test_it_goes_by_itself_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.ui.screens.status.STAYS", 0.5)
    async with terminal() as kiosk:
        await kiosk.press("s")
        await kiosk.until(lambda: kiosk.fake.called("status"))
        await kiosk.until(lambda: kiosk.shows(LockScreen))


async def test_the_lock_screen_says_when_records_wait_and_one_can_go_on() -> None:
    async with terminal(size=(80, 24)) as kiosk:
        assert "repository" not in kiosk.text()
        kiosk.fake.post(AuditDelivery((SINK,)))
        await kiosk.until(lambda: "has got nothing since" in kiosk.text())
        await kiosk.sees("12 records wait here", "you can go on", "Tap your badge or phone", "F1")
        await kiosk.sign_in()
        kiosk.fake.post(AuditDelivery())
        await kiosk.press("f12")
        await kiosk.until(lambda: kiosk.shows(LockScreen) and "repository" not in kiosk.text())
