"""Records as lines for machines and for people, with and without their patients."""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from kiosk.audit import Entry, Outcome, PatientRef, Phase, Record, StudyRef, Who, encode_identifier, events, export
from kiosk.audit.canonical import decode_record, dumps, encode_body
from kiosk.audit.chain import link
from tests.kiosk.audit.samples import (
    ACTOR,
    KIOSK,
    PACS,
    RADIOLOGIST,
    SOURCE,
    ManualClock,
    event,
    filled,
    intent,
    trail_in,
)
from tests.kiosk.audit.strategies import ENTRIES
from tests.kiosk.audit.test_xml import valid

Lines = Callable[..., Iterator[str]]
FORMATS: dict[str, Lines] = {**export.FORMATS, "show": export.show}

PLANTED = PatientRef("PLANTED-0815", "NORTH", "Geheim^Gerda^Maria")
STUDY = StudyRef("1.2.826.0.1.3680043.8.498.1", "ACC-PLANTED-77")
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
KEYS = {0x00100010: "Geheim*", 0x00100020: "PLANTED-0815"}
DETAILS = (("key.patient_name", "Geheim*"), ("key.patient_id", "PLANTED-0815"), ("study", STUDY.study_instance_uid))
SECRETS = ("planted", "0815", "geheim", "gerda", "maria", "acc-planted")


def planted() -> list[Record]:
    """Records with a patient in every place that can hold one, by rule or by accident."""
    found = "Peer: no such patient PLANTED-0815, GEHEIM Gerda"
    transfer = events.transferred(RADIOLOGIST, KIOSK, PACS, (STUDY,), PLANTED, Outcome.SERIOUS, found)
    entries = [
        Entry("push", "a", Phase.INTENT, ACTOR, "Push of Gerda to PACS", patient=PLANTED, if_interrupted=transfer),
        Entry("push", "a", Phase.OUTCOME, ACTOR, found, Outcome.SERIOUS, transfer, None, DETAILS, PLANTED),
        Entry(
            "query",
            "b",
            Phase.OUTCOME,
            ACTOR,
            "Query: 3 studies",
            Outcome.SUCCESS,
            events.query(RADIOLOGIST, KIOSK, PACS, FIND, encode_identifier(KEYS), Outcome.SERIOUS, "No: Geheim*"),
            None,
            DETAILS,
        ),
        Entry(
            "open",
            "c",
            Phase.EVENT,
            ACTOR,
            "Opened a study",
            Outcome.SUCCESS,
            events.instances_accessed(RADIOLOGIST, KIOSK, (STUDY,), PLANTED, Outcome.SUCCESS),
            None,
            (("note", "Gerda was here"),),
        ),
    ]
    time = ManualClock().now()
    return [Record(place, time, entry, bytes(32), bytes(32), SOURCE) for place, entry in enumerate(entries, 1)]


def opened(lines: Iterable[str]) -> str:
    """The lines, with what they hold in hexadecimal and base64 written out, in lower case."""
    text = "\n".join(lines)
    hidden = [bytes.fromhex(word) for word in re.findall(r'"((?:[0-9a-f]{2})+)"', text)]
    encoded = r'(?: value="|Query>|"query":"|"valueBase64Binary":")([A-Za-z0-9+/=]+)["<]'
    hidden += [b64decode(word) for word in re.findall(encoded, text)]
    return "\n".join((text, *(value.decode("utf-8", "replace") for value in hidden))).lower()


@pytest.mark.parametrize("form", FORMATS)
def test_masked_lines_hold_no_planted_name_or_number(form: str) -> None:
    text = opened(FORMATS[form](planted(), masked=True))
    for secret in SECRETS:
        assert secret not in text
    assert "rsmith@north" in text
    assert "04a1b2c3d4e5f6" in text


@pytest.mark.parametrize("form", FORMATS)
def test_unmasked_lines_do_hold_them(form: str) -> None:
    text = opened(FORMATS[form](planted()))
    for secret in SECRETS[:5] if form in ("csv", "show") else SECRETS:
        assert secret in text


def test_masked_xml_is_still_valid() -> None:
    lines = list(export.xml(planted(), masked=True))
    assert len(lines) == 3
    for line in lines:
        valid(line)


def test_one_patient_keeps_one_alias_and_another_gets_another() -> None:
    other = replace(planted()[0].entry, patient=PatientRef("9999", "SOUTH", "Other^Otto"))
    records = [*planted(), replace(planted()[0], entry=other)]
    values = [json.loads(line) for line in export.jsonl(records, masked=True)]
    assert [value.get("patient", {}).get("id") for value in values] == [
        "patient-1",
        "patient-1",
        None,
        None,
        "patient-2",
    ]
    assert values[3]["messages"][0]["objects"][1]["object_id"] == "patient-1"
    assert all(value["masked"] for value in values)


