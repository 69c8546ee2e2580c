"""How far a cursor may move, and what is sent again."""

from hypothesis import given
from hypothesis import strategies as st

from kiosk.audit.forward.stream import Position
from kiosk.audit.forward.window import SHORTEST, Window

START = Position()


def at(sequence: int) -> Position:
    return Position(sequence, bytes(32), 0, sequence)


def test_what_is_acknowledged_is_settled_at_once_when_nothing_is_to_be_resent() -> None:
    window = Window(START, 0.0)
    for number in (1, 2, 3):
        window.send(at(number), number, 10.0)
    window.confirm(2, 10.0)
    assert (window.settled, window.sent) == (at(2), at(3))
    window.fail()
    assert (window.settled, window.sent) == (at(2), at(2))


def test_what_has_arrived_is_settled_only_when_the_other_end_has_outlived_it() -> None:
    window = Window(START, 10.0)
    window.send(at(1), 1, 100.0)
    window.send(at(2), 2, 105.0)
    window.confirm(2, 109.9)
    assert window.settled == START
    window.confirm(2, 110.0)
    assert window.settled == at(1)
    window.fail()
    assert window.sent == at(1)


def test_nothing_is_settled_without_proof_however_long_it_takes() -> None:
    window = Window(START, 10.0)
    window.send(at(1), 1, 100.0)
    window.confirm(0, 10_000.0)
    assert window.settled == START


def test_a_channel_that_was_closed_in_order_proves_what_was_sent_on_it() -> None:
    window = Window(START, 10.0)
    window.send(at(1), 5, 100.0)
    window.begin_channel()
    window.send(at(2), 1, 104.0)
    window.confirm(0, 111.0)
    assert (window.settled, window.is_settled) == (at(1), False)
    window.confirm(1, 114.0)
    assert (window.settled, window.is_settled) == (at(2), True)


def test_connections_that_keep_breaking_do_not_hold_the_stream_up_for_ever() -> None:
    window, now = Window(START, 16.0), 0.0
    for _ in range(5):
        window.send(at(1), 1, now)
        window.confirm(1, now + 2)  # broken off after two seconds, having read it
        if window.settled == at(1):
            break
        window.fail()
        now += 2
    assert window.settled == at(1)
    assert window.patience == 16.0


@given(
    st.lists(st.sampled_from(["send", "confirm", "close", "fail", "wait"]), max_size=60), st.sampled_from([0.0, 5.0])
)
def test_the_cursor_never_goes_back_nor_past_what_was_proven(steps: list[str], seconds: int) -> None:
    window, now, on_channel, proven = Window(START, seconds), 0.0, 0, 0
    for step in steps:
        before = window.settled.sequence
        match step:
            case "send":
                on_channel += 1
                window.send(at(window.sent.sequence + 1), on_channel, now)
            case "confirm":
                proven = max(proven, window.sent.sequence)
                window.confirm(on_channel, now)
            case "close":
                proven = max(proven, window.sent.sequence)
                window.begin_channel()
                on_channel = 0
            case "fail":
                window.fail()
                on_channel = 0
                assert window.sent == window.settled
            case _:
                now += 1.5
                window.confirm(0, now)
        assert before <= window.settled.sequence <= proven
        assert min(seconds, SHORTEST) <= window.patience <= seconds
