"""Patients, studies, series, instances and tags as text."""

from dataclasses import replace
from datetime import date

import pytest

from kiosk.imaging.calls import Found
from kiosk.imaging.studies.model import OrderRule, Patient, PersonName, SeriesContents, TagRow
from kiosk.views.columns import SortOrder
from kiosk.views.instances import INSTANCE_COLUMNS, instance_cells, instance_line, order_line
from kiosk.views.names import full_name, short_name
from kiosk.views.patient import identifier_text, patient_banner, patient_line
from kiosk.views.series import SERIES_COLUMNS, series_cells
from kiosk.views.studies import (
    FIRST_DESCENDING,
    NEWEST_FIRST,
    STUDY_COLUMNS,
    found_line,
    in_order,
    study_cells,
    study_line,
)
from kiosk.views.tags import TAG_COLUMNS, matching, tag_cells, tag_line
from tests import phantoms

BAD = ("\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\x00", "\x08", "\x7f", "\n")


@pytest.mark.parametrize(
    ("name", "full", "short"),
    [
        (
            PersonName("Yamada^Tarou", "山田^太郎", "やまだ^たろう"),
            "Yamada, Tarou · 山田 太郎 · やまだ たろう",
            "Yamada, Tarou · 山田 太郎",
        ),
        (PersonName("Adams^John Quincy^^Rev.^B.A."), "Adams, Rev. John Quincy, B.A.", "Adams, Rev. John Quincy, B.A."),
        (PersonName("", "", "やまだ"), "やまだ", "やまだ"),
        (PersonName("Doe^[/JANE]"), "Doe, [/JANE]", "Doe, [/JANE]"),
        (PersonName("A^B^C^D^E^F^G"), "A, D B C, E", "A, D B C, E"),
        (PersonName(), "(no name)", "(no name)"),
        (PersonName("^^^^"), "(no name)", "(no name)"),
    ],
)  # fmt: skip
def test_names_are_written_in_every_group_that_is_there(name: PersonName, full: str, short: str) -> None:
    assert full_name(name) == full
    assert short_name(name) == short


def test_a_banner_has_name_birth_date_id_with_issuer_and_sex() -> None:
    banner = patient_banner(phantoms.PATIENTS[1])
    assert banner.name == "Ivanov, Sergei · Иванов Сергей"
    assert banner.details == "born 1961-02-28 · ID P-1002 (Hospital A) · male"


def test_what_is_unknown_about_a_patient_is_said_to_be_unknown() -> None:
    nobody = Patient("", "", PersonName(), None, "")
    assert patient_line(nobody) == "(no name) · born ? · ID (no ID) (issuer unknown) · sex unknown"


def test_the_same_id_of_two_issuers_never_looks_the_same() -> None:
    one, other = phantoms.PATIENTS[0], phantoms.PATIENTS[4]
    assert one.patient_id == other.patient_id
    assert identifier_text(one) != identifier_text(other)


def test_counts_that_the_archive_did_not_give_are_question_marks() -> None:
    study = replace(phantoms.study(0), series_count=None, instance_count=None)
    assert study_cells(study)[-1] == "?/?"
    assert study_cells(phantoms.study(0))[-1] == "3/120"


def test_every_row_has_a_cell_for_each_column() -> None:
    study = phantoms.study(0)
    series = phantoms.series_of(study)[0]
    instance = phantoms.instances_of(series, 1)[0]
    tag = next(iter(phantoms.tags_of(instance)))
    assert len(study_cells(study)) == len(STUDY_COLUMNS)
    assert len(series_cells(series)) == len(SERIES_COLUMNS)
    assert len(instance_cells(instance, 1)) == len(INSTANCE_COLUMNS)
    assert len(tag_cells(tag)) == len(TAG_COLUMNS)


@pytest.mark.parametrize("column", [column.key for column in STUDY_COLUMNS])
@pytest.mark.parametrize("descending", [False, True])
def test_every_column_sorts_and_unknown_values_come_last_both_ways(column: str, descending: bool) -> None:
    blank = replace(
        phantoms.study(999), study_date=None, study_time=None, modalities=(), description="", accession_number="",
        series_count=None, instance_count=None, patient=Patient("zz", "", PersonName("zz"), None, ""),
    )  # fmt: skip
    studies = [blank, *phantoms.studies(20)]
    rows = in_order(studies, SortOrder(column, descending))
    assert sorted(row.study_instance_uid for row in rows) == sorted(row.study_instance_uid for row in studies)
    if column not in ("name", "id"):
        assert rows[-1] is blank


