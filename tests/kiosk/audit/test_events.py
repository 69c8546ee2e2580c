"""One test per row of the reference's table: codes, action, roles, requestor, objects."""

import pytest

from kiosk.audit import (
    AuditMessage,
    Code,
    Medium,
    Node,
    Outcome,
    ParticipantObject,
    PatientRef,
    SopClassCount,
    StudyRef,
    Who,
    codes,
    events,
)
from tests.kiosk.audit.samples import CT_STORAGE, KIOSK, PACS, PATIENT, RADIOLOGIST, STUDY, SYSTEM

BADGE = "uid:04A1B2C3D4E5F6;pkoc:9f2c51d07a3b4e6d"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
LOG = "file:///var/lib/kiosk/trail.sqlite"
IDLE = Who(RADIOLOGIST.user_id, RADIOLOGIST.user_name, RADIOLOGIST.badge, is_requestor=False)
OFFICER = Who("officer@north", "Officer, Olga", ("uid:04FFEEDDCCBBAA",))


def only(messages: tuple[AuditMessage, ...]) -> AuditMessage:
    (message,) = messages
    return message


def heading(message: AuditMessage) -> tuple[str, tuple[str, ...], str, int]:
    return message.event_id.value, tuple(code.value for code in message.event_types), message.action, message.outcome


def roles(message: AuditMessage) -> list[tuple[str, ...]]:
    return [tuple(role.value for role in participant.roles) for participant in message.participants]


def requestors(message: AuditMessage) -> list[str]:
    return [participant.user_id for participant in message.participants if participant.is_requestor]


def shape(item: ParticipantObject) -> tuple[int, int, str, str]:
    return item.type_code, item.role, item.id_type.value, item.object_id


PATIENT_SHAPE = (1, 1, "2", "4711^^^NORTH")
STUDY_SHAPE = (2, 3, "110180", STUDY.study_instance_uid)


@pytest.mark.parametrize(
    ("function", "event_type"), [(events.application_started, "110120"), (events.application_stopped, "110121")]
)
def test_start_and_stop_name_application_and_launcher(function: object, event_type: str) -> None:
    message = only(function(SYSTEM, KIOSK))  # type: ignore[operator]  # one of the two functions above
    assert heading(message) == ("110100", (event_type,), "E", 0)
    assert roles(message) == [("110150",), ("110151",)]
    assert [participant.user_id for participant in message.participants] == ["KIOSK7", "system"]
    assert message.participants[0].alternative_user_id == "AETITLES=KIOSK7"
    assert requestors(message) == ["system"]
    assert message.objects == ()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_login_names_person_badge_and_where(outcome: Outcome) -> None:
    message = only(events.login(RADIOLOGIST, KIOSK, outcome, "Wrong PIN"))
    assert heading(message) == ("110114", ("110122",), "E", outcome)
    person, node = message.participants
    assert (person.user_id, person.alternative_user_id, person.user_name) == ("rsmith@north", BADGE, "Smith, Rita")
    assert (person.network_access_point, person.network_access_point_type) == ("kiosk-7.north.example", 1)
    assert person.roles == (Code("RADIOLOGIST", "Site", "radiologist"),)
    assert person.is_requestor
    assert not node.is_requestor
    assert message.outcome_description == "Wrong PIN"
    assert message.objects == ()


def test_login_at_an_address_says_that_it_is_one() -> None:
    for host in ("10.0.0.9", "fd00::9"):
        person = only(events.login(RADIOLOGIST, Node("KIOSK7", host), Outcome.SUCCESS)).participants[0]
        assert (person.network_access_point, person.network_access_point_type) == (host, 2)


def test_login_without_a_known_host_still_has_an_access_point() -> None:
    person = only(events.login(RADIOLOGIST, Node("KIOSK7"), Outcome.SUCCESS)).participants[0]
    assert (person.network_access_point, person.network_access_point_type) == ("KIOSK7", 1)


def test_an_unknown_badge_is_on_record_as_claimed() -> None:
    unknown = Who("unknown@north", "", ("uid:0499999999",))
    person = only(events.login(unknown, KIOSK, Outcome.SERIOUS, "This badge is not known here")).participants[0]
    assert (person.user_id, person.alternative_user_id, person.user_name) == ("unknown@north", "uid:0499999999", "")


def test_logout_is_asked_for_by_the_person() -> None:
    message = only(events.logout(RADIOLOGIST, KIOSK, "tapped out"))
    assert heading(message) == ("110114", ("110123",), "E", 0)
    assert requestors(message) == ["rsmith@north"]
    assert message.participants[0].network_access_point


