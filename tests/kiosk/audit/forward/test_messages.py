"""What is sent: syslog headers, PS3.15 messages with their marks, checkpoints; the same octets every time."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from lxml import etree

from kiosk.audit import Checkpoint, ReadOnlyTrail, Record, Trail, render
from kiosk.audit.checkpoint import Occasion
from kiosk.audit.forward import Header
from kiosk.audit.forward.stamp import of_checkpoint, stamped, trail_name
from kiosk.audit.forward.stream import Parcel, Position, Rendered, parcels, resume
from kiosk.audit.forward.syslog import BOM, counted, message, printable
from kiosk.audit.message import AuditSource
from kiosk.errors import TrailError
from tests.kiosk.audit.forward.kit import SOURCE, append, expected, new_trail, pushed, seal
from tests.kiosk.audit.forward.receivers import _message
from tests.kiosk.audit.samples import event
from tests.kiosk.audit.strategies import SOURCES, TEXT
from tests.kiosk.audit.test_xml import EVERY_EVENT, valid

TIME = datetime(2026, 11, 22, 20, 15, 3, 123456, tzinfo=UTC)
HEADER = Header("kiosk-7.north.example")


def _everything(trail: Trail, position: Position | None = None) -> list[Parcel]:
    position, found = position or Position(), []
    with ReadOnlyTrail(trail.path) as reader:
        while more := parcels(reader, position, trail_name(reader.identity), SOURCE):
            found += more
            position = more[-1].position
    return found


@pytest.mark.parametrize("name", EVERY_EVENT)
def test_every_message_is_valid_with_its_mark(name: str) -> None:
    messages = EVERY_EVENT[name]
    record = Record(17, TIME, event(17, messages), b"\1" * 32, b"\2" * 32, SOURCE)
    for part in range(len(messages)):
        root = valid(render(stamped(record, part, "4711", 15), TIME, SOURCE))
        last = root.findall("ParticipantObjectIdentification")[-1]
        assert last.get("ParticipantObjectID") == f"4711/17/{part + 1}"
        assert last.find("ParticipantObjectIDTypeCode").get("codeSystemName") == "99KIOSK"
    details = _message("<85>1 t h a p m - " + render(stamped(record, 0, "4711", 15), TIME, SOURCE)).details
    assert details == {
        "TrailRecord": b"17",
        "TrailPart": b"1/%d" % len(messages),
        "TrailHash": b"02" * 32,
        "TrailFollows": b"15",
    }


@given(SOURCES, TEXT)
def test_a_checkpoint_is_a_valid_message_that_holds_its_signed_line(source: AuditSource, kiosk_id: str) -> None:
    checkpoint = Checkpoint(kiosk_id, 3, 17, b"\2" * 32, TIME, Occasion.BUSY, b"\3" * 32, b"\5" * 32, b"\4" * 64)
    line = render(of_checkpoint(checkpoint, source, "4711.0a0b0c0d"), TIME, source)
    valid(line)
    assert Checkpoint.from_line(_message(f"<85>1 t h a p m - {line}").details["TrailCheckpoint"]) == checkpoint


def test_the_header_is_that_of_rfc_5424() -> None:
    rendered = Rendered(TIME, "<AuditMessage/>")
    text = b"1 2026-11-22T20:15:03.123Z kiosk-7.north.example kiosk 4711 DICOM+RFC3881 - <AuditMessage/>"
    assert message(rendered, HEADER, "4711") == b"<85>" + text
    assert message(replace(rendered, is_warning=True), HEADER, "4711") == b"<84>" + text
    other = Header("a b\nü" + "x" * 300, "", "IHE+RFC-3881", 13, bom=True)
    fields = message(rendered, other, "").split(b" ")
    assert fields[0] == b"<109>1"
    assert fields[2] == b"a_b__" + b"x" * 250
    assert fields[3:7] == [b"-", b"-", b"IHE+RFC-3881", b"-"]
    assert fields[7] == BOM + b"<AuditMessage/>"


@given(TEXT)
def test_a_header_field_is_always_one(text: str) -> None:
    field = printable(text, 48)
    assert 1 <= len(field) <= 48
    assert all("!" <= char <= "~" for char in field)


def test_a_message_is_counted_in_octets() -> None:
    assert counted("€".encode()) == b"3 \xe2\x82\xac"


def test_the_stream_holds_records_and_checkpoints_in_order_across_pages(tmp_path: Path) -> None:
    with new_trail(tmp_path) as trail:
        seal(trail)
        append(trail, 200)
        seal(trail)
        seal(trail)
        append(trail, 400)
        found = _everything(trail)
        kiosk = trail_name(trail.identity)
        marks = [_message(message(one, HEADER, kiosk).decode()).mark for each in found for one in each.messages]
        assert marks == expected(trail.path)
        assert found[0].position.checkpoint == 1
        for start in (found[0], found[99], found[201], found[300], found[-2]):
            assert _everything(trail, start.position) == found[found.index(start) + 1 :]


def test_more_checkpoints_than_a_page_do_not_come_after_their_records(tmp_path: Path) -> None:
    with new_trail(tmp_path) as trail:
        for _ in range(300):
            seal(trail)
        append(trail, 3)
        seal(trail)
        found = _everything(trail)
        assert [(each.position.sequence, each.position.checkpoint) for each in found[298:]] == [
            (0, 299),
            (0, 300),
            (1, 300),
            (2, 300),
            (3, 300),
            (3, 301),
        ]


def test_every_message_names_the_record_of_the_one_before(tmp_path: Path) -> None:
    with new_trail(tmp_path) as trail:
        append(trail, 30)
        seen, kiosk = 0, trail_name(trail.identity)
        for parcel in _everything(trail):
            for rendered in parcel.messages:
                details = _message(message(rendered, HEADER, kiosk).decode()).details
                if "TrailRecord" in details:
                    assert int(details["TrailFollows"]) == seen
            seen = parcel.position.follows
        assert seen == 30


def test_a_trail_that_does_not_lead_through_the_cursor_is_refused(tmp_path: Path) -> None:
    with new_trail(tmp_path) as trail:
        append(trail, 5)
        good = _everything(trail)[-1].position
        assert resume(trail, good) == good
        assert resume(trail, Position()) == Position()
        with pytest.raises(TrailError, match="Record 5 of the audit trail is not the one that was delivered"):
            resume(trail, replace(good, hash=b"\0" * 32))
        with pytest.raises(TrailError, match="ends at record 5, but record 6 has been delivered already"):
            resume(trail, replace(good, sequence=6))


def test_patients_stay_out_of_reprs(tmp_path: Path) -> None:
    with new_trail(tmp_path) as trail:
        trail.append(event(1, pushed(1)))
        assert "Planted" not in repr(_everything(trail))
        assert "Planted" in etree.tostring(etree.fromstring(_everything(trail)[0].messages[0].xml), encoding="unicode")
