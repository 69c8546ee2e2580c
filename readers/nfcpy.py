"""Readers that nfcpy drives itself, without PC/SC: "nfcpy:usb", "nfcpy:usb:054c:06c3", "nfcpy:tty:USB0:pn532".

"nfcpy:udp:127.0.0.1:54321" is nfcpy's simulated device, for tests only. The loop is ours, on `sense()`: nfcpy's own
`connect()` swallows I/O errors and looks at its terminate function only every few seconds. Nothing else imports `nfc`.
"""

import errno
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from readers.apdu import Command, Response
from readers.atr import contactless_atr, storage_atr
from readers.errors import CardGone, ReaderError, ReaderSpecError, ReaderUnavailable, TlvError, TransmitFailed
from readers.iso_dep import AnswerToSelect, FrameLost, IsoDep, rats
from readers.pseudo_apdu import answer
from readers.reader import (
    Card,
    CardPresented,
    CardRemoved,
    ReaderAttached,
    ReaderEvent,
    ReaderFault,
    ReaderInfo,
)
from readers.text import safe_text
from readers.uid import Uid

BACKEND = "nfcpy"
LOCAL_DEVICES = ("usb", "tty")
NETWORK_DEVICE = "udp"
POLL_INTERVAL = 0.15
RATS_WAIT = 0.2
UDP_WAIT = 1.0
HARDWARE_WAIT = 0.25
SAK_ISO_DEP = 0x20
NOT_ACTIVATED = "The card was seen but did not wake up. Hold it flat and still, then tap again."
WHY = {
    errno.EACCES: "This account may not use the NFC reader. Install the udev rules.",
    errno.EBUSY: "The NFC reader is in use. Stop pcscd or unload the pn533_usb kernel module.",
    errno.ENODEV: "The NFC reader is not plugged in.",
}


def uses_network(argument: str) -> bool:
    """True unless `argument` (what follows "nfcpy:") names a device on this machine's own wires."""
    return argument.partition(":")[0] not in LOCAL_DEVICES


def open_spec(argument: str) -> "NfcpyReader":
    """The reader for "usb", "tty:USB0:pn532" or "udp:127.0.0.1:54321"; raises ReaderSpecError. Opens nothing yet."""
    device = argument.partition(":")[0]
    if device not in (*LOCAL_DEVICES, NETWORK_DEVICE):
        raise ReaderSpecError('After "nfcpy:" comes usb[:vendor:product], tty:PORT:DRIVER or udp:HOST:PORT')
    return NfcpyReader(argument)


@dataclass(frozen=True, repr=False)
class Target:
    """A type A card that answered the selection; `uid` is None where it gives none (type 1 tags)."""

    uid: Uid | None
    sak: int

    @property
    def takes_apdus(self) -> bool:
        """True where the SAK announces ISO/IEC 14443-4."""
        return bool(self.sak & SAK_ISO_DEP)


class Frontend:
    """The typed wrapper around `nfc.clf.ContactlessFrontend`: our values in and out, our errors."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._nfc: ModuleType | None = None
        self._device: Any = None

    @property
    def name(self) -> str:
        """The device as it calls itself."""
        device = self._device.device if self._device else None
        words = (device.vendor_name, device.product_name) if device else ()
        return safe_text(" ".join(word for word in words if word)) or f"NFC reader ({self._path})"

    def open(self) -> None:
        """Finds and takes the device; raises ReaderUnavailable. nfcpy is loaded here and not before."""
        import nfc.clf

        # nfcpy writes UIDs and APDUs to its log, and errors to standard error when nobody has set up logging.
        logging.getLogger("nfc").setLevel(logging.CRITICAL)
        self._nfc = nfc.clf
        device = nfc.clf.ContactlessFrontend()
        try:
            found = device.open(self._path)
        except OSError as error:
            raise _unavailable(error) from None
        except nfc.clf.transport.libusb.USBError:
            raise ReaderUnavailable("USB is not accessible to this account.") from None
        if not found:
            raise ReaderUnavailable("No NFC reader was found that this account may use.")
        self._device = device

    def close(self) -> None:
        """Lets the device go."""
        device, self._device = self._device, None
        if device is not None:
            device.close()

    @property
    def largest_answer(self) -> int:
        """The longest frame the device can receive, in bytes."""
        return int(self._device.max_recv_data_size)

    @property
    def largest_command(self) -> int:
        """The longest frame the device can send, in bytes."""
        return int(self._device.max_send_data_size)

    def sense(self) -> Target | None:
        """Drops the field and looks for one type A card: milliseconds on hardware, up to 1 s on UDP."""
        clf = self._clf()
        try:
            found = self._device.sense(clf.RemoteTarget("106A"), iterations=1)
            if found is None:
                return None
            uid = None if found.sdd_res is None else Uid(bytes(found.sdd_res))
            return Target(uid, found.sel_res[0] if found.sel_res else 0)
        except OSError as error:
            raise _unavailable(error) from None
        except clf.UnsupportedTargetError:
            raise ReaderUnavailable("This NFC device cannot read ISO/IEC 14443 type A cards.") from None
        except (IndexError, ValueError, ReaderError):
            return None  # nfcpy's drivers index and decode blindly what the air brings them

    def exchange(self, frame: bytes, timeout: float) -> bytes:
        """One frame each way within `timeout` seconds; raises FrameLost or ReaderUnavailable."""
        clf = self._clf()
        try:
            reply = self._device.exchange(bytearray(frame), timeout)
        except clf.CommunicationError:
            raise FrameLost("No answer from the card") from None
        except OSError as error:
            raise _unavailable(error) from None
        except (IndexError, ValueError):
            raise FrameLost("A broken answer from the card") from None
        if not reply:
            raise FrameLost("No answer from the card")
        return bytes(reply)

    def _clf(self) -> Any:  # noqa: ANN401  nfcpy has no types
        if self._nfc is None or self._device is None:
            raise ReaderUnavailable("The NFC reader is not open.")
        return self._nfc


def _unavailable(error: OSError) -> ReaderUnavailable:
    return ReaderUnavailable(WHY.get(error.errno or 0, "The NFC reader was lost."))


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

    def __init__(self, argument: str) -> None:
        self._argument = argument
        self._frontend = Frontend(argument)
        self._info = ReaderInfo(f"NFC reader ({safe_text(argument)})", BACKEND)
        self._is_network = uses_network(argument)
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
                events.extend(self._look())
            except ReaderUnavailable:
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
        """Ends a `wait`: within about 0.3 s on hardware, 1 s on UDP where a look cannot be cut short."""
        self._cancelled.set()

    def close(self) -> None:
        """Lets the device go."""
        self._presence = None
        self._frontend.close()

    def _take_cancel(self) -> bool:
        cancelled = self._cancelled.is_set()
        self._cancelled.clear()
        return cancelled

    def _look(self) -> list[ReaderEvent]:
        presence = self._presence
        if presence is not None and not presence.gone and presence.link is not None and presence.link.is_present():
            return []
        found = self._frontend.sense()
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
        ats = self._frontend.exchange(rats(self._frontend.largest_answer), wait if self._is_network else RATS_WAIT)
        select = AnswerToSelect.parse(ats)
        link = IsoDep(
            self._frontend.exchange,
            select,
            time.monotonic,
            largest_frame=self._frontend.largest_command,
            shortest_wait=wait,
            retries=0 if self._is_network else 2,
        )
        return link, select.historical
