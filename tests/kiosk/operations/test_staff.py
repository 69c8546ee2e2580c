"""Changes of the directory: on record with who did what to whom, whole or not at all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.person import Credential, Person
from kiosk.access.policy import Permission, Role
from kiosk.audit import Outcome, Phase
from kiosk.errors import DirectoryError, DirectoryUnavailable, KioskError, NotAllowed, TrailError
from kiosk.operations.perform import Deed, Desk
from kiosk.operations.principal import Badge, Principal, Session, System
from kiosk.operations.staff import (
    AddPerson,
    Bootstrap,
    DisablePerson,
    EnablePerson,
    EnrolBadge,
    ResetPin,
    RevokeCredential,
    change,
    known_already,
)
from readers.credentials.claim import Refusal, RefusalReason
from readers.uid import Uid
from tests.kiosk.access.support import GOOD_PIN, WRONG_PIN, HandClock, Room, furnish, pkoc_claim, uid_claim
from tests.kiosk.operations.ledgers import FullDisk, MemoryLedger

BY = System("unix:olga")
NEW_PIN = "906314"
OTHER_UID = "04FFEEDDCCBBAA"
RANDOM = Refusal(RefusalReason.RANDOM_UID, "It changes.", "iso14443", Uid.from_hex("08A1B2C3"))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = furnish(tmp_path / "directory.db", HandClock())
    yield made
    made.engine.dispose()


@pytest.fixture
def ada(room: Room) -> Person:
    return room.add("ada", uid_claim())[0]


def credential_of(room: Room, person: Person) -> Credential:
    return room.directory.credentials_of(person)[0]


def did(room: Room, deed: Deed[object], ledger: MemoryLedger | None = None, by: Principal = BY) -> MemoryLedger:
    ledger = ledger or MemoryLedger()
    change(Desk(ledger, lambda _: True), by, room.directory, deed)
    return ledger


def refused(room: Room, deed: Deed[object], by: Principal = BY) -> tuple[KioskError, MemoryLedger]:
    ledger = MemoryLedger()
    with pytest.raises(KioskError) as raised:
        did(room, deed, ledger, by)
    return raised.value, ledger


Make = Callable[[Room, Person], Deed[object]]
DEEDS: dict[str, Make] = {
    "bootstrap": lambda room, _: Bootstrap(room.directory, "o.first", "Olga First"),
    "add": lambda room, _: AddPerson(room.directory, "tom", "Tom", Role.TECHNOLOGIST),
    "enrol": lambda room, ada: EnrolBadge(room.directory, ada, pkoc_claim()),
    "enrol with a PIN": lambda room, ada: EnrolBadge(room.directory, ada, pkoc_claim(), EnteredPin(NEW_PIN)),
    "revoke": lambda room, ada: RevokeCredential(room.directory, ada, credential_of(room, ada), "lost"),
    "disable": lambda room, ada: DisablePerson(room.directory, ada),
    "pin": lambda room, ada: ResetPin(room.directory, ada, EnteredPin(NEW_PIN)),
}


def everything(room: Room) -> list[object]:
    """All that the directory knows, as a value."""
    people = room.directory.people()
    told: list[object] = [(person, room.directory.credentials_of(person)) for person in people]
    for person in people:
        told += [room.pins.verify(person.person_id, pin) for pin in (GOOD_PIN, NEW_PIN)]
    return told


@pytest.mark.parametrize("name", DEEDS)
def test_what_cannot_be_recorded_is_not_done(room: Room, ada: Person, name: str) -> None:
    before = everything(room)
    for records in range(2):
        with pytest.raises(TrailError):
            did(room, DEEDS[name](room, ada), FullDisk(records))
        assert everything(room) == before
        assert everything(room.again()) == before


@pytest.mark.parametrize("name", DEEDS)
def test_what_is_done_stays_and_is_on_record_under_whoever_did_it(room: Room, ada: Person, name: str) -> None:
    before = everything(room)
    ledger = did(room, DEEDS[name](room, ada))
    assert everything(room.again()) != before
    assert [entry.phase for entry in ledger.entries] == [Phase.INTENT, Phase.OUTCOME]
    assert {(entry.actor.kind, entry.actor.user_id) for entry in ledger.entries} == {("unix", "unix:olga")}
    outcome = ledger.entries[-1]
    assert outcome.outcome is Outcome.SUCCESS
    (message,) = outcome.messages
    assert [kind.value for kind in message.event_types] == ["110137"]
    assert message.objects[0].object_id == {"bootstrap": "o.first", "add": "tom"}.get(name, "ada")


@pytest.mark.parametrize("name", DEEDS)
def test_a_write_that_fails_after_its_record_is_taken_back_on_record(room: Room, ada: Person, name: str) -> None:
    before = everything(room)
    ledger = MemoryLedger()

    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    event.listen(room.engine, "commit", fail)
    try:
        with pytest.raises(DirectoryUnavailable):
            did(room, DEEDS[name](room, ada), ledger)
    finally:
        event.remove(room.engine, "commit", fail)
    assert everything(room) == before
    assert [entry.phase for entry in ledger.entries] == [Phase.INTENT, Phase.OUTCOME, Phase.EVENT]
    assert ledger.entries[-1].outcome is Outcome.SERIOUS
    assert "cannot be written" in ledger.entries[-1].summary


def test_no_secret_is_in_any_record(room: Room, ada: Person) -> None:
    claim = pkoc_claim()
    told = [str(did(room, DEEDS[name](room, ada)).entries) for name in DEEDS if not name.endswith("PIN")]
    told.append(
        str(refused(room, EnrolBadge(room.directory, ada, uid_claim(OTHER_UID), EnteredPin("123456")))[1].entries)
    )
    text = "".join(told)
    for secret in (NEW_PIN, "123456", claim.subject.hex(), claim.subject.hex().upper(), repr(claim.subject)[2:-1]):
        assert secret not in text
    assert claim.fingerprint in text


def test_the_record_of_an_enrolment_names_kind_fingerprint_and_badge(room: Room, ada: Person) -> None:
    claim = pkoc_claim()
    outcome = did(room, EnrolBadge(room.directory, ada, claim)).entries[-1]
    assert outcome.summary == f"Enrol a pkoc credential ({claim.fingerprint}) for ada: done"
    assert outcome.actor.badge == ("uid:08112233", claim.fingerprint)
    (message,) = outcome.messages
    assert [item.object_id for item in message.objects] == ["ada", "urn:kiosk:card:08112233"]


def test_a_card_without_a_claim_is_refused_on_record_with_its_uid(room: Room, ada: Person) -> None:
    error, ledger = refused(room, EnrolBadge(room.directory, ada, RANDOM))
    assert str(error) == "It changes."
    assert ledger.entries[-1].summary == "Enrol a iso14443 credential for ada: It changes."
    assert ledger.entries[-1].actor.badge == ("uid:08A1B2C3",)
    assert ledger.entries[-1].outcome is Outcome.SERIOUS


def test_a_random_uid_in_a_claim_of_its_own_is_refused_too(room: Room, ada: Person) -> None:
    error, _ = refused(room, EnrolBadge(room.directory, ada, uid_claim("08A1B2C3")))
    assert isinstance(error, DirectoryError)


def test_a_card_that_is_known_or_revoked_is_refused(room: Room, ada: Person) -> None:
    tom, badge = room.add("tom", uid_claim(OTHER_UID))
    error, _ = refused(room, EnrolBadge(room.directory, ada, uid_claim(OTHER_UID)))
    assert str(error) == "This badge or phone is known already. It is tom's."
    room.directory.revoke(badge.credential_id)
    for person in (ada, tom):
        error, _ = refused(room, EnrolBadge(room.directory, person, uid_claim(OTHER_UID)))
        assert str(error) == "This badge or phone was revoked, and what is revoked stays so. It is tom's."


def test_whose_a_known_card_is_is_told_to_those_alone_who_may_list_people(room: Room, ada: Person) -> None:
    def session(*permissions: Permission) -> Session:
        badge = Badge("iso14443", "04A1B2C3D4E580", "")
        return Session("s1", "x", "X", "service", badge, frozenset(one.value for one in permissions))

    credential = credential_of(room, ada)
    assert known_already(ada, credential, session(Permission.SIGN_IN)) == "This badge or phone is known already."
    assert known_already(ada, credential, session(Permission.ADMINISTER_STAFF)).endswith("It is ada's.")
    assert known_already(ada, credential, BY).endswith("It is ada's.")


def test_a_credential_is_enrolled_without_touching_the_pin(room: Room, ada: Person) -> None:
    did(room, EnrolBadge(room.directory, ada, pkoc_claim()))
    assert room.pins.verify(ada.person_id, GOOD_PIN)
    did(room, EnrolBadge(room.directory, ada, uid_claim(OTHER_UID), EnteredPin(NEW_PIN)))
    assert room.pins.verify(ada.person_id, NEW_PIN)


def test_a_weak_pin_enrols_nothing(room: Room, ada: Person) -> None:
    error, _ = refused(room, EnrolBadge(room.directory, ada, pkoc_claim(), EnteredPin("123456")))
    assert isinstance(error, DirectoryError)
    assert len(room.directory.credentials_of(ada)) == 1


def test_only_ones_own_credentials_are_revoked_and_only_once(room: Room, ada: Person) -> None:
    tom, badge = room.add("tom", uid_claim(OTHER_UID))
    error, _ = refused(room, RevokeCredential(room.directory, ada, badge))
    assert isinstance(error, NotAllowed)
    did(room, RevokeCredential(room.directory, tom, badge, "lost\x1b[2J"))
    assert room.directory.credentials_of(tom)[0].revoked_reason == "lost"
    error, _ = refused(room, RevokeCredential(room.directory, tom, badge, "again"))
    assert str(error) == "That credential was revoked already."


def test_disabling_and_enabling_are_told_from_doing_nothing(room: Room, ada: Person) -> None:
    assert str(refused(room, EnablePerson(room.directory, ada))[0]) == "ada is not disabled."
    did(room, DisablePerson(room.directory, ada))
    disabled = room.directory.find("ada")
    assert disabled is not None
    assert not disabled.active
    assert str(refused(room, DisablePerson(room.directory, disabled))[0]) == "ada is disabled already."
    did(room, EnablePerson(room.directory, disabled))
    enabled = room.directory.find("ada")
    assert enabled is not None
    assert enabled.active


def test_a_new_pin_forgets_the_wrong_ones_before_it(room: Room, ada: Person) -> None:
    required = room.gate.decide(uid_claim())
    for _ in range(5):
        room.gate.check_pin(required, WRONG_PIN)  # type: ignore[arg-type]  # it is a PinRequired, or the test fails below
    assert type(room.gate.decide(uid_claim())).__name__ == "Denied"
    did(room, ResetPin(room.directory, ada, EnteredPin(NEW_PIN)))
    assert type(room.gate.decide(uid_claim())).__name__ == "PinRequired"
    assert type(room.gate.check_pin(required, NEW_PIN)).__name__ == "Granted"  # type: ignore[arg-type]  # as above
