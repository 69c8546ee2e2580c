"""A session with a reader, written to a file as it happens: JSON, a line an event. `readers.redaction` says what of it.

{"recording": 1}
{"at": 0.0, "event": "attached", "reader": "ACS ACR1252"}
{"at": 1.2, "event": "presented", "reader": "ACS ACR1252", "presentation": 1, "atr": "3B80800101"}
{"at": 1.21, "event": "connected", "presentation": 1, "uid": "08A1B2C3", "apdus": true}
{"at": 1.22, "event": "exchange", "presentation": 1,
 "command": {"header": "00A40400", "le": 0, "size": 8, "data": "A000000898000001"},
 "response": {"status": "9000", "size": 4, "data": "5C020100"}}
{"at": 1.5, "event": "removed", "presentation": 1}

`at` is seconds since the file was made. Without "data" the bytes were withheld; less of them than "size" is a part.
An exchange that broke has "error", its kind, instead of "response". A UID is whole: it is what a recording is for.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from readers.apdu import Command, Response
from readers.errors import ReaderError, ReaderSpecError, ReaderUnavailable, TransmitFailed
from readers.feedback import TakesEscape
from readers.reader import (
    Card,
    CardPresented,
    CardRemoved,
    Reader,
    ReaderAttached,
    ReaderDetached,
    ReaderEvent,
    ReaderFault,
    UidWitness,
)
from readers.redaction import Kept, Redactor
from readers.uid import Uid

VERSION = 1
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Facts = dict[str, object]


class Recording:
    """The file, its owner's alone. Nothing is overwritten, and a symbolic link is never followed."""

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._file: int | None = None
        self._began = 0.0

    def open(self) -> None:
        """Makes the file; raises ReaderSpecError, also where something of that name is there."""
        try:
            self._file = os.open(self._path, NEW_FILE, 0o600)
        except FileExistsError:
            raise ReaderSpecError(f"{self._path} is there already, and a recording overwrites nothing.") from None
        except OSError as error:
            raise ReaderSpecError(f"The recording {self._path} cannot be made: {error.strerror}") from None
        self._began = self._monotonic()
        self._append({"recording": VERSION})

    def close(self) -> None:
        """Nothing more is written."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def __enter__(self) -> "Recording":
        self.open()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def write(self, event: str, facts: Facts) -> None:
        """One line, written before it returns; raises ReaderUnavailable where the file takes no more."""
        self._append({"at": round(self._monotonic() - self._began, 6), "event": event} | facts)

    def _append(self, line: Facts) -> None:
        rest = json.dumps(line).encode("ascii") + b"\n"
        with self._lock:
            if self._file is None:
                raise ReaderUnavailable("The recording is closed.")
            try:
                while rest:
                    rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                raise ReaderUnavailable(f"The recording cannot be written: {error.strerror}.") from None


class RecordingReader:
    """Any reader, with an open recording of what it tells and what is said to its cards."""

    def __init__(self, reader: Reader, recording: Recording) -> None:
        self._reader = reader
        self._recording = recording

    @property
    def spec(self) -> str:
        """The reader's own."""
        return self._reader.spec

    def open(self) -> None:
        """As the reader does."""
        self._reader.open()

    def wait(self, timeout: float) -> Sequence[ReaderEvent]:
        """As the reader does; raises ReaderUnavailable as well where the recording takes no more."""
        try:
            events = self._reader.wait(timeout)
        except ReaderUnavailable:
            self._recording.write("unavailable", {})
            raise
        for event in events:
            self._recording.write(*_line(event))
        return events

    def connect(self, presented: CardPresented) -> AbstractContextManager[Card]:
        """The presented card, recorded."""
        return self._connected(presented)

    def cancel(self) -> None:
        """As the reader does."""
        self._reader.cancel()

    def close(self) -> None:
        """Lets the reader go; the recording is its opener's to close."""
        self._reader.close()

    @contextmanager
    def _connected(self, presented: CardPresented) -> Iterator[Card]:
        with self._reader.connect(presented) as card:
            yield RecordingCard(card, self._recording, presented.presentation)


class RecordingCard:
    """Any card, with an open recording of what is said to it."""

    def __init__(self, card: Card, recording: Recording, presentation: int) -> None:
        """Writes who is there; raises ReaderUnavailable as every exchange does where the recording takes no more."""
        self._card = card
        self._recording = recording
        self._presentation = presentation
        self._redactor = Redactor()
        uid = card.uid
        self._write("connected", {"uid": uid.hex() if uid else None, "apdus": card.takes_apdus})

    @property
    def uid(self) -> Uid | None:
        """The card's."""
        return self._card.uid

    @property
    def atr(self) -> bytes:
        """The card's."""
        return self._card.atr

    @property
    def takes_apdus(self) -> bool:
        """As the card does."""
        return self._card.takes_apdus

    def read_uid(self) -> None:
        """As the card does, where its reader can be asked again."""
        if isinstance(self._card, UidWitness):
            self._card.read_uid()

    def escape(self, data: bytes) -> bytes:
        """To the reader itself, and not written down; raises TransmitFailed, also where its card has no such way."""
        if not isinstance(self._card, TakesEscape):
            raise TransmitFailed("There is no way to this reader itself.")
        return self._card.escape(data)

    def transmit(self, command: Command) -> Response:
        """One exchange, written down before its answer is given on; raises what the card's own raises."""
        try:
            response = self._card.transmit(command)
        except ReaderError as error:
            asked, _ = self._redactor.exchange(command, None)
            self._write("exchange", {"command": _command(command, asked), "error": type(error).__name__})
            raise
        asked, told = self._redactor.exchange(command, response)
        answer = {"status": f"{response.status_word:04X}"} | _bytes(told)
        self._write("exchange", {"command": _command(command, asked), "response": answer})
        return response

    def _write(self, event: str, facts: Facts) -> None:
        self._recording.write(event, {"presentation": self._presentation} | facts)


def _line(event: ReaderEvent) -> tuple[str, Facts]:
    reader: Facts = {"reader": event.reader.name}
    match event:
        case CardPresented():
            return "presented", reader | {"presentation": event.presentation, "atr": event.atr.hex().upper()}
        case CardRemoved():
            return "removed", reader | {"presentation": event.presentation}
        case ReaderAttached():
            return "attached", reader
        case ReaderDetached():
            return "detached", reader
        case ReaderFault():
            return "fault", reader


def _command(command: Command, kept: Kept) -> Facts:
    header = bytes((command.cla, command.ins, command.p1, command.p2))
    return {"header": header.hex().upper(), "le": command.le} | _bytes(kept)


def _bytes(kept: Kept) -> Facts:
    return {"size": kept.size} | ({} if kept.content is None else {"data": kept.content.hex().upper()})