def test_newest_first_goes_by_date_and_then_by_time() -> None:
    early = replace(phantoms.study(0), study_time=None)
    rows = in_order([phantoms.study(3), early, phantoms.study(0)], NEWEST_FIRST)
    assert rows == [phantoms.study(0), early, phantoms.study(3)]


def test_a_header_pressed_again_turns_the_order_round_and_dates_begin_with_the_newest() -> None:
    order = SortOrder("name").pressed("date", FIRST_DESCENDING)
    assert order == NEWEST_FIRST
    assert order.pressed("date", FIRST_DESCENDING) == SortOrder("date")


def test_the_end_of_a_query_says_how_many_and_whether_there_are_more() -> None:
    assert found_line(Found(0, False)) == "No study matches."
    assert found_line(Found(1, False)) == "1 study"
    assert found_line(Found(200, True, ("modality was ignored",))) == (
        "200 studies · There are more: ask for more, or narrow the query. · modality was ignored"
    )


def test_the_order_of_a_series_names_its_rule_and_its_notes() -> None:
    series = phantoms.series_of(phantoms.study(0))[1]
    contents = SeriesContents(series, phantoms.instances_of(series, 2), OrderRule.INSTANCE_NUMBER, ("one gap",))
    assert order_line(contents) == "2 instances · ordered by instance number · one gap"
    assert instance_line(contents.instances[0], 1, 2) == "1/2 · no. 2 · CT Image Storage"


def test_a_search_keeps_the_sequences_around_what_it_finds_once() -> None:
    rows = [
        TagRow(0, "(0008,1140)", "Seq", "SQ", "2", "", "Sequence"),
        TagRow(1, "Item 1", "", "", "", "", ""),
        TagRow(2, "(0008,1150)", "One", "UI", "1", "needle", "One"),
        TagRow(2, "(0008,1155)", "Two", "UI", "1", "needle", "Two"),
        TagRow(1, "Item 2", "", "", "", "", ""),
        TagRow(2, "(0008,1150)", "One", "UI", "1", "hay", "One"),
        TagRow(0, "(0010,0010)", "PatientName", "PN", "1", "hay", "Name"),
    ]
    assert matching(rows, "needle") == rows[:4]
    assert matching(rows, "one hay") == [rows[0], rows[4], rows[5]]
    assert matching(rows, "") == rows
    assert matching(rows, "nothing of it") == []


def test_nesting_is_shown_by_indenting_and_stops_somewhere() -> None:
    assert tag_cells(TagRow(2, "(0008,1150)", "", "", "", "", ""))[0] == "    (0008,1150)"
    deep = tag_cells(TagRow(3000, "(0008,1150)", "", "", "", "", ""))[0]
    assert len(deep) < 40


def test_hostile_text_is_plain_in_every_view() -> None:
    study = phantoms.hostile_study()
    series = replace(phantoms.series_of(study)[0], description=phantoms.HOSTILE, body_part=phantoms.HOSTILE)
    instance = replace(phantoms.instances_of(series, 1)[0], note=phantoms.HOSTILE, sop_class_name=phantoms.HOSTILE)
    tag = TagRow(1, *(phantoms.HOSTILE,) * 6)
    texts = [
        *study_cells(study), study_line(study), patient_line(study.patient), patient_banner(study.patient).name,
        patient_banner(study.patient).details, *series_cells(series), *instance_cells(instance, 1),
        instance_line(instance, 1, 1), *tag_cells(tag), tag_line(tag),
    ]  # fmt: skip
    for text in texts:
        assert not any(character in text for character in BAD), repr(text)


def test_dates_are_iso() -> None:
    assert study_line(phantoms.study(0)).startswith("2026-03-01 · 08:00 · CT · CT Head without contrast")
    assert date(2026, 3, 1).isoformat() in study_cells(phantoms.study(0))[0]
