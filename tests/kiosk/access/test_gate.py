import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from kiosk.access.decision import BLOCKED_SENTENCE, UNKNOWN_SENTENCE, UNUSABLE_SENTENCE
from kiosk.access.gate import DenialReason, Denied, Gate, Granted, PinRequired, WrongPin
from kiosk.access.policy import Role
from kiosk.config.model import AccessConfig
from kiosk.database import schema
from readers.credentials.claim import Assurance, Claim
from tests.kiosk.access.support import GOOD_PIN, NOON, WRONG_PIN, HandClock, Room, furnish, pkoc_claim, uid_claim


def asked(room: Room, claim: Claim) -> PinRequired:
    decision = room.gate.decide(claim)
    assert isinstance(decision, PinRequired)
    return decision


def denied(decision: object) -> Denied:
    assert isinstance(decision, Denied)
    return decision


def test_an_unknown_badge_gets_its_sentence_and_nothing_else(room: Room) -> None:
    room.add("anna", uid_claim())
    answer = denied(room.gate.decide(uid_claim("04FFFFFFFFFFFF")))
    assert answer == Denied(DenialReason.UNKNOWN_BADGE, "This badge is not known here")
    assert answer.sentence == UNKNOWN_SENTENCE


@pytest.mark.parametrize("uid", ["08A1B2C3", "08A1B2C3D4E5F6"])
def test_a_random_uid_is_sent_to_the_phone_app_or_a_card(room: Room, uid: str) -> None:
    answer = denied(room.gate.decide(uid_claim(uid)))
    assert answer.reason == DenialReason.UNFIT_CLAIM
    assert "use the phone app or a card" in answer.sentence


@pytest.mark.parametrize(
    "claim",
    [
        pkoc_claim(assurance=Assurance.NONE),
        Claim("", b"x", None, Assurance.AUTHENTICATED),
        Claim("a\0b", b"x", None, Assurance.AUTHENTICATED),
        Claim("pkoc", b"", None, Assurance.AUTHENTICATED),
        Claim("k\ud800", b"x", None, Assurance.AUTHENTICATED),
    ],
)
def test_a_claim_that_proves_nothing_is_denied(room: Room, claim: Claim) -> None:
    assert denied(room.gate.decide(claim)).reason == DenialReason.UNFIT_CLAIM


def test_a_uid_is_asked_for_its_pin_every_time(room: Room) -> None:
    anna, badge = room.add("anna", uid_claim())
    for _ in range(3):
        required = asked(room, uid_claim())
        assert (required.person, required.credential, required.attempts_left) == (anna, badge, 5)
        assert room.gate.check_pin(required, GOOD_PIN) == Granted(anna, badge, by_grace=False)


def test_a_phone_is_asked_once_and_then_let_in_by_grace(room: Room) -> None:
    anna, phone = room.add("anna", pkoc_claim())
    assert room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN) == Granted(anna, phone, by_grace=False)
    assert room.gate.decide(pkoc_claim(uid="08998877")) == Granted(anna, phone, by_grace=True)
    later = room.again()
    room.clock.advance(8 * 3600 - 1)
    assert later.gate.decide(pkoc_claim()) == Granted(anna, phone, by_grace=True)
    room.clock.advance(1)
    assert isinstance(later.gate.decide(pkoc_claim()), PinRequired)


def test_deciding_by_grace_does_not_stretch_it(room: Room) -> None:
    room.add("anna", pkoc_claim())
    room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN)
    for _ in range(7):
        room.clock.advance(3600)
        assert isinstance(room.gate.decide(pkoc_claim()), Granted)
    room.clock.advance(3600)
    assert isinstance(room.gate.decide(pkoc_claim()), PinRequired)


def test_grace_belongs_to_the_credential_that_earned_it(room: Room) -> None:
    anna, _ = room.add("anna", pkoc_claim())
    room.directory.enrol(anna.person_id, pkoc_claim("second phone"))
    room.directory.enrol(anna.person_id, uid_claim())
    room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN)
    assert isinstance(room.gate.decide(pkoc_claim("second phone")), PinRequired)
    assert isinstance(room.gate.decide(uid_claim()), PinRequired)


