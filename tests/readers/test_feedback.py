from collections.abc import Sequence

import pytest
from smartcard import scard

from readers.apdu import Command, Response
from readers.errors import CardGone, TransmitFailed
from readers.feedback import MODELS, Escape, PseudoApdu, Signal, model_of, show, steps_for
from readers.pcsc import open_spec
from readers.reader import CardPresented, ReaderInfo
from readers.uid import Uid
from readers.virtual.uid_card import UidCard
from tests.pcscd import READERS, PcscWithVpcd
from tests.readers.cards import ScriptedCard

ACR122 = ReaderInfo("ACS ACR122U PICC Interface 00 00", "pcsc")
ACR1252 = ReaderInfo("ACS ACR1252 1S CL Reader [ACR1252 Dual Reader PICC] 00 00", "pcsc")
OMNIKEY = ReaderInfo("HID Global OMNIKEY 5022 Smart Card Reader 00 00", "pcsc")
UNSUPPORTED_FEATURE = 0x8010001F
ESCAPE_CODE = 0x42000001
ACR122_BYTES = {
    Signal.WORKING: "FF00400F0400000000",
    Signal.ACCEPTED: "FF00400E0401000101",
    Signal.REFUSED: "FF00400D0403000101",
}
ACR1252_BYTES = {
    Signal.WORKING: ["E00000290103"],
    Signal.ACCEPTED: ["E00000290102", "E0000028010A"],
    Signal.REFUSED: ["E00000290101", "E0000028011E"],
}


class EscapeCard(ScriptedCard):
    """A card whose connection reaches the reader."""

    def __init__(self, error: TransmitFailed | None = None, answers: Sequence[Response | Exception] = ()) -> None:
        super().__init__(answers)
        self.escaped: list[str] = []
        self._error = error

    def escape(self, data: bytes) -> bytes:
        self.escaped.append(data.hex().upper())
        if self._error:
            raise self._error
        return b""


def sent_to(card: ScriptedCard) -> list[str]:
    return [bytes(command).hex().upper() for command in card.sent]


@pytest.mark.parametrize("signal", list(Signal))
def test_the_acr122_is_told_by_escape_and_by_pseudo_apdu_where_that_is_blocked(signal: Signal) -> None:
    open_driver = EscapeCard()
    show(signal, ACR122, open_driver)
    assert (open_driver.escaped, sent_to(open_driver)) == ([ACR122_BYTES[signal]], [])
    debian = EscapeCard(TransmitFailed("0x8010001F"), [Response(b"", 0x9000)])
    show(signal, ACR122, debian)
    assert sent_to(debian) == [ACR122_BYTES[signal]]


@pytest.mark.parametrize("signal", list(Signal))
def test_the_acr1252_is_told_by_escape(signal: Signal) -> None:
    card = EscapeCard()
    show(signal, ACR1252, card)
    assert card.escaped == ACR1252_BYTES[signal]
    assert card.sent == []


@pytest.mark.parametrize("signal", list(Signal))
def test_readers_that_cannot_stay_silent(signal: Signal) -> None:
    unknown = EscapeCard()
    show(signal, OMNIKEY, unknown)
    show(signal, ReaderInfo(ACR122.name, "nfcpy"), unknown)
    assert (unknown.escaped, unknown.sent) == ([], [])
    show(signal, ACR1252, ScriptedCard([]))
    blocked = EscapeCard(TransmitFailed("0x8010001F"))
    show(signal, ACR1252, blocked)
    assert (len(blocked.escaped), blocked.sent) == (1, []), "what is blocked once is not tried with the next bytes"
    show(signal, ACR122, ScriptedCard([TransmitFailed("gone")]))
    show(signal, ACR122, ScriptedCard([CardGone("gone")]))
    assert steps_for(OMNIKEY, signal) == ()


def test_every_pseudo_apdu_is_an_apdu_and_every_model_knows_every_signal() -> None:
    ways = []
    for model in MODELS:
        assert set(model.signals) == set(Signal)
        ways += [way for steps in model.signals.values() for step in steps for way in step]
    pseudo = [way for way in ways if isinstance(way, PseudoApdu)]
    assert len(pseudo) == len(Signal)
    for way in pseudo:
        assert bytes(Command.parse(way.data)) == way.data
    assert any(isinstance(way, Escape) for way in ways)


def test_only_the_acr1252_is_dark_without_escape_commands() -> None:
    dark = {model.pattern for model in MODELS if model.needs_escape}
    assert dark == {"*ACR1252*"}
    assert model_of(OMNIKEY.name) is None


def through_pcscd(
    pcsc_with_vpcd: PcscWithVpcd, monkeypatch: pytest.MonkeyPatch, model: str, signal: Signal
) -> tuple[list[tuple[int, str]], list[str]]:
    """What goes through SCardControl (code and bytes) and SCardTransmit when vpcd's reader passes for another model."""
    controls: list[tuple[int, str]] = []
    transmits: list[str] = []
    real_control, real_transmit = scard.SCardControl, scard.SCardTransmit

    def control(handle: int, code: int, data: list[int]) -> tuple[int, list[int]]:
        controls.append((code, bytes(data).hex().upper()))
        answer: tuple[int, list[int]] = real_control(handle, code, data)
        assert answer[0] & 0xFFFFFFFF == UNSUPPORTED_FEATURE, "vpcd takes no escape, as Debian's libccid does not"
        return answer

    def transmit(handle: int, protocol: int, data: list[int]) -> tuple[int, list[int]]:
        transmits.append(bytes(data).hex().upper())
        answer: tuple[int, list[int]] = real_transmit(handle, protocol, data)
        return answer

    pcsc_with_vpcd.insert(UidCard(Uid.from_hex("04A1B2C3D4E580")))
    reader = open_spec(READERS[0])
    reader.open()
    try:
        events = []
        while not any(isinstance(event, CardPresented) for event in events):
            events += reader.wait(1.0)
        presented = next(event for event in events if isinstance(event, CardPresented))
        with reader.connect(presented) as card, monkeypatch.context() as watched:
            watched.setattr(scard, "SCardControl", control)
            watched.setattr(scard, "SCardTransmit", transmit)
            show(signal, ReaderInfo(model, "pcsc"), card)
            card.read_uid()
            assert card.uid == Uid.from_hex("04A1B2C3D4E580"), "the card can be talked to afterwards"
    finally:
        reader.close()
    return controls, transmits[:-1]


@pytest.mark.parametrize("signal", list(Signal))
def test_the_bytes_go_through_scardcontrol_and_then_through_scardtransmit(
    pcsc_with_vpcd: PcscWithVpcd, monkeypatch: pytest.MonkeyPatch, signal: Signal
) -> None:
    controls, transmits = through_pcscd(pcsc_with_vpcd, monkeypatch, ACR122.name, signal)
    assert controls == [(ESCAPE_CODE, ACR122_BYTES[signal])]
    assert transmits == [ACR122_BYTES[signal]]


def test_a_reader_that_is_dark_without_escapes_gets_no_apdu_instead(
    pcsc_with_vpcd: PcscWithVpcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls, transmits = through_pcscd(pcsc_with_vpcd, monkeypatch, ACR1252.name, Signal.ACCEPTED)
    assert controls == [(ESCAPE_CODE, ACR1252_BYTES[Signal.ACCEPTED][0])]
    assert transmits == []


def test_a_reader_of_no_known_model_is_sent_nothing(
    pcsc_with_vpcd: PcscWithVpcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert through_pcscd(pcsc_with_vpcd, monkeypatch, READERS[0], Signal.REFUSED) == ([], [])
