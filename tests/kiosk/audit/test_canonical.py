"""The canonical form: one record, one line of bytes, and nothing else reads as that record."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings

from kiosk.audit import AuditSource, Entry, Phase, Record, RecordError
from kiosk.audit.canonical import decode_body, decode_record, dumps, encode_body, encode_record
from tests.kiosk.audit.samples import ACTOR, SOURCE, event, outcome
from tests.kiosk.audit.strategies import ENTRIES, SOURCES

TIME = datetime(2026, 11, 22, 20, 15, 3, 123456, tzinfo=UTC)
BODY = json.loads(encode_body(outcome("a"), TIME, SOURCE))


@settings(max_examples=200, deadline=None)
@given(ENTRIES, SOURCES)
def test_a_body_reads_back_as_it_was_written(entry: Entry, source: AuditSource) -> None:
    body = encode_body(entry, TIME, source)
    assert body.isascii()
    assert b"\n" not in body
    decoded = decode_body(body)
    assert decoded[1] == TIME
    assert encode_body(*decoded) == body
    if not re.search("[\ud800-\udfff]", repr(body.decode()) + ascii_of(entry, source)):
        assert decoded == (entry, TIME, source)


def ascii_of(entry: Entry, source: AuditSource) -> str:
    """Every text of an entry, to see whether a lone surrogate is among them."""

    def walk(value: object) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, tuple):
            return "".join(map(walk, value))
        if hasattr(value, "__dataclass_fields__"):
            return "".join(walk(getattr(value, name)) for name in value.__dataclass_fields__)
        return ""

    return walk(entry) + walk(source)


def test_a_record_reads_back_from_its_line() -> None:
    record = Record(7, TIME, outcome("a"), b"\x01" * 32, b"\x02" * 32, SOURCE)
    line = encode_record(record)
    assert decode_record(line) == record


def test_a_line_without_its_place_is_the_body_that_was_chained() -> None:
    entry = outcome("a")
    record = Record(7, TIME, entry, b"\x01" * 32, b"\x02" * 32, SOURCE)
    value = json.loads(encode_record(record))
    for key in ("sequence", "previous_hash", "hash"):
        del value[key]
    assert dumps(value) == encode_body(entry, TIME, SOURCE)


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    entry = replace(event(), summary="a\ud800b")
    assert decode_body(encode_body(entry, TIME, SOURCE))[0].summary == "a\ufffdb"


def test_details_keep_their_order_and_may_repeat() -> None:
    entry = Entry("push", "a", Phase.EVENT, ACTOR, "x", details=(("series", "2"), ("series", "1"), ("archive", "A")))
    assert decode_body(encode_body(entry, TIME, SOURCE))[0].details == entry.details


def _with(path: str, value: object) -> bytes:
    body = json.loads(json.dumps(BODY))
    target = body
    *parents, last = path.split("/")
    for step in parents:
        target = target[int(step) if step.isdigit() else step]
    target[last] = value
    return dumps(body)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("surprise", 1, "record: unknown field 'surprise'"),
        ("act", 1, "record.act: expected text"),
        ("outcome", 5, "record.outcome: expected a value of Outcome"),
        ("outcome", False, "record.outcome: expected a value of Outcome"),
        ("phase", "end", "record.phase: expected a value of Phase"),
        ("time", "2026-11-22T20:15:03Z", "time: expected UTC with microseconds"),
        ("details", [["one"]], "record.details: expected pairs"),
        ("details", "no", "record.details: expected a list"),
        ("actor/kind", "cat", "record.actor.kind: expected session, delegation, system or unix"),
        ("actor/badge", ["x", 1], "record.actor.badge: expected a list of texts"),
        ("patient", 3, "record.patient: expected an object"),
        ("messages/0/action", "X", "record.messages[0]: The action of an audit message is one of C, R, U, D, E"),
        ("messages/0/event_id", ["1", "2"], "record.messages[0]: expected a code of value, system and meaning"),
        ("messages/0/participants/0/is_requestor", 1, "record.messages[0].participants[0].is_requestor: expected true"),
        ("messages/0/objects/0/role", "3", "record.messages[0].objects[0].role: expected a whole number"),
        ("messages/0/objects/0/role", True, "record.messages[0].objects[0].role: expected a whole number"),
        ("messages/0/objects/0/query", "xyz", "record.messages[0].objects[0].query: expected hexadecimal"),
        (
            "messages/0/objects/0/sop_classes",
            [["1.2", True]],
            "sop_classes: expected pairs of a text and a whole number",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(path: str, value: object, sentence: str) -> None:
    with pytest.raises(RecordError, match=re.escape(sentence)):
        decode_body(_with(path, value))


@pytest.mark.parametrize("key", ["act", "act_id", "actor", "phase", "source", "summary", "time"])
def test_a_missing_field_is_named(key: str) -> None:
    body = {name: value for name, value in BODY.items() if name != key}
    with pytest.raises(RecordError, match=rf"record\.{key}: missing"):
        decode_body(dumps(body))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff\xfe", b'{"a":1.5}', b'{"a":NaN}', b'{"a":1,"a":2}', b"[" * 100_000, b"null"],
)
def test_bytes_that_are_no_record_are_refused(body: bytes) -> None:
    with pytest.raises(RecordError):
        decode_body(body)