def test_a_wrong_pin_earns_no_grace(room: Room) -> None:
    room.add("anna", pkoc_claim())
    room.gate.check_pin(asked(room, pkoc_claim()), WRONG_PIN)
    assert isinstance(room.gate.decide(pkoc_claim()), PinRequired)


def test_a_clock_set_back_ends_grace(room: Room) -> None:
    room.add("anna", pkoc_claim())
    room.clock.advance(3600)
    room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN)
    room.clock.time -= timedelta(seconds=1)
    assert isinstance(room.gate.decide(pkoc_claim()), PinRequired)


@pytest.mark.parametrize("act", ["new PIN", "reset", "withdrawn"])
def test_grace_ends_with(room: Room, act: str) -> None:
    anna, _ = room.add("anna", pkoc_claim())
    room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN)
    {
        "new PIN": lambda: room.directory.set_pin(anna.person_id, WRONG_PIN),
        "reset": lambda: room.lockouts.reset(anna.person_id),
        "withdrawn": lambda: room.directory.grace.withdraw(anna.person_id),
    }[act]()
    assert isinstance(room.gate.decide(pkoc_claim()), PinRequired)


def test_a_site_may_switch_grace_off_also_for_tickets_that_are_out(room: Room, tmp_path: Path) -> None:
    room.add("anna", pkoc_claim())
    room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN)
    for hours in (0.0, 0.5):
        strict = Gate(room.directory, room.pins, room.lockouts, room.clock, AccessConfig(grace_hours=hours))
        room.clock.advance(1800 if hours else 1)
        assert isinstance(strict.decide(pkoc_claim()), PinRequired)


def spoil_person(room: Room) -> None:
    anna = room.directory.find("anna")
    assert anna is not None
    room.directory.disable(anna.person_id)


def revoke_phone(room: Room) -> None:
    found = room.directory.by_claim(pkoc_claim())
    assert found is not None
    room.directory.revoke(found[1].credential_id, "lost")


def expire_phone(room: Room) -> None:
    with room.engine.begin() as connection:
        connection.execute(schema.credential.update().values(valid_to=room.clock.now()))


def postpone_phone(room: Room) -> None:
    with room.engine.begin() as connection:
        connection.execute(schema.credential.update().values(valid_from=room.clock.now() + timedelta(seconds=1)))


STANDINGS = pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_person, DenialReason.PERSON_DISABLED),
        (revoke_phone, DenialReason.REVOKED),
        (expire_phone, DenialReason.EXPIRED),
        (postpone_phone, DenialReason.NOT_YET_VALID),
    ],
)


@STANDINGS
def test_who_lost_the_right_is_denied_in_spite_of_grace(
    room: Room, spoil: Callable[[Room], None], reason: DenialReason
) -> None:
    anna, _ = room.add("anna", pkoc_claim())
    room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN)
    spoil(room)
    answer = denied(room.gate.decide(pkoc_claim()))
    assert (answer.reason, answer.sentence) == (reason, UNUSABLE_SENTENCE)
    assert answer.person is not None
    assert answer.person.person_id == anna.person_id


@STANDINGS
def test_the_right_may_be_lost_while_the_pin_box_is_open(
    room: Room, spoil: Callable[[Room], None], reason: DenialReason
) -> None:
    room.add("anna", pkoc_claim())
    required = asked(room, pkoc_claim())
    spoil(room)
    before = room.hashing.compared
    assert denied(room.gate.check_pin(required, GOOD_PIN)).reason == reason
    assert room.hashing.compared == before


def test_the_screen_says_the_same_of_every_known_badge_that_is_not_let_in(room: Room) -> None:
    sentences = set()
    for spoil in (spoil_person, revoke_phone, expire_phone, postpone_phone):
        other = furnish(room.path.with_name(f"{spoil.__name__}.db"), HandClock())
        other.add("anna", pkoc_claim())
        spoil(other)
        sentences.add(denied(other.gate.decide(pkoc_claim())).sentence)
        other.engine.dispose()
    bare = room.directory.add_person("boris", "Boris", Role.RADIOLOGIST)
    room.directory.enrol(bare.person_id, uid_claim())
    answer = denied(room.gate.decide(uid_claim()))
    assert answer.reason == DenialReason.NO_PIN
    assert {*sentences, answer.sentence} == {UNUSABLE_SENTENCE}


