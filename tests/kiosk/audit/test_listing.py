"""A person's day, a patient's accesses, and one record whole, as lines for people."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from wcwidth import wcwidth

from kiosk.audit import Entry, Outcome, Phase, Record, Selection, acts, export, listing, record_lines, select, stays
from kiosk.audit.table import seconds_text
from tests.kiosk.audit.pushed_study import BADGE, KNOWN, MORNING, PERSON, SESSION, recorded, steps
from tests.kiosk.audit.samples import ACTOR, PATIENT, SOURCE, ManualClock, outcome
from tests.kiosk.audit.strategies import ENTRIES

DAY = date(2026, 11, 23)
ANNA = Selection(person="a.weber")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, ...]:
    with recorded(tmp_path_factory.mktemp("trail"), steps()) as trail:
        return tuple(select(trail, ANNA))


def made(*entries: Entry, seconds: float = 1.0) -> list[Record]:
    return [
        Record(place, MORNING + timedelta(seconds=seconds * place), entry, bytes(32), bytes(32), SOURCE)
        for place, entry in enumerate(entries, 1)
    ]


def test_a_session_begins_with_the_login_and_ends_with_the_logout(records: tuple[Record, ...]) -> None:
    (stay,) = stays(records)
    assert stay.session_id == SESSION
    assert (stay.person.user_id, stay.person.badge) == ("a.weber", BADGE)
    assert (stay.opened_at, stay.ended_at) == (MORNING + timedelta(seconds=10), MORNING + timedelta(seconds=25))
    assert stay.seconds == 15.0
    acts_of_it = ["tap", "enter_pin", "query", "push", "sign_out", "deliver", "confirm"]
    assert [act.entry.act for act in stay.acts] == acts_of_it
    assert [act.seconds for act in stay.acts] == [None, *[2.5] * 6]  # the tap began as nobody's


def test_a_day_is_told_session_by_session_with_durations_and_what_was_done(records: tuple[Record, ...]) -> None:
    heading, gap, session, *rest, last_gap, told = listing.day(records, DAY, UTC)
    assert heading == "Monday, 2026-11-23, times of UTC"
    assert gap == last_gap == ""
    assert session == (
        "09:00:10    15 s          session       "
        "Session to 09:00:25: Dr. Anna Weber (a.weber), uid:04A1B2C3D4E580;pkoc:9f2c51d07a3b4e6d"
    )
    assert rest[-2].split()[:4] == ["09:00:27", "2.5", "s", "success"]
    assert any("Push: in the outbox; patient Planted^Petra (4711/NORTH); study 1.2.826" in line for line in rest)
    assert told == "1 session, 15 s in all, 1 query, 1 push, 1 delivery, 1 confirmation."


def test_times_are_those_of_the_place(records: tuple[Record, ...]) -> None:
    zone = timezone(timedelta(hours=5, minutes=30), "IST")
    heading, _, session, *_ = listing.day(records, DAY, zone)
    assert heading.endswith("times of IST (UTC+05:30)")
    assert session.startswith("14:30:10")


def test_a_tap_that_was_refused_is_told_beside_the_sessions() -> None:
    refused = Entry("tap", "x", Phase.EVENT, KNOWN, "Refused: expired", Outcome.SERIOUS, details=(("session", "s"),))
    lines = list(listing.day(made(refused), DAY, UTC))
    assert lines[2].endswith("Not let in: Dr. Anna Weber (a.weber), " + ";".join(BADGE))
    assert lines[-1] == "No session."


def test_a_session_that_has_not_ended_is_still_open(records: tuple[Record, ...]) -> None:
    lines = list(listing.day((one for one in records if one.entry.act != "sign_out"), DAY, UTC))
    assert "Session still open: " in lines[2]


def test_what_was_begun_and_never_ended_says_so() -> None:
    begun = Entry("query", "x", Phase.INTENT, PERSON, "Query")
    assert any("not ended" in line for line in listing.day(made(begun), DAY, UTC))
    assert any("not ended" in line for line in listing.accesses(made(begun)))


def test_acts_outside_any_session_stand_together() -> None:
    by_hand = replace(ACTOR, kind="unix", user_id="unix:root", user_name="", badge=(), session_id="")
    entries = [Entry("add_person", str(n), Phase.EVENT, by_hand, f"Added {n}", Outcome.SUCCESS) for n in range(2)]
    lines = list(listing.day(made(*entries), DAY, UTC))
    assert sum("Outside any session: unix:root" in line for line in lines) == 1


def test_a_day_on_which_nothing_is_on_record_says_so() -> None:
    assert list(listing.day([], DAY, UTC))[-1] == "Nothing is on record."


def test_a_patients_accesses_are_listed_with_who_when_badge_and_what(records: tuple[Record, ...]) -> None:
    heading, *lines = listing.accesses(one for one in records if one.entry.patient == PATIENT)
    assert heading.split() == ["No.", "Time", "(UTC)", "Person", "Badge", "Outcome", "What"]
    assert len(lines) == 3  # a push, its delivery and its confirmation, each one line
    for part in ("2026-11-23 09:00:17Z", "Dr. Anna Weber (a.weber)", "pkoc:9f2c51d07a3b4e6d", "success", "4711/NORTH"):
        assert part in lines[0]


LONG = "Prof. Dr. Maximilian Freiherr von Wolkenstein-Rodenegg-Trostburg"
WIDE = "放射線科診断部門の田中太郎先生と山田花子先生、鈴木一郎先生"


def columns(line: str, *, of: str) -> list[str]:
    """What stands under each heading, by terminal cells."""
    starts = [of.index(word) for word in ("No.", "Time", "Person", "Badge", "Outcome", "What")]
    cells: list[str] = []
    for character in line:
        cells += [character, *[""] * (max(0, wcwidth(character)) - 1)]
    return ["".join(cells[start:end]).strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


@pytest.mark.parametrize("name", [LONG, WIDE], ids=["long", "wide"])
def test_columns_stand_under_their_headings_however_long_or_wide_a_name_is(name: str) -> None:
    actor = replace(ACTOR, user_name=name, badge=("uid:04A1B2C3D4E580", "pkoc:" + "9f2c" * 16))
    entry = Entry("a", "1", Phase.EVENT, actor, "Looked", Outcome.MINOR)
    heading, plain, line = listing.accesses(made(replace(entry, actor=ACTOR, act_id="0"), entry))
    for found in (columns(plain, of=heading), columns(line, of=heading)):
        assert found[1].endswith("Z")
        assert (found[4], found[5]) == ("minor (4)", "Looked")
    number, _, person, badge, *_ = columns(line, of=heading)
    assert (number, person[:9], person[-1], badge[-1]) == ("2", name[:9], "…", "…")
    assert badge.startswith("uid:04A1B2C3D4E580;pkoc:")
    (whole,) = list(export.csv(made(entry)))[1:]
    assert name in whole
    assert "9f2c" * 16 in whole


@settings(max_examples=50, deadline=None)
@given(ENTRIES)
def test_every_row_of_every_table_is_aligned(entry: Entry) -> None:
    record = Record(7, MORNING, entry, bytes(32), bytes(32), SOURCE)
    for lines, widths in ((export.show([record]), export.WIDTHS), (listing.accesses([record]), listing.ACCESS_WIDTHS)):
        for line in lines:
            place = sum(widths) + 2 * (len(widths) - 1)
            cells = [character for character in line for _ in range(max(0, wcwidth(character)))]
            assert "".join(cells[place : place + 2]).strip() == ""


def test_the_fields_of_one_record_stand_in_a_column_however_long_a_name_is() -> None:
    entry = Entry("a", "1", Phase.EVENT, ACTOR, "A", Outcome.SUCCESS, details=(("key." + "x" * 30, "found"),))
    lines = [line for line in record_lines(*made(entry)) if line]
    at = next(line for line in lines if line.endswith("  found")).index("found")
    assert all(line[at - 2 : at].strip() == "" and line[at].strip() for line in lines)


def test_acts_are_put_together_while_records_come() -> None:
    def endless() -> Iterable[Record]:
        number = 0
        while True:
            number += 1
            yield from made(Entry("a", str(number), Phase.INTENT, ACTOR, "A"), outcome(str(number)))

    found = acts(endless())
    assert next(found).seconds == 1.0
    assert next(found).seconds == 1.0


def test_a_record_is_shown_with_its_message_field_by_field() -> None:
    (record,) = made(outcome("act-1"))
    text = "\n".join(record_lines(record))
    for part in (
        "Summary                 Pushed",
        "Badge                   uid:04A1B2C3D4E5F6;pkoc:9f2c51d07a3b4e6d",
        "EventID                 110104 DICOM Instances Transferred (DCM)",
        "EventOutcome            success",
        "ActiveParticipant       rsmith@north (requestor)",
        "    AlternativeUserID   uid:04A1B2C3D4E5F6",
        "ParticipantObject       1.2.826.0.1.3680043.8.498.1",
        "    Accession           ACC-0815",
        f"Hash                    {bytes(32).hex()}",
    ):
        assert part in text


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_no_text_breaks_a_line_or_reaches_the_terminal(entry: Entry) -> None:
    record = Record(1, ManualClock().now(), entry, bytes(32), bytes(32), SOURCE)
    for line in (*record_lines(record), *listing.day([record], DAY, UTC), *listing.accesses([record])):
        assert line.isprintable()


def test_durations_are_said_as_people_say_them() -> None:
    told = [seconds_text(seconds) for seconds in (None, 0.04, 9.94, 12, 185, 3720)]
    assert told == ["", "0.0 s", "9.9 s", "12 s", "3 min 5 s", "1 h 2 min"]


def test_a_trail_of_a_day_is_read_from_the_trail_itself(tmp_path: Path) -> None:
    with recorded(tmp_path, steps()) as trail:
        found = select(trail, replace(ANNA, since=MORNING, until=MORNING + timedelta(seconds=12)))
        assert list(listing.day(found, DAY, UTC))[-1].startswith("1 session")
