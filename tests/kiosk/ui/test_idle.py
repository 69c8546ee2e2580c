"""Being away, and coming back."""

from textual import events

from kiosk.operations.facts import EndReason, IdleOver, IdleWarning, SessionEnded, TimeLeft
from kiosk.ui.screens.idle import IdleScreen
from kiosk.ui.screens.lock import LockScreen
from kiosk.ui.screens.studies import StudiesScreen
from tests.kiosk.access.support import HandClock
from tests.kiosk.ui.kit import Terminal, terminal


def _session(kiosk: Terminal) -> str:
    assert kiosk.fake.session is not None
    return kiosk.fake.session.session_id


async def test_the_bar_shows_how_long_is_left() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        kiosk.fake.post(TimeLeft(_session(kiosk), 272, 28_000))
        await kiosk.until(lambda: "locks in 4:32 · session 7:46:40" in kiosk.text())


async def test_an_idle_person_is_warned_and_any_key_goes_on_without_doing_anything_else() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        touches = len(kiosk.fake.called("touch"))
        kiosk.fake.post(IdleWarning(_session(kiosk), 20))
        await kiosk.until(lambda: kiosk.shows(IdleScreen) and "locks in 20 seconds" in kiosk.text())
        kiosk.app._touched_at -= 5
        await kiosk.press("enter")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))
        await kiosk.until(lambda: len(kiosk.fake.called("touch")) > touches)
        assert kiosk.fake.called("query") == []


async def test_the_mouse_dismisses_the_warning_too() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        kiosk.fake.post(IdleWarning(_session(kiosk), 20))
        await kiosk.until(lambda: kiosk.shows(IdleScreen))
        kiosk.app.post_message(events.MouseMove(None, 3, 3, 1, 0, 0, False, False, False))
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))


async def test_the_warning_counts_with_the_kiosk_and_goes_when_the_kiosk_says_so() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        kiosk.fake.post(IdleWarning(_session(kiosk), 20))
        kiosk.fake.post(IdleWarning(_session(kiosk), 11))
        await kiosk.until(lambda: kiosk.shows(IdleScreen) and "in 11 seconds" in kiosk.text())
        kiosk.fake.post(IdleOver(_session(kiosk)))
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))


async def test_facts_of_another_session_change_nothing() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        kiosk.fake.post(IdleWarning("some-other-session", 20))
        kiosk.fake.post(SessionEnded("some-other-session", EndReason.IDLE, "gone"))
        kiosk.fake.post(TimeLeft(_session(kiosk), 100, 200))
        await kiosk.until(lambda: "locks in 1:40" in kiosk.text())
        assert kiosk.shows(StudiesScreen)


async def test_idling_out_locks_under_the_warning() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        kiosk.fake.post(IdleWarning(_session(kiosk), 1))
        await kiosk.until(lambda: kiosk.shows(IdleScreen))
        kiosk.fake.end(EndReason.IDLE, "Locked: nobody was there.")
        await kiosk.until(lambda: kiosk.shows(LockScreen) and "Locked: nobody was there." in kiosk.text())


async def test_touches_are_told_at_most_once_a_second() -> None:
    async with terminal() as kiosk:
        clock = kiosk.app.clock = HandClock()
        await kiosk.sign_in()
        await kiosk.press(*"abcdefgh")
        clock.advance(0.9)
        await kiosk.press(*"abcdefgh")
        clock.advance(0.1)
        await kiosk.press(*"abcdefgh")
        kiosk.app.courier.send(lambda: kiosk.fake.calls.append(("mark",)))
        await kiosk.until(lambda: kiosk.fake.called("mark"))
        assert len(kiosk.fake.called("touch")) == 2