def test_the_uid_of_a_person_who_enrolled_a_key_opens_nothing(room: Room) -> None:
    genuine = pkoc_claim(uid="04A1B2C3D4E5F6")
    room.add("anna", genuine)
    room.gate.check_pin(asked(room, genuine), GOOD_PIN)
    assert denied(room.gate.decide(uid_claim("04A1B2C3D4E5F6"))).reason == DenialReason.UNKNOWN_BADGE


def test_a_credential_is_never_accepted_below_what_it_was_enrolled_at(room: Room) -> None:
    room.add("anna", pkoc_claim())
    room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN)
    answer = denied(room.gate.decide(pkoc_claim(assurance=Assurance.IDENTIFIER)))
    assert (answer.reason, answer.sentence) == (DenialReason.DOWNGRADED, UNUSABLE_SENTENCE)


def test_a_credential_enrolled_as_identifier_never_earns_grace_by_claiming_more(room: Room) -> None:
    room.add("anna", pkoc_claim(assurance=Assurance.IDENTIFIER))
    for _ in range(2):
        assert isinstance(room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN), Granted)


def test_a_row_whose_kind_was_altered_is_not_accepted(room: Room) -> None:
    room.add("anna", pkoc_claim())
    with room.engine.begin() as connection:
        connection.execute(schema.credential.update().values(kind="desfire"))
    assert denied(room.gate.decide(pkoc_claim())).reason == DenialReason.DOWNGRADED


def test_wrong_pins_count_down_block_and_disable(room: Room) -> None:
    room.add("anna", uid_claim())
    required = asked(room, uid_claim())
    for left in (4, 3, 2, 1):
        assert room.gate.check_pin(required, WRONG_PIN) == WrongPin(left)
        assert asked(room, uid_claim()).attempts_left == left
    blocked = denied(room.gate.check_pin(required, WRONG_PIN))
    assert (blocked.reason, blocked.sentence) == (DenialReason.BLOCKED, BLOCKED_SENTENCE)
    assert denied(room.gate.decide(uid_claim())).sentence == "This badge is blocked for now. Ask the help desk."
    for seconds in (30, 60, 120, 240, 480):
        before = room.hashing.compared
        assert denied(room.gate.check_pin(required, GOOD_PIN)).reason == DenialReason.BLOCKED
        assert room.hashing.compared == before
        room.clock.advance(seconds)
        room.gate.check_pin(required, WRONG_PIN)
    room.clock.advance(10**8)
    for answer in (room.gate.check_pin(required, GOOD_PIN), room.again().gate.decide(uid_claim())):
        assert (denied(answer).reason, denied(answer).sentence) == (DenialReason.LOCKED_OUT, BLOCKED_SENTENCE)


def test_a_block_stands_before_grace(room: Room) -> None:
    anna, _ = room.add("anna", pkoc_claim())
    room.directory.enrol(anna.person_id, uid_claim())
    room.gate.check_pin(asked(room, pkoc_claim()), GOOD_PIN)
    required = asked(room, uid_claim())
    for _ in range(5):
        room.gate.check_pin(required, WRONG_PIN)
    assert denied(room.gate.decide(pkoc_claim())).reason == DenialReason.BLOCKED


