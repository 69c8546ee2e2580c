"""Cards, clocks and nonces that the tests of the readers library share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from readers.apdu import Command, Response
from readers.credentials.claim import Nonce
from readers.errors import CardGone
from readers.reader import Card, CardPresented
from readers.simulated import SimulatedReader
from readers.uid import Uid
from readers.virtual.card import VirtualCard
from readers.virtual.pkoc_phone import PkocPhone

FIXED_UID = Uid.from_hex("04A1B2C3D4E580")
RANDOM_UID = Uid.from_hex("08A1B2C3")


class ManualClock:
    """Monotonic seconds that move only when told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class RecordedNonces:
    """Counts up, and remembers what it gave."""

    def __init__(self) -> None:
        self.given: list[bytes] = []

    def fresh(self) -> Nonce:
        nonce = Nonce((len(self.given) + 1).to_bytes(16, "big"), b"head of the trail")
        self.given.append(nonce.value)
        return nonce


class ScriptedCard:
    """Answers what it is told to, in turn; an exception in the script is raised, the end of the script is CardGone."""

    def __init__(self, answers: Sequence[Response | Exception], uid: Uid | None = RANDOM_UID) -> None:
        self._answers = list(answers)
        self.sent: list[Command] = []
        self.uid = uid
        self.atr = bytes.fromhex("3B80800101")
        self.takes_apdus = True

    def transmit(self, command: Command) -> Response:
        self.sent.append(command)
        if not self._answers:
            raise CardGone("The card left the field")
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class TransitPhone(PkocPhone):
    """A phone whose UID never changes, as one with a transit pass shows: it could be taken for a badge."""

    @property
    def uid(self) -> Uid:
        return FIXED_UID


class EchoCard:
    """An ISO/IEC 14443-4 card that answers every command with the command and 9000, and counts."""

    uid = FIXED_UID
    atr = bytes.fromhex("3B80800101")
    ats_historical = b""
    takes_apdus = True

    def __init__(self, answer: Callable[[bytes], bytes] = lambda raw: raw + b"\x90\x00") -> None:
        self._answer = answer
        self.commands: list[bytes] = []

    def power_on(self) -> None:
        self.commands.clear()

    def exchange(self, raw: bytes) -> bytes:
        self.commands.append(raw)
        return self._answer(raw)


@contextmanager
def presented(card: VirtualCard) -> Iterator[Card]:
    """The card as it looks through the simulated reader."""
    reader = SimulatedReader()
    reader.open()
    reader.insert(card)
    events = [event for event in reader.wait(1.0) if isinstance(event, CardPresented)]
    with reader.connect(events[0]) as connected:
        yield connected
    reader.close()