@pytest.mark.parametrize("reason", ["idle", "another badge took over"])
def test_idle_logoff_and_displacement_are_asked_for_by_nobody(reason: str) -> None:
    message = only(events.logout(IDLE, KIOSK, reason))
    assert heading(message) == ("110114", ("110123",), "E", 0)
    assert requestors(message) == []
    assert message.participants[0].alternative_user_id == BADGE
    assert message.objects == ()


def test_query_holds_its_identifier_and_transfer_syntax() -> None:
    message = only(events.query(RADIOLOGIST, KIOSK, PACS, FIND, b"\x08\x00identifier", Outcome.SUCCESS))
    assert heading(message) == ("110112", (), "E", 0)
    assert roles(message) == [("110153",), ("110152",), ("RADIOLOGIST",)]
    assert [participant.user_id for participant in message.participants] == ["KIOSK7", "PACS", "rsmith@north"]
    assert requestors(message) == ["rsmith@north"]
    (item,) = message.objects
    assert shape(item) == (2, 3, "110181", FIND)
    assert item.query == b"\x08\x00identifier"
    assert item.details == (("TransferSyntax", b"1.2.840.10008.1.2"),)


def test_looking_at_studies_names_each_and_one_patient() -> None:
    other = StudyRef("1.2.3")
    message = only(events.instances_accessed(RADIOLOGIST, KIOSK, (STUDY, other), PATIENT, Outcome.SUCCESS))
    assert heading(message) == ("110103", (), "R", 0)
    assert [participant.user_id for participant in message.participants] == ["rsmith@north", "KIOSK7"]
    assert requestors(message) == ["rsmith@north"]
    assert [shape(item) for item in message.objects] == [STUDY_SHAPE, (2, 3, "110180", "1.2.3"), PATIENT_SHAPE]
    assert [item.life_cycle for item in message.objects] == [6, 6, None]
    assert message.objects[0].accession_numbers == ("ACC-0815",)
    assert message.objects[1].accession_numbers == ()


def test_beginning_a_transfer_names_what_kinds_of_objects_go() -> None:
    message = only(events.begin_transfer(RADIOLOGIST, KIOSK, PACS, (STUDY,), PATIENT))
    assert heading(message) == ("110102", (), "E", 0)
    assert roles(message) == [("110153",), ("110152",), ("RADIOLOGIST",)]
    assert requestors(message) == ["rsmith@north"]
    assert [shape(item) for item in message.objects] == [STUDY_SHAPE, PATIENT_SHAPE]
    assert message.objects[0].details == (("ContainsSOPClass", CT_STORAGE.encode()),)


def test_a_finished_push_reads_and_counts_instances() -> None:
    message = only(events.transferred(RADIOLOGIST, KIOSK, PACS, (STUDY,), PATIENT, Outcome.SUCCESS))
    assert heading(message) == ("110104", (), "R", 0)
    assert roles(message) == [("110153",), ("110152",), ("RADIOLOGIST",)]
    assert [shape(item) for item in message.objects] == [STUDY_SHAPE, PATIENT_SHAPE]
    assert message.objects[0].sop_classes == (SopClassCount(CT_STORAGE, 120),)


def test_a_retrieve_creates() -> None:
    message = only(events.transferred(RADIOLOGIST, PACS, KIOSK, (STUDY,), PATIENT, Outcome.SUCCESS, action="C"))
    assert heading(message) == ("110104", (), "C", 0)
    assert message.participants[0].user_id == "PACS"


def test_a_mixed_transfer_is_two_messages_each_with_its_counts() -> None:
    went = StudyRef(STUDY.study_instance_uid, sop_classes=(SopClassCount(CT_STORAGE, 100),))
    failed = StudyRef(STUDY.study_instance_uid, sop_classes=(SopClassCount(CT_STORAGE, 20),))
    messages = (
        *events.transferred(RADIOLOGIST, KIOSK, PACS, (went,), PATIENT, Outcome.SUCCESS),
        *events.transferred(RADIOLOGIST, KIOSK, PACS, (failed,), PATIENT, Outcome.SERIOUS, "Out of resources"),
    )
    assert [(message.outcome, message.objects[0].sop_classes[0].instances) for message in messages] == [
        (0, 100),
        (8, 20),
    ]


STICK = Medium("STICK-7", codes.USB_DISK)
FILM = Medium("", codes.FILM)


