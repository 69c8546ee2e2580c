"""Audit messages as XML (the schema of PS3.15 A.5.1.1): one line each, whatever text they hold."""

import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from datetime import UTC, datetime

from kiosk.audit.message import ActiveParticipant, AuditMessage, AuditSource, Code, ParticipantObject

REPLACEMENT = "�"
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MARKUP = re.compile('[&<>"\t\n\r]')
IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
IN_ATTRIBUTE = {**IN_TEXT, **str.maketrans({'"': "&quot;", "\t": "&#09;", "\n": "&#10;", "\r": "&#13;"})}


def render(message: AuditMessage, time: datetime, source: AuditSource) -> str:
    """The message as one line without a declaration; raises ValueError for a time without a zone.

    Characters that XML 1.0 cannot hold become U+FFFD; those that do not print (line breaks, controls, bidirectional
    overrides) are written as character references, so that a line stays a line and a terminal stays as it was.
    """
    root = ET.Element("AuditMessage")
    _event(root, message, time)
    for participant in message.participants:
        _participant(root, participant)
    _source(root, source)
    for item in message.objects:
        _object(root, item)
    parts: list[str] = []
    _write(root, parts)
    text = "".join(parts)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"&#x{ord(char):X};" for char in text)


def _event(root: ET.Element, message: AuditMessage, time: datetime) -> None:
    if time.tzinfo is None:
        raise ValueError("The time of an event has a zone")
    moment = time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = _element(
        root,
        "EventIdentification",
        EventActionCode=message.action,
        EventDateTime=moment,
        EventOutcomeIndicator=str(int(message.outcome)),
    )
    _code(event, "EventID", message.event_id)
    for event_type in message.event_types:
        _code(event, "EventTypeCode", event_type)
    if message.outcome_description:
        _element(event, "EventOutcomeDescription").text = _plain(message.outcome_description)


def _participant(root: ET.Element, participant: ActiveParticipant) -> None:
    point_type = participant.network_access_point_type
    element = _element(
        root,
        "ActiveParticipant",
        UserID=participant.user_id,
        AlternativeUserID=participant.alternative_user_id or None,
        UserName=participant.user_name or None,
        UserIsRequestor="true" if participant.is_requestor else "false",
        NetworkAccessPointID=participant.network_access_point or None,
        NetworkAccessPointTypeCode=None if point_type is None else str(point_type),
    )
    for role in participant.roles:
        _code(element, "RoleIDCode", role)
    if participant.media is not None:
        _code(_element(element, "MediaIdentifier"), "MediaType", participant.media)


def _source(root: ET.Element, source: AuditSource) -> None:
    element = _element(
        root,
        "AuditSourceIdentification",
        AuditEnterpriseSiteID=source.enterprise_site_id or None,
        AuditSourceID=source.source_id,
    )
    _element(element, "AuditSourceTypeCode", **{"csd-code": source.type})


def _object(root: ET.Element, item: ParticipantObject) -> None:
    element = _element(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=item.object_id,
        ParticipantObjectTypeCode=str(item.type_code),
        ParticipantObjectTypeCodeRole=str(item.role),
        ParticipantObjectDataLifeCycle=None if item.life_cycle is None else str(item.life_cycle),
    )
    _code(element, "ParticipantObjectIDTypeCode", item.id_type)
    if item.query is None:
        _element(element, "ParticipantObjectName").text = _plain(item.name or item.object_id)
    else:
        _element(element, "ParticipantObjectQuery").text = b64encode(item.query).decode("ascii")
    for kind, value in item.details:
        _element(element, "ParticipantObjectDetail", type=kind, value=b64encode(value).decode("ascii"))
    if item.accession_numbers or item.sop_classes or item.studies:
        description = _element(element, "ParticipantObjectDescription")
        for number in item.accession_numbers:
            _element(description, "Accession", Number=number)
        for count in item.sop_classes:
            _element(description, "SOPClass", UID=count.uid, NumberOfInstances=str(count.instances))
        if item.studies:
            contains = _element(description, "ParticipantObjectContainsStudy")
            for uid in item.studies:
                _element(contains, "StudyIDs", UID=uid)


def _code(parent: ET.Element, tag: str, code: Code) -> None:
    _element(parent, tag, **{"csd-code": code.value, "codeSystemName": code.system, "originalText": code.meaning})


def _element(parent: ET.Element, tag: str, **attributes: str | None) -> ET.Element:
    return ET.SubElement(parent, tag, {name: _plain(value) for name, value in attributes.items() if value is not None})


def _plain(text: str) -> str:
    return text if text.isprintable() else NOT_XML.sub(REPLACEMENT, text)


def _write(element: ET.Element, parts: list[str]) -> None:
    """What `ET.tostring` gives, without its search for namespaces, which took a third of all forwarding."""
    parts.append(f"<{element.tag}")
    for name, value in element.attrib.items():
        parts.append(f' {name}="{value.translate(IN_ATTRIBUTE) if MARKUP.search(value) else value}"')
    text = element.text or ""
    if not text and not len(element):
        parts.append(" />")
        return
    parts.append(f">{text.translate(IN_TEXT) if MARKUP.search(text) else text}")
    for child in element:
        _write(child, parts)
    parts.append(f"</{element.tag}>")
