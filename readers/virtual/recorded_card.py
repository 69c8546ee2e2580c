"""Cards of a recording (`readers.recording`), as they were: good for UIDs and types, and worth no more than a copy is.

A challenge of today gets the answer to the challenge of that day, which its scheme refuses. What was withheld from the
recording cannot be told: the exchange breaks there, as it would with a card that stops in the middle.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from readers.apdu import Command, Response
from readers.atr import ProcessorCard, classify
from readers.errors import ReaderError, ReaderSpecError, TransmitFailed
from readers.pseudo_apdu import READER_CLASS
from readers.text import safe_text
from readers.uid import Uid
from readers.virtual.timetable import Appearance, Timetable

LARGEST = 16 * 2**20
LONGEST = 10**9
GONE = ("CardGone", "ReaderUnavailable")
WITHHELD = "The recording does not tell this answer."
SELECT, NATIVE_SELECT, NATIVE_CLASS = 0xA4, 0x5A, 0x90
FILE_NOT_FOUND, APPLICATION_NOT_FOUND = bytes.fromhex("6A82"), bytes.fromhex("91A0")
INSTRUCTION_NOT_SUPPORTED, ILLEGAL_COMMAND = bytes.fromhex("6D00"), bytes.fromhex("911C")
WRONG_LENGTH = bytes.fromhex("6700")

Line = dict[str, object]


@dataclass(frozen=True, repr=False)
class Exchange:
    """One command and its answer; `data` and `response.data` are not whole where `is_whole` is false of them."""

    header: bytes
    data: bytes | None
    response: Response | None
    error: str = ""

    def fits(self, command: Command) -> bool:
        """Selections by what they select, everything else by its header: challenges are never the same twice."""
        if self.header != _header(command):
            return False
        return not _is_selection(command) or self.data == command.data


@dataclass
class Presentation:
    """One card's time on the reader."""

    at: float
    atr: bytes
    until: float | None = None
    uid: Uid | None = None
    takes_apdus: bool = False
    exchanges: list[Exchange] = field(default_factory=list)


class RecordedCard:
    """Says in the recorded order what was said; to what was never asked, that it does not know it."""

    def __init__(self, presentation: Presentation) -> None:
        self._presentation = presentation
        self._next = 0

    @property
    def uid(self) -> Uid | None:
        """As it was."""
        return self._presentation.uid

    @property
    def atr(self) -> bytes:
        """As it was."""
        return self._presentation.atr

    @property
    def ats_historical(self) -> bytes:
        """As the ATR has them."""
        kind = classify(self._presentation.atr)
        return kind.historical if isinstance(kind, ProcessorCard) else b""

    @property
    def takes_apdus(self) -> bool:
        """As it did."""
        return self._presentation.takes_apdus

    def power_on(self) -> None:
        """From the beginning."""
        self._next = 0

    def exchange(self, raw: bytes) -> bytes:
        """The next answer that was given to such a command; raises TransmitFailed where it was withheld or broke."""
        try:
            command = Command.parse(raw)
        except ReaderError:
            return WRONG_LENGTH
        later = enumerate(self._presentation.exchanges[self._next :], start=self._next)
        place, found = next(((place, each) for place, each in later if each.fits(command)), (0, None))
        if found is None:
            return _unknown(command)
        self._next = place + 1
        if found.error:
            if found.error in GONE:
                return b""
            raise TransmitFailed("The exchange broke when it was recorded.")
        if found.response is None:
            raise TransmitFailed(WITHHELD)
        return bytes(found.response)

    def __repr__(self) -> str:
        return f"RecordedCard({len(self._presentation.exchanges)} exchanges)"


