"""Tapping, the PIN box, and who may take it away."""

import pytest

from kiosk.errors import PeerUnreachable
from kiosk.operations.facts import AccessDenied, OutOfService, PinAsked, PinClosed, ReaderHealth, TapSeen
from kiosk.ui.screens.lock import LockScreen
from kiosk.ui.screens.pin import PinScreen
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.widgets.key_pad import KeyPad
from kiosk.ui.widgets.plain_text import PlainText
from tests.fakes import PEOPLE, PIN
from tests.kiosk.ui.kit import terminal


async def test_lock_screen_shows_name_site_clock_invitation_and_demo_cards() -> None:
    async with terminal() as kiosk:
        text = kiosk.text()
        for words in ("Kiosk 7", "St. Example", "Tap your badge or phone", "F1", "F4", "Unknown badge"):
            assert words in text
        assert text.count("█") > 50


async def test_without_a_demo_no_cards_and_no_pin_are_shown_and_f1_does_nothing() -> None:
    async with terminal(demo=False) as kiosk:
        assert "F1" not in kiosk.text()
        await kiosk.press("f1")
        kiosk.fake.post(PinAsked("claim", *PEOPLE["radiologist-badge"], 5))
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        assert PIN not in kiosk.text()
        assert kiosk.fake.called("present") == []


async def test_a_tap_asks_for_the_pin_and_the_right_one_opens_the_session() -> None:
    async with terminal() as kiosk:
        await kiosk.press("f1")
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        await kiosk.sees("PIN of Dr Ada Lindqvist, badge …A1B2")
        await kiosk.sees(f"Demonstration PIN: {PIN}")
        await kiosk.press("1", "2", "3")
        assert kiosk.words("#digits") == "● ● ●"
        await kiosk.press("4", "5", "6", "enter")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))
        await kiosk.sees("Dr Ada Lindqvist · radiologist")
        await kiosk.sees("badge …A1B2")


async def test_a_wrong_pin_is_said_with_the_tries_that_are_left_and_the_box_is_empty_again() -> None:
    async with terminal() as kiosk:
        await kiosk.press("f1")
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        await kiosk.press(*"000000", "enter")
        await kiosk.until(lambda: "That PIN is not right. · 4 tries left" in kiosk.text())
        assert "●" not in kiosk.words("#digits")
        await kiosk.press(*PIN, "enter")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))


async def test_the_pad_works_with_the_mouse_alone() -> None:
    async with terminal() as kiosk:
        await kiosk.click("#card-f1")
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        await kiosk.click("#pad", offset=KeyPad.middle_of("9"))
        await kiosk.click("#pad", offset=KeyPad.middle_of("back"))
        for digit in PIN:
            await kiosk.click("#pad", offset=KeyPad.middle_of(digit))
        await kiosk.click("#pad", offset=KeyPad.middle_of("enter"))
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))


async def test_a_closed_box_keeps_nothing_of_the_claim_and_serves_the_next() -> None:
    async with terminal() as kiosk:
        for card, name in (("f1", "Dr Ada Lindqvist"), ("f2", "Tom Okafor"), ("f1", "Dr Ada Lindqvist")):
            await kiosk.press(card)
            await kiosk.until(lambda: kiosk.shows(PinScreen))
            await kiosk.sees(f"PIN of {name}")
            await kiosk.press("1", "2", "3")
            assert kiosk.words("#digits") == "● ● ●"
            await kiosk.press("escape")
            await kiosk.until(lambda: kiosk.shows(LockScreen) and kiosk.app.pin_box.asked is None)
            kept = [str(widget.content) for widget in kiosk.app.pin_box.query(PlainText)]
            assert not any(name in text or "tries" in text or "●" in text for text in kept)


async def test_escape_abandons_the_claim() -> None:
    async with terminal() as kiosk:
        await kiosk.press("f1")
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(LockScreen) and kiosk.fake.called("abandon_pin"))


