"""Records for spreadsheets: what was recorded comes out again, and none of it is calculated."""

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.audit import PatientRef, Record, export
from kiosk.audit.comma_separated import COLUMNS, HEADER, cell, line
from tests.kiosk.audit.samples import ACTOR, PATIENT, SOURCE, ManualClock, outcome
from tests.kiosk.audit.strategies import NASTY, TEXT

RECORD = Record(7, ManualClock().now(), outcome("act-1"), bytes(32), bytes(range(32)), SOURCE)
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r\n=cmd|' /C calc'!A0", "\x00=1", "\u200b=1", "＝1", "＋1"]


def read(text: str) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(f"{HEADER}\n{text}\n"))
    return row


def test_a_line_holds_who_when_which_badge_what_and_how_it_ended() -> None:
    row = read(line(RECORD))
    assert tuple(row) == COLUMNS
    assert row["number"] == "7"
    assert row["time"] == "2026-11-22T20:15:03.123456Z"
    assert (row["person"], row["name"], row["role"]) == ("rsmith@north", "Smith, Rita", "radiologist")
    assert row["badge"] == ";".join(ACTOR.badge)
    assert (row["act"], row["phase"], row["outcome"]) == ("push", "outcome", "0")
    assert (row["patient_id"], row["issuer"], row["patient_name"]) == (PATIENT.patient_id, "NORTH", PATIENT.name)
    assert row["studies"] == "1.2.826.0.1.3680043.8.498.1"
    assert row["hash"] == bytes(range(32)).hex()


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    patient = PatientRef(text, text, text)
    actor = replace(ACTOR, user_id=text, user_name=text, role=text, badge=(text,))
    row = read(line(replace(RECORD, entry=replace(RECORD.entry, actor=actor, patient=patient, summary=text))))
    assert all(value[:1] not in set("=+-@＝＋－＠") for value in row.values())
    assert row["summary"].startswith("'")


def test_ordinary_text_is_left_alone() -> None:
    for text in ("Push to PACS", "a=b", "1-2", "Doe^Jane", "'quoted'", "", "O\u2019Neill, M."):
        assert cell(text) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(TEXT, NASTY), min_size=3, max_size=3))
def test_quotes_commas_and_line_ends_stay_in_their_cell(texts: list[str]) -> None:
    entry = replace(RECORD.entry, summary=texts[0], details=(("key", texts[1]),), patient=PatientRef("1", "", texts[2]))
    written = line(replace(RECORD, entry=entry))
    assert written.isprintable()
    row = read(written)
    assert row["hash"] == RECORD.hash.hex()
    assert row["act_id"] == "act-1"


def test_the_header_comes_once_and_first() -> None:
    first, *rest = export.csv([RECORD, RECORD])
    assert first.split(",") == list(COLUMNS)
    assert len(rest) == 2
