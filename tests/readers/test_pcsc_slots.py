from readers.pcsc_calls import STATE_CHANGED, STATE_PRESENT, STATE_UNKNOWN, SlotState
from readers.pcsc_slots import Slots
from readers.reader import CardPresented, CardRemoved, ReaderAttached, ReaderDetached, ReaderEvent

NAME = "ACS ACR1252 00 00"
EMPTY = 0x10
ATR = bytes.fromhex("3B80800101")


def watched(flags: int) -> Slots:
    slots = Slots()
    slots.listed([NAME])
    slots.changed(SlotState(NAME, flags, ATR))
    return slots


def kinds(events: list[ReaderEvent]) -> list[type[ReaderEvent]]:
    return [type(event) for event in events]


def counted(events: int, flags: int) -> SlotState:
    return SlotState(NAME, events << 16 | flags, ATR)


def test_a_card_that_lies_there_first_is_presented_with_its_atr() -> None:
    slots = Slots()
    slots.listed([NAME])
    (event,) = slots.changed(counted(1, STATE_PRESENT | STATE_CHANGED))
    assert isinstance(event, CardPresented)
    assert event.atr == ATR


def test_the_counter_of_a_first_look_is_no_tap() -> None:
    slots = Slots()
    slots.listed([NAME])
    assert slots.changed(counted(8, EMPTY)) == []


def test_a_card_that_came_and_went_is_presented_and_removed() -> None:
    assert kinds(watched(EMPTY).changed(counted(2, EMPTY))) == [CardPresented, CardRemoved]


def test_a_card_that_left_and_came_back_is_a_second_presentation() -> None:
    slots = watched(1 << 16 | STATE_PRESENT)
    left, came = slots.changed(counted(3, STATE_PRESENT))
    assert isinstance(left, CardRemoved)
    assert isinstance(came, CardPresented)
    assert came.presentation > left.presentation


def test_the_counter_may_run_over() -> None:
    assert kinds(watched(0xFFFF << 16 | EMPTY).changed(counted(1, EMPTY))) == [CardPresented, CardRemoved]
    assert kinds(watched(0xFFFF << 16 | EMPTY).changed(counted(0, STATE_PRESENT))) == [CardPresented]


def test_a_service_without_a_counter_is_understood_too() -> None:
    slots = watched(EMPTY)
    assert kinds(slots.changed(counted(0, STATE_PRESENT))) == [CardPresented]
    assert kinds(slots.changed(counted(0, EMPTY))) == [CardRemoved]


def test_other_state_bits_are_no_event() -> None:
    assert watched(1 << 16 | STATE_PRESENT).changed(counted(1, STATE_PRESENT | 0x80 | 0x100)) == []


def test_unplugging_removes_the_card_first() -> None:
    slots = watched(1 << 16 | STATE_PRESENT)
    events = slots.listed([])
    assert kinds(events) == [CardRemoved, ReaderDetached]
    assert slots.changed(counted(2, EMPTY)) == []


def test_a_row_of_an_unplugged_reader_says_nothing() -> None:
    assert watched(1 << 16 | STATE_PRESENT).changed(counted(0, STATE_UNKNOWN)) == []


def test_the_changed_bit_is_not_waited_for() -> None:
    (row,) = watched(1 << 16 | STATE_PRESENT | STATE_CHANGED).watched()
    assert row.flags == 1 << 16 | STATE_PRESENT


def test_presentations_are_never_numbered_twice_even_after_an_outage() -> None:
    slots = watched(EMPTY)
    (first,) = slots.changed(counted(1, STATE_PRESENT))
    slots.forget()
    slots.listed([NAME])
    (second,) = slots.changed(counted(1, STATE_PRESENT))
    assert isinstance(first, CardPresented)
    assert isinstance(second, CardPresented)
    assert first.presentation != second.presentation
    assert slots.place_of(first) is None
    assert slots.place_of(second) == (NAME, 1)


def test_a_hostile_reader_name_is_shown_plain() -> None:
    (event,) = Slots().listed(["Reader\x1b[2J\u202e 00 00"])
    assert isinstance(event, ReaderAttached)
    assert event.reader.name == "Reader 00 00"
