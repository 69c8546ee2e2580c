"""Pushing: the question, the bar, stopping, retrying."""

from kiosk.errors import NotAllowed, StorageFull
from kiosk.operations.facts import FailedInstance
from kiosk.operations.operations import PushRequest
from kiosk.ui.screens.push import PushScreen
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.screens.transfers import TransfersScreen
from kiosk.ui.widgets.transfer_bar import TransferBar
from tests import phantoms
from tests.kiosk.ui.kit import Terminal, terminal

FAILURE = FailedInstance(f"{phantoms.ROOT}.0.1.1", "out of resources (A700)")


def _requests(kiosk: Terminal) -> list[PushRequest]:
    return [call[1] for call in kiosk.fake.called("push") if isinstance(call[1], PushRequest)]


async def _ask(kiosk: Terminal, *keys: str) -> None:
    await kiosk.sign_in()
    await kiosk.query()
    await kiosk.press(*keys, "p")
    await kiosk.until(lambda: kiosk.shows(PushScreen) and kiosk.table("#destinations").row_count == 2)


async def _push_first(kiosk: Terminal) -> str:
    await _ask(kiosk, "home")
    await kiosk.press("enter")
    await kiosk.until(lambda: kiosk.shows(StudiesScreen) and kiosk.fake.jobs)
    await kiosk.until(lambda: isinstance(kiosk.app.focused, TransferBar))
    return next(iter(kiosk.fake.jobs))


async def test_the_question_names_every_patient_the_destination_and_the_amount() -> None:
    async with terminal() as kiosk:
        await _ask(kiosk, "home", "space", "space", "space")
        await kiosk.sees("Push 3 studies · 9 series · 322 instances to Workstation (WORKSTATION)?")
        await kiosk.sees(
            "Berg, Ingrid M · born 1950-05-04 · ID P-1001 (Hospital A) · female", "Иванов Сергей", "王 小東"
        )


async def test_the_other_destination_can_be_chosen_and_each_study_is_pushed() -> None:
    async with terminal() as kiosk:
        await _ask(kiosk, "home", "space", "space")
        await kiosk.press("down")
        await kiosk.until(lambda: "to Teaching files (TEACHING)?" in kiosk.text())
        await kiosk.press("enter")
        await kiosk.until(lambda: len(_requests(kiosk)) == 2)
        assert {request.destination for request in _requests(kiosk)} == {"Teaching files"}
        assert all(request.series_instance_uids == () for request in _requests(kiosk))
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))
        assert kiosk.table().marks == frozenset()


async def test_several_destinations_are_marked_and_one_enter_pushes_to_each() -> None:
    async with terminal() as kiosk:
        await _ask(kiosk, "home", "space", "space")
        await kiosk.sees("Space marks several destinations.")
        await kiosk.press("space", "space")
        to_each = "to each of 2 destinations: Workstation (WORKSTATION), Teaching files (TEACHING)?"
        await kiosk.until(lambda: to_each in kiosk.words("#question"))
        await kiosk.press("enter")
        await kiosk.until(lambda: len(_requests(kiosk)) == 4)
        studies = {request.study.study_instance_uid for request in _requests(kiosk)}
        pairs = {(request.study.study_instance_uid, request.destination) for request in _requests(kiosk)}
        assert pairs == {(study, to) for study in studies for to in ("Workstation", "Teaching files")}
        await kiosk.until(lambda: kiosk.shows(StudiesScreen) and len(kiosk.fake.jobs) == 4)


async def test_a_mark_that_is_taken_off_again_counts_no_more() -> None:
    async with terminal() as kiosk:
        await _ask(kiosk, "home")
        await kiosk.press("space", "space")
        await kiosk.until(lambda: "to each of 2 destinations" in kiosk.words("#question"))
        await kiosk.press("home", "space")
        await kiosk.until(lambda: "to Teaching files (TEACHING)?" in kiosk.text())
        await kiosk.press("home", "enter")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))
        assert [request.destination for request in _requests(kiosk)] == ["Teaching files"]


async def test_what_is_in_the_outbox_already_is_not_put_there_twice() -> None:
    async with terminal() as kiosk:
        await _ask(kiosk, "home")
        await kiosk.press("space", "space")
        kiosk.fake.script.failing["push to Teaching files"] = StorageFull("The outbox is full.")
        await kiosk.press("enter")
        await kiosk.sees("The outbox is full.", "1 of 2 pushes are in the outbox.")
        kiosk.fake.script.failing.clear()
        await kiosk.press("enter")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))
        pushed = [request.destination for request, _ in kiosk.fake.jobs.values()]
        assert sorted(pushed) == ["Teaching files", "Workstation"]


