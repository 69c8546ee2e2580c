"""Presents virtual cards through the real pcscd: the card's end of vsmartcard's vpcd driver (version 3.3).

vpcd listens, the card connects: a driver told to connect out instead (`DEVICENAME host:port`) makes pcscd abort as
soon as the card leaves. Frames carry a two-byte big-endian length; a frame of one byte is a control.
"""

import socket
import threading
from enum import IntEnum

from readers.apdu import Command
from readers.errors import CardGone, ReaderError
from readers.pseudo_apdu import READER_CLASS, answer
from readers.virtual.card import VirtualCard

HOST = "127.0.0.1"
RETRY_SECONDS = 0.05
CONNECT_SECONDS = 2.0
JOIN_SECONDS = 2.0
WRONG_LENGTH = bytes.fromhex("6700")
FUNCTION_NOT_SUPPORTED = bytes.fromhex("6A81")


class Control(IntEnum):
    """Frames of one byte."""

    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    GET_ATR = 4


class _Left(Exception):
    """The connection ended: the card was removed, or the daemon is gone."""


class VpcdSlot:
    """One slot of a vpcd, on which one card lies at a time. `insert` and `remove` are for any thread.

    pcscd looks into the slot every 400 ms. A card that lies there while pcscd is restarted is found again.
    """

    def __init__(self, port: int, host: str = HOST) -> None:
        self._address = (host, port)
        self._lock = threading.Lock()
        self._visit: _Visit | None = None

    @property
    def card(self) -> VirtualCard | None:
        """What lies there now; None as well after a card left by itself."""
        visit = self._visit
        return visit.card if visit is not None and not visit.over.is_set() else None

    def insert(self, card: VirtualCard) -> None:
        """Lays `card` on, in place of one that is there."""
        with self._lock:
            self._end()
            self._visit = _Visit(self._address, card)
            self._visit.start()

    def remove(self) -> None:
        """Takes the card away by closing its connection; does nothing without one."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._visit is not None:
            self._visit.end()
            self._visit = None


class _Visit:
    """One card's stay in the slot, in a daemon thread of its own."""

    def __init__(self, address: tuple[str, int], card: VirtualCard) -> None:
        self.card = card
        self.over = threading.Event()
        self._address = address
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="vpcd card", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        with self._lock:
            self.over.set()
            if self._connection is not None:
                _hang_up(self._connection)
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        while not self.over.is_set():
            try:
                connection = socket.create_connection(self._address, CONNECT_SECONDS)
            except OSError:  # no daemon there yet, or no more
                self.over.wait(RETRY_SECONDS)
                continue
            with connection:
                connection.settimeout(None)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._connection = connection
                    if self.over.is_set():
                        return
                self._serve(connection)
                with self._lock:
                    self._connection = None

    def _serve(self, connection: socket.socket) -> None:
        try:
            while not self.over.is_set():
                frame = _receive(connection, int.from_bytes(_receive(connection, 2), "big"))
                reply = self._reply(frame)
                if reply is not None:
                    connection.sendall(len(reply).to_bytes(2, "big") + reply)
        except (OSError, _Left):
            return
        except CardGone:
            self.over.set()

    def _reply(self, frame: bytes) -> bytes | None:
        """What goes back for `frame`; None for controls that want no answer. Raises CardGone for a card that leaves."""
        if len(frame) == 1:
            if frame[0] in (Control.POWER_ON, Control.RESET):
                self.card.power_on()
            return self.card.atr if frame[0] == Control.GET_ATR else None
        if frame[:1] == bytes((READER_CLASS,)):
            return self._reader_reply(frame)
        if not self.card.takes_apdus:
            return FUNCTION_NOT_SUPPORTED
        raw = self.card.exchange(frame)
        if not raw:  # vpcd takes an empty frame for a card that left
            raise CardGone("The card left the field")
        return raw

    def _reader_reply(self, frame: bytes) -> bytes:
        try:
            own = answer(Command.parse(frame), self.card.uid, self.card.ats_historical)
        except ReaderError:
            return WRONG_LENGTH
        return bytes(own) if own is not None else WRONG_LENGTH


def _receive(connection: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes. vpcd writes length and payload apart: without quick ACKs each frame waits 40 ms."""
    received = bytearray()
    while len(received) < size:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        chunk = connection.recv(size - len(received))
        if not chunk:
            raise _Left
        received += chunk
    return bytes(received)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the daemon was quicker
        return
