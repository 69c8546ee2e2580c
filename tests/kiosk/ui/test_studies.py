"""Querying and looking through the answer."""

from datetime import date, time

from kiosk.errors import PeerRefused
from kiosk.imaging.studies.model import StudyQuery
from kiosk.ui.screens.studies import StudiesScreen
from kiosk.ui.screens.study import StudyScreen
from tests import phantoms
from tests.fakes import Script
from tests.kiosk.ui.kit import Terminal, terminal


def _dates(kiosk: Terminal) -> list[str]:
    table = kiosk.table()
    return [table._cells(key)[0] for key in table.keys]


async def test_what_is_typed_becomes_the_query() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.press(*"Doe", "tab", *"P-1*", "tab", *"A70001", "tab", *"2026-01-01..20260201", "tab")
        await kiosk.press(*"ct/mr", "tab", *"head", "enter")
        await kiosk.until(lambda: kiosk.fake.queries)
        expected = StudyQuery("Doe*", "P-1*", "A70001", date(2026, 1, 1), date(2026, 2, 1), ("CT", "MR"), "*head*")
        assert kiosk.fake.queries[0][0] == expected


async def test_rows_come_newest_first_with_a_count() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.sees("30 studies")
        assert _dates(kiosk) == sorted(_dates(kiosk), reverse=True)
        await kiosk.sees("Yamada, Tarou · 山田 太郎")
        await kiosk.sees("Ivanov, Sergei · Иванов")
        await kiosk.sees("Doe, [/JANE]")


async def test_the_patient_of_the_row_under_the_cursor_is_named_in_full() -> None:
    async with terminal(Script([phantoms.study(3)])) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.until(lambda: "やまだ たろう" in kiosk.words("#patient-name"))
        assert kiosk.words("#patient-details") == "born 1999-12-31 · ID P-1004 (Hospital A) · male"


async def test_rows_show_while_the_archive_still_answers_and_escape_cancels() -> None:
    async with terminal(Script(hanging={"query"})) as kiosk:
        await kiosk.sign_in()
        await kiosk.press("enter")
        await kiosk.until(lambda: "30 studies so far" in kiosk.text())
        await kiosk.press("down", "down")
        assert kiosk.table().cursor_index == 2
        await kiosk.press("escape")
        await kiosk.until(lambda: kiosk.fake.queries[0][1].is_set())
        await kiosk.until(lambda: "Cancelled." in kiosk.words("#state"))
        assert kiosk.table().row_count == 30


async def test_a_second_query_cancels_the_first_and_shows_only_its_own_rows() -> None:
    async with terminal(Script(hanging={"query"})) as kiosk:
        await kiosk.sign_in()
        await kiosk.press("enter")
        await kiosk.until(lambda: kiosk.table().row_count == 30)
        kiosk.fake.script.studies = [phantoms.study(77)]
        await kiosk.press("slash", "enter")
        await kiosk.until(lambda: kiosk.words("#state") == "1 study so far…")
        assert kiosk.fake.queries[0][1].is_set()
        assert kiosk.table().keys == (phantoms.study(77).study_instance_uid,)


async def test_an_archive_that_refuses_is_a_sentence_in_place_and_the_next_query_works() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        kiosk.fake.script.failing["query"] = PeerRefused("Main archive (ARCHIVE) refused: out of resources (A700)")
        await kiosk.press("enter")
        await kiosk.until(lambda: "Main archive (ARCHIVE) refused: out of resources (A700)" in kiosk.words("#state"))
        kiosk.fake.script.failing.clear()
        await kiosk.press("escape", "enter")
        await kiosk.until(lambda: kiosk.words("#state") == "30 studies")


async def test_a_date_that_cannot_be_read_is_pointed_at_and_nothing_is_asked() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.press("tab", "tab", "tab", *"31.1.26", "enter")
        await kiosk.until(lambda: "not understood" in kiosk.words("#state"))
        assert kiosk.app.focused is not None
        assert kiosk.app.focused.id == "study_date"
        assert kiosk.fake.queries == []


