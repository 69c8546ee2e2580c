"""A card as an attacker would hold it to the reader: it answers from the fuzzer's bytes, or meddles with a real one.

The input is a row of steps, one for each command, each a byte that says what happens and what that needs. Steps that
are not there leave the card alone; without a card behind it, every command that has no step is refused.
"""

from enum import IntEnum

from readers.apdu import Command, Response
from readers.errors import CardGone, ReaderUnavailable, TransmitFailed
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from tests.readers.cards import ManualClock

NOT_FOUND = bytes.fromhex("6A82")
ANOTHER_UID = Uid.from_hex("04FEDCBA987654")
EXCHANGE_SECONDS = 0.001
LEFT = "The card left the field"


class Step(IntEnum):
    """What becomes of one answer. Behind it: (n) one byte, (nn) two bytes, (n*) a byte n and n bytes more."""

    PASS = 0
    SAY = 1  # (n*) the whole answer, status word included
    SAY_MUCH = 2  # (nn*) the same with a longer count
    CUT = 3  # (n) keeps n bytes of data
    FLIP = 4  # (nn)(n) at a place, these bits
    STATUS = 5  # (nn) another status word
    APPEND = 6  # (n*) more data
    LEAVE = 7  # the card is gone
    BREAK = 8  # the exchange fails
    WAIT = 9  # (n) so many 10 ms before the answer
    AGAIN = 10  # (n) what it said n answers ago
    UNPLUG = 11  # the reader is gone
    DOUBLE = 12  # the data twice


def say(answer: bytes) -> bytes:
    """The step that answers this."""
    if len(answer) < 256:
        return bytes((Step.SAY, len(answer))) + answer
    return bytes((Step.SAY_MUCH,)) + len(answer).to_bytes(2, "big") + answer


class Script:
    """The fuzzer's bytes, read from the front; what is not there reads as zeros, or as nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_over(self) -> bool:
        return self._position >= len(self._data)

    def number(self, size: int = 1) -> int:
        return int.from_bytes(self.take(size).ljust(size, b"\x00"), "big")

    def take(self, size: int) -> bytes:
        taken = self._data[self._position : self._position + size]
        self._position += size
        return taken


class MeddledCard:
    """A card for one climb; notes what was asked of it and when, in `clock`'s seconds."""

    def __init__(self, script: Script, honest: VirtualCard | None, uid: Uid | None, clock: ManualClock) -> None:
        """`uid` is shown where there is no `honest` card."""
        self._script = script
        self._honest = honest
        self._clock = clock
        self._said: list[bytes] = []
        self.uid = self.first_uid = uid if honest is None else honest.uid
        self.atr = bytes.fromhex("3B80800101")
        self.takes_apdus = True
        self.exchanges: list[tuple[Command, Response]] = []
        self.asked_at: list[float] = []
        self.sent: list[Command] = []
        self.received = 0

    def read_uid(self) -> None:
        """Another card may lie there by now: the step's lowest two bits say."""
        what = 0 if self._script.is_over else self._script.number() % 4
        if what == 1:
            raise CardGone(LEFT)
        if what == 2:
            raise TransmitFailed("The exchange with the card failed")
        if what == 3:
            self.uid = ANOTHER_UID

    def transmit(self, command: Command) -> Response:
        """One APDU; raises CardGone, TransmitFailed or ReaderUnavailable as a reader would."""
        self.sent.append(command)
        self.asked_at.append(self._clock())
        self._clock.advance(EXCHANGE_SECONDS)
        response = self._response(bytes(command))
        self.exchanges.append((command, response))
        self.received += len(response.data) + 2
        return response

    def _response(self, raw: bytes) -> Response:
        """What comes through the reader; apart from `transmit`, whose frame holds no answer in the clear."""
        answer = self._answer(raw)
        if not answer:
            raise CardGone(LEFT)
        if len(answer) < 2:
            answer = b""
            raise TransmitFailed("The card's answer has no status word")
        return Response.parse(answer)

    def _answer(self, raw: bytes) -> bytes:
        step = None if self._script.is_over else Step(self._script.number() % len(Step))
        match step:
            case Step.LEAVE:
                raise CardGone(LEFT)
            case Step.BREAK:
                raise TransmitFailed("The exchange with the card failed")
            case Step.UNPLUG:
                raise ReaderUnavailable("The reader is gone")
            case Step.SAY:
                return self._script.take(self._script.number())
            case Step.SAY_MUCH:
                return self._script.take(self._script.number(2))
            case Step.AGAIN:
                back = self._script.number() + 1
                return self._said[-back] if back <= len(self._said) else NOT_FOUND
            case Step.WAIT:
                self._clock.advance(self._script.number() / 100)
        answer = NOT_FOUND if self._honest is None else self._honest.exchange(raw)
        self._said.append(answer)
        return self._meddled(step, answer)

    def _meddled(self, step: Step | None, answer: bytes) -> bytes:
        data, status = answer[:-2], answer[-2:]
        match step:
            case Step.CUT:
                return data[: self._script.number()] + status
            case Step.FLIP:
                place, bits = self._script.number(2) % max(len(answer), 1), self._script.number()
                return answer[:place] + bytes(byte ^ bits for byte in answer[place : place + 1]) + answer[place + 1 :]
            case Step.STATUS:
                return data + self._script.number(2).to_bytes(2, "big")
            case Step.APPEND:
                return data + self._script.take(self._script.number()) + status
            case Step.DOUBLE:
                return data + data + status
        return answer


class TalkingCard:
    """Passes everything on to a virtual card and keeps what it answered."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card
        self.uid: Uid | None = card.uid
        self.atr = card.atr
        self.takes_apdus = card.takes_apdus
        self.said: list[bytes] = []

    def transmit(self, command: Command) -> Response:
        """One APDU; raises CardGone, TransmitFailed."""
        raw = self._card.exchange(bytes(command))
        self.said.append(raw)
        if not raw:
            raise CardGone(LEFT)
        if len(raw) < 2:
            raise TransmitFailed("The card's answer has no status word")
        return Response.parse(raw)
