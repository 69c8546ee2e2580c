"""FHIR R4 AuditEvents: valid as FHIR has them, and with what IHE BALP requires of queries, reads and transfers.

`fhir.resources` validates FHIR R4B (4.3.0), in which AuditEvent is what it was in R4 (4.0.1), which BALP is made for.
"""

import json
import re
from base64 import b64decode
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from hypothesis import given, settings

from kiosk.audit import (
    AuditMessage,
    AuditSource,
    Entry,
    Outcome,
    PatientRef,
    Phase,
    Record,
    StudyRef,
    Who,
    encode_identifier,
    events,
    export,
)
from kiosk.audit import codes as dicom
from kiosk.audit.fhir import DCM, INTERACTION, PARTICIPATION, TERMINOLOGY
from tests.kiosk.audit.samples import ACTOR, KIOSK, PACS, PATIENT, RADIOLOGIST, SOURCE, STUDY, ManualClock
from tests.kiosk.audit.strategies import ENTRIES
from tests.kiosk.audit.test_export import planted

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IDENTIFIER = encode_identifier({0x00100010: "Planted*"})
ENTITY_TYPE = TERMINOLOGY + "audit-entity-type"
OBJECT_ROLE = TERMINOLOGY + "object-role"
SOME = (STUDY,)


def record(messages: tuple[AuditMessage, ...], *details: tuple[str, str]) -> Record:
    entry = Entry("act", "act-1", Phase.EVENT, ACTOR, "Act", Outcome.SUCCESS, messages, None, details)
    return Record(7, ManualClock().now(), entry, bytes(32), bytes(range(32)), SOURCE)


def valid(line: str) -> dict[str, Any]:
    """The line as FHIR's own model takes it, and gives it back unchanged."""
    values: dict[str, Any] = json.loads(line)
    model = AuditEvent.model_validate_json(line)
    back = json.loads(model.model_dump_json())
    assert _moment(back.pop("recorded")) == _moment(values.pop("recorded"))
    assert back == values
    return json.loads(line)  # type: ignore[no-any-return]  # JSON


def _moment(text: str) -> str:
    return text.replace("+00:00", "Z").replace("000Z", "Z")


def one(messages: tuple[AuditMessage, ...], *details: tuple[str, str]) -> dict[str, Any]:
    (line,) = export.fhir([record(messages, *details)])
    return valid(line)


QUERY = events.query(RADIOLOGIST, KIOSK, PACS, FIND, IDENTIFIER, Outcome.SUCCESS)
READ = events.instances_accessed(RADIOLOGIST, KIOSK, SOME, PATIENT, Outcome.SUCCESS)
BEGIN = events.begin_transfer(RADIOLOGIST, KIOSK, PACS, SOME, PATIENT)
SENT = events.transferred(RADIOLOGIST, KIOSK, PACS, SOME, PATIENT, Outcome.SUCCESS)
LOGIN = events.login(RADIOLOGIST, KIOSK, Outcome.SERIOUS, "Wrong PIN")


