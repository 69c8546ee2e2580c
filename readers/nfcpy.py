"""Readers that nfcpy drives itself, without PC/SC: "nfcpy:usb", "nfcpy:usb:054c:06c3", "nfcpy:tty:USB0:pn532".

A PN532 may also be named by its file, as in "nfcpy:tty:/dev/serial/by-id/usb-0001:pn532". "nfcpy:udp:127.0.0.1:54321"
is nfcpy's simulated device, for tests only. Nothing else imports `nfc`.
"""

import errno
import logging
import socket
from types import ModuleType
from typing import Any

from readers.errors import ReaderError, ReaderUnavailable
from readers.iso_dep import FrameLost
from readers.nfcpy_path import DevicePath, Wire, parse
from readers.nfcpy_reader import LOST, NfcpyReader, NfcpyUnavailable, Target
from readers.nfcpy_uart import LINE_SPEED, SPEEDS, Uart
from readers.text import safe_text
from readers.uid import Uid

LOCAL_DEVICES = ("usb", "tty")
RF_OFF = b"RFOFF"
CHIP_FAULT = "The NFC reader's chip reports an error."
SILENT_PN532 = "No PN532 answers on {}. Check its wires, its power, and that its switches say HSU (UART)."
WHY = {
    errno.EACCES: "This account may not use the NFC reader. Install the udev rules.",
    errno.EBUSY: "The NFC reader is in use. Stop pcscd or unload the pn533_usb kernel module.",
    errno.ENODEV: "The NFC reader is not plugged in.",
    errno.ENOENT: "The NFC reader is not plugged in.",
    errno.EIO: "The NFC reader's answers make no sense. Check its cable.",
    errno.ETIMEDOUT: "The NFC reader does not answer. Check its cable.",
}
SERIAL_BUSY = "The NFC reader's serial port is in use by another program."
SERIAL_DENIED = "This account may not use the NFC reader's serial port. Install the udev rules, or join its group."


def uses_network(argument: str) -> bool:
    """True unless `argument` (what follows "nfcpy:") names a device on this machine's own wires."""
    return argument.partition(":")[0] not in LOCAL_DEVICES


def open_spec(argument: str) -> NfcpyReader:
    """The reader for what follows "nfcpy:"; raises ReaderSpecError. Opens nothing yet."""
    path = parse(argument)
    return NfcpyReader(argument, Frontend(path), is_network=path.wire is Wire.NETWORK)


