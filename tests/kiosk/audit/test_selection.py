"""Finding records by person, badge, patient, study, act, outcome and time, a page at a time."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.audit import Actor, Entry, Head, Outcome, PatientRef, Phase, Record, Trail, Who, events
from kiosk.audit.boundary import Beginning
from kiosk.audit.canonical import decode_body, encode_body
from kiosk.audit.selection import Selection, select, select_newest, studies_of
from kiosk.audit.store import Row
from kiosk.errors import TrailError
from tests.kiosk.audit.samples import ACTOR, KIOSK, SOURCE, STUDY, ManualClock, event, filled, tamper, trail_in
from tests.kiosk.audit.strategies import ENTRIES

ANNA = Actor(
    "session", "a.weber", "Dr. Anna Weiß", ("uid:04A1B2C3D4E580", "pkoc:9f2c51d07a3b4e6d"), "s-1", "radiologist"
)
TOM = Actor("session", "t.okafor", "Tom Okafor", ("uid:04C7D81A2B3C4D",), "s-2", "technologist")
NORTH, SOUTH = PatientRef("4711", "NORTH", "Planted^Petra"), PatientRef("4711", "SOUTH", "Other^Otto")
START = ManualClock().now()

RECORDS = [
    Entry(
        "open_study", "1", Phase.OUTCOME, ANNA, "Open", Outcome.SUCCESS, patient=NORTH, details=(("study", "1.2.3"),)
    ),
    Entry("open_study", "2", Phase.OUTCOME, TOM, "Open", Outcome.SERIOUS, patient=SOUTH, details=(("study", "1.2.4"),)),
    Entry("push", "3", Phase.INTENT, ANNA, "Push", patient=NORTH),
    Entry("tap", "4", Phase.EVENT, replace(TOM, badge=("uid:04A1B2C3D4E580",)), "Tap", Outcome.MAJOR),
]


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    clock = ManualClock()
    with Trail(tmp_path_factory.mktemp("trail") / "t.sqlite", "kiosk-7", SOURCE, clock) as opened:
        for entry in RECORDS:
            opened.append(entry)
            clock.turn(60)
        yield opened


def found(trail: Trail, **asked: Any) -> list[int]:
    selection = Selection(**asked)
    oldest_first = [record.sequence for record in select(trail, selection)]
    assert [record.sequence for record in select_newest(trail, selection)] == oldest_first[::-1]
    return oldest_first


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ({}, [1, 2, 3, 4]),
        ({"person": "a.weber"}, [1, 3]),
        ({"person": "A.WEBER"}, [1, 3]),
        ({"person": "weiß"}, [1, 3]),
        ({"person": "WEISS"}, [1, 3]),
        ({"person": "okafor"}, [2, 4]),
        ({"person": "a.web"}, []),
        ({"badge": "uid:04A1B2C3D4E580"}, [1, 3, 4]),
        ({"badge": "04a1b2c3d4e580"}, [1, 3, 4]),
        ({"badge": "04:A1:B2:C3:D4:E5:80"}, [1, 3, 4]),
        ({"badge": "04 A1 B2 C3 D4 E5 80"}, [1, 3, 4]),
        ({"badge": "pkoc:9f2c51d07a3b4e6d"}, [1, 3]),
        ({"badge": "9F2C51D07A3B4E6D"}, [1, 3]),
        ({"badge": "04A1"}, []),
        ({"badge": "04A1", "badge_token": "uid:04A1B2C3D4E580"}, [1, 3, 4]),
        ({"badge": "uid:04A1B2C3D4E580", "badge_token": "token:00"}, [1, 3, 4]),
        ({"patient_id": "4711"}, [1, 2, 3]),
        ({"patient_id": "4711", "issuer": "SOUTH"}, [2]),
        ({"patient_id": "471"}, []),
        ({"study": "1.2.3"}, [1]),
        ({"study": "1.2"}, []),
        ({"act": "push"}, [3]),
        ({"outcome": Outcome.MAJOR}, [4]),
        ({"since": START + timedelta(minutes=1)}, [2, 3, 4]),
        ({"until": START + timedelta(minutes=1)}, [1]),
        ({"since": START + timedelta(minutes=1), "until": START + timedelta(minutes=3)}, [2, 3]),
        ({"person": "a.weber", "act": "push", "patient_id": "4711", "issuer": "NORTH"}, [3]),
    ],
)
def test_each_filter_takes_what_it_says(trail: Trail, asked: dict[str, Any], places: list[int]) -> None:
    assert found(trail, **asked) == places


def test_a_study_is_found_by_the_messages_too() -> None:
    who = Who("a.weber")
    messages = events.instances_accessed(who, KIOSK, (STUDY,), NORTH, Outcome.SUCCESS)
    assert studies_of(replace(event(), messages=messages)) == {STUDY.study_instance_uid}


def test_records_carry_the_hash_they_follow_when_others_are_passed_over(trail: Trail) -> None:
    records = list(trail.read())
    assert list(select(trail, Selection(act="push"))) == [records[2]]
    assert list(select(trail, Selection(), first=3)) == records[2:]
    assert list(select(trail, Selection(), first=2, last=3)) == records[1:3]
    assert list(select_newest(trail, Selection(), before=3)) == records[1::-1]


TEXTS = st.one_of(st.just(""), st.text(max_size=6))


@settings(max_examples=100, deadline=None)
@given(
    ENTRIES,
    st.builds(
        Selection,
        person=TEXTS,
        badge=TEXTS,
        patient_id=TEXTS,
        study=TEXTS,
        act=TEXTS,
        since=st.sampled_from([None, START, START + timedelta(microseconds=1)]),
        until=st.sampled_from([None, START, START + timedelta(microseconds=1)]),
    ),
    st.booleans(),
)
def test_nothing_that_matches_is_passed_over_unread(entry: Entry, selection: Selection, alike: bool) -> None:
    if alike:  # the chance that two texts are the same is small
        patient = entry.patient or PatientRef("")
        name = entry.actor.user_name[:3].upper()
        selection = replace(selection, person=name, patient_id=patient.patient_id, act=entry.act, badge="", study="")
    body = encode_body(entry, START, SOURCE)
    record = Record(1, START, _as_stored(entry), bytes(32), bytes(32), SOURCE)
    if selection.takes(record):
        assert selection.may_match(body)


def _as_stored(entry: Entry) -> Entry:
    return decode_body(encode_body(entry, START, SOURCE))[0]


def test_a_search_ends_soon_after_it_is_cancelled(tmp_path: Path) -> None:
    filled(tmp_path, 600)
    with trail_in(tmp_path) as opened:
        for search in (select, select_newest):
            cancel = Event()
            records = search(opened, Selection(), cancel=cancel)
            next(records)
            cancel.set()
            assert sum(1 for _ in records) < 256


def test_a_record_that_is_missing_is_said(tmp_path: Path) -> None:
    path = filled(tmp_path, 20)
    tamper(path, ("DELETE FROM record WHERE sequence = 7", ()))
    with Trail.read_only(path) as copy, pytest.raises(TrailError, match="Record 7 of the audit trail is missing"):
        list(select(copy, Selection(act="nothing")))


def test_a_long_search_holds_a_page_in_memory_and_no_more() -> None:
    body = encode_body(event(), START, SOURCE)
    row = _Rows(body, 4_000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in select(row, Selection(act="nothing"))) == 0
        assert sum(1 for _ in select(row, Selection(act="note"))) == 4_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2_500_000


class _Rows:
    """A trail of one record over and over."""

    def __init__(self, body: bytes, count: int) -> None:
        self._body = body
        self._count = count

    def head(self) -> Head:
        return Head(self._count, bytes(32))

    def beginning(self) -> Beginning:
        return Beginning(0, bytes(32), 0, bytes(32))

    def rows(self, first: int, limit: int = 256) -> list[Row]:
        places = range(first, min(first + limit, self._count + 1))
        return [Row(place, self._body, bytes(32), b"") for place in places]


def test_the_words_of_a_selection_hide_the_patient_under_keys() -> None:
    words = dict(Selection(person="a.weber", patient_id="4711", issuer="NORTH", outcome=Outcome.MINOR).words())
    assert words == {"person": "a.weber", "key.patient_id": "4711", "key.issuer": "NORTH", "outcome": "4"}
    assert "4711" not in repr(Selection(patient_id="4711"))


def test_an_actor_of_the_samples_is_found_by_any_of_their_tokens() -> None:
    record = Record(1, START, event(), bytes(32), bytes(32), SOURCE)
    for token in ACTOR.badge:
        assert Selection(badge=token).takes(record)
        assert Selection(badge=token.partition(":")[2]).takes(record)
