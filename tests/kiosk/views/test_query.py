"""The query form as typed, and what it becomes."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.imaging.studies.model import StudyQuery
from kiosk.views.query import DATE_CHOICES, DateRange, FormFault, QueryForm, date_range, next_page, study_query

TODAY = date(2026, 3, 15)


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("", None, None),
        ("any", None, None),
        (" Any ", None, None),
        ("today", TODAY, TODAY),
        ("yesterday", date(2026, 3, 14), date(2026, 3, 14)),
        ("7 days", date(2026, 3, 8), TODAY),
        ("30d", date(2026, 2, 13), TODAY),
        ("1 day", date(2026, 3, 14), TODAY),
        ("2026-01-31", date(2026, 1, 31), date(2026, 1, 31)),
        ("2026-1-3", date(2026, 1, 3), date(2026, 1, 3)),
        ("20260131", date(2026, 1, 31), date(2026, 1, 31)),
        ("2026-01-01..2026-02-01", date(2026, 1, 1), date(2026, 2, 1)),
        ("2026-01-01 .. 20260201", date(2026, 1, 1), date(2026, 2, 1)),
        ("20260101-20260201", date(2026, 1, 1), date(2026, 2, 1)),
        ("20260101-", date(2026, 1, 1), None),
        ("-20260201", None, date(2026, 2, 1)),
        ("2026-01-01..", date(2026, 1, 1), None),
        ("..today", None, TODAY),
    ],
)
def test_dates_are_read_as_a_person_or_dicom_writes_them(typed: str, first: date | None, last: date | None) -> None:
    assert date_range(typed, TODAY) == DateRange(first, last)


@pytest.mark.parametrize(
    "typed", ["31.1.2026", "2026-13-01", "20260230", "tomorrow", "..", "-", "7", "1/2/26", "20260101-x", "٣ days"]
)
def test_a_date_that_cannot_be_read_names_its_field_and_what_would_do(typed: str) -> None:
    fault = date_range(typed, TODAY)
    assert isinstance(fault, FormFault)
    assert fault.field == "study_date"
    assert "2026-01-31" in fault.sentence


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    assert isinstance(date_range("20260201-20260101", TODAY), FormFault)


@pytest.mark.parametrize("choice", DATE_CHOICES)
def test_every_choice_of_the_form_can_be_read(choice: str) -> None:
    assert isinstance(date_range(choice, TODAY), DateRange)


@given(st.text(max_size=40))
def test_no_text_in_the_date_field_breaks_the_form(typed: str) -> None:
    assert isinstance(date_range(typed, TODAY), DateRange | FormFault)


def test_an_empty_form_asks_for_everything() -> None:
    assert study_query(QueryForm(), TODAY) == StudyQuery()


def test_names_are_beginnings_descriptions_are_parts_and_numbers_are_whole() -> None:
    form = QueryForm("Doe, Jane", "P-1", "A7", "", "ct, mr/us CT", "head")
    assert study_query(form, TODAY) == StudyQuery("Doe^Jane*", "P-1", "A7", None, None, ("CT", "MR", "US"), "*head*")


def test_wildcards_that_are_typed_stay_as_they_are() -> None:
    form = QueryForm(patient_name="*doe?", description="he?d")
    assert study_query(form, TODAY) == StudyQuery(patient_name="*doe?", description="he?d")


def test_a_backslash_cannot_smuggle_a_second_modality_value_in() -> None:
    assert study_query(QueryForm(modality="CT\\MR"), TODAY) == StudyQuery(modalities=("CT", "MR"))


def test_what_is_not_a_modality_code_is_refused() -> None:
    fault = study_query(QueryForm(modality="CT*"), TODAY)
    assert isinstance(fault, FormFault)
    assert fault.field == "modality"


def test_control_characters_do_not_reach_the_archive() -> None:
    query = study_query(QueryForm(patient_name="D\x1b[2Jo\u202ee\x00"), TODAY)
    assert query == StudyQuery(patient_name="Doe*")


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("", None, None),
        ("08:00-12:30", time(8), time(12, 30, 59)),
        ("0800..12", time(8), time(12, 59, 59)),
        ("22-", time(22), None),
        ("-6:15", None, time(6, 15, 59)),
        ("14", time(14), time(14, 59, 59)),
    ],
)
def test_times_of_day_are_ranges(typed: str, first: time | None, last: time | None) -> None:
    assert study_query(QueryForm(study_time=typed), TODAY) == StudyQuery(time_from=first, time_to=last)


@pytest.mark.parametrize("typed", ["25", "8:61", "12-8", "-", "noon"])
def test_a_time_that_is_none_points_at_its_field(typed: str) -> None:
    fault = study_query(QueryForm(study_time=typed), TODAY)
    assert isinstance(fault, FormFault)
    assert fault.field == "study_time"


def test_uids_are_a_list_and_nothing_else() -> None:
    assert study_query(QueryForm(study_uids="1.2, 1.3 1.2"), TODAY) == StudyQuery(study_instance_uids=("1.2", "1.3"))
    assert isinstance(study_query(QueryForm(study_uids="1.2*"), TODAY), FormFault)


def test_the_next_page_is_the_same_query_for_more() -> None:
    assert next_page(StudyQuery("Doe*")) == StudyQuery("Doe*", pages=2)