@pytest.mark.parametrize(
    "fact",
    [
        TapSeen(),
        AccessDenied("This badge is not known here."),
        PinClosed("claim-a", "Too slow."),
        ReaderHealth(False, "Reader", "The reader was unplugged."),
        OutOfService("The trail cannot be written."),
    ],
    ids=lambda fact: type(fact).__name__,
)
async def test_the_pin_box_goes_with_any_other_card_event(fact: object) -> None:
    async with terminal() as kiosk:
        kiosk.fake.post(PinAsked("claim-a", *PEOPLE["radiologist-badge"], 5))
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        kiosk.fake.post(fact)  # type: ignore[arg-type]  # parametrised
        await kiosk.until(lambda: kiosk.shows(LockScreen))


async def test_the_pin_box_of_a_newer_claim_replaces_the_older_and_late_closing_does_not_touch_it() -> None:
    async with terminal() as kiosk:
        kiosk.fake.post(PinAsked("claim-a", *PEOPLE["radiologist-badge"], 5))
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        await kiosk.press("1", "2")
        kiosk.fake.post(PinAsked("claim-b", *PEOPLE["technologist-badge"], 5))
        kiosk.fake.post(PinClosed("claim-a"))
        await kiosk.until(lambda: "Tom Okafor" in kiosk.text())
        assert "●" not in kiosk.words("#digits")
        assert len(kiosk.app.screen_stack) == 2


async def test_a_pin_that_cannot_be_checked_is_said_in_the_box() -> None:
    async with terminal() as kiosk:
        kiosk.fake.script.failing["enter_pin"] = PeerUnreachable("The directory does not answer.")
        await kiosk.press("f1")
        await kiosk.until(lambda: kiosk.shows(PinScreen))
        await kiosk.press(*PIN, "enter")
        await kiosk.until(lambda: "The directory does not answer." in kiosk.text())


async def test_an_unknown_badge_is_refused_on_the_lock_screen_and_the_sentence_goes_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kiosk.ui.host.NOTICE_SECONDS", 0.3)
    async with terminal() as kiosk:
        await kiosk.press("f4")
        await kiosk.until(lambda: "This badge is not known here." in kiosk.text())
        await kiosk.until(lambda: "This badge is not known here." not in kiosk.text())


async def test_everything_on_the_lock_screen_fits_a_small_terminal() -> None:
    async with terminal(size=(80, 24)) as kiosk:
        kiosk.fake.post(ReaderHealth(False, "Simulated reader", "The reader was unplugged."))
        kiosk.fake.post(AccessDenied("This badge is not known here."))
        await kiosk.until(lambda: "This badge is not known here." in kiosk.text())
        await kiosk.sees("Tap your badge or phone", "The reader was unplugged.", "F1", "F4", "Kiosk 7")


async def test_a_reader_fault_is_said_and_goes_when_the_reader_is_back() -> None:
    async with terminal() as kiosk:
        kiosk.fake.post(ReaderHealth(False, "Simulated reader", "The reader was unplugged."))
        await kiosk.until(lambda: "The reader was unplugged." in kiosk.text())
        kiosk.fake.post(ReaderHealth(True, "Simulated reader"))
        await kiosk.until(lambda: "The reader was unplugged." not in kiosk.text())


async def test_out_of_service_locks_an_open_session_and_says_why() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        kiosk.fake.post(OutOfService("The audit trail cannot be written."))
        await kiosk.until(lambda: kiosk.shows(LockScreen) and "OUT OF SERVICE" in kiosk.text())
        await kiosk.sees("The audit trail cannot be written.")
        assert "Tap your badge or phone" not in kiosk.text()
        kiosk.fake.post(OutOfService(""))
        await kiosk.until(lambda: "Tap your badge or phone" in kiosk.text())


async def test_the_same_badge_again_ends_the_session_and_another_persons_takes_it_over() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.press("f2")
        await kiosk.until(lambda: kiosk.shows(PinScreen) and "Tom Okafor" in kiosk.text())
        assert "Dr Ada" not in kiosk.text()
        await kiosk.press(*PIN, "enter")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen) and "Tom Okafor · technologist" in kiosk.text())
        await kiosk.press("f2")
        await kiosk.until(lambda: kiosk.shows(LockScreen))
        await kiosk.sees("You tapped again: your session is closed.")
        assert kiosk.app.session is None


async def test_f12_signs_out() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.press("f12")
        await kiosk.until(lambda: kiosk.shows(LockScreen))
        assert len(kiosk.fake.called("sign_out")) == 1
