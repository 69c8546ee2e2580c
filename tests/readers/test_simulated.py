import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from readers.apdu import Command
from readers.errors import CardGone, ReaderError, ReaderSpecError, ReaderUnavailable, TransmitFailed
from readers.reader import CardPresented, CardRemoved, ReaderAttached, ReaderEvent
from readers.simulated import SimulatedReader, open_spec
from readers.virtual.deck import Deck, DeckCard
from readers.virtual.pkoc_phone import SELECT, Fault, PkocPhone
from readers.virtual.uid_card import UidCard
from tests.readers.cards import FIXED_UID, EchoCard, ManualClock

PATIENCE = 60.0
BADGE = UidCard(FIXED_UID)
GET_UID = Command(0xFF, 0xCA, 0x00, 0x00, le=0)


@pytest.fixture
def reader() -> Iterator[SimulatedReader]:
    made = SimulatedReader(Deck([DeckCard("badge", "A badge", BADGE)]))
    made.open()
    yield made
    made.close()


def names(events: object) -> list[str]:
    assert isinstance(events, list)
    return [type(event).__name__ for event in events]


def first_presented(events: object) -> CardPresented:
    assert isinstance(events, list)
    return next(event for event in events if isinstance(event, CardPresented))


def test_the_first_wait_reports_the_reader_and_the_card_that_lies_on_it(reader: SimulatedReader) -> None:
    reader.insert("badge")
    reader.close()
    reader.open()
    attached, presented = reader.wait(0.0)
    assert isinstance(attached, ReaderAttached)
    assert isinstance(presented, CardPresented)
    assert attached.reader.backend == "simulated"
    assert presented.atr == BADGE.atr


def test_a_tap_wakes_a_wait_in_another_thread(reader: SimulatedReader) -> None:
    reader.wait(0.0)
    told: list[ReaderEvent] = []
    waiter = threading.Thread(target=lambda: told.extend(reader.wait(PATIENCE)), daemon=True)
    waiter.start()
    reader.insert("badge")
    waiter.join(PATIENCE)
    assert not waiter.is_alive()
    assert names(told) == ["CardPresented"]


def test_a_tap_too_short_for_any_wait_is_still_told(reader: SimulatedReader) -> None:
    reader.wait(0.0)
    reader.insert("badge")
    reader.remove()
    presented, removed = reader.wait(0.0)
    assert isinstance(presented, CardPresented)
    assert isinstance(removed, CardRemoved)
    assert presented.presentation == removed.presentation


def test_a_tap_of_some_seconds_ends_by_itself_within_a_wait(reader: SimulatedReader) -> None:
    reader.wait(0.0)
    reader.insert("badge", seconds=0.05)
    told = [*reader.wait(PATIENCE)]
    if len(told) < 2:  # else the machine was busy meanwhile
        started = time.monotonic()
        told += reader.wait(PATIENCE)
        assert time.monotonic() - started < PATIENCE / 2
    assert names(told) == ["CardPresented", "CardRemoved"]


def test_a_second_card_takes_the_place_of_the_first_as_another_presentation(reader: SimulatedReader) -> None:
    reader.insert("badge")
    reader.insert(PkocPhone.generate())
    told = reader.wait(0.0)
    assert names(told) == ["ReaderAttached", "CardPresented", "CardRemoved", "CardPresented"]
    presentations = [event.presentation for event in told if isinstance(event, CardPresented)]
    assert presentations[0] != presentations[1]


def test_a_wait_without_anything_to_tell_returns_nothing(reader: SimulatedReader) -> None:
    reader.wait(0.0)
    assert reader.wait(0.01) == []


def test_cancel_ends_a_wait(reader: SimulatedReader) -> None:
    reader.wait(0.0)
    waiter = threading.Thread(target=reader.wait, args=(60.0,), daemon=True)
    waiter.start()
    reader.cancel()
    waiter.join(PATIENCE)
    assert not waiter.is_alive()


def test_the_reader_answers_get_data_itself(reader: SimulatedReader) -> None:
    echo = EchoCard()
    reader.insert(echo)
    with reader.connect(first_presented(reader.wait(0.0))) as card:
        assert card.transmit(GET_UID).expect("GET DATA") == FIXED_UID.value
        assert card.transmit(Command(0xFF, 0xCA, 0x01, 0x00, le=0)).status_word == 0x6A81
        assert card.transmit(Command(0xFF, 0xD6, 0x00, 0x00, le=0)).status_word == 0x6E00
    assert echo.commands == []


def test_a_storage_card_takes_no_commands(reader: SimulatedReader) -> None:
    reader.insert("badge")
    with reader.connect(first_presented(reader.wait(0.0))) as card:
        assert not card.takes_apdus
        with pytest.raises(TransmitFailed):
            card.transmit(Command(0x00, 0xA4, 0x04, 0x00))


