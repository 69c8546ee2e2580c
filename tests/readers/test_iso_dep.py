from pathlib import Path
from traceback import TracebackException

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import CardError, CardGone, ReaderError, TlvError, TransmitFailed
from readers.iso_dep import AnswerToSelect, FrameLost, IsoDep, rats
from readers.uid import Uid
from readers.virtual.iso_dep import Activation, answer_to_select, selection_levels
from tests.readers.cards import EchoCard, ManualClock


class Air:
    """Carries frames to an activated virtual card and back; `loses` says which crossings fail, in order."""

    def __init__(self, card: EchoCard, loses: list[bool] | None = None, fsci: int = 8, waiting_times: int = 0) -> None:
        self.clock = ManualClock()
        self._loses = list(loses or [])
        self._activation = Activation(card, answer_to_select(b"", fsci), waiting_times)
        for command, level in zip((0x93, 0x95, 0x97), selection_levels(card.uid), strict=False):
            self._activation.answer(bytes((command, 0x70)) + level)
        self.ats = self._activation.answer(rats(256)) or b""

    def exchange(self, frame: bytes, timeout: float) -> bytes:
        self.clock.advance(0.001)
        if self._lost():
            raise FrameLost("lost")
        answer = self._activation.answer(frame)
        if answer is None or self._lost():
            raise FrameLost("lost")
        return answer

    def link(self) -> IsoDep:
        return IsoDep(self.exchange, AnswerToSelect.parse(self.ats), self.clock)

    def _lost(self) -> bool:
        return self._loses.pop(0) if self._loses else False


@pytest.mark.parametrize("fsci", range(9))
@pytest.mark.parametrize("size", [5, 13, 14, 26, 255, 261, 2000])
def test_commands_and_answers_of_any_size_pass_whole(fsci: int, size: int) -> None:
    card = EchoCard()
    link = Air(card, fsci=fsci).link()
    apdus = [bytes((number,)) * size for number in (1, 2, 3)]
    assert [link.transceive(apdu) for apdu in apdus] == [apdu + b"\x90\x00" for apdu in apdus]
    assert card.commands == apdus


def test_waiting_time_is_granted() -> None:
    assert Air(EchoCard(), waiting_times=5).link().transceive(b"abcd") == b"abcd\x90\x00"


def test_waiting_time_is_not_granted_for_ever() -> None:
    clock = ManualClock()

    def never(frame: bytes, timeout: float) -> bytes:
        clock.advance(timeout)
        return b"\xf2\x3b"

    with pytest.raises(TransmitFailed, match="too long"):
        IsoDep(never, AnswerToSelect.parse(b"\x01"), clock).transceive(b"abcd")


def test_a_card_that_only_ever_acknowledges_is_given_up() -> None:
    sent = []

    def acknowledge(frame: bytes, timeout: float) -> bytes:
        sent.append(frame)
        return b"\xa3"

    with pytest.raises(CardGone):
        IsoDep(acknowledge, AnswerToSelect.parse(b"\x01"), ManualClock()).transceive(b"abcd")
    assert len(sent) == 3


def test_a_silent_card_is_gone() -> None:
    with pytest.raises(CardGone):
        Air(EchoCard(), loses=[True] * 50).link().transceive(b"abcd")


@pytest.mark.parametrize("position", range(2))
def test_two_lost_frames_in_a_row_are_recovered(position: int) -> None:
    card = EchoCard()
    loses = [False] * position + [True] * 2
    assert Air(card, loses).link().transceive(b"abcd") == b"abcd\x90\x00"
    assert card.commands == [b"abcd"]


@given(loses=st.lists(st.booleans(), max_size=40), sizes=st.lists(st.integers(4, 300), min_size=1, max_size=4))
def test_no_pattern_of_loss_runs_a_command_twice_or_garbles_an_answer(loses: list[bool], sizes: list[int]) -> None:
    card = EchoCard()
    link = Air(card, loses, fsci=5).link()
    apdus = [bytes((number + 1,)) * size for number, size in enumerate(sizes)]
    for number, apdu in enumerate(apdus):
        try:
            answer = link.transceive(apdu)
        except CardError:
            assert card.commands in (apdus[:number], apdus[: number + 1])
            return
        assert answer == apdu + b"\x90\x00"
        assert card.commands == apdus[: number + 1]


frames = st.binary(max_size=40) | st.sampled_from([b"\x02\x90\x00", b"\x03\x90\x00", b"\xa2", b"\xa3", b"\xf2\x01"])


