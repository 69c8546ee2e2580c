import pytest

from kiosk.access.policy import PATIENT_ACTS, Permission, Role, permissions_of


@pytest.mark.parametrize("role", list(Role))
def test_every_role_may_sign_in(role: Role) -> None:
    assert Permission.SIGN_IN in permissions_of(role)


@pytest.mark.parametrize("role", list(Role))
def test_who_enrols_never_sees_the_trail(role: Role) -> None:
    assert not {Permission.ADMINISTER_STAFF, Permission.SEE_AUDIT} <= permissions_of(role)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.SERVICE, Role.ENROLMENT_OFFICER])
def test_roles_without_patients_see_none(role: Role) -> None:
    assert not permissions_of(role) & PATIENT_ACTS


def test_the_auditor_sees_the_trail_and_only_the_auditor_does() -> None:
    assert [role for role in Role if Permission.SEE_AUDIT in permissions_of(role)] == [Role.AUDITOR]


def test_only_the_enrolment_officer_administers_staff() -> None:
    assert [role for role in Role if Permission.ADMINISTER_STAFF in permissions_of(role)] == [Role.ENROLMENT_OFFICER]


@pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.TECHNOLOGIST])
def test_the_main_job_is_open_to_radiologists_and_technologists(role: Role) -> None:
    assert permissions_of(role) >= PATIENT_ACTS


def test_a_referring_physician_reads_but_sends_nothing() -> None:
    permissions = permissions_of(Role.REFERRING)
    assert {Permission.QUERY, Permission.OPEN_STUDY, Permission.OPEN_SERIES, Permission.VIEW} <= permissions
    assert not permissions & {Permission.PUSH, Permission.CANCEL_PUSH, Permission.RETRY_PUSH, Permission.READ_TAGS}


def test_no_role_presents_virtual_cards() -> None:
    assert all(Permission.PRESENT not in permissions_of(role) for role in Role)