def test_a_card_that_was_removed_cannot_be_connected_or_spoken_to(reader: SimulatedReader) -> None:
    reader.insert(EchoCard())
    presented = first_presented(reader.wait(0.0))
    with reader.connect(presented) as card:
        reader.remove()
        with pytest.raises(CardGone):
            card.transmit(GET_UID)
    with pytest.raises(CardGone), reader.connect(presented):
        pytest.fail("entered")


def test_an_earlier_presentation_of_the_same_card_is_gone(reader: SimulatedReader) -> None:
    card = EchoCard()
    reader.insert(card)
    presented = first_presented(reader.wait(0.0))
    reader.insert(card)
    with pytest.raises(CardGone), reader.connect(presented):
        pytest.fail("entered")


def test_an_answer_that_comes_after_removal_does_not_count(reader: SimulatedReader) -> None:
    def leave(raw: bytes) -> bytes:
        reader.remove()
        return raw + b"\x90\x00"

    reader.insert(EchoCard(leave))
    with reader.connect(first_presented(reader.wait(0.0))) as card, pytest.raises(CardGone):
        card.transmit(Command(0x00, 0xA4, 0x04, 0x00))


def test_a_card_that_falls_silent_is_gone_and_told_as_removed(reader: SimulatedReader) -> None:
    reader.insert(PkocPhone(ec.generate_private_key(ec.SECP256R1()), Fault.DROPPED))
    with reader.connect(first_presented(reader.wait(0.0))) as card:
        card.transmit(Command.parse(SELECT))
        with pytest.raises(CardGone):
            card.transmit(Command(0x80, 0x80, 0x00, 0x01, bytes(56), 0))
    assert names(reader.wait(0.0)) == ["CardRemoved"]


def test_an_answer_without_a_status_word_is_a_broken_exchange(reader: SimulatedReader) -> None:
    reader.insert(EchoCard(lambda raw: b"\x90"))
    with reader.connect(first_presented(reader.wait(0.0))) as card, pytest.raises(TransmitFailed):
        card.transmit(Command(0x00, 0xA4, 0x04, 0x00))


def test_one_connection_at_a_time(reader: SimulatedReader) -> None:
    reader.insert("badge")
    presented = first_presented(reader.wait(0.0))
    with reader.connect(presented), pytest.raises(TransmitFailed), reader.connect(presented):
        pytest.fail("entered")
    with reader.connect(presented) as card:
        assert card.uid == FIXED_UID


def test_unplugging_ends_a_wait_and_every_exchange_until_it_is_plugged_again(reader: SimulatedReader) -> None:
    reader.insert(EchoCard())
    with reader.connect(first_presented(reader.wait(0.0))) as card:
        threading.Timer(0.05, reader.unplug).start()
        with pytest.raises(ReaderUnavailable):
            reader.wait(PATIENCE)
        with pytest.raises(ReaderUnavailable):
            card.transmit(GET_UID)
    with pytest.raises(ReaderUnavailable):
        reader.open()
    reader.plug()
    with pytest.raises(ReaderUnavailable):
        reader.wait(0.0)
    reader.open()
    assert names(reader.wait(0.0)) == ["ReaderAttached", "CardPresented"]


def test_a_phone_has_another_uid_in_every_field(reader: SimulatedReader) -> None:
    phone = PkocPhone.generate()
    seen = set()
    for _tap in range(5):
        reader.insert(phone)
        with reader.connect(first_presented(reader.wait(0.0))) as card:
            assert card.uid is not None
            assert card.uid.is_random
            seen.add(card.uid)
        reader.remove()
        reader.wait(0.0)
    assert len(seen) == 5


def test_a_card_stays_for_the_seconds_it_was_given_by_the_clock_it_was_given() -> None:
    clock = ManualClock()
    reader = SimulatedReader(monotonic=clock)
    reader.open()
    reader.insert(EchoCard(), seconds=2.0)
    presented = first_presented(reader.wait(0.0))
    clock.advance(1.9)
    with reader.connect(presented) as card:
        card.transmit(GET_UID)
        clock.advance(0.2)
        with pytest.raises(CardGone):
            card.transmit(GET_UID)


def test_an_unknown_name_is_refused_with_the_names_there_are(reader: SimulatedReader) -> None:
    with pytest.raises(ReaderError, match="There are: badge"):
        reader.insert("nobody")


def test_a_specification_names_its_deck(tmp_path: Path) -> None:
    deck = tmp_path / "deck.toml"
    deck.write_text('[[card]]\nname = "badge"\nkind = "uid"\nuid = "04A1B2C3"\n')
    reader = open_spec(str(deck))
    assert list(reader.deck) == ["badge"]
    assert reader.spec == f"simulated:{deck}"
    with pytest.raises(ReaderSpecError, match="cannot be read"):
        open_spec(str(tmp_path / "missing.toml"))
    assert len(open_spec("").deck) == 0
