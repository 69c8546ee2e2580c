import pytest
from argon2 import Type, extract_parameters
from argon2.low_level import verify_secret
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from kiosk.access.entered_pin import EnteredPin
from kiosk.access.pin import Argon2id, HashCost, Pins
from kiosk.access.pin_rules import weakness
from kiosk.access.policy import Role
from kiosk.database import schema
from kiosk.errors import DirectoryError
from tests.kiosk.access.support import GOOD_PIN, PEPPER, WRONG_PIN, CountingHash, Room, uid_claim


def stored_verifier(room: Room, person_id: str) -> str:
    with room.engine.connect() as connection:
        found: str | None = connection.execute(
            select(schema.pin.c.verifier).where(schema.pin.c.person_id == person_id)
        ).scalar()
    assert found is not None
    return found


@pytest.mark.parametrize(
    "pin",
    [
        *("", "12345", "73051", "abcdef", "73051a", "-73051", "7305 19", "٧٣٠٥١٩", "730519\n", "7" * 33),
        *("123456", "654321", "012345", "890123", "135791", "975319", "147036", "000000", "9999999"),
        *("121212", "123123", "482482", "74747474", "111112", "122122"),
        *("112233", "159753", "147258", "123321", "314159", "357159", "102030", "12345678"),
    ],
)
def test_a_pin_that_is_easy_or_not_one_is_refused(pin: str) -> None:
    assert weakness(EnteredPin(pin), "anna")


@pytest.mark.parametrize("pin", ["730519", "418206", "90417263", "7" * 3 + "0519"])
def test_a_pin_of_six_mixed_digits_or_more_is_taken(pin: str) -> None:
    assert weakness(EnteredPin(pin), "anna") == ""


@pytest.mark.parametrize("user_id", ["u730519", "7305", "emp-0519", "e915037", "99730519", "7.3.0.5.1.9"])
def test_a_pin_is_not_the_persons_own_number(user_id: str) -> None:
    assert "own number" in weakness(EnteredPin(GOOD_PIN), user_id)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(6, 12))
def test_every_even_walk_round_the_ten_is_refused(start: int, step: int, length: int) -> None:
    pin = "".join(str((start + step * place) % 10) for place in range(length))
    assert weakness(EnteredPin(pin), "anna")


@given(st.text("0123456789", min_size=1, max_size=8), st.integers(2, 6))
def test_every_repetition_is_refused(block: str, times: int) -> None:
    assert weakness(EnteredPin(block * times), "anna")


def test_the_demo_may_have_a_weak_pin_but_not_a_short_one() -> None:
    assert weakness(EnteredPin("123456"), "anna", allow_weak=True) == ""
    assert weakness(EnteredPin("12345"), "anna", allow_weak=True)
    assert weakness(EnteredPin("abcdef"), "anna", allow_weak=True)


def test_a_weak_pin_is_neither_stored_nor_named(room: Room) -> None:
    anna = room.directory.add_person("anna", "Anna", Role.RADIOLOGIST)
    with pytest.raises(DirectoryError) as refused:
        room.directory.set_pin(anna.person_id, "123456")
    assert "123456" not in str(refused.value)
    assert not room.pins.has(anna.person_id)


def test_a_right_pin_matches_and_others_do_not(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    assert room.pins.verify(anna.person_id, GOOD_PIN)
    for wrong in (WRONG_PIN, "", GOOD_PIN + "0", GOOD_PIN[:-1], " " + GOOD_PIN, "\ud800", "x" * 100_000):
        assert not room.pins.verify(anna.person_id, wrong)


def test_a_pin_without_a_person_is_refused(room: Room) -> None:
    with pytest.raises(DirectoryError, match="no such person"):
        room.pins.set("nobody", GOOD_PIN)


@pytest.mark.parametrize("case", ["right", "wrong", "nobody", "without a PIN", "empty"])
def test_one_hash_is_computed_whoever_is_asked_about(room: Room, case: str) -> None:
    anna, _ = room.add("anna", uid_claim())
    bare = room.directory.add_person("boris", "Boris", Role.RADIOLOGIST)
    person_id = {"nobody": "nobody", "without a PIN": bare.person_id}.get(case, anna.person_id)
    pin = {"right": GOOD_PIN, "empty": ""}.get(case, WRONG_PIN)
    before = room.hashing.compared
    assert room.pins.verify(person_id, pin) is (case == "right")
    assert room.hashing.compared == before + 1


def test_the_decoy_costs_what_a_real_verifier_costs() -> None:
    hashing = Argon2id(HashCost(16, 2, 2))
    assert extract_parameters(hashing.decoy()) == extract_parameters(hashing.make(b"secret"))
    assert hashing.decoy() != hashing.decoy()
    assert not hashing.matches(hashing.decoy(), b"secret")


def test_the_decoy_can_be_compared_with_and_is_not_rejected_early(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[bytes] = []

    def counted(verifier: bytes, secret: bytes, kind: Type) -> bool:
        computed.append(verifier)
        return verify_secret(verifier, secret, kind)

    monkeypatch.setattr("argon2._password_hasher.verify_secret", counted)
    hashing = Argon2id(HashCost(16, 1, 1))
    assert not hashing.matches(hashing.decoy(), b"secret")
    assert len(computed) == 1


def test_full_strength_is_the_default() -> None:
    parameters = extract_parameters(Argon2id().decoy())
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (65536, 3, 4)
    assert parameters.type.name == "ID"


def test_two_people_with_one_pin_have_verifiers_that_do_not_serve_each_other(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    boris, _ = room.add("boris", uid_claim("04000000000001"))
    stolen = stored_verifier(room, anna.person_id)
    with room.engine.begin() as connection:
        connection.execute(schema.pin.update().where(schema.pin.c.person_id == boris.person_id).values(verifier=stolen))
    assert room.pins.verify(anna.person_id, GOOD_PIN)
    assert not room.pins.verify(boris.person_id, GOOD_PIN)


def test_the_database_without_the_pepper_verifies_nothing(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    verifier = stored_verifier(room, anna.person_id)
    assert not Argon2id().matches(verifier, GOOD_PIN.encode())
    assert not Pins(room.engine, bytes(32), room.clock, CountingHash()).verify(anna.person_id, GOOD_PIN)


def test_a_verifier_of_an_older_cost_is_renewed_when_the_pin_is_right(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    old = stored_verifier(room, anna.person_id)
    stronger = Pins(room.engine, PEPPER, room.clock, CountingHash(HashCost(32, 2, 1)))
    assert not stronger.verify(anna.person_id, WRONG_PIN)
    assert stored_verifier(room, anna.person_id) == old
    assert stronger.verify(anna.person_id, GOOD_PIN)
    assert extract_parameters(stored_verifier(room, anna.person_id)).memory_cost == 32
    assert stronger.verify(anna.person_id, GOOD_PIN)


def test_a_new_pin_replaces_the_old_one(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    room.directory.set_pin(anna.person_id, WRONG_PIN)
    assert not room.pins.verify(anna.person_id, GOOD_PIN)
    assert room.pins.verify(anna.person_id, WRONG_PIN)


def test_a_verifier_that_is_none_matches_nothing(room: Room) -> None:
    anna, _ = room.add("anna", uid_claim())
    for garbage in ("", "$argon2id$", GOOD_PIN):
        with room.engine.begin() as connection:
            connection.execute(schema.pin.update().values(verifier=garbage))
        assert not room.pins.verify(anna.person_id, GOOD_PIN)
