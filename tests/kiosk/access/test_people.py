import hashlib
import hmac
from datetime import timedelta
from threading import Thread

import pytest
from sqlalchemy import inspect, select

from kiosk.access.people import Directory
from kiosk.access.policy import Role
from kiosk.database import schema
from kiosk.errors import ConfigError, DirectoryError, DirectoryUnavailable, NotAllowed
from readers.credentials.claim import Assurance, Claim
from readers.uid import Uid
from tests.kiosk.access.support import NOON, PEPPER, Room, pkoc_claim, uid_claim

INJECTIONS = [
    "x'); DROP TABLE person;--",
    "' OR '1'='1",
    '" OR ""="',
    "admin'--",
    "1; UPDATE person SET role='auditor'",
    "%",
    "_",
    "\\",
    ":person_id",
    "{0}%s",
]


def test_a_person_is_found_by_user_id_whatever_its_case(room: Room) -> None:
    anna = room.directory.add_person("Anna.B", "Anna Berg", Role.RADIOLOGIST)
    assert room.directory.find("anna.b") == anna == room.directory.find("ANNA.B")
    assert room.directory.find("anna") is None
    assert anna.active


def test_a_user_id_is_taken_in_any_case(room: Room) -> None:
    room.directory.add_person("anna", "Anna", Role.RADIOLOGIST)
    with pytest.raises(DirectoryError, match="taken"):
        room.directory.add_person("ANNA", "Another", Role.AUDITOR)
    assert len(room.directory.people()) == 1


@pytest.mark.parametrize("user_id", ["", " ", " anna", "an\x1bna", "a\u202enna", "a" * 65, "a\ud800"])
def test_a_user_id_that_is_not_plain_text_is_refused(room: Room, user_id: str) -> None:
    with pytest.raises(DirectoryError, match="user ID"):
        room.directory.add_person(user_id, "Anna", Role.RADIOLOGIST)


def test_a_display_name_is_made_safe(room: Room) -> None:
    person = room.directory.add_person("anna", "An\x1b]52;c;x\x07na\u202e", Role.RADIOLOGIST)
    assert person.display_name == "Anna"


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_in_any_field_stays_text(room: Room, text: str) -> None:
    bystander = room.directory.add_person("bystander", "Bystander", Role.SERVICE)
    person = room.directory.add_person(text, text, Role.RADIOLOGIST)
    claim = Claim(text, text.encode(), Uid.from_hex("04A1B2C3"), Assurance.AUTHENTICATED, text)
    credential = room.directory.enrol(person.person_id, claim)
    room.directory.revoke(credential.credential_id, text)
    assert room.directory.find(text) == person
    assert (person.user_id, person.display_name) == (text, text)
    found = room.directory.by_claim(claim)
    assert found is not None
    assert (found[1].kind, found[1].fingerprint, found[1].revoked_reason) == (text, text, text)
    assert room.directory.person(text) is None
    assert room.directory.credential(text) is None
    with pytest.raises(DirectoryError):
        room.directory.disable(text)
    with pytest.raises(DirectoryError):
        room.directory.revoke(text, text)
    with pytest.raises(DirectoryError):
        room.directory.set_pin(text, text)
    assert not room.pins.verify(text, text)
    room.lockouts.begin_attempt(text, text)
    room.lockouts.reset(text)
    assert room.directory.find("bystander") == bystander
    assert set(inspect(room.engine).get_table_names()) == set(schema.metadata.tables)


def test_the_first_officer_is_made_once(room: Room) -> None:
    officer = room.directory.bootstrap("olga", "Olga")
    assert officer.role == Role.ENROLMENT_OFFICER
    for user_id in ("olga", "mallory"):
        with pytest.raises(NotAllowed):
            room.directory.bootstrap(user_id, "Mallory")
    room.directory.disable(officer.person_id)
    with pytest.raises(NotAllowed):
        room.again().directory.bootstrap("mallory", "Mallory")


def test_no_second_bootstrap_when_the_first_officer_is_no_officer_any_more(room: Room) -> None:
    room.directory.bootstrap("olga", "Olga")
    with room.engine.begin() as connection:
        connection.execute(schema.person.update().values(role=Role.SERVICE.value))
    with pytest.raises(NotAllowed):
        room.directory.bootstrap("mallory", "Mallory")


def test_a_refused_bootstrap_uses_nothing_up(room: Room) -> None:
    with pytest.raises(DirectoryError):
        room.directory.bootstrap("", "Olga")
    assert room.directory.bootstrap("olga", "Olga").user_id == "olga"


def test_no_bootstrap_where_there_is_an_officer_already(room: Room) -> None:
    room.directory.add_person("olga", "Olga", Role.ENROLMENT_OFFICER)
    with pytest.raises(NotAllowed):
        room.directory.bootstrap("mallory", "Mallory")


