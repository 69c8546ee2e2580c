"""What a person types into the filters of the record."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from kiosk.audit import Outcome, Selection
from kiosk.views.audit_form import AuditForm, one_day, selection_of
from kiosk.views.query import FormFault

TODAY = date(2026, 11, 23)
ZONE = timezone(timedelta(hours=-5))


def read(**fields: str) -> Selection:
    found = selection_of(AuditForm(**fields), TODAY, ZONE)
    assert isinstance(found, Selection)
    return found


def fault(**fields: str) -> FormFault:
    found = selection_of(AuditForm(**fields), TODAY, ZONE)
    assert isinstance(found, FormFault)
    return found


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


def test_an_empty_form_takes_everything() -> None:
    assert read().is_empty


def test_words_are_taken_as_they_are_typed() -> None:
    found = read(person=" a.weber ", badge="04A1", patient="4711", issuer="NORTH", study="1.2", act="Open study")
    assert found == Selection(
        person="a.weber", badge="04A1", patient_id="4711", issuer="NORTH", study="1.2", act="open_study"
    )


@pytest.mark.parametrize(("text", "outcome"), [("success", 0), ("Minor", 4), ("8", 8), ("major", 12)])
def test_outcomes_are_words_or_numbers(text: str, outcome: int) -> None:
    assert read(outcome=text).outcome is Outcome(outcome)


@pytest.mark.parametrize(
    ("fields", "since", "until"),
    [
        ({"day": "2026-11-23"}, at(23), at(24)),
        ({"day": "today"}, at(23), at(24)),
        ({"day": "yesterday"}, at(22), at(23)),
        ({"day": "2026-11-01..2026-11-03"}, at(1), at(4)),
        ({"since": "2026-11-02"}, at(2), None),
        ({"until": "2026-11-02"}, None, at(3)),
        ({"since": "2026-11-02T08:30", "until": "2026-11-02 09:00"}, at(2, 8, 30), at(2, 9)),
        ({"since": "2026-11-02T08:30Z"}, datetime(2026, 11, 2, 8, 30, tzinfo=UTC), None),
        ({"day": "2026-11-23", "since": "2026-11-23T12:00"}, at(23, 12), at(24)),
    ],
)
def test_days_are_whole_days_of_the_place(
    fields: dict[str, str], since: datetime | None, until: datetime | None
) -> None:
    found = read(**fields)
    assert (found.since, found.until) == (since, until)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"outcome": "good"}, "outcome"),
        ({"day": "some day"}, "day"),
        ({"since": "noon"}, "since"),
        ({"since": "2026-13-01"}, "since"),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "until"),
        ({"issuer": "NORTH"}, "issuer"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(fields: dict[str, str], field: str) -> None:
    assert fault(**fields).field == field


def test_one_day_is_told_from_several() -> None:
    assert one_day(AuditForm(day="2026-11-23"), TODAY) == TODAY
    assert one_day(AuditForm(day="7 days"), TODAY) is None
    assert one_day(AuditForm(), TODAY) is None
    assert one_day(AuditForm(day="nonsense"), TODAY) is None


def test_without_a_zone_days_are_this_machines() -> None:
    found = selection_of(AuditForm(day="today"), TODAY)
    assert isinstance(found, Selection)
    assert found.since is not None
    assert found.since.utcoffset() is not None
    assert (found.since.hour, found.since.date()) == (0, TODAY)
