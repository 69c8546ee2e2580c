"""What of IHE BALP's profiles (profiles.ihe.net/ITI/BALP, 1.1.5) each resource meets: none is claimed that is not met.

The requirements are those of the differentials: fixed codes, and what must be there or must not.
"""

from collections.abc import Callable
from typing import Any

import pytest

from kiosk.audit import AuditMessage, Medium, Outcome, codes, events, export
from kiosk.audit.fhir import DCM, INTERACTION, PARTICIPATION, TERMINOLOGY
from tests.kiosk.audit.samples import KIOSK, PACS, PATIENT, RADIOLOGIST
from tests.kiosk.audit.test_fhir import BEGIN, LOGIN, QUERY, READ, SENT, SOME, record, valid

Resource = dict[str, Any]
Requirement = Callable[[Resource], bool]

REST = (TERMINOLOGY + "audit-event-type", "rest")
DISCLOSE = (TERMINOLOGY + "iso-21089-lifecycle", "disclose")
ENTITY_TYPE, OBJECT_ROLE = TERMINOLOGY + "audit-entity-type", TERMINOLOGY + "object-role"
DATA_ROLES = {"4", "3", "20"}
AUTHORS = {"AUT", "INF", "CST"}
FETCHED = events.transferred(RADIOLOGIST, PACS, KIOSK, SOME, PATIENT, Outcome.SUCCESS, action="C")
STICK = events.exported(RADIOLOGIST, KIOSK, (Medium("stick", codes.USB_DISK),), SOME, PATIENT, Outcome.SUCCESS)


def code(coding: Resource) -> tuple[str, str]:
    return coding.get("system", ""), coding.get("code", "")


def agents(resource: Resource, system: str, codes: set[str]) -> list[Resource]:
    return [
        one
        for one in resource["agent"]
        if any(kind == system and value in codes for kind, value in map(code, one["type"]["coding"]))
    ]


def entities(resource: Resource, kind: str) -> list[Resource]:
    return [one for one in resource.get("entity", []) if code(one["type"]) == (ENTITY_TYPE, kind)]


def node(value: str) -> Requirement:
    """Exactly one agent in that DICOM role, with its place on the network and no medium."""

    def holds(resource: Resource) -> bool:
        found = agents(resource, DCM, {value})
        return len(found) == 1 and {"who", "network"} <= found[0].keys() and "media" not in found[0]

    return holds


def user(roles: set[str]) -> Requirement:
    """At most one person, the requestor, who is no place on a network."""

    def holds(resource: Resource) -> bool:
        found = agents(resource, PARTICIPATION, roles)
        return len(found) <= 1 and all(
            "who" in one and one["requestor"] is True and not {"media", "network"} & one.keys() for one in found
        )

    return holds


def has_patient(resource: Resource) -> bool:
    found = entities(resource, "1")
    return len(found) == 1 and code(found[0]["role"]) == (OBJECT_ROLE, "1") and found[0]["what"]["type"] == "Patient"


def has_data(resource: Resource) -> bool:
    found = entities(resource, "2")
    return len(found) == 1 and found[0]["role"]["code"] in DATA_ROLES and "what" in found[0]


def has_query(resource: Resource) -> bool:
    found = entities(resource, "2")
    forbidden = {"what", "lifecycle", "detail"}
    return len(found) == 1 and code(found[0]["role"]) == (OBJECT_ROLE, "24") and not forbidden & found[0].keys()


def pattern(act: str, interaction: str, client: str, server: str, people: set[str]) -> dict[str, Requirement]:
    return {
        "type": lambda one: code(one["type"]) == REST,
        "subtype": lambda one: (INTERACTION, interaction) in map(code, one["subtype"]),
        "action": lambda one: one["action"] == act,
        "outcome": lambda one: one["outcome"] == "0",
        "client": node(client),
        "server": node(server),
        "user": user(people),
    }


PROFILES: dict[str, dict[str, Requirement]] = {
    "IHE.BasicAudit.Query": {**pattern("E", "search", "110153", "110152", {"IRCP"}), "query": has_query},
    "IHE.BasicAudit.PatientRead": {
        **pattern("R", "read", "110152", "110153", {"IRCP"}),
        "data": has_data,
        "patient": has_patient,
    },
    "IHE.BasicAudit.PatientCreate": {
        **pattern("C", "create", "110153", "110152", AUTHORS),
        "data": has_data,
        "patient": has_patient,
    },
    "IHE.BasicAudit.PrivacyDisclosure.Source": {
        "type": lambda one: code(one["type"]) == (DCM, "110106"),
        "subtype": lambda one: DISCLOSE in map(code, one.get("subtype", [])),
        "action": lambda one: one["action"] == "R",
        "source": node("110153"),
        "recipient": node("110152"),
        "patient": has_patient,
    },
}


def resource(messages: tuple[AuditMessage, ...]) -> Resource:
    (line,) = export.fhir([record(messages, ("archive", "Main archive"))])
    return valid(line)


@pytest.mark.parametrize(
    ("messages", "profile", "unmet"),
    [
        (QUERY, "Query", {"type"}),
        (READ, "PatientRead", {"type"}),
        (FETCHED, "PatientCreate", {"type"}),
        (SENT, "PatientCreate", {"type", "action"}),
        (BEGIN, "PatientCreate", {"type", "action"}),
        (STICK, "PrivacyDisclosure.Source", {"subtype", "source", "recipient"}),
    ],
    ids=["query", "read", "fetched", "sent", "begun", "stick"],
)
def test_what_keeps_a_resource_from_being_one_of_a_profile(
    messages: tuple[AuditMessage, ...], profile: str, unmet: set[str]
) -> None:
    found = resource(messages)
    assert {name for name, holds in PROFILES[f"IHE.BasicAudit.{profile}"].items() if not holds(found)} == unmet


@pytest.mark.parametrize("messages", [QUERY, READ, FETCHED, SENT, BEGIN, STICK, LOGIN])
def test_no_profile_is_claimed_that_is_not_met(messages: tuple[AuditMessage, ...]) -> None:
    found = resource(messages)
    met = {name for name, profile in PROFILES.items() if all(holds(found) for holds in profile.values())}
    claimed = {url.rpartition("/")[2] for url in found.get("meta", {}).get("profile", [])}
    assert claimed == met == set()


def test_a_resource_of_type_rest_would_meet_them() -> None:
    """The requirements above can be met: what is missing is the type alone."""
    for messages, profile in ((QUERY, "Query"), (READ, "PatientRead"), (FETCHED, "PatientCreate")):
        found = {**resource(messages), "type": {"system": REST[0], "code": REST[1]}}
        assert all(holds(found) for holds in PROFILES[f"IHE.BasicAudit.{profile}"].values())
