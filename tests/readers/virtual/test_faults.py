from itertools import pairwise

import pytest

from readers.errors import ReaderSpecError
from readers.uid import Uid
from readers.virtual.faults import AIR, MORE_TO_COME, SLOW_SECONDS, Fault, FaultyCard
from readers.virtual.pkoc_phone import SELECT, SELECTED, PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, EchoCard

COMMAND = bytes.fromhex("00A40400")


def count_up() -> FaultyCard:
    """Answers 0100 9000, 0200 9000, and so on, whatever it is asked."""
    answers = iter(range(1, 256))
    return FaultyCard(EchoCard(lambda _raw: bytes((next(answers), 0)) + b"\x90\x00"))


def test_a_card_refuses_a_fault_that_it_does_not_know() -> None:
    phone = PkocPhone.generate()
    with pytest.raises(ReaderSpecError, match="no_directory"):
        phone.fault = Fault.NO_DIRECTORY
    with pytest.raises(ReaderSpecError):
        PkocPhone.generate(Fault.STALE_DATA)
    assert phone.fault is Fault.NONE


def test_the_air_plants_any_of_its_faults_on_any_card_with_apdus() -> None:
    for fault in AIR:
        FaultyCard(EchoCard(), fault)
    with pytest.raises(ReaderSpecError, match="wrong_key"):
        FaultyCard(EchoCard(), Fault.WRONG_KEY)
    with pytest.raises(ReaderSpecError, match="dropped"):
        FaultyCard(UidCard(FIXED_UID), Fault.DROPPED)


def test_a_fault_that_the_card_knows_is_the_card_s_and_is_taken_out_again() -> None:
    phone = PkocPhone.generate(Fault.SWAPPED_ORDER)
    card = FaultyCard(phone)
    card.plant(Fault.DROPPED)
    assert phone.fault.value == "dropped"
    assert card.exchange(SELECT) == SELECTED
    card.plant()
    assert phone.fault.value == "swapped_order"
    card.plant(Fault.DROPPED, at=1)
    assert phone.fault.value == "swapped_order"
    assert card.exchange(SELECT) == b""


def test_a_card_has_one_fault_of_its_own_and_any_number_from_the_air() -> None:
    with pytest.raises(ReaderSpecError, match="one of these"):
        FaultyCard(PkocPhone.generate(), Fault.DROPPED, Fault.WRONG_KEY)
    phone = PkocPhone.generate()
    FaultyCard(phone, Fault.WRONG_KEY, Fault.TWO_UIDS, Fault.REPLAYED)
    assert phone.fault is Fault.WRONG_KEY


def test_the_air_strikes_from_the_apdu_on_that_it_is_told() -> None:
    card = count_up()
    card.plant(Fault.DROPPED, at=2)
    for _tap in range(2):
        card.power_on()
        assert len(card.exchange(COMMAND)) == 4
        assert card.exchange(COMMAND) == b""
        assert card.exchange(COMMAND) == b""


def test_what_was_said_in_the_tap_before_is_said_again() -> None:
    card = count_up()
    card.power_on()
    said = [card.exchange(COMMAND), card.exchange(COMMAND)]
    card.plant(Fault.REPLAYED)
    for _tap in range(2):
        card.power_on()
        assert [card.exchange(COMMAND), card.exchange(COMMAND)] == said
        assert card.exchange(COMMAND) == bytes.fromhex("6985")
    card.plant()
    card.power_on()
    assert card.exchange(COMMAND) not in said


def test_answers_lose_a_part_of_their_data_or_never_end() -> None:
    card = FaultyCard(EchoCard(lambda _raw: bytes(range(1, 21)) + b"\x90\x00"), Fault.RANDOM_LENGTHS)
    cut = {card.exchange(COMMAND) for _ in range(200)}
    assert {answer[-2:] for answer in cut} == {b"\x90\x00"}
    assert max(map(len, cut)) < 22
    assert len(cut) > 10
    card.plant(Fault.ENDLESS_61XX)
    assert card.exchange(COMMAND)[-2:] == MORE_TO_COME


def test_a_slow_card_sleeps_before_each_answer() -> None:
    slept: list[float] = []
    FaultyCard(EchoCard(), Fault.SLOW, sleep=slept.append).exchange(COMMAND)
    assert slept == [SLOW_SECONDS]


def test_with_two_uids_no_look_is_like_the_one_before() -> None:
    card = FaultyCard(UidCard(FIXED_UID), Fault.TWO_UIDS)
    seen = [card.uid for _ in range(300)]
    assert all(first != second for first, second in pairwise(seen))
    assert {type(uid) for uid in seen} == {Uid}
    assert FaultyCard(UidCard(FIXED_UID)).uid == FIXED_UID