@dataclass(frozen=True)
class Replay:
    """A whole recording: its reader's name, and its presentations in their order.

    Where two readers were recorded at once, the card that came last is the one that lies there.
    """

    name: str
    presentations: tuple[Presentation, ...]

    @classmethod
    def load(cls, path: Path) -> "Replay":
        """Reads a recording; raises ReaderSpecError naming the file and the line."""
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
        except OSError as error:
            raise ReaderSpecError(f"The recording {path} cannot be read: {error.strerror}") from None
        if len(content) > LARGEST:
            raise ReaderSpecError(f"{path.name}: more than {LARGEST // 2**20} MiB is no recording of taps")
        parser = _Parser()
        for number, line in enumerate(content.splitlines(), start=1):
            try:
                parser.take(json.loads(line), first=number == 1)
            except (ValueError, KeyError, TypeError, RecursionError, ReaderError):
                raise ReaderSpecError(f"{path.name}: line {number} is none of a recording") from None
        if not parser.begun:
            raise ReaderSpecError(f"{path.name}: an empty file is no recording")
        return cls(parser.name, tuple(parser.presentations))

    def timetable(self) -> Timetable:
        """Every presentation at its time."""
        return tuple(
            Appearance(each.at, None if each.until is None else each.until - each.at, partial(RecordedCard, each))
            for each in sorted(self.presentations, key=lambda each: each.at)
        )


class _Parser:
    def __init__(self) -> None:
        self.begun = False
        self.name = "Recorded reader"
        self.presentations: list[Presentation] = []
        self._present: dict[int, Presentation] = {}

    def take(self, line: Line, *, first: bool) -> None:
        """Raises ValueError, KeyError, TypeError or ReaderError for a line that is none."""
        if first:
            if line != {"recording": 1}:
                raise ValueError("Not a recording, or of another version")
            self.begun = True
            return
        at, event = _number(line["at"]), line["event"]
        if event == "attached":
            self.name = safe_text(_text(line["reader"]))
        elif event == "presented":
            presentation = Presentation(at, bytes.fromhex(_text(line["atr"])))
            self._leave(_whole_number(line["presentation"]), at)
            self._present[_whole_number(line["presentation"])] = presentation
            self.presentations.append(presentation)
        elif event == "connected":
            present = self._present[_whole_number(line["presentation"])]
            present.uid = None if line["uid"] is None else Uid.from_hex(_text(line["uid"]))
            present.takes_apdus = line["apdus"] is True
        elif event == "exchange":
            self._present[_whole_number(line["presentation"])].exchanges.extend(_exchange(line))
        elif event == "removed":
            self._leave(_whole_number(line["presentation"]), at)
        elif event == "unavailable":
            for number in tuple(self._present):
                self._leave(number, at)
        elif event not in ("detached", "fault"):
            raise ValueError("No such event")

    def _leave(self, number: int, at: float) -> None:
        present = self._present.pop(number, None)
        if present is not None:
            present.until = max(at, present.at)


def _exchange(line: Line) -> Iterator[Exchange]:
    """The exchange, unless it was with the reader itself."""
    command, response = _table(line["command"]), line.get("response")
    header = bytes.fromhex(_text(command["header"]))
    if len(header) != 4:
        raise ValueError("A header has four bytes")
    if header[0] == READER_CLASS:
        return
    data = bytes.fromhex(_text(command["data"])) if "data" in command else None
    if response is None:
        yield Exchange(header, data, None, _text(line["error"]))
        return
    answer = _table(response)
    status, told = bytes.fromhex(_text(answer["status"])), answer.get("data")
    if len(status) != 2:
        raise ValueError("A status word has two bytes")
    if told is None:
        yield Exchange(header, data, None)
    else:
        yield Exchange(header, data, Response(bytes.fromhex(_text(told)), int.from_bytes(status, "big")))


def _header(command: Command) -> bytes:
    return bytes((command.cla, command.ins, command.p1, command.p2))


def _is_selection(command: Command) -> bool:
    return command.ins == SELECT or (command.cla == NATIVE_CLASS and command.ins == NATIVE_SELECT)


def _unknown(command: Command) -> bytes:
    if command.cla == NATIVE_CLASS:
        return APPLICATION_NOT_FOUND if command.ins == NATIVE_SELECT else ILLEGAL_COMMAND
    return FILE_NOT_FOUND if command.ins == SELECT else INSTRUCTION_NOT_SUPPORTED


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LONGEST:
        raise ValueError("Not a number of seconds")
    return float(value)


def _whole_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("Not a number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("Not a text")
    return value


def _table(value: object) -> Line:
    if not isinstance(value, dict):
        raise ValueError("Not a table")
    return value
