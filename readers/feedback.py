"""Lights and beeps of readers, as data. Feedback is a courtesy: a reader that cannot show it stays silent."""

from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

from readers.apdu import Command
from readers.errors import ReaderError
from readers.reader import Card, ReaderInfo


class Signal(Enum):
    """What the person at the reader should learn without looking at the screen."""

    WORKING = "working"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@runtime_checkable
class TakesEscape(Protocol):
    """A card whose connection also reaches the reader itself."""

    def escape(self, data: bytes) -> bytes:
        """One command to the reader; raises TransmitFailed."""


@dataclass(frozen=True)
class PseudoApdu:
    """Bytes that the reader picks out of the stream of APDUs; it needs a card that lies there."""

    data: bytes


@dataclass(frozen=True)
class Escape:
    """Bytes for the reader's control channel, which libccid opens only with ifdDriverOptions bit 0x01."""

    data: bytes


Way = PseudoApdu | Escape
Steps = tuple[tuple[Way, ...], ...]
"""What to send, one after the other; each step in one of several ways, the first that works."""


@dataclass(frozen=True)
class Model:
    """Readers whose names fit `pattern`, and what each signal is to them."""

    pattern: str
    signals: dict[Signal, Steps]

    @property
    def needs_escape(self) -> bool:
        """True where nothing can be shown while the driver blocks escape commands."""
        return any(all(isinstance(way, Escape) for way in step) for steps in self.signals.values() for step in steps)


def _acr122_lights(state: int, on: int, off: int, repeat: int, buzzer: int) -> Steps:
    """FF 00 40 P2 04 T1 T2 N B: durations in 100 ms, buzzer 1 in T1, 2 in T2, 3 in both (ACR122U API 6.2).

    The reader takes the same bytes on both channels; on the control channel also after the card has left.
    """
    data = bytes((0xFF, 0x00, 0x40, state, 0x04, on, off, repeat, buzzer))
    return ((Escape(data), PseudoApdu(data)),)


def _acr1252_lights(lights: int, buzzer: int) -> Steps:
    """E0 00 00 29 01 b: bit 0 red, bit 1 green; E0 00 00 28 01 n: n times 10 ms."""
    beep = ((Escape(bytes((0xE0, 0x00, 0x00, 0x28, 0x01, buzzer))),),) if buzzer else ()
    return ((Escape(bytes((0xE0, 0x00, 0x00, 0x29, 0x01, lights))),), *beep)


MODELS: tuple[Model, ...] = (
    Model(
        "*ACR122*",
        {
            Signal.WORKING: _acr122_lights(0x0F, 0, 0, 0, 0),
            Signal.ACCEPTED: _acr122_lights(0x0E, 1, 0, 1, 1),
            Signal.REFUSED: _acr122_lights(0x0D, 3, 0, 1, 1),
        },
    ),
    Model(
        "*ACR1252*",
        {
            Signal.WORKING: _acr1252_lights(0x03, 0),
            Signal.ACCEPTED: _acr1252_lights(0x02, 10),
            Signal.REFUSED: _acr1252_lights(0x01, 30),
        },
    ),
)


def model_of(name: str) -> Model | None:
    """The model of a reader of that name; None where nothing is known about its lights."""
    return next((model for model in MODELS if fnmatchcase(name, model.pattern)), None)


def steps_for(reader: ReaderInfo, signal: Signal) -> Steps:
    """What to send to that reader; nothing for models that are not known, and for readers that PC/SC does not drive."""
    model = model_of(reader.name) if reader.backend == "pcsc" else None
    return model.signals[signal] if model else ()


def show(signal: Signal, reader: ReaderInfo, card: Card) -> None:
    """Shows `signal` through the connected card's reader; silent where reader or driver cannot. Raises nothing."""
    for step in steps_for(reader, signal):
        if not any(_goes(way, card) for way in step):
            return


def _goes(way: Way, card: Card) -> bool:
    try:
        if isinstance(way, PseudoApdu):
            card.transmit(Command.parse(way.data))
            return True
        if isinstance(card, TakesEscape):
            card.escape(way.data)
            return True
    except ReaderError:
        return False
    return False
