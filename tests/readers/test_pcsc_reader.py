"""What a real pcscd does only on other machines: refusals, unplugging, driver errors."""

from collections.abc import Sequence
from contextlib import closing

import pytest

from readers.apdu import Command
from readers.errors import CardGone, ReaderError, ReaderUnavailable, TransmitFailed
from readers.pcsc import Pyscard
from readers.pcsc_calls import (
    COMM_ERROR,
    NO_READERS,
    NO_SERVICE,
    NO_SMARTCARD,
    NOT_TRANSACTED,
    PLUG_AND_PLAY,
    READER_UNAVAILABLE,
    REMOVED_CARD,
    RESET_CARD,
    SECURITY_VIOLATION,
    STATE_PRESENT,
    SUCCESS,
    TIMEOUT,
    UNKNOWN_READER,
    UNRESPONSIVE_CARD,
    Connected,
    PcscCalls,
    PcscUnavailable,
    SlotState,
    sentence,
)
from readers.pcsc_reader import PcscReader
from readers.reader import CardPresented, ReaderAttached, ReaderDetached

NAME = "ACS ACR1252 00 00"
UID = bytes.fromhex("DEADBEEF9000")
PRESENT = 1 << 16 | STATE_PRESENT


class ScriptedCalls:
    """PC/SC with one reader and one card on it, and whatever codes a test sets."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = (NAME,)
        self.flags = PRESENT
        self.code: dict[str, int] = {}
        self.answer = UID
        self.plug_and_play: list[int] = []
        self.contexts = 0
        self.handles = 0

    def establish_context(self) -> tuple[int, int]:
        code = self.code.get("establish", SUCCESS)
        self.contexts += code == SUCCESS
        return code, 7

    def release_context(self, context: int) -> int:
        self.contexts -= 1
        return SUCCESS

    def list_readers(self, context: int) -> tuple[int, tuple[str, ...]]:
        return self.code.get("list", SUCCESS), self.names

    def get_status_change(
        self, context: int, milliseconds: int, states: Sequence[SlotState]
    ) -> tuple[int, tuple[SlotState, ...]]:
        rows = []
        for state in states:
            if state.name == PLUG_AND_PLAY:
                self.plug_and_play.append(state.flags)
                rows.append(SlotState(state.name, 5 << 16 | 0x2))
            else:
                rows.append(SlotState(state.name, self.flags))
        return self.code.get("status", SUCCESS), tuple(rows)

    def cancel(self, context: int) -> int:
        return SUCCESS

    def connect(self, context: int, name: str, *, exclusive: bool) -> tuple[int, Connected]:
        code = self.code.get("connect", SUCCESS)
        self.handles += code == SUCCESS
        return code, Connected(9, 2)

    def begin_transaction(self, handle: int) -> int:
        return SUCCESS

    def end_transaction(self, handle: int) -> int:
        return SUCCESS

    def transmit(self, card: Connected, command: bytes) -> tuple[int, bytes]:
        return self.code.get("transmit", SUCCESS), self.answer

    def control(self, handle: int, data: bytes) -> tuple[int, bytes]:
        return SUCCESS, data

    def disconnect(self, handle: int) -> int:
        self.handles -= 1
        return SUCCESS


def opened(calls: PcscCalls) -> PcscReader:
    reader = PcscReader(calls)
    reader.open()
    return reader


def presented_by(reader: PcscReader) -> CardPresented:
    return next(event for event in reader.wait(0) if isinstance(event, CardPresented))


def test_a_refusal_by_polkit_is_said_in_words() -> None:
    calls = ScriptedCalls()
    calls.code["establish"] = SECURITY_VIOLATION
    with pytest.raises(PcscUnavailable, match="does not allow this user") as caught:
        opened(calls)
    assert caught.value.code == SECURITY_VIOLATION


@pytest.mark.parametrize("call", ["list", "status"])
def test_a_failing_service_is_unavailable(call: str) -> None:
    calls = ScriptedCalls()
    reader = opened(calls)
    calls.code[call] = NO_SERVICE
    with pytest.raises(ReaderUnavailable):
        reader.wait(0)
    reader.close()
    assert calls.contexts == 0


def test_an_unknown_code_is_named_by_its_number() -> None:
    assert "80100099" in sentence(0x80100099)


def test_unplugging_is_an_event_and_no_outage() -> None:
    calls = ScriptedCalls()
    reader = opened(calls)
    reader.wait(0)
    calls.names, calls.code["list"] = (), NO_READERS
    assert isinstance(reader.wait(0)[-1], ReaderDetached)
    calls.names, calls.code["list"] = (NAME,), SUCCESS
    assert isinstance(reader.wait(0)[0], ReaderAttached)


def test_a_reader_plugged_in_during_a_wait_is_told_at_once_by_the_notification() -> None:
    class PluggedLater(ScriptedCalls):
        """Nothing is there until the second wait, which the notification ends."""

        def __init__(self) -> None:
            super().__init__()
            self.names, self.code["list"] = (), NO_READERS
            self.waits: list[tuple[int, list[str]]] = []

        def get_status_change(
            self, context: int, milliseconds: int, states: Sequence[SlotState]
        ) -> tuple[int, tuple[SlotState, ...]]:
            self.waits.append((milliseconds, [state.name for state in states]))
            if len(self.waits) == 2:
                self.names, self.code["list"] = (NAME,), SUCCESS
            return super().get_status_change(context, milliseconds, states)

    calls = PluggedLater()
    reader = opened(calls)
    assert [type(event) for event in reader.wait(0)] == []
    assert [type(event) for event in reader.wait(60)] == [ReaderAttached, CardPresented]
    assert calls.waits[1] == (1000, [PLUG_AND_PLAY]), "it waits for the notification, not for the clock"
    assert calls.waits[2] == (0, [NAME, PLUG_AND_PLAY])


def test_a_reader_unplugged_within_the_wait_is_told_by_the_next_list() -> None:
    calls = ScriptedCalls()
    reader = opened(calls)
    reader.wait(0)
    calls.code["status"] = UNKNOWN_READER
    assert reader.wait(0) == []


def test_the_count_of_reader_events_is_passed_back_without_its_changed_bit() -> None:
    calls = ScriptedCalls()
    calls.code["status"] = TIMEOUT
    reader = opened(calls)
    reader.wait(0)
    reader.wait(0)
    assert calls.plug_and_play == [0, 5 << 16]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (NO_SMARTCARD, CardGone),
        (REMOVED_CARD, CardGone),
        (UNKNOWN_READER, CardGone),
        (READER_UNAVAILABLE, CardGone),
        (UNRESPONSIVE_CARD, TransmitFailed),
        (NO_SERVICE, ReaderUnavailable),
    ],
)
def test_a_connection_that_is_not_made_says_why_and_leaves_nothing_open(code: int, error: type[ReaderError]) -> None:
    calls = ScriptedCalls()
    reader = opened(calls)
    presented = presented_by(reader)
    calls.code["connect"] = code
    with pytest.raises(error), reader.connect(presented):
        pass
    reader.close()
    assert (calls.contexts, calls.handles) == (0, 0)


@pytest.mark.parametrize(
    ("code", "flags", "error"),
    [
        (REMOVED_CARD, PRESENT, CardGone),
        (NO_SERVICE, PRESENT, CardGone),
        (RESET_CARD, PRESENT, TransmitFailed),
        (NOT_TRANSACTED, PRESENT, TransmitFailed),
        (COMM_ERROR, PRESENT, TransmitFailed),
        (NOT_TRANSACTED, 2 << 16 | 0x10, CardGone),
        (COMM_ERROR, 2 << 16 | 0x10, CardGone),
    ],
)
def test_a_broken_exchange_is_told_from_a_removed_card(code: int, flags: int, error: type[ReaderError]) -> None:
    calls = ScriptedCalls()
    with closing(opened(calls)) as reader:
        presented = presented_by(reader)
        with reader.connect(presented) as card:
            calls.code["transmit"], calls.flags = code, flags
            with pytest.raises(error):
                card.transmit(Command(0x00, 0xA4, 0x04, 0x00))
    assert (calls.contexts, calls.handles) == (0, 0)


@pytest.mark.parametrize("answer", ["6A81", "9000", "0102030405060708" + "9000"])
def test_a_card_without_a_type_a_uid_has_none(answer: str) -> None:
    calls = ScriptedCalls()
    calls.answer = bytes.fromhex(answer)
    reader = opened(calls)
    with reader.connect(presented_by(reader)) as card:
        assert card.uid is None


def test_a_card_that_left_before_its_uid_was_read_is_gone_and_let_go() -> None:
    calls = ScriptedCalls()
    reader = opened(calls)
    presented = presented_by(reader)
    calls.answer = b""
    with pytest.raises(CardGone), reader.connect(presented):
        pass
    assert calls.handles == 0


def test_a_reader_that_was_never_opened_is_unavailable() -> None:
    with pytest.raises(ReaderUnavailable):
        PcscReader(ScriptedCalls()).wait(0)


def test_a_stumbling_library_is_a_broken_service(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise SystemError("returned NULL without setting an exception")

    monkeypatch.setattr("smartcard.scard.SCardGetStatusChange", stumble)
    assert Pyscard().get_status_change(0, 0, ()) == (COMM_ERROR, ())
