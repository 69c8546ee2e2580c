"""A target for files that somebody wrote, or meddled with: recordings, scenarios and decks."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from readers.apdu import Command
from readers.errors import ReaderError, ReaderSpecError
from readers.reader import CardPresented
from readers.recording import Recording, RecordingReader
from readers.simulated import SimulatedReader
from readers.virtual.deck import Deck
from readers.virtual.recorded_card import RecordedCard, Replay
from readers.virtual.scenario import Scenario
from readers.virtual.uid_card import UidCard
from tests.fuzz.target import Target, require
from tests.readers.cards import FIXED_UID, ManualClock

SELECT = Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("A000000898000001"), le=0)
DECK = """[[card]]
name = "badge"
label = "A badge"
kind = "uid"
uid = "04A1B2C3D4E580"
apdus = true

[[card]]
name = "phone"
kind = "pkoc-phone"
private_key = "07"
fault = "slow"
"""
STEP = """
[[step]]
card = "badge"
at = 1.0
for = 0.5
repeat = 3
every = 2.0
faults = ["dropped"]
"""


class Files:
    """Checks each input as a file of every kind; the directory goes with the process."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="fuzz-files-")
        self._path = Path(self._directory.name) / "file"

    def check(self, data: bytes) -> None:
        """Whatever cannot be read is refused with a sentence that names the file."""
        self._path.write_bytes(data)
        for read in (self._deck, self._scenario, self._replay):
            try:
                read()
            except ReaderSpecError as error:
                require(str(error).startswith("file: ") and str(error).isprintable(), "Not a sentence about the file")

    def _deck(self) -> None:
        deck = Deck.load(self._path)
        require(all(deck.label(name).isprintable() for name in deck), "A label that does not print")

    def _scenario(self) -> None:
        taps = Scenario.load(self._path).timetable(lambda _: None)
        require(all(0 <= tap.at < 1e9 for tap in taps), "A tap at no time")
        require(sorted(tap.at for tap in taps) == [tap.at for tap in taps], "Taps out of their order")

    def _replay(self) -> None:
        replay = Replay.load(self._path)
        require(replay.name.isprintable(), "A name that does not print")
        for tap in replay.timetable():
            require(tap.at >= 0 and (tap.seconds is None or tap.seconds >= 0), "A tap that ends before it begins")
            card = tap.card()
            require(isinstance(card, RecordedCard), "Another card")
            card.power_on()
            for _ in range(2):
                try:
                    card.exchange(bytes(SELECT))
                except ReaderError:
                    break


def _seeds() -> Iterable[bytes]:
    yield DECK.encode()
    yield (DECK + STEP).encode()
    yield b'deck = "file"\n' + STEP.encode()
    yield _recorded()
    for line in ('{"at": 1.0, "event": "unavailable"}', '{"at": 2, "event": "fault", "reader": "r"}', "[]", "{}", "7"):
        yield b'{"recording": 1}\n' + line.encode() + b"\n"
    for number in ("1e999", "NaN", "-1", "9" * 400, "9" * 5000, "[" * 3000):
        yield b'{"recording": 1}\n{"at": ' + number.encode() + b', "event": "unavailable"}\n'
        yield (DECK + STEP.replace("1.0", number)).encode()


def _recorded() -> bytes:
    """A tap as the library records it."""
    with tempfile.TemporaryDirectory() as directory:
        path, clock = Path(directory) / "recording", ManualClock()
        with Recording(path, clock) as recording:
            simulated = SimulatedReader()
            reader = RecordingReader(simulated, recording)
            reader.open()
            simulated.insert(UidCard(FIXED_UID, takes_apdus=True))
            for event in reader.wait(1.0):
                if isinstance(event, CardPresented):
                    with reader.connect(event) as card:
                        card.transmit(SELECT)
            clock.advance(1.0)
            simulated.remove()
            reader.wait(1.0)
            reader.close()
        content = path.read_bytes()
    require(json.loads(content.splitlines()[0]) == {"recording": 1}, "Another version of recordings")
    return content


def files() -> Target:
    """The target; made where it is used, for it has a directory of its own."""
    return Target("files", Files().check, _seeds)