def test_of_many_bootstraps_at_once_one_succeeds(room: Room) -> None:
    outcomes: list[str] = []

    def attempt(number: int) -> None:
        try:
            outcomes.append(room.directory.bootstrap(f"officer{number}", "Officer").user_id)
        except NotAllowed:
            outcomes.append("refused")

    threads = [Thread(target=attempt, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes)[1:] == ["refused"] * 4
    assert len(room.directory.people()) == 1


def test_a_credential_is_found_by_its_claim(room: Room) -> None:
    anna, badge = room.add("anna", uid_claim())
    phone = room.directory.enrol(anna.person_id, pkoc_claim())
    assert room.directory.by_claim(uid_claim()) == (anna, badge)
    assert room.directory.by_claim(pkoc_claim(uid="08FFEEDD")) == (anna, phone)
    assert room.directory.by_claim(pkoc_claim("other phone")) is None
    assert room.directory.credentials_of(anna) == (badge, phone) or room.directory.credentials_of(anna) == (
        phone,
        badge,
    )


def test_a_badge_shows_two_bytes_of_its_uid_and_a_phone_the_end_of_its_fingerprint(room: Room) -> None:
    anna, badge = room.add("anna", uid_claim("04A1B2C3D4E5F6"))
    phone = room.directory.enrol(anna.person_id, pkoc_claim())
    assert badge.masked == "…E5F6"
    assert phone.masked == "…" + phone.fingerprint[-4:].upper()


def test_the_lookup_value_is_an_hmac_of_kind_and_subject(room: Room) -> None:
    room.add("anna", uid_claim())
    with room.engine.connect() as connection:
        stored = connection.execute(select(schema.credential.c.lookup)).scalar()
    subject = uid_claim().subject
    assert stored == hmac.new(PEPPER, b"iso14443\0" + subject, hashlib.sha256).digest()


def test_the_same_subject_of_another_kind_is_another_credential(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    other = Claim("desfire", uid_claim().subject, uid_claim().uid, Assurance.AUTHENTICATED)
    assert room.directory.by_claim(other) is None
    room.directory.enrol(anna.person_id, other)
    assert len(room.directory.credentials_of(anna)) == 2


def test_kind_and_subject_cannot_flow_into_each_other(room: Room) -> None:
    anna = room.directory.add_person("anna", "Anna", Role.RADIOLOGIST)
    for kind, subject in (("a\0b", b"c"), ("", b"c"), ("a", b"")):
        with pytest.raises(DirectoryError):
            room.directory.enrol(anna.person_id, Claim(kind, subject, None, Assurance.AUTHENTICATED))


@pytest.mark.parametrize("uid", ["08A1B2C3", "08A1B2C3D4E5F6", "88A1B2C3", "00000000", "FFFFFFFF"])
def test_an_identifier_that_no_card_keeps_is_not_enrolled(room: Room, uid: str) -> None:
    anna = room.directory.add_person("anna", "Anna", Role.RADIOLOGIST)
    with pytest.raises(DirectoryError):
        room.directory.enrol(anna.person_id, uid_claim(uid))
    assert room.directory.credentials_of(anna) == ()


def test_a_phone_with_a_random_uid_is_enrolled_by_its_key(room: Room) -> None:
    anna = room.directory.add_person("anna", "Anna", Role.RADIOLOGIST)
    assert room.directory.enrol(anna.person_id, pkoc_claim(uid="08123456")).assurance == Assurance.AUTHENTICATED


def test_a_claim_that_proves_nothing_is_not_enrolled(room: Room) -> None:
    anna = room.directory.add_person("anna", "Anna", Role.RADIOLOGIST)
    with pytest.raises(DirectoryError, match="proves nothing"):
        room.directory.enrol(anna.person_id, pkoc_claim(assurance=Assurance.NONE))


def test_a_known_credential_is_nobody_elses_even_when_revoked(room: Room) -> None:
    _, badge = room.add("anna", uid_claim())
    boris = room.directory.add_person("boris", "Boris", Role.TECHNOLOGIST)
    with pytest.raises(DirectoryError, match="known already"):
        room.directory.enrol(boris.person_id, uid_claim())
    room.directory.revoke(badge.credential_id, "lost")
    with pytest.raises(DirectoryError, match="known already"):
        room.directory.enrol(boris.person_id, uid_claim())
    assert room.directory.credentials_of(boris) == ()


def test_nobody_unknown_or_disabled_is_given_a_badge(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    room.directory.disable(anna.person_id)
    for person_id in (anna.person_id, "nobody"):
        with pytest.raises(DirectoryError, match="no such person"):
            room.directory.enrol(person_id, pkoc_claim())


def test_a_credential_must_begin_before_it_ends(room: Room) -> None:
    anna = room.directory.add_person("anna", "Anna", Role.RADIOLOGIST)
    with pytest.raises(DirectoryError, match="expire"):
        room.directory.enrol(anna.person_id, uid_claim(), NOON, NOON)
    with pytest.raises(DirectoryUnavailable):
        room.directory.enrol(anna.person_id, uid_claim(), NOON.replace(tzinfo=None), None)


def test_a_revocation_keeps_its_first_reason_and_time(room: Room) -> None:
    _, badge = room.add("anna", uid_claim())
    first = room.directory.revoke(badge.credential_id, "lost")
    room.clock.advance(3600)
    assert room.directory.revoke(badge.credential_id, "found again") == first
    assert (first.revoked_reason, first.revoked_at) == ("lost", NOON)


def test_times_come_back_as_they_went_in(room: Room) -> None:
    anna = room.directory.add_person("anna", "Anna", Role.RADIOLOGIST)
    end = NOON + timedelta(days=1, microseconds=7)
    badge = room.directory.enrol(anna.person_id, uid_claim(), NOON, end)
    assert (badge.valid_from, badge.valid_to) == (NOON, end)


def test_everything_survives_a_restart(room: Room) -> None:
    pair = room.add("anna", uid_claim())
    later = room.again()
    assert later.directory.by_claim(uid_claim()) == pair
    assert later.pins.has(pair[0].person_id)


def test_another_lookup_key_is_noticed(room: Room) -> None:
    room.directory.verify_key()
    room.add("anna", uid_claim())
    room.directory.verify_key()
    with pytest.raises(ConfigError, match="lookup key"):
        Directory(room.engine, bytes(32), room.clock).verify_key()


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_a_lookup_key_has_32_bytes(room: Room, key: bytes) -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        Directory(room.engine, key, room.clock)