def test_an_export_names_person_process_and_media() -> None:
    message = only(events.exported(RADIOLOGIST, KIOSK, (STICK, FILM), (STUDY,), PATIENT, Outcome.SUCCESS))
    assert heading(message) == ("110106", (), "R", 0)
    assert roles(message) == [("110153", "RADIOLOGIST"), ("110153",), ("110154",), ("110154",)]
    assert requestors(message) == ["rsmith@north"]
    names = [participant.user_id for participant in message.participants]
    assert names == ["rsmith@north", "KIOSK7", "STICK-7", "Film"]
    assert [participant.media for participant in message.participants] == [None, None, codes.USB_DISK, codes.FILM]
    assert [shape(item) for item in message.objects] == [STUDY_SHAPE, PATIENT_SHAPE]
    assert message.objects[0].life_cycle == 10


def test_an_import_creates_and_names_the_medium_it_came_from() -> None:
    message = only(events.imported(RADIOLOGIST, KIOSK, (STICK,), (STUDY,), PATIENT, Outcome.MINOR, "Half of it"))
    assert heading(message) == ("110107", (), "C", 4)
    assert roles(message) == [("110152", "RADIOLOGIST"), ("110152",), ("110155",)]
    assert requestors(message) == ["rsmith@north"]
    assert message.participants[2].media == codes.USB_DISK
    assert [shape(item) for item in message.objects] == [STUDY_SHAPE, PATIENT_SHAPE]
    assert message.objects[0].life_cycle == 2


def test_a_deleted_study_is_gone_for_good() -> None:
    message = only(events.study_deleted(SYSTEM, KIOSK, (STUDY,), PATIENT))
    assert heading(message) == ("110105", (), "D", 0)
    assert [participant.user_id for participant in message.participants] == ["system", "KIOSK7"]
    assert requestors(message) == ["system"]
    assert [shape(item) for item in message.objects] == [STUDY_SHAPE, PATIENT_SHAPE]
    assert message.objects[0].life_cycle == 15


@pytest.mark.parametrize(("stopped", "event_type"), [(False, "110127"), (True, "110138")])
def test_breaking_the_glass_names_person_patient_and_reason(stopped: bool, event_type: str) -> None:
    message = only(events.emergency_override(RADIOLOGIST, stopped, PATIENT, "Unconscious, no order", (STUDY,)))
    assert heading(message) == ("110113", (event_type,), "E", 0)
    assert requestors(message) == ["rsmith@north"]
    assert [shape(item) for item in message.objects] == [STUDY_SHAPE, PATIENT_SHAPE]
    assert message.objects[1].details == (("Alert Description", b"Unconscious, no order"),)


ALERTS = {
    "badge or PIN": (events.user_changed(OFFICER, "rsmith", "PIN reset"), "110137", 0, (2, 11, "11", "rsmith")),
    "role": (
        events.roles_changed(OFFICER, "rsmith", "Now auditor"),
        "110136",
        0,
        (2, 13, "12", "urn:kiosk:person:rsmith"),
    ),
    "configuration": (
        events.configuration_changed(OFFICER, "file:///etc/kiosk.toml", "Read again"),
        "110129",
        0,
        (2, 5, "12", "file:///etc/kiosk.toml"),
    ),
    "software": (
        events.configuration_changed(OFFICER, "urn:x", "2.0", kind=codes.SOFTWARE_CONFIGURATION),
        "110131",
        0,
        (2, 5, "12", "urn:x"),
    ),
    "reader": (events.reader_failed(SYSTEM, "ACR1252", "It is gone"), "110130", 8, (2, 13, "110182", "ACR1252")),
    "TLS": (
        events.node_refused(SYSTEM, "arr.north.example", "Its certificate has expired", KIOSK),
        "110126",
        8,
        (2, 13, "110182", "arr.north.example"),
    ),
    "trail": (events.trail_changed(SYSTEM, LOG, "Deleted: 2026-01"), "110135", 0, (2, 13, "12", LOG)),
}


@pytest.mark.parametrize("name", ALERTS)
def test_each_cause_of_an_alert_has_its_type_its_outcome_and_its_subject(name: str) -> None:
    messages, event_type, outcome, subject = ALERTS[name]
    message = only(messages)
    assert heading(message) == ("110113", (event_type,), "E", outcome)
    assert len(requestors(message)) == 1
    (item,) = message.objects
    assert shape(item) == subject
    assert item.details == (("Alert Description", message.outcome_description.encode()),)