def agent(resource: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = [one for one in resource["agent"] if one["type"]["coding"][0]["code"] == code]
    return found  # type: ignore[no-any-return]  # JSON


def entity(resource: dict[str, Any], kind: str, role: str) -> dict[str, Any]:
    (found,) = [
        one
        for one in resource["entity"]
        if (one["type"]["system"], one["type"]["code"]) == (ENTITY_TYPE, kind)
        and (one["role"]["system"], one["role"]["code"]) == (OBJECT_ROLE, role)
    ]
    return found  # type: ignore[no-any-return]  # JSON


def test_balp_query_has_what_the_profile_requires() -> None:
    resource = one(QUERY)
    assert (resource["type"]["system"], resource["type"]["code"]) == (DCM, "110112")
    assert {"system": INTERACTION, "code": "search", "display": "search"} in resource["subtype"]
    assert (resource["action"], resource["outcome"]) == ("E", "0")
    _nodes(resource, client="110153", server="110152")
    _user(resource, "IRCP")
    query = entity(resource, "2", "24")
    assert b64decode(query["query"]) == IDENTIFIER
    assert not {"what", "lifecycle", "detail", "name"} & query.keys()
    assert FIND in query["description"]


def test_balp_patient_read_has_what_the_profile_requires() -> None:
    resource = one(READ, ("archive", "Main archive"))
    assert resource["type"]["code"] == "110103"
    assert resource["action"] == "R"
    assert {"system": INTERACTION, "code": "read", "display": "read"} in resource["subtype"]
    _nodes(resource, client="110152", server="110153")
    assert agent(resource, "110153")["who"]["identifier"]["value"] == "Main archive"
    _user(resource, "IRCP")
    _patient_and_data(resource)


@pytest.mark.parametrize(("messages", "code"), [(BEGIN, "110102"), (SENT, "110104")])
def test_balp_patterns_of_a_transfer_with_a_patient(messages: tuple[AuditMessage, ...], code: str) -> None:
    resource = one(messages)
    assert resource["type"]["code"] == code
    assert {"system": INTERACTION, "code": "create", "display": "create"} in resource["subtype"]
    _nodes(resource, client="110153", server="110152")
    _user(resource, "AUT")
    _patient_and_data(resource)


def _nodes(resource: dict[str, Any], client: str, server: str) -> None:
    for role in (client, server):
        node = agent(resource, role)
        assert node["type"]["coding"][0]["system"] == DCM
        assert node["who"]["identifier"]["value"]
        assert node["network"]["address"]
        assert node["network"]["type"] in ("1", "2")
        assert node["requestor"] is False
        assert "media" not in node
    assert resource["recorded"] == "2026-11-22T20:15:03.123Z"
    assert resource["source"]["observer"]["identifier"]["value"] == "kiosk-7"
    assert resource["source"]["site"] == "north-hospital"
    assert resource["source"]["type"][0]["code"] == "1"


def _user(resource: dict[str, Any], code: str) -> None:
    user = agent(resource, code)
    assert user["type"]["coding"][0]["system"] == PARTICIPATION
    assert user["who"]["identifier"]["value"] == "rsmith@north"
    assert user["name"] == "Smith, Rita"
    assert user["altId"] == ";".join(RADIOLOGIST.badge)
    assert user["requestor"] is True
    assert user["role"][0]["coding"][0]["code"] == "RADIOLOGIST"
    assert not {"media", "network"} & user.keys()


def _patient_and_data(resource: dict[str, Any]) -> None:
    patient = entity(resource, "1", "1")
    assert patient["what"]["type"] == "Patient"
    assert patient["what"]["identifier"]["value"] == "4711"
    assert patient["what"]["identifier"]["assigner"]["display"] == "NORTH"
    assert patient["name"] == PATIENT.name
    data = entity(resource, "2", "4")
    assert data["what"]["identifier"] == {"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY.study_instance_uid}"}


def test_a_login_names_the_person_the_badge_and_the_place() -> None:
    resource = one(LOGIN)
    assert (resource["type"]["code"], resource["subtype"][0]["code"]) == ("110114", "110122")
    assert (resource["outcome"], resource["outcomeDesc"]) == ("8", "Wrong PIN")
    person = agent(resource, "humanuser")
    assert (person["who"]["identifier"]["value"], person["requestor"]) == ("rsmith@north", True)
    assert person["network"]["address"] == "kiosk-7.north.example"
    assert "entity" not in resource


def test_the_resource_can_be_traced_to_its_record() -> None:
    resource = one(SENT)
    assert resource["id"] == f"{bytes(range(32)).hex()[:48]}-0"
    assert {value["url"].rpartition(":")[2]: value["valueString"] for value in resource["extension"]} == {
        "sequence": "7",
        "hash": bytes(range(32)).hex(),
    }


def test_there_is_one_resource_for_each_message() -> None:
    lines = list(export.fhir([record((*SENT, *READ)), record(()), record(QUERY)]))
    assert [valid(line)["type"]["code"] for line in lines] == ["110104", "110103", "110112"]
    assert len({json.loads(line)["id"] for line in lines[:2]}) == 2


def test_every_kind_of_message_is_valid() -> None:
    system = Who("system")
    kinds = (
        events.application_started(system, KIOSK),
        events.application_stopped(system, KIOSK),
        events.logout(Who("a.weber", is_requestor=False), KIOSK, "idle"),
        events.restricted_function(RADIOLOGIST, "read_audit", "No"),
        events.audit_log_used(RADIOLOGIST, KIOSK, "file:///trail"),
        events.audit_recording(system, True, "file:///trail", "The disk is full"),
        events.security_alert(system, dicom.HARDWARE_CONFIGURATION, "reader", "It is gone"),
    )
    for messages in kinds:
        assert one(messages)["type"]["system"] == DCM


def test_masked_resources_are_valid_and_name_no_patient() -> None:
    lines = list(export.fhir(planted(), masked=True))
    assert len(lines) == 3
    for line in lines:
        valid(line)


@settings(max_examples=100, deadline=None)
@given(ENTRIES)
def test_whatever_was_recorded_is_valid_fhir_on_one_line(entry: Entry) -> None:
    hostile = Record(1, ManualClock().now(), entry, bytes(32), bytes(32), AuditSource("", "\x00", "1"))
    for line in export.fhir([hostile]):
        assert line.isascii()
        assert line.isprintable()
        valid(line)
        assert not re.search(r'(null|""|\[\]|\{\})[,}\]]', line.replace("\\\\", "x").replace('\\"', "x"))


def test_a_study_of_another_patient_is_another_line() -> None:
    other = PatientRef("4711", "SOUTH", "Other")
    messages = (*READ, *events.instances_accessed(RADIOLOGIST, KIOSK, (StudyRef("1.2.9"),), other, Outcome.SUCCESS))
    found = [entity(json.loads(line), "1", "1") for line in export.fhir([record(messages)])]
    assert [item["what"]["identifier"]["assigner"]["display"] for item in found] == ["NORTH", "SOUTH"]