async def test_a_date_button_asks_at_once() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.click("#date-1")
        await kiosk.until(lambda: kiosk.fake.queries)
        today = kiosk.app.clock.now().astimezone().date()
        assert (kiosk.fake.queries[0][0].date_from, kiosk.fake.queries[0][0].date_to) == (today, today)


async def test_every_column_sorts_by_key_and_by_a_click_on_its_header() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        newest = kiosk.table().keys
        await kiosk.press("S")
        assert kiosk.table().keys == newest[::-1]
        await kiosk.press("s", "s")
        names = [kiosk.table()._cells(key)[2] for key in kiosk.table().keys]
        assert names == sorted(names, key=str.casefold)
        await kiosk.click("#studies", offset=(5, 0))
        assert kiosk.table().keys == newest
        await kiosk.click("#studies", offset=(5, 0))
        assert kiosk.table().keys == newest[::-1]
        for _ in range(8):
            await kiosk.press("s")
            assert set(kiosk.table().keys) == set(newest)


async def test_the_cursor_stays_with_its_row_when_the_order_changes() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.press("down", "down", "down")
        key = kiosk.table().cursor_key
        await kiosk.press("S")
        assert kiosk.table().cursor_key == key


async def test_one_click_opens_a_study_and_a_click_on_its_box_selects_it() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.click("#studies", offset=(1, 3))
        await kiosk.until(lambda: "1 selected" in kiosk.words("#state"))
        assert kiosk.shows(StudiesScreen)
        await kiosk.click("#studies", offset=(30, 5))
        await kiosk.until(lambda: kiosk.shows(StudyScreen))


async def test_five_thousand_rows_arrive_and_the_keys_still_answer() -> None:
    async with terminal(Script(phantoms.studies(5000))) as kiosk:
        await kiosk.sign_in()
        await kiosk.press("enter")
        await kiosk.until(lambda: kiosk.table().row_count > 0)
        await kiosk.press("end", "home", "down")
        await kiosk.until(lambda: kiosk.words("#state") == "5000 studies")
        await kiosk.press("end")
        assert kiosk.table().cursor_index == 4999
        await kiosk.until(lambda: _dates(kiosk)[-1] in kiosk.text())


async def test_question_mark_shows_the_keys_and_any_key_closes_them() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.press("question_mark")
        await kiosk.until(lambda: "Any key closes this." in kiosk.text())
        await kiosk.sees("Turn order")
        await kiosk.press("p")
        await kiosk.until(lambda: kiosk.shows(StudiesScreen))
        assert kiosk.fake.called("destinations") == []


async def test_a_question_mark_in_a_field_is_a_wildcard() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.press("tab", *"P-10", "question_mark", "enter")
        await kiosk.until(lambda: kiosk.fake.queries)
        assert kiosk.fake.queries[0][0].patient_id == "P-10?"


async def test_m_asks_for_the_next_page_while_there_is_one() -> None:
    async with terminal(Script(page=20)) as kiosk:
        await kiosk.sign_in()
        await kiosk.query()
        await kiosk.sees("There are more")
        assert kiosk.table().row_count == 20
        await kiosk.press("m")
        await kiosk.until(lambda: kiosk.table().row_count == 30 and not kiosk.app.tickets.is_running("query"))
        assert [query.pages for query, _ in kiosk.fake.queries] == [1, 2]
        await kiosk.press("m")
        assert len(kiosk.fake.queries) == 2


async def test_rarer_keys_are_behind_f6_and_go_when_they_are_hidden() -> None:
    async with terminal() as kiosk:
        await kiosk.sign_in()
        await kiosk.press("f6", *"Hosp", "tab", *"Doe", "tab", *"08:00-12", "enter")
        await kiosk.until(lambda: len(kiosk.fake.queries) == 1)
        asked = kiosk.fake.queries[0][0]
        assert asked == StudyQuery(
            issuer="Hosp", referring_physician="Doe*", time_from=time(8), time_to=time(12, 59, 59)
        )
        await kiosk.press("slash", "f6", "enter")
        await kiosk.until(lambda: len(kiosk.fake.queries) == 2)
        assert kiosk.fake.queries[1][0] == StudyQuery()
