"""The loop over one nfcpy device: it looks for a card, and asks one that lies there for signs of life.

The loop is ours, on `sense()`: nfcpy's own `connect()` swallows I/O errors and looks at its terminate function only
every few seconds.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from readers.apdu import Command, Response
from readers.atr import contactless_atr, storage_atr
from readers.errors import CardGone, ReaderUnavailable, TlvError, TransmitFailed
from readers.iso_dep import AnswerToSelect, FrameLost, IsoDep, rats
from readers.pseudo_apdu import answer
from readers.reader import Card, CardPresented, CardRemoved, ReaderAttached, ReaderEvent, ReaderFault, ReaderInfo
from readers.text import safe_text
from readers.uid import Uid

BACKEND = "nfcpy"
POLL_INTERVAL = 0.15
UDP_WAIT = 1.0
HARDWARE_WAIT = 0.1
"""Chips time the card themselves, and round up to 0.1 ms times a power of two: 0.1 s are 102 ms, 0.11 s are 205."""
SAK_ISO_DEP = 0x20
NOT_ACTIVATED = "The card was seen but did not wake up. Hold it flat and still, then tap again."
LOST = "The NFC reader was lost."


class NfcpyUnavailable(ReaderUnavailable):
    """The device cannot be had or was lost; `number` is the system's errno, 0 where there is none."""

    def __init__(self, sentence: str, number: int = 0) -> None:
        super().__init__(sentence)
        self.number = number


@dataclass(frozen=True, repr=False)
class Target:
    """A type A card that answered the selection; `uid` is None where it gives none (type 1 tags)."""

    uid: Uid | None
    sak: int

    @property
    def takes_apdus(self) -> bool:
        """True where the SAK announces ISO/IEC 14443-4."""
        return bool(self.sak & SAK_ISO_DEP)


class Antenna(Protocol):
    """One contactless device: frames in and out."""

    @property
    def name(self) -> str:
        """The device as it calls itself, in safe text."""

    @property
    def largest_answer(self) -> int:
        """The longest frame the device can receive, in bytes."""

    @property
    def largest_command(self) -> int:
        """The longest frame the device can send, in bytes."""

    def open(self) -> None:
        """Takes the device; raises ReaderUnavailable."""

    def close(self) -> None:
        """Lets the device go; never raises."""

    def interrupt(self) -> None:
        """Ends the `sense` that is under way, from another thread."""

    def forget_interrupt(self) -> None:
        """Drops an interruption that came when the look was over."""

    def sense(self) -> Target | None:
        """Drops the field and looks for one type A card; raises ReaderUnavailable."""

    def exchange(self, frame: bytes, timeout: float) -> bytes:
        """One frame each way within `timeout` seconds; raises FrameLost or ReaderUnavailable."""


@dataclass
class _Presence:
    """The card in the field, as long as it stays there."""

    presentation: int
    target: Target
    link: IsoDep | None
    historical: bytes
    gone: bool = False

    @property
    def atr(self) -> bytes:
        return contactless_atr(self.historical) if self.link else storage_atr(self.target.sak)


class NfcpyCard:
    """The card in the field of an nfcpy device."""

    def __init__(self, presence: _Presence) -> None:
        self._presence = presence

    @property
    def uid(self) -> Uid | None:
        """The UID of this presentation."""
        return self._presence.target.uid

    @property
    def atr(self) -> bytes:
        """An ATR built from the ATS as a PC/SC reader builds it (PC/SC part 3)."""
        return self._presence.atr

    @property
    def takes_apdus(self) -> bool:
        """True once ISO/IEC 14443-4 is active."""
        return self._presence.link is not None

    def transmit(self, command: Command) -> Response:
        """One APDU exchange; raises CardGone, TransmitFailed or ReaderUnavailable."""
        presence = self._presence
        if presence.gone:
            raise CardGone("The card left the field")
        own = answer(command, presence.target.uid, presence.historical)
        if own is not None:
            return own
        if presence.link is None:
            raise TransmitFailed("This card takes no commands")
        try:
            raw = presence.link.transceive(bytes(command))
        except CardGone:
            presence.gone = True
            raise
        if len(raw) < 2:
            raise TransmitFailed("The card's answer has no status word")
        return Response.parse(raw)


