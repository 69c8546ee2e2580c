"""Every message is one line of XML that the standard's schema accepts, whatever text it holds."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest
import rnc2rng
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from kiosk.audit import (
    AuditMessage,
    AuditSource,
    Code,
    Medium,
    Outcome,
    PatientRef,
    StudyRef,
    Who,
    codes,
    events,
    render,
)
from tests.kiosk.audit.samples import KIOSK, PACS, PATIENT, RADIOLOGIST, SOURCE, STUDY, SYSTEM
from tests.kiosk.audit.strategies import MESSAGES, SOURCES, TEXT

TIME = datetime(2026, 11, 22, 20, 15, 3, 123456, tzinfo=UTC)
SCHEMA_FILE = Path(__file__).parent / "dicom-audit-message.rnc"
SCHEMA = etree.RelaxNG(etree.fromstring(rnc2rng.dumps(rnc2rng.load(str(SCHEMA_FILE))).encode()))
FIND = "1.2.840.10008.5.1.4.1.2.2.1"

EVERY_EVENT = {
    "start": events.application_started(SYSTEM, KIOSK),
    "stop": events.application_stopped(SYSTEM, KIOSK),
    "login": events.login(RADIOLOGIST, KIOSK, Outcome.SUCCESS),
    "failed login": events.login(RADIOLOGIST, KIOSK, Outcome.MAJOR, "Blocked"),
    "logout": events.logout(RADIOLOGIST, KIOSK, "tapped out"),
    "query": events.query(RADIOLOGIST, KIOSK, PACS, FIND, b"identifier", Outcome.SUCCESS),
    "empty query": events.query(RADIOLOGIST, KIOSK, PACS, FIND, b"", Outcome.SERIOUS, "Refused"),
    "accessed": events.instances_accessed(RADIOLOGIST, KIOSK, (STUDY, StudyRef("1.2")), PATIENT, Outcome.SUCCESS),
    "nameless patient": events.instances_accessed(
        RADIOLOGIST, KIOSK, (StudyRef("1.2"),), PatientRef("", "", ""), Outcome.SUCCESS
    ),
    "begin": events.begin_transfer(RADIOLOGIST, KIOSK, PACS, (STUDY,), PATIENT),
    "transferred": events.transferred(RADIOLOGIST, KIOSK, PACS, (STUDY,), PATIENT, Outcome.SERIOUS, "Out of resources"),
    "alert": events.security_alert(RADIOLOGIST, codes.USER_SECURITY_CHANGED, "u1", "Badge enrolled", process=KIOSK),
    "restricted": events.restricted_function(RADIOLOGIST, "push", "No"),
    "log used": events.audit_log_used(Who("unix:root"), KIOSK, "file:///trail"),
    "export": events.exported(RADIOLOGIST, KIOSK, (Medium("S", codes.USB_DISK),), (STUDY,), PATIENT, Outcome.SUCCESS),
    "import": events.imported(RADIOLOGIST, KIOSK, (Medium("", codes.CD),), (STUDY,), PATIENT, Outcome.SERIOUS, "Torn"),
    "deleted": events.study_deleted(SYSTEM, KIOSK, (STUDY,), PATIENT),
    "break-glass": events.emergency_override(RADIOLOGIST, False, PATIENT, "Unconscious", (STUDY,)),
    "break-glass over": events.emergency_override(RADIOLOGIST, True, PATIENT, "Over"),
    "user": events.user_changed(RADIOLOGIST, "u1", "PIN reset"),
    "roles": events.roles_changed(RADIOLOGIST, "u1", "Auditor"),
    "configuration": events.configuration_changed(RADIOLOGIST, "file:///etc/kiosk.toml", "Read again"),
    "reader": events.reader_failed(SYSTEM, "ACR1252", "Gone"),
    "TLS": events.node_refused(SYSTEM, "arr", "Expired", KIOSK),
    "trail": events.trail_changed(SYSTEM, "file:///trail", "Deleted: 2026-01"),
    "software": events.configuration_changed(RADIOLOGIST, "urn:x", "2.0", kind=codes.SOFTWARE_CONFIGURATION),
    "card": events.security_alert(RADIOLOGIST, codes.OBJECT_SECURITY_CHANGED, "urn:kiosk:card:04A1", "Personalised"),
    "recording": events.audit_recording(SYSTEM, True, "file:///trail", "Disk full"),
    "recording again": events.audit_recording(SYSTEM, False, "file:///trail", "Room again"),
}


def valid(line: str) -> etree._Element:
    """The message as lxml reads it, once the schema has accepted it."""
    root = etree.fromstring(line)
    SCHEMA.assertValid(root)
    return root


@pytest.mark.parametrize("name", EVERY_EVENT)
def test_every_event_is_valid(name: str) -> None:
    for message in EVERY_EVENT[name]:
        valid(render(message, TIME, SOURCE))


def test_the_schema_refuses_what_it_should() -> None:
    line = render(EVERY_EVENT["login"][0], TIME, SOURCE)
    for wrong in (
        line.replace('UserIsRequestor="true"', ""),
        line.replace('EventActionCode="E"', 'EventActionCode="X"'),
        line.replace("csd-code", "code"),
    ):
        assert wrong != line
        with pytest.raises(etree.DocumentInvalid):
            valid(wrong)


def test_a_message_carries_what_it_was_given() -> None:
    root = valid(render(EVERY_EVENT["transferred"][0], TIME, SOURCE))
    identification = root.find("EventIdentification")
    assert dict(identification.attrib) == {
        "EventActionCode": "R",
        "EventDateTime": "2026-11-22T20:15:03.123Z",
        "EventOutcomeIndicator": "8",
    }
    assert identification.findtext("EventOutcomeDescription") == "Out of resources"
    assert dict(identification.find("EventID").attrib) == {
        "csd-code": "110104",
        "codeSystemName": "DCM",
        "originalText": "DICOM Instances Transferred",
    }
    person = root.findall("ActiveParticipant")[2]
    assert person.get("AlternativeUserID") == "uid:04A1B2C3D4E5F6;pkoc:9f2c51d07a3b4e6d"
    assert person.get("UserIsRequestor") == "true"
    source = root.find("AuditSourceIdentification")
    assert (source.get("AuditSourceID"), source.get("AuditEnterpriseSiteID")) == ("kiosk-7", "north-hospital")
    assert source.find("AuditSourceTypeCode").get("csd-code") == "1"
    study, patient = root.findall("ParticipantObjectIdentification")
    assert study.find("ParticipantObjectDescription/Accession").get("Number") == "ACC-0815"
    assert study.find("ParticipantObjectDescription/SOPClass").get("NumberOfInstances") == "120"
    assert patient.findtext("ParticipantObjectName") == "Planted^Petra"


def test_a_query_is_base64() -> None:
    root = valid(render(EVERY_EVENT["query"][0], TIME, SOURCE))
    assert b64decode(root.findtext(".//ParticipantObjectQuery")) == b"identifier"
    detail = root.find(".//ParticipantObjectDetail")
    assert (detail.get("type"), b64decode(detail.get("value"))) == ("TransferSyntax", b"1.2.840.10008.1.2")


def test_time_is_written_in_utc_whatever_zone_it_came_in() -> None:
    local = TIME.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert render(EVERY_EVENT["login"][0], local, SOURCE) == render(EVERY_EVENT["login"][0], TIME, SOURCE)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        render(EVERY_EVENT["login"][0], TIME.replace(tzinfo=None), SOURCE)


@settings(max_examples=300, deadline=None)
@given(MESSAGES, SOURCES)
def test_no_text_makes_a_message_invalid_or_more_than_one_printable_line(
    message: AuditMessage, source: AuditSource
) -> None:
    line = render(message, TIME, source)
    assert line.isprintable()
    valid(line)


@settings(max_examples=100, deadline=None)
@given(MESSAGES, SOURCES)
def test_a_message_is_written_as_elementtree_writes_it(message: AuditMessage, source: AuditSource) -> None:
    line = render(message, TIME, source)
    theirs = ElementTree.tostring(ElementTree.fromstring(line), encoding="unicode")  # noqa: S314 our own text
    assert line == "".join(char if char.isprintable() else f"&#x{ord(char):X};" for char in theirs)


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_text_that_xml_can_hold_comes_back_whole(text: str) -> None:
    message = events.login(Who("u", text), KIOSK, Outcome.SUCCESS, "x" + text)[0]
    root = valid(render(message, TIME, SOURCE))
    legal = "".join(
        char
        if char in "\t\n\r" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char > "\uffff"
        else "\ufffd"
        for char in text
    )
    assert root.find("ActiveParticipant").get("UserName", "") == legal
    assert root.findtext(".//EventOutcomeDescription") == "x" + legal


def test_there_is_a_sample_of_every_event_and_every_type_that_the_kiosk_knows() -> None:
    made = {code.value for message in every_message() for code in (message.event_id, *message.event_types)}
    known = {
        code.value for code in vars(codes).values() if isinstance(code, Code) and "110100" <= code.value < "110150"
    }
    assert known - made == {code.value for code in (codes.NETWORK_ENTRY, codes.NETWORK_CONFIGURATION)}


def every_message() -> list[AuditMessage]:
    """Every message of every sample."""
    return [message for messages in EVERY_EVENT.values() for message in messages]


def test_a_message_is_about_one_patient_at_most_and_asked_for_by_one_person_at_most() -> None:
    for message in every_message():
        assert sum(item.role == codes.ROLE_PATIENT for item in message.objects) <= 1
        assert sum(participant.is_requestor for participant in message.participants) <= 1


HUGE = st.sampled_from(["x", "]]>", "\ud800", "\x00", "<", "\u202e", "\U0001f600"]).flatmap(
    lambda piece: st.integers(1, 60_000).map(lambda count: piece * count)
)


@settings(max_examples=20, deadline=None)
@given(HUGE)
def test_text_of_any_length_is_parsed_again(text: str) -> None:
    message = events.login(Who(text, text, (f"uid:{text}",)), KIOSK, Outcome.SUCCESS, text)[0]
    line = render(message, TIME, SOURCE)
    root = valid(line)
    assert line.isprintable()
    assert len(root.find("ActiveParticipant").get("UserID")) == len(text)
    assert root.findtext(".//EventOutcomeDescription").replace("\ufffd", "?") == "".join(
        "?" if char in "\ud800\x00" else char for char in text
    )
