"""What a counterpart may do instead of answering, and what of it a person is told."""

import itertools
import socket
import struct
from dataclasses import dataclass
from threading import Event

from pydicom.uid import CTImageStorage

from kiosk.imaging.network.commands import store_request
from tests.kiosk.imaging.counterpart import Fault, Line, Step
from tests.kiosk.imaging.hostile import message, pdu, read_message, response

FOUR_GIGABYTES = 0xFFFFFFFF
TRICKLE_SECONDS = 0.05


@dataclass(frozen=True)
class Kind:
    """A fault, and the sentence it ends in. `steps` are those at which it makes sense, all where none are named;
    `hangs` where only the peer's timeout ends it."""

    fault: Fault
    sentence: str
    steps: tuple[Step, ...] = ()
    hangs: bool = False

    def among(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Those of the steps at which it makes sense."""
        return tuple(step for step in steps if not self.steps or step in self.steps)


def close(line: Line) -> None:
    raise OSError("closed")


def reset(line: Line) -> None:
    line.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise OSError("reset")


def abort(line: Line) -> None:
    line.send(pdu(7, bytes(4)))
    raise OSError("aborted")


def release(line: Line) -> None:
    line.send(pdu(5, bytes(4)))
    line.listen()


def reject_for_now(line: Line) -> None:
    line.send(pdu(3, bytes((0, 2, 1, 1))))
    line.listen()


def hang(line: Line) -> None:
    line.listen()


def answer_another(line: Line) -> None:
    command = response(line.command.field | 0x8000, line.command, 0, responded_to=line.command.message_id + 1)
    line.send(message(line.context, command))


def answer_otherwise(line: Line) -> None:
    line.send(message(line.context, response(0x8030, line.command, 0)))


def answer_elsewhere(line: Line) -> None:
    line.send(message(255, response(line.command.field | 0x8000, line.command, 0)))


def babble(line: Line) -> None:
    line.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    line.listen()


def long_pdu(line: Line) -> None:
    line.send(struct.pack(">BxI", 2 if line.step is Step.ASSOCIATE else 4, FOUR_GIGABYTES))
    go_on(line)


def long_value(line: Line) -> None:
    line.send(pdu(4, struct.pack(">IBB", FOUR_GIGABYTES, line.context, 3) + bytes(64)))
    line.listen()


def long_element(line: Line) -> None:
    line.send(pdu(4, struct.pack(">IBBHHI", 10, line.context, 3, 0, 0x0100, FOUR_GIGABYTES)))
    line.listen()


def go_on(line: Line) -> None:
    """Zeros for as long as anybody takes them."""
    while True:
        line.send(bytes(65536))


def trickle(line: Line) -> None:
    """The beginning of a PDU of a size that may be, byte by byte."""
    line.send(struct.pack(">BxI", 2 if line.step is Step.ASSOCIATE else 4, 60_000))
    while True:
        line.send(b"\0")
        Event().wait(TRICKLE_SECONDS)


def say_nothing_at_length(line: Line) -> None:
    """Fragments of a command, without a byte in them and without end."""
    while True:
        line.send(pdu(4, struct.pack(">IBB", 2, line.context, 1)))
        Event().wait(TRICKLE_SECONDS)


def promise(line: Line) -> None:
    """Says for ever that there is more to come."""
    while True:
        line.answer(0xFF00)
        Event().wait(TRICKLE_SECONDS)


def repeat_for_ever(line: Line) -> None:
    """What has been given, again and again."""
    for number in itertools.count(1):
        command = store_request(number % 65536, str(CTImageStorage), line.given)
        line.send(message(line.storage, command, bytes(1024)))
        read_message(line.connection)


def repeat_without_end(line: Line) -> None:
    """What has been given once more, and never the last of it."""
    command = store_request(1, str(CTImageStorage), line.given)
    line.send(pdu(4, struct.pack(">IBB", len(command) + 2, line.storage, 3) + command))
    while True:
        line.send(pdu(4, struct.pack(">IBB", 65538, line.storage, 0) + bytes(65536)))
        Event().wait(TRICKLE_SECONDS)


_LATER = tuple(step for step in Step if step is not Step.ASSOCIATE)
_IN_TIME = "did not answer within"

KINDS = {
    "close": Kind(close, "closed the connection"),
    "reset": Kind(reset, "closed the connection"),
    "abort": Kind(abort, "aborted the association"),
    "release": Kind(release, "ended the association in the middle|a PDU of type 05 in answer to the request"),
    "reject for now": Kind(reject_for_now, "rejected the association: no reason given", (Step.ASSOCIATE,)),
    "hang": Kind(hang, _IN_TIME, hangs=True),
    "answer another": Kind(answer_another, "an answer to a question that was not asked", _LATER),
    "answer otherwise": Kind(answer_otherwise, "an answer to a question that was not asked", _LATER),
    "answer elsewhere": Kind(answer_elsewhere, "a message under a context that was not agreed", _LATER),
    "babble": Kind(babble, "was ended: it sent a PDU of"),
    "long PDU": Kind(long_pdu, "a PDU of 4294967295 bytes"),
    "long value": Kind(long_value, "does not add up", _LATER),
    "long element": Kind(long_element, "does not add up", _LATER),
    "trickle": Kind(trickle, _IN_TIME, hangs=True),
    "say nothing at length": Kind(say_nothing_at_length, _IN_TIME, _LATER, hangs=True),
}
"""What ends by itself within a few of the peer's timeouts."""
