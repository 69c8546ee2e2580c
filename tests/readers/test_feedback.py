import pytest

from readers.apdu import Command, Response
from readers.errors import TransmitFailed
from readers.feedback import MODELS, PseudoApdu, Signal, show, steps_for
from readers.reader import ReaderInfo
from tests.readers.cards import ScriptedCard

ACR122 = ReaderInfo("ACS ACR122U PICC Interface 00 00", "pcsc")
ACR1252 = ReaderInfo("ACS ACR1252 1S CL Reader [ACR1252 Dual Reader PICC] 00 00", "pcsc")
OMNIKEY = ReaderInfo("HID Global OMNIKEY 5022 Smart Card Reader 00 00", "pcsc")


class EscapeCard(ScriptedCard):
    """A card whose connection reaches the reader."""

    def __init__(self, error: TransmitFailed | None = None) -> None:
        super().__init__([])
        self.escaped: list[str] = []
        self._error = error

    def escape(self, data: bytes) -> bytes:
        if self._error:
            raise self._error
        self.escaped.append(data.hex().upper())
        return b""


def test_the_acr122_is_told_by_pseudo_apdu() -> None:
    card = ScriptedCard([Response(b"", 0x9000)] * 2)
    show(Signal.ACCEPTED, ACR122, card)
    show(Signal.REFUSED, ACR122, card)
    assert [bytes(command).hex().upper() for command in card.sent] == ["FF00400E0401000101", "FF00400D0403000101"]


def test_the_acr1252_is_told_by_escape() -> None:
    card = EscapeCard()
    show(Signal.ACCEPTED, ACR1252, card)
    assert card.escaped == ["E00000290102", "E0000028010A"]
    assert card.sent == []


@pytest.mark.parametrize("signal", list(Signal))
def test_readers_that_cannot_stay_silent(signal: Signal) -> None:
    show(signal, OMNIKEY, ScriptedCard([]))
    show(signal, ACR1252, ScriptedCard([]))
    show(signal, ACR1252, EscapeCard(TransmitFailed("0x8010001F")))
    show(signal, ACR122, ScriptedCard([TransmitFailed("gone")]))
    assert steps_for(OMNIKEY, signal) == ()


def test_every_pseudo_apdu_is_an_apdu_and_every_model_knows_every_signal() -> None:
    for _, signals in MODELS:
        assert set(signals) == set(Signal)
        for step in (step for steps in signals.values() for step in steps):
            if isinstance(step, PseudoApdu):
                assert bytes(Command.parse(step.data)) == step.data