def test_the_same_number_at_another_issuer_is_another_patient() -> None:
    entries = [replace(intent("a"), patient=PatientRef("1", issuer, "X")) for issuer in ("NORTH", "SOUTH")]
    records = [replace(planted()[0], entry=entry) for entry in entries]
    values = [json.loads(line)["patient"]["id"] for line in export.jsonl(records, masked=True)]
    assert values == ["patient-1", "patient-2"]


def test_masking_leaves_ordinary_words_alone() -> None:
    patient = PatientRef("12", "", "Lee^Al")
    entry = Entry("push", "a", Phase.EVENT, ACTOR, "Push of 12 sleeping studies to Albany", patient=patient)
    record = replace(planted()[0], entry=entry)
    (line,) = export.jsonl([record], masked=True)
    assert json.loads(line)["summary"] == "Push of 12 sleeping studies to Albany"


def test_a_jsonl_line_can_be_hashed_again(tmp_path: Path) -> None:
    filled(tmp_path, 10)
    with trail_in(tmp_path) as trail:
        lines = list(export.jsonl(trail.read()))
        assert len(lines) == 10
        previous = None
        for line in lines:
            value = json.loads(line)
            place = {key: value.pop(key) for key in ("sequence", "previous_hash", "hash")}
            hashed = link(bytes.fromhex(place["previous_hash"]), place["sequence"], dumps(value))
            assert hashed.hex() == place["hash"]
            assert previous in (None, place["previous_hash"])
            previous = place["hash"]
        assert previous == trail.head().hash.hex()
        assert [decode_record(line.encode()) for line in lines] == list(trail.read())


def test_xml_has_one_line_for_each_message(tmp_path: Path) -> None:
    filled(tmp_path, 9)
    with trail_in(tmp_path) as trail:
        messages = sum(len(record.entry.messages) for record in trail.read())
        lines = list(export.xml(trail.read()))
    assert len(lines) == messages == 3
    for line in lines:
        root = valid(line)
        assert root.find("EventIdentification").get("EventDateTime") == "2026-11-22T20:15:03.123Z"


def test_people_read_time_person_badge_act_and_outcome() -> None:
    heading, *lines = export.show(planted())
    assert heading.split()[:4] == ["No.", "Time", "(UTC)", "Person"]
    for part in (
        "2026-11-22 20:15:03Z",
        "Smith, Rita (rsmith@north)",
        "uid:04A1B2C3D4E5F6;pkoc:9f2c51d07a3b4e6d",
        "serious (8)",
        "patient Geheim^Gerda^Maria (PLANTED-0815/NORTH)",
    ):
        assert part in lines[1]
    assert "begun" in lines[0]


def test_an_act_without_a_badge_says_so() -> None:
    entry = replace(event(), actor=replace(ACTOR, kind="unix", user_id="unix:root", user_name="", badge=()))
    _, line = export.show([replace(planted()[0], entry=entry)])
    assert "unix:root" in line
    assert "  -  " in line


@settings(max_examples=100, deadline=None)
@given(ENTRIES)
def test_no_text_makes_more_than_one_printable_line(entry: Entry) -> None:
    record = Record(1, ManualClock().now(), entry, bytes(32), bytes(32), SOURCE)
    for masked in (False, True):
        assert len(list(export.show([record], masked=masked))) == 2
        for line in (
            *export.jsonl([record], masked=masked),
            *export.xml([record], masked=masked),
            *export.fhir([record], masked=masked),
            *export.csv([record], masked=masked),
            *export.show([record], masked=masked),
        ):
            assert line.isprintable()
        json.loads(next(export.jsonl([record], masked=masked)))


def test_lines_come_as_records_do() -> None:
    def endless() -> Iterable[Record]:
        while True:
            yield planted()[1]

    for form in FORMATS.values():
        lines = form(endless())
        assert next(lines)
        assert next(lines)


def test_a_masked_record_can_still_be_written_down() -> None:
    for line in export.jsonl(planted(), masked=True):
        value = json.loads(line)
        del value["masked"]
        record = decode_record(dumps(value))
        assert encode_body(record.entry, record.time, record.source)


def test_a_person_with_a_patients_name_stays() -> None:
    person = Who("gerda@north", "Gerda, Dr.", ("uid:04AA",))
    messages = events.instances_accessed(person, KIOSK, (STUDY,), PLANTED, Outcome.SUCCESS)
    record = replace(planted()[0], entry=replace(event(), messages=messages))
    (line,) = export.xml([record], masked=True)
    assert valid(line).find("ActiveParticipant").get("UserName") == "Gerda, Dr."
