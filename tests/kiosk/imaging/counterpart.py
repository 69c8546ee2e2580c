"""An archive and destination on raw sockets, so that nothing keeps it from saying at any step what no peer may say.

It keeps what it is sent and gives what it holds; where a fault is planned, that strikes instead, each one once.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from io import BytesIO
from threading import Event

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.dsutils import decode, encode

from kiosk.imaging.network.commands import Command, CommandField, store_request
from tests.kiosk.imaging.hostile import accept_association, message, read_message, read_pdu, response

SYNTAX = str(ExplicitVRLittleEndian)
PENDING = 0xFF00
UNRECOGNISED_OPERATION = 0x0211


class Step(Enum):
    """Where a fault may strike, always before the answer. GIVING is once an instance has been given and more are to
    come, TAKING when one has come, TAKEN when that has been kept; MOVED when all that is to go to a third has gone."""

    ASSOCIATE = auto()
    FIND = auto()
    GET = auto()
    GIVING = auto()
    TAKING = auto()
    TAKEN = auto()
    COMMIT = auto()
    MOVE = auto()
    MOVED = auto()


ARCHIVE_STEPS = (Step.ASSOCIATE, Step.FIND, Step.GET, Step.GIVING)
DESTINATION_STEPS = (Step.ASSOCIATE, Step.TAKING, Step.TAKEN, Step.FIND)


@dataclass(frozen=True)
class Line:
    """A connection at such a step: the request that waits for its answer, and the context that it came under; `storage`
    is the context in which an archive may give CT images, `given` the instance that it has given last."""

    connection: socket.socket
    step: Step
    context: int = 1
    command: Command = field(default_factory=lambda: Command(CommandField.C_ECHO_RQ, 1))
    storage: int = 0
    given: str = ""

    def send(self, data: bytes) -> None:
        """Says something."""
        self.connection.sendall(data)

    def answer(self, status: int, data: bytes | None = None) -> None:
        """Answers the request."""
        command = response(self.command.field | 0x8000, self.command, status, has_data=data is not None)
        self.send(message(self.context, command, data))

    def listen(self) -> None:
        """Says nothing more, until the other side hangs up."""
        while self.connection.recv(65536):
            pass
        raise OSError("closed")


Fault = Callable[[Line], None]


class Counterpart:
    """`attend` is its behaviour as a raw peer.

    `holds` is what it has, by SOP Instance UID, and gives, unless `gives` has something else under that UID, or moves
    to whom it `feeds`; `kept` is what it was sent, as it came; `planned` are the faults that have not struck yet, and
    `struck` is set by each that does. Storage commitment it knows nothing of.
    """

    def __init__(self, holds: Sequence[Dataset] = ()) -> None:
        self.datasets = list(holds)
        self.holds = {str(dataset.SOPInstanceUID): plain(dataset) for dataset in holds}
        self.gives: dict[str, bytes] = {}
        self.feeds: Counterpart | None = None
        self.kept: list[tuple[str, bytes]] = []
        self.planned: list[tuple[Step, Fault]] = []
        self.struck = Event()

    def plan(self, fault: Fault, *steps: Step) -> None:
        """This fault strikes once at each of these steps."""
        self.planned += [(step, fault) for step in steps]

    def attend(self, connection: socket.socket) -> None:
        """One association."""
        _, request = read_pdu(connection)
        if self._strikes(Line(connection, Step.ASSOCIATE)):
            return
        contexts = accept_association(connection, request=request)
        while True:
            context, command, data = read_message(connection)
            match command.field:
                case CommandField.C_FIND_RQ:
                    self._find(Line(connection, Step.FIND, context, command), data)
                case CommandField.C_GET_RQ:
                    storage = contexts[str(CTImageStorage), SYNTAX]
                    self._give(Line(connection, Step.GET, context, command, storage), data)
                case CommandField.C_MOVE_RQ:
                    self._move(Line(connection, Step.MOVE, context, command), data)
                case CommandField.N_ACTION_RQ:
                    line = Line(connection, Step.COMMIT, context, command)
                    if not self._strikes(line):
                        line.answer(UNRECOGNISED_OPERATION)
                case CommandField.C_STORE_RQ:
                    self._take(Line(connection, Step.TAKING, context, command), data)

    def _strikes(self, line: Line) -> bool:
        fault = next((fault for step, fault in self.planned if step is line.step), None)
        if fault is None:
            return False
        self.planned.remove((line.step, fault))
        self.struck.set()
        fault(line)
        return True

    def _find(self, line: Line, data: bytes) -> None:
        if self._strikes(line):
            return
        there = [*self.holds.values(), *(data for _, data in self.kept)]
        level = str(read(data).QueryRetrieveLevel)
        for answer in {found(read(one), level): None for one in there}:
            line.answer(PENDING, answer)
        line.answer(0)

    def _give(self, line: Line, data: bytes) -> None:
        if self._strikes(line):
            return
        given = ""
        for number, (uid, dataset) in enumerate(self._wanted(data).items()):
            if given and self._strikes(replace(line, step=Step.GIVING, given=given)):
                return
            command = store_request(number + 1, str(CTImageStorage), uid)
            line.send(message(line.storage, command, self.gives.get(uid, dataset)))
            read_message(line.connection)
            given = uid
        line.answer(0)

    def _move(self, line: Line, data: bytes) -> None:
        if self._strikes(line):
            return
        assert self.feeds is not None
        self.feeds.kept += self._wanted(data).items()
        if not self._strikes(Line(line.connection, Step.MOVED, line.context, line.command)):
            line.answer(0)

    def _wanted(self, data: bytes) -> dict[str, bytes]:
        """What is asked for: instances by name, or everything."""
        named = read(data).get("SOPInstanceUID", "")
        names = {named} if isinstance(named, str) else set(named)
        return {uid: dataset for uid, dataset in self.holds.items() if uid in names or names == {""}}

    def _take(self, line: Line, data: bytes) -> None:
        if self._strikes(line):
            return
        self.kept.append((line.command.sop_instance_uid, data))
        if not self._strikes(Line(line.connection, Step.TAKEN, line.context, line.command)):
            line.answer(0)


def plain(dataset: Dataset) -> bytes:
    """A data set in Explicit VR Little Endian, without file meta information."""
    data = encode(dataset, is_implicit_vr=False, is_little_endian=True)
    assert data is not None
    return data


def read(data: bytes) -> Dataset:
    """The data set again."""
    return decode(BytesIO(data), is_implicit_vr=False, is_little_endian=True)


def found(dataset: Dataset, level: str) -> bytes:
    """What is said of an instance at that level of a query."""
    answer = Dataset()
    answer.QueryRetrieveLevel = level
    keys = ["StudyInstanceUID", "SeriesInstanceUID", "Modality"]
    for keyword in [*keys, "SOPInstanceUID", "SOPClassUID"] if level == "IMAGE" else keys:
        setattr(answer, keyword, dataset[keyword].value)
    return plain(answer)