class NfcpyReader:
    """One nfcpy device. `wait` looks for a card every 0.15 s and asks one that lies there for signs of life."""

    def __init__(self, argument: str, frontend: Antenna, *, is_network: bool = False) -> None:
        """`argument` is what follows "nfcpy:"; a card behind a network is given more time to answer."""
        self._argument = argument
        self._frontend = frontend
        self._info = ReaderInfo(f"NFC reader ({safe_text(argument)})", BACKEND)
        self._is_network = is_network
        self._lock = threading.Lock()
        self._looking = False
        self._cancelled = threading.Event()
        self._announced = False
        self._faulted = False
        self._presence: _Presence | None = None
        self._presentations = 0

    @property
    def spec(self) -> str:
        """The specification it was made from."""
        return f"{BACKEND}:{self._argument}"

    def open(self) -> None:
        """Takes the device; raises ReaderUnavailable."""
        self._frontend.open()
        self._info = ReaderInfo(self._frontend.name, BACKEND)
        self._announced, self._faulted, self._presence = False, False, None

    def wait(self, timeout: float) -> Sequence[ReaderEvent]:
        """Looks until something happens, `timeout` seconds pass or `cancel` is called; raises ReaderUnavailable."""
        deadline = time.monotonic() + timeout
        events: list[ReaderEvent] = []
        if not self._announced:
            self._announced = True
            events.append(ReaderAttached(self._info))
        while not self._take_cancel():
            try:
                with self._open_to_interruption():
                    events.extend(self._look())
            except ReaderUnavailable:
                if self._take_cancel():
                    break
                self.close()
                raise
            remaining = deadline - time.monotonic()
            if events or remaining <= 0:
                break
            self._cancelled.wait(min(POLL_INTERVAL, remaining))
        return events

    @contextmanager
    def connect(self, presented: CardPresented) -> Iterator[Card]:
        """The presented card; entering raises CardGone when it has left."""
        presence = self._presence
        if presence is None or presence.presentation != presented.presentation or presence.gone:
            raise CardGone("The card left the field")
        yield NfcpyCard(presence)

    def cancel(self) -> None:
        """Ends a `wait` within 0.3 s: between two looks at once, and a look that is under way is cut short."""
        with self._lock:
            self._cancelled.set()
            if self._looking:
                self._frontend.interrupt()

    def close(self) -> None:
        """Lets the device go."""
        self._presence = None
        self._frontend.close()

    @contextmanager
    def _open_to_interruption(self) -> Iterator[None]:
        self._frontend.forget_interrupt()
        with self._lock:
            self._looking = True
        try:
            yield
        finally:
            with self._lock:
                self._looking = False

    def _take_cancel(self) -> bool:
        cancelled = self._cancelled.is_set()
        self._cancelled.clear()
        return cancelled

    def _look(self) -> list[ReaderEvent]:
        presence = self._presence
        if presence is not None and not presence.gone and presence.link is not None and presence.link.is_present():
            return []
        found = None if self._cancelled.is_set() else self._frontend.sense()
        if self._cancelled.is_set():  # a look that was cut short says nothing about the card
            return []
        if presence is not None and found is not None and self._is_same(presence, found):
            return []
        events: list[ReaderEvent] = []
        if presence is not None:
            self._presence = None
            events.append(CardRemoved(self._info, presence.presentation))
        if found is None:
            self._faulted = False
            return events
        try:
            link, historical = self._activate(found)
        except (FrameLost, TlvError):
            if not self._faulted:
                self._faulted = True
                events.append(ReaderFault(self._info, NOT_ACTIVATED))
            return events
        self._faulted = False
        self._presentations += 1
        self._presence = _Presence(self._presentations, found, link, historical)
        events.append(CardPresented(self._info, self._presentations, self._presence.atr))
        return events

    def _is_same(self, presence: _Presence, found: Target) -> bool:
        """True for the card that lay there before, woken again: only a fixed UID can tell."""
        uid = found.uid
        if presence.gone or uid is None or uid.is_random or found != presence.target:
            return False
        try:
            presence.link, presence.historical = self._activate(found)
        except (FrameLost, TlvError):
            return False
        return True

    def _activate(self, target: Target) -> tuple[IsoDep | None, bytes]:
        if not target.takes_apdus:
            return None, b""
        wait = UDP_WAIT if self._is_network else HARDWARE_WAIT
        ats = self._frontend.exchange(rats(self._frontend.largest_answer), wait)
        select = AnswerToSelect.parse(ats)
        link = IsoDep(
            self._frontend.exchange,
            select,
            time.monotonic,
            largest_frame=self._frontend.largest_command,
            shortest_wait=wait,
            presence_wait=wait,
            retries=0 if self._is_network else 2,
        )
        return link, select.historical