class Frontend:
    """The typed wrapper around `nfc.clf.ContactlessFrontend`: our values in and out, our errors."""

    def __init__(self, path: DevicePath) -> None:
        self._path = path
        self._nfc: ModuleType | None = None
        self._device: Any = None
        self._uart: Uart | None = None
        self._chip_errors: tuple[type[Exception], ...] = ()
        self._closing_errors: tuple[type[Exception], ...] = (OSError,)

    @property
    def name(self) -> str:
        """The device as it calls itself."""
        device = self._device.device if self._device else None
        words = (device.vendor_name, device.product_name) if device else ()
        return safe_text(" ".join(word for word in words if word)) or f"NFC reader ({safe_text(self._path.text)})"

    def open(self) -> None:
        """Finds and takes the device; raises ReaderUnavailable. nfcpy is loaded here and not before."""
        import nfc.clf
        import nfc.clf.pn53x
        import nfc.clf.rcs380

        # nfcpy writes UIDs and APDUs to its log, and errors to standard error when nobody has set up logging.
        logging.getLogger("nfc").setLevel(logging.CRITICAL)
        self._nfc = nfc.clf
        self._chip_errors = (
            nfc.clf.pn53x.Chipset.Error,
            nfc.clf.rcs380.CommunicationError,
            nfc.clf.rcs380.StatusError,
        )
        stumbles = (*self._chip_errors, IndexError, ValueError)
        self._closing_errors = (*stumbles, OSError, nfc.clf.transport.libusb.USBError)
        device = nfc.clf.ContactlessFrontend()
        try:
            if self._path.port:
                device.device = self._open_pn532()
            elif not device.open(self._path.text):
                raise ReaderUnavailable("No NFC reader was found that this account may use.")
        except OSError as error:
            raise self._unavailable(error) from None
        except nfc.clf.transport.libusb.USBError:
            raise ReaderUnavailable("USB is not accessible to this account.") from None
        except stumbles:
            raise ReaderUnavailable(WHY[errno.EIO]) from None
        self._device = device

    def close(self) -> None:
        """Lets the device go, whatever state it is in."""
        device, self._device = self._device, None
        uart, self._uart = self._uart, None
        if device is None:
            return
        transport = getattr(getattr(device.device, "chipset", None), "transport", None)
        try:
            device.close()
        except self._closing_errors:
            return
        finally:  # a driver that fails half-way leaves the device claimed
            for wire in (uart, transport):
                if wire is not None:
                    self._let_go(wire)

    def interrupt(self) -> None:
        """Ends the `sense` that is under way, from another thread; USB chips answer within 0.1 s of themselves."""
        uart, device = self._uart, self._device
        if uart is not None:
            uart.interrupt()
        elif self._path.wire is Wire.NETWORK and device is not None:
            waiting = getattr(device.device, "socket", None)
            try:
                port = waiting.getsockname()[1] if waiting is not None else 0
            except OSError:  # closed just now
                return
            if port:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bell:
                    bell.sendto(RF_OFF, ("127.0.0.1", port))

    def forget_interrupt(self) -> None:
        """An interruption that came when the look was over must not end the next one."""
        if self._uart is not None:
            self._uart.silence()

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
            raise self._unavailable(error) from None
        except clf.UnsupportedTargetError:
            raise ReaderUnavailable("This NFC device cannot read ISO/IEC 14443 type A cards.") from None
        except self._chip_errors:
            raise ReaderUnavailable(CHIP_FAULT) from None
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
            raise self._unavailable(error) from None
        except self._chip_errors:
            raise ReaderUnavailable(CHIP_FAULT) from None
        except (IndexError, ValueError):
            raise FrameLost("A broken answer from the card") from None
        if not reply:
            raise FrameLost("No answer from the card")
        return bytes(reply)

    def _open_pn532(self) -> Any:  # noqa: ANN401  nfcpy has no types
        """nfcpy's driver on our line. A chip that another program left at another speed is called back."""
        from nfc.clf import pn532

        log = logging.getLogger("nfc.clf.pn532")
        uart = Uart(self._path.port)
        uart.open()
        try:
            chipset = pn532.Chipset(uart, logger=log)
            self._wake(chipset, uart)
            device = pn532.Device(chipset, logger=log)
        except BaseException:
            uart.close()
            raise
        device._path = self._path.port
        device._device_name = f"PN532 ({self._path.port})"
        self._uart = uart
        return device

    def _wake(self, chipset: Any, uart: Uart) -> None:  # noqa: ANN401  nfcpy has no types
        uart.write(chipset.ACK)  # ends a command that a killed program left behind
        for speed in SPEEDS:
            uart.baudrate = speed
            try:
                chipset.sam_configuration("normal")
            except self._closing_errors as error:
                if isinstance(error, OSError) and error.errno == errno.ENODEV:
                    raise
                continue
            if speed != LINE_SPEED:
                chipset.set_serial_baudrate(LINE_SPEED)
                uart.baudrate = LINE_SPEED
            return
        raise ReaderUnavailable(SILENT_PN532.format(safe_text(self._path.port)))

    def _unavailable(self, error: OSError) -> ReaderUnavailable:
        number = (self._uart.failure if self._uart else 0) or error.errno or 0
        if self._path.wire is Wire.SERIAL and number in (errno.EBUSY, errno.EACCES):
            return NfcpyUnavailable(SERIAL_BUSY if number == errno.EBUSY else SERIAL_DENIED, number)
        if number == errno.EIO and self._path.wire is Wire.USB and not self._is_plugged():
            number = errno.ENODEV
        return NfcpyUnavailable(WHY.get(number, LOST), number)

    def _is_plugged(self) -> bool:
        """nfcpy's drivers make EIO of a device that is gone; the bus knows better."""
        clf, device = self._nfc, self._device
        if clf is None or device is None or device.device is None:
            return True
        try:
            return bool(clf.transport.USB.find(device.device.path))
        except self._closing_errors:
            return False

    def _let_go(self, wire: Any) -> None:  # noqa: ANN401  nfcpy has no types
        try:
            wire.close()
        except self._closing_errors:  # unplugged
            return

    def _clf(self) -> Any:  # noqa: ANN401  nfcpy has no types
        if self._nfc is None or self._device is None:
            raise ReaderUnavailable("The NFC reader is not open.")
        return self._nfc