async def test_a_click_on_a_destination_chooses_it_but_only_the_button_pushes() -> None:
    async with terminal() as kiosk:
        await _ask(kiosk, "home")
        await kiosk.click("#destinations", offset=(5, 2))
        await kiosk.until(lambda: "TEACHING)?" in kiosk.text())
        assert _requests(kiosk) == []
        await kiosk.click("#yes")
        await kiosk.until(lambda: len(_requests(kiosk)) == 1)


async def test_escape_at_the_question_pushes_nothing() -> None:
    async with terminal() as kiosk:
        await _ask(kiosk, "home")
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))
        assert _requests(kiosk) == []


async def test_selected_series_of_an_open_study_are_pushed_alone() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.open_first_study()
        await kiosk.press("down", "space", "p")
        await kiosk.until(lambda: kiosk.shows(PushScreen) and kiosk.table("#destinations").row_count == 2)
        await kiosk.sees("Push 1 study · 1 series · 40 instances to Workstation")
        await kiosk.press("enter")
        await kiosk.until(lambda: _requests(kiosk))
        assert [uid.rpartition(".")[2] for uid in _requests(kiosk)[0].series_instance_uids] == ["2"]


async def test_a_push_that_is_not_allowed_is_said_in_the_question() -> None:
    async with terminal() as kiosk:
        await _ask(kiosk, "home")
        kiosk.fake.script.failing["push"] = NotAllowed("Your role may not push.")
        await kiosk.press("enter")
        await kiosk.until(lambda: "Your role may not push." in kiosk.text())
        assert kiosk.shows(PushScreen)


async def test_the_bar_shows_instances_bytes_rate_and_what_is_left() -> None:
    async with terminal() as kiosk:
        job = await _push_first(kiosk)
        kiosk.fake.advance(job, 30)
        await kiosk.until(lambda: "30/120 instances" in kiosk.text())
        await kiosk.sees("sending to Workstation", "15.7 MB / 62.9 MB", "4.2 MB/s", "90 instances left, 0:11")


async def test_escape_right_after_the_push_stops_it_at_once() -> None:
    async with terminal() as kiosk:
        job = await _push_first(kiosk)
        await kiosk.press("escape")
        await kiosk.until(lambda: [call[1] for call in kiosk.fake.called("cancel_push")] == [job])
        await kiosk.until(lambda: "cancelled to Workstation" in kiosk.words("#progress"))
        assert kiosk.app.focused is kiosk.table()


async def test_x_stops_it_from_the_list_too() -> None:
    async with terminal() as kiosk:
        job = await _push_first(kiosk)
        await kiosk.press("down")
        assert kiosk.app.focused is kiosk.table()
        await kiosk.press("x")
        await kiosk.until(lambda: [call[1] for call in kiosk.fake.called("cancel_push")] == [job])


async def test_a_failed_instance_is_named_with_the_reason_and_r_retries() -> None:
    async with terminal() as kiosk:
        job = await _push_first(kiosk)
        kiosk.fake.advance(job, 119, (FAILURE,))
        await kiosk.until(lambda: "failed to Workstation" in kiosk.words("#progress"))
        await kiosk.until(
            lambda: f"failed: {FAILURE.sop_instance_uid}: out of resources (A700)" in kiosk.words("#hint")
        )
        await kiosk.press("r")
        await kiosk.until(lambda: [call[1] for call in kiosk.fake.called("retry_push")] == [job])


async def test_f8_lists_the_transfers_with_their_failures() -> None:
    async with terminal() as kiosk:
        job = await _push_first(kiosk)
        kiosk.fake.advance(job, 119, (FAILURE,))
        await kiosk.press("f8")
        await kiosk.until(lambda: kiosk.shows(TransfersScreen) and kiosk.table("#failures").row_count == 1)
        await kiosk.sees("out of resources (A700)")
        await kiosk.sees("ID P-1001 (Hospital A)")
        await kiosk.press("r")
        await kiosk.until(lambda: kiosk.fake.called("retry_push"))
        await kiosk.until(lambda: "queued" in kiosk.text())
        await kiosk.press("x")
        await kiosk.until(lambda: kiosk.fake.called("cancel_push"))
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))
