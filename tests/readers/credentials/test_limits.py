import pytest

from readers.apdu import Command, Response
from readers.credentials.limits import LimitedCard, LimitExceeded, Limits, TimeSpent
from tests.readers.cards import ManualClock, ScriptedCard

COMMAND = Command(0x00, 0xA4, 0x04, 0x00, le=0)


def test_a_chained_answer_arrives_whole() -> None:
    card = ScriptedCard([Response(b"one", 0x6103), Response(b"two", 0x6100), Response(b"three", 0x9000)])
    response = LimitedCard(card, Limits(), ManualClock()).transmit(COMMAND)
    assert (response.data, response.status_word) == (b"onetwothree", 0x9000)
    assert [bytes(command).hex() for command in card.sent[1:]] == ["00c0000003", "00c0000000"]


def test_a_chain_that_never_ends_is_cut() -> None:
    card = ScriptedCard([Response(b"", 0x6110)] * 100)
    with pytest.raises(LimitExceeded):
        LimitedCard(card, Limits(continuations=5), ManualClock()).transmit(COMMAND)
    assert len(card.sent) == 6


def test_exchanges_are_counted_over_the_whole_presentation() -> None:
    limited = LimitedCard(ScriptedCard([Response(b"", 0x9000)] * 9), Limits(exchanges=2), ManualClock())
    limited.transmit(COMMAND)
    limited.transmit(COMMAND)
    with pytest.raises(LimitExceeded):
        limited.transmit(COMMAND)


def test_bytes_are_counted_over_the_whole_presentation() -> None:
    limited = LimitedCard(ScriptedCard([Response(bytes(60), 0x9000)] * 2), Limits(received_bytes=100), ManualClock())
    limited.transmit(COMMAND)
    with pytest.raises(LimitExceeded):
        limited.transmit(COMMAND)


def test_an_answer_after_the_deadline_does_not_count() -> None:
    clock = ManualClock()

    class Late(ScriptedCard):
        def transmit(self, command: Command) -> Response:
            clock.advance(1.1)
            return super().transmit(command)

    card = Late([Response(b"late", 0x9000)] * 2)
    limited = LimitedCard(card, Limits(), clock)
    limited.allow_until(clock() + 1.0)
    with pytest.raises(TimeSpent):
        limited.transmit(COMMAND)
    with pytest.raises(TimeSpent):
        limited.transmit(COMMAND)
    assert len(card.sent) == 1, "nothing is sent once the time is spent"
