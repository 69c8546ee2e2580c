"""The two protocols every backend implements, and the facts a reader reports."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from readers.apdu import Command, Response
from readers.uid import Uid


@dataclass(frozen=True)
class ReaderInfo:
    """One reader as the person at the wall would name it.

    `name` is safe text; `backend` is "pcsc", "nfcpy" or "simulated".
    """

    name: str
    backend: str


@dataclass(frozen=True)
class CardPresented:
    """A card came into the field. `presentation` tells two taps of one card apart."""

    reader: ReaderInfo
    presentation: int
    atr: bytes = b""


@dataclass(frozen=True)
class CardRemoved:
    """The card of that presentation left the field."""

    reader: ReaderInfo
    presentation: int


@dataclass(frozen=True)
class ReaderAttached:
    """A reader is there and watched."""

    reader: ReaderInfo


@dataclass(frozen=True)
class ReaderDetached:
    """A reader is gone; `reason` is a sentence for the lock screen."""

    reader: ReaderInfo
    reason: str


@dataclass(frozen=True)
class ReaderFault:
    """A reader is there but something about this presentation failed; `reason` is a sentence."""

    reader: ReaderInfo
    reason: str
    presentation: int | None = field(default=None)


ReaderEvent = CardPresented | CardRemoved | ReaderAttached | ReaderDetached | ReaderFault


class Card(Protocol):
    """A card in the field, for the time of one `Reader.connect`."""

    @property
    def uid(self) -> Uid | None:
        """The UID as the reader gives it; None when it gives none."""

    @property
    def atr(self) -> bytes:
        """The ATR (PC/SC part 3), or one built from the ATS; empty when there is none."""

    @property
    def takes_apdus(self) -> bool:
        """True for ISO/IEC 14443-4 cards."""

    def transmit(self, command: Command) -> Response:
        """One APDU exchange; raises CardGone or TransmitFailed."""


@runtime_checkable
class UidWitness(Protocol):
    """A card whose reader can be asked for the UID once more within a connection."""

    def read_uid(self) -> None:
        """From now on `uid` is what the reader says now; raises CardGone or TransmitFailed."""


class Reader(Protocol):
    """One reader, or one daemon's readers chosen by a glob, driven from a single thread."""

    @property
    def spec(self) -> str:
        """The specification it was made from, such as "pcsc:ACR1252*"."""

    def open(self) -> None:
        """Takes the device or the daemon's context; raises ReaderUnavailable."""

    def wait(self, timeout: float) -> Sequence[ReaderEvent]:
        """Blocks up to `timeout` seconds for something to happen; raises ReaderUnavailable.

        The first call after `open` reports the readers that are there and the cards that lie on them.
        """

    def connect(self, presented: CardPresented) -> AbstractContextManager[Card]:
        """The presented card, exclusively; entering raises CardGone when it has left."""

    def cancel(self) -> None:
        """Ends a `wait` from another thread."""

    def close(self) -> None:
        """Lets the device go; never raises."""