@given(replies=st.lists(frames | st.none(), max_size=60), apdu=st.binary(min_size=4, max_size=80))
def test_no_random_frames_raise_anything_but_a_card_error(replies: list[bytes | None], apdu: bytes) -> None:
    clock = ManualClock()
    script = iter(replies)

    def exchange(frame: bytes, timeout: float) -> bytes:
        clock.advance(0.01)
        reply = next(script, None)
        if reply is None:
            raise FrameLost("lost")
        return reply

    link = IsoDep(exchange, AnswerToSelect.parse(b"\x01"), clock)
    link.is_present()
    try:
        link.transceive(apdu)
    except CardError:
        link.deselect()


def test_presence_is_asked_without_disturbing_the_exchange() -> None:
    link = Air(EchoCard()).link()
    assert link.is_present()
    assert link.transceive(b"abcd") == b"abcd\x90\x00"
    assert link.is_present()
    assert link.is_present()
    assert link.transceive(b"efgh") == b"efgh\x90\x00"


def test_a_deselected_card_no_longer_answers() -> None:
    link = Air(EchoCard()).link()
    link.deselect()
    assert not link.is_present()


def test_a_card_that_never_stops_chaining_is_cut() -> None:
    clock = ManualClock()
    number = [1]

    def endless(frame: bytes, timeout: float) -> bytes:
        number[0] ^= 1
        return bytes((0x12 | number[0],)) + bytes(200)

    with pytest.raises(TransmitFailed, match="never ended"):
        IsoDep(endless, AnswerToSelect.parse(b"\x01"), clock).transceive(b"abcd")


@pytest.mark.parametrize("second", [None, b"\x12account data", b"\xa3", b"\x77account data"])
def test_a_half_answer_shows_in_no_traceback(second: bytes | None) -> None:
    frames = iter([b"\x12account data", *[second] * 8])

    def exchange(frame: bytes, timeout: float) -> bytes:
        received = next(frames)
        if received is None:
            raise FrameLost("lost")
        return received

    link = IsoDep(exchange, AnswerToSelect.parse(b"\x01"), ManualClock())
    with pytest.raises(CardError) as raised:
        link.transceive(b"abcd")
    told = TracebackException.from_exception(raised.value, capture_locals=True)
    shown = [frame.locals or {} for frame in told.stack if Path(frame.filename).name == "iso_dep.py"]
    assert len(shown) >= 2
    assert "account" not in str(shown)


@pytest.mark.parametrize(
    ("ats", "historical", "frame_size", "milliseconds"),
    [
        ("01", "", 32, 4.8),
        ("0200", "", 16, 4.8),
        ("0278", "", 256, 4.8),
        ("0578807000", "", 256, 38.7),
        ("067577810280", "80", 64, 77.3),
        ("04207041", "41", 16, 38.7),
        ("0478F00000", "", 256, 0.3),
        ("020F", "", 256, 4.8),
    ],
)
def test_an_ats_of_any_length_is_read(ats: str, historical: str, frame_size: int, milliseconds: float) -> None:
    answer = AnswerToSelect.parse(bytes.fromhex(ats))
    assert answer.historical.hex() == historical
    assert answer.frame_size == frame_size
    assert answer.frame_waiting_time * 1000 == pytest.approx(milliseconds, abs=0.1)


@pytest.mark.parametrize("ats", ["", "00", "0578", "14"])
def test_an_ats_shorter_than_it_says_is_refused(ats: str) -> None:
    with pytest.raises(TlvError):
        AnswerToSelect.parse(bytes.fromhex(ats))


@given(ats=st.binary(max_size=40))
def test_no_ats_raises_anything_but_a_reader_error(ats: bytes) -> None:
    try:
        answer = AnswerToSelect.parse(ats)
    except ReaderError:
        return
    assert 16 <= answer.frame_size <= 256
    assert 0 < answer.frame_waiting_time < 5.0


@pytest.mark.parametrize(("largest", "frame"), [(290, "e080"), (256, "e080"), (255, "e070"), (64, "e050"), (3, "e000")])
def test_rats_asks_for_no_more_than_the_device_can_receive(largest: int, frame: str) -> None:
    assert rats(largest).hex() == frame


@pytest.mark.parametrize(
    ("digits", "levels"),
    [
        ("04A1B2C3", ["04a1b2c3d4"]),
        ("04A1B2C3D4E580", ["8804a1b29f", "c3d4e58072"]),
        ("04A1B2C3D4E580112233", ["8804a1b29f", "88c3d4e57a", "8011223380"]),
    ],
)
def test_the_uid_is_shown_in_as_many_cascade_levels_as_it_needs(digits: str, levels: list[str]) -> None:
    assert [level.hex() for level in selection_levels(Uid.from_hex(digits))] == levels
