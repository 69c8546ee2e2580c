"""A study from its series down to its tags."""

from dataclasses import replace

from kiosk.errors import PeerAborted, UnreadableObject
from kiosk.imaging.studies.model import OrderRule, Series, SeriesContents
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.screens.study import StudyScreen
from kiosk.ui.screens.tags import TagsScreen
from tests import phantoms
from tests.fakes import Script
from tests.kiosk.ui.kit import Terminal, terminal


def _screen(kiosk: Terminal) -> StudyScreen:
    assert isinstance(kiosk.app.screen, StudyScreen)
    return kiosk.app.screen


async def test_series_are_listed_under_the_patient_and_retrieved_only_when_opened() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.until(lambda: "Berg, Ingrid M" in kiosk.words("#patient-name"))
        await kiosk.until(lambda: "ID P-1001 (Hospital A)" in kiosk.words("#patient-details"))
        await kiosk.sees("Axial 5 mm")
        await kiosk.press("down", "up")
        assert kiosk.fake.called("open_series") == []


async def test_an_opened_series_shows_its_instances_in_order_with_rule_notes_and_a_picture() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series(1)
        said = kiosk.words("#instances-state")
        assert "40 instances · ordered by position along the slice normal" in said
        assert "Instance numbers run against the slices." in said
        assert kiosk.table("#instances").row_count == 40
        await kiosk.until(lambda: "NOT FOR DIAGNOSIS" in kiosk.text())
        letters = {side: kiosk.words(f"#{side}") for side in ("left", "right", "top", "bottom")}
        assert letters == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
        assert kiosk.words("#about").startswith("1/40 · no. 40")


async def test_the_picture_follows_the_cursor_and_is_asked_for_at_the_size_it_can_be_drawn() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series(1)
        await kiosk.press("down", "down", "down")
        await kiosk.until(lambda: kiosk.words("#about").startswith("4/40"))
        _uid, _frame, width, height = kiosk.fake.called("picture")[-1]
        assert (width, height) == _screen(kiosk).preview.pixels()


async def test_running_through_the_instances_shows_the_last_one_only_once_it_is_wanted() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series(1)
        kiosk.fake.script.hanging.add("picture")
        await kiosk.press(*["down"] * 5)
        await kiosk.until(lambda: "Loading 6/40" in kiosk.text())
        kiosk.fake.script.hanging.clear()
        await kiosk.until(lambda: kiosk.words("#about").startswith("6/40"))


async def test_left_and_right_go_through_the_frames() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series(2)
        await kiosk.press("right")
        await kiosk.until(lambda: "frame 2/8" in kiosk.words("#about"))
        await kiosk.press("left", "left")
        await kiosk.until(lambda: "frame 8/8" in kiosk.words("#about"))


async def test_t_shows_the_tags_and_the_search_keeps_what_a_sequence_lies_in() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series()
        await kiosk.press("t")
        await kiosk.until(lambda: kiosk.shows(TagsScreen) and kiosk.table("#tags").row_count == 67)
        await kiosk.sees("Berg, Ingrid M")
        await kiosk.press("slash", *"dsop")
        await kiosk.until(lambda: kiosk.table("#tags").row_count == 3)
        await kiosk.sees("    (0008,1150)")
        await kiosk.press("enter", "escape")
        await kiosk.until(lambda: kiosk.shows(StudyScreen))


async def test_escape_stops_a_retrieval_then_goes_up_step_by_step() -> None:
    async with terminal(Script(hanging={"open_series"})) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.press("enter")
        await kiosk.until(lambda: kiosk.table("#instances").row_count > 0)
        await kiosk.press("escape")
        await kiosk.until(lambda: "Cancelled." in kiosk.words("#instances-state"))
        assert kiosk.shows(StudyScreen)
        await kiosk.press("tab", "escape")
        assert kiosk.app.focused is kiosk.table("#series")
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))


async def test_a_retrieval_that_breaks_off_says_so_and_keeps_what_came() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        kiosk.fake.script.failing["open_series"] = PeerAborted("Main archive (ARCHIVE) broke off the association.")
        await kiosk.press("enter")
        await kiosk.until(lambda: "broke off the association" in kiosk.words("#instances-state"))
        kiosk.fake.script.failing.clear()
        await kiosk.open_series(0)


async def test_a_picture_that_cannot_be_made_is_a_sentence_and_the_next_one_is_drawn() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series(1)
        kiosk.fake.script.failing["picture"] = UnreadableObject("The pixels are shorter than promised.")
        await kiosk.press("down")
        await kiosk.until(lambda: "The pixels are shorter than promised." in kiosk.text())
        assert _screen(kiosk).preview.picture is None
        kiosk.fake.script.failing.clear()
        await kiosk.press("down")
        await kiosk.until(lambda: _screen(kiosk).preview.picture is not None)


async def test_instances_without_number_or_position_and_unreadable_ones_are_listed() -> None:
    def contents(series: Series) -> SeriesContents:
        one, two, three = phantoms.instances_of(series, 3)
        bare = replace(one, number=None, position=None, orientation=None, rows=None, columns=None)
        broken = replace(two, readable=False, note="no Transfer Syntax UID")
        return SeriesContents(series, (broken, bare, three), OrderRule.SOP_INSTANCE_UID, ("2 share a number",))

    async with terminal(Script(contents=contents)) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.press("enter")
        await kiosk.until(lambda: "2 share a number" in kiosk.words("#instances-state"))
        await kiosk.sees("not readable · no")
        await kiosk.until(lambda: kiosk.words("#sentence") == "This instance cannot be shown. · no Transfer Syntax UID")
        await kiosk.press("down")
        await kiosk.until(lambda: kiosk.words("#about").startswith("2/3 · no. ?"))


async def test_a_series_of_five_thousand_instances_opens() -> None:
    def contents(series: Series) -> SeriesContents:
        return SeriesContents(series, phantoms.instances_of(series, 5000), OrderRule.GEOMETRY)

    async with terminal(Script(contents=contents)) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series()
        await kiosk.press("end")
        await kiosk.until(lambda: kiosk.words("#about").startswith("5000/5000"))


async def test_the_screen_fits_a_small_terminal() -> None:
    async with terminal(size=(80, 24)) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.open_series()
        await kiosk.until(lambda: "NOT FOR DIAGNOSIS" in kiosk.text())