def test_a_reset_lets_in_again(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    required = asked(room, uid_claim())
    for _ in range(5):
        room.gate.check_pin(required, WRONG_PIN)
    room.lockouts.reset(anna.person_id)
    assert isinstance(room.gate.check_pin(asked(room, uid_claim()), GOOD_PIN), Granted)


def test_guessing_over_restarts_finds_nothing_within_a_day(tmp_path: Path) -> None:
    clock = HandClock(NOON)
    room = furnish(tmp_path / "directory.db", clock)
    room.add("anna", uid_claim())
    room.engine.dispose()
    tried = 0
    for _ in range(48):
        room = furnish(tmp_path / "directory.db", clock)
        decision = room.gate.decide(uid_claim())
        if isinstance(decision, PinRequired):
            before = room.hashing.compared
            room.gate.check_pin(decision, f"{tried:06d}")
            tried += room.hashing.compared - before
        room.engine.dispose()
        clock.advance(1800)
    assert tried == 10


def test_pulling_the_plug_in_the_middle_of_a_guess_counts_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    class PlugPulled(BaseException):
        pass

    def pull(_verifier: str, _secret: bytes) -> bool:
        raise PlugPulled

    room.add("anna", uid_claim())
    required = asked(room, uid_claim())
    monkeypatch.setattr(room.hashing, "matches", pull)
    for _ in range(4):
        with pytest.raises(PlugPulled):
            room.gate.check_pin(required, GOOD_PIN)
    assert asked(room.again(), uid_claim()).attempts_left == 1


def test_one_hash_for_a_right_and_for_a_wrong_pin_and_none_to_decide(room: Room) -> None:
    room.add("anna", uid_claim())
    required = asked(room, uid_claim())
    assert room.hashing.compared == 0
    for pin in (GOOD_PIN, WRONG_PIN, "", "x" * 1000):
        before = room.hashing.compared
        room.gate.check_pin(required, pin)
        assert room.hashing.compared == before + 1


def test_a_pin_box_for_nobody_is_denied(room: Room) -> None:
    anna, badge = room.add("anna", uid_claim())
    boris, token = room.add("boris", uid_claim("04000000000001"))
    for forged in (PinRequired(boris, badge, 5), PinRequired(anna, token, 5)):
        assert denied(room.gate.check_pin(forged, GOOD_PIN)).reason == DenialReason.UNKNOWN_BADGE


def unavailable(room: Room, required: PinRequired) -> None:
    before = room.hashing.compared
    for answer in (room.gate.decide(pkoc_claim()), room.gate.check_pin(required, GOOD_PIN)):
        assert denied(answer).reason == DenialReason.DIRECTORY_UNAVAILABLE
    assert room.hashing.compared == before


@pytest.mark.parametrize("table", ["person", "credential", "lockout"])
def test_a_database_that_lost_a_table_lets_nobody_in(room: Room, table: str) -> None:
    room.add("anna", pkoc_claim())
    required = asked(room, pkoc_claim())
    room.gate.check_pin(required, GOOD_PIN)
    with sqlite3.connect(room.path) as raw:
        raw.execute(f"DROP TABLE {table}")
    raw.close()
    unavailable(room, required)


@pytest.mark.parametrize("table", ["pin", "grace"])
def test_a_database_that_lost_its_pins_or_tickets_lets_nobody_in(room: Room, table: str) -> None:
    room.add("anna", pkoc_claim())
    required = asked(room, pkoc_claim())
    room.gate.check_pin(required, GOOD_PIN)
    with sqlite3.connect(room.path) as raw:
        raw.execute(f"DROP TABLE {table}")
    raw.close()
    for answer in (room.gate.decide(pkoc_claim()), room.gate.check_pin(required, GOOD_PIN)):
        assert denied(answer).reason == DenialReason.DIRECTORY_UNAVAILABLE


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE person SET role = 'emperor'",
        "UPDATE credential SET assurance = 9",
        "UPDATE credential SET valid_from = 'yesterday'",
        "UPDATE credential SET valid_from = x'00'",
        "UPDATE credential SET valid_to = 7",
    ],
)
def test_a_row_that_holds_nonsense_lets_nobody_in(room: Room, damage: str) -> None:
    room.add("anna", pkoc_claim())
    required = asked(room, pkoc_claim())
    room.gate.check_pin(required, GOOD_PIN)
    with sqlite3.connect(room.path) as raw:
        raw.execute(damage)
    raw.close()
    unavailable(room, required)


def test_a_database_that_somebody_holds_locked_denies_the_pin(room: Room) -> None:
    room.add("anna", pkoc_claim())
    required = asked(room, pkoc_claim())
    raw = sqlite3.connect(room.path, isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    assert denied(room.gate.check_pin(required, GOOD_PIN)).reason == DenialReason.DIRECTORY_UNAVAILABLE
    raw.execute("ROLLBACK")
    raw.close()
    assert isinstance(room.gate.check_pin(required, GOOD_PIN), Granted)


def test_a_right_pin_whose_lockout_cannot_be_cleared_opens_nothing(room: Room) -> None:
    room.add("anna", pkoc_claim())
    required = asked(room, pkoc_claim())
    with sqlite3.connect(room.path) as raw:
        raw.execute("CREATE TRIGGER t BEFORE DELETE ON lockout BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    raw.close()
    assert denied(room.gate.check_pin(required, GOOD_PIN)).reason == DenialReason.DIRECTORY_UNAVAILABLE