def test_media_without_a_study_are_refused() -> None:
    for function in (events.exported, events.imported):
        with pytest.raises(ValueError, match="at least one study"):
            function(RADIOLOGIST, KIOSK, (STICK,), (), PATIENT, Outcome.SUCCESS)


@pytest.mark.parametrize(
    ("event_type", "id_type", "role"),
    [
        (codes.USER_SECURITY_CHANGED, "11", 11),
        (codes.SECURITY_ROLES_CHANGED, "12", 13),
        (codes.SECURITY_CONFIGURATION, "12", 5),
        (codes.SOFTWARE_CONFIGURATION, "12", 5),
        (codes.HARDWARE_CONFIGURATION, "110182", 13),
        (codes.RESTRICTED_FUNCTION, "12", 13),
        (codes.NODE_AUTHENTICATION, "110182", 13),
    ],
)
def test_an_alert_describes_its_one_subject(event_type: Code, id_type: str, role: int) -> None:
    message = only(events.security_alert(OFFICER, event_type, "subject-1", "What happened", Outcome.MINOR, "A subject"))
    assert heading(message) == ("110113", (event_type.value,), "E", 4)
    assert requestors(message) == ["officer@north"]
    (item,) = message.objects
    assert shape(item) == (2, role, id_type, "subject-1")
    assert item.name == "A subject"
    assert item.details == (("Alert Description", b"What happened"),)


def test_a_denied_act_is_the_use_of_a_restricted_function() -> None:
    message = only(events.restricted_function(RADIOLOGIST, "push", "Your role may not push."))
    assert heading(message) == ("110113", ("110132",), "E", 8)
    assert shape(message.objects[0]) == (2, 13, "12", "urn:kiosk:act:push")


def test_what_is_no_alert_is_refused() -> None:
    with pytest.raises(ValueError, match="Login is not a security alert"):
        events.security_alert(OFFICER, codes.LOGIN, "x", "y")


def test_reading_the_trail_names_person_process_and_log() -> None:
    message = only(events.audit_log_used(OFFICER, KIOSK, LOG))
    assert heading(message) == ("110101", (), "R", 0)
    assert [participant.user_id for participant in message.participants] == ["officer@north", "KIOSK7"]
    assert shape(message.objects[0]) == (2, 13, "12", LOG)
    assert message.objects[0].name == "Security Audit Log"


@pytest.mark.parametrize(("stopped", "event_type", "outcome"), [(True, "110133", 12), (False, "110134", 0)])
def test_stopped_recording_is_major_and_its_return_a_success(stopped: bool, event_type: str, outcome: int) -> None:
    message = only(events.audit_recording(SYSTEM, stopped, LOG, "The disk is full", KIOSK))
    assert heading(message) == ("110113", (event_type,), "E", outcome)
    assert shape(message.objects[0]) == (2, 13, "12", LOG)
    assert requestors(message) == ["system"]


def test_a_patient_id_cannot_pretend_to_have_an_issuer() -> None:
    forged = PatientRef("4711^^^NORTH", "", "Somebody")
    message = only(events.instances_accessed(RADIOLOGIST, KIOSK, (STUDY,), forged, Outcome.SUCCESS))
    assert message.objects[-1].object_id == "4711\\S\\\\S\\\\S\\NORTH"


def test_two_requestors_are_refused() -> None:
    person = RADIOLOGIST.participant()
    with pytest.raises(ValueError, match="at most one requestor"):
        AuditMessage(codes.QUERY, "E", Outcome.SUCCESS, participants=(person, person))


def test_a_message_without_participants_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one participant"):
        AuditMessage(codes.QUERY, "E", Outcome.SUCCESS)


def test_a_transfer_without_a_study_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one study"):
        events.begin_transfer(RADIOLOGIST, KIOSK, PACS, (), PATIENT)


def test_neither_patients_nor_badges_appear_in_a_repr() -> None:
    messages = (
        *events.login(RADIOLOGIST, KIOSK, Outcome.SUCCESS),
        *events.begin_transfer(RADIOLOGIST, KIOSK, PACS, (STUDY,), PATIENT),
        *events.query(RADIOLOGIST, KIOSK, PACS, FIND, b"Planted", Outcome.SUCCESS),
    )
    text = repr(messages) + repr(RADIOLOGIST) + repr(PATIENT) + repr(STUDY)
    for secret in ("4711", "Planted", "Petra", "ACC-0815", "04A1B2", "9f2c51"):
        assert secret not in text
