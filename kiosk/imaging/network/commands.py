"""Command sets of DIMSE messages (PS3.7 6.3.1, 9.3 and Annex E): always Implicit VR Little Endian, group 0000."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from kiosk.errors import UnreadableObject

NO_DATA_SET: Final = 0x0101
WITH_DATA_SET: Final = 0x0001
MEDIUM_PRIORITY: Final = 0x0000

_NUMBERS: Final = frozenset({0x0100, 0x0110, 0x0120, 0x0800, 0x0900, 0x1002, 0x1020, 0x1021, 0x1022, 0x1023, 0x1031})
_TEXTS: Final = frozenset({0x0002, 0x0902, 0x1000, 0x1030})


class CommandField(IntEnum):
    """(0000,0100): what a message is; responses have the high bit."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    C_CANCEL_RQ = 0x0FFF


@dataclass(frozen=True)
class Command:
    """A command set that arrived. What it did not carry is 0 or empty."""

    field: int
    message_id: int = 0
    responded_to: int = 0
    has_data: bool = False
    status: int = 0
    comment: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    completed_suboperations: int = 0
    failed_suboperations: int = 0
    warning_suboperations: int = 0
    originator: str = ""
    originator_message_id: int = 0
    event_type: int = 0

    @property
    def suboperations(self) -> tuple[int, ...]:
        """How many have been completed, have failed and ended with a warning."""
        return self.completed_suboperations, self.failed_suboperations, self.warning_suboperations

    @property
    def is_request(self) -> bool:
        """True for what wants a response."""
        return not self.field & 0x8000 and self.field != CommandField.C_CANCEL_RQ


def _unsigned_short(element: int, value: int) -> bytes:
    return struct.pack("<HHIH", 0, element, 2, value)


def _uid(element: int, value: str) -> bytes:
    raw = value.encode("ascii")
    raw += b"\0" * (len(raw) % 2)
    return struct.pack("<HHI", 0, element, len(raw)) + raw


def _text(element: int, value: str) -> bytes:
    raw = value.encode("ascii", "replace")
    raw += b" " * (len(raw) % 2)
    return struct.pack("<HHI", 0, element, len(raw)) + raw


def _with_length(body: bytes) -> bytes:
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def echo_request(message_id: int, sop_class_uid: str) -> bytes:
    """C-ECHO-RQ (table 9.3-12)."""
    return _with_length(
        _uid(0x0002, sop_class_uid)
        + _unsigned_short(0x0100, CommandField.C_ECHO_RQ)
        + _unsigned_short(0x0110, message_id)
        + _unsigned_short(0x0800, NO_DATA_SET)
    )


def query_request(field: CommandField, message_id: int, sop_class_uid: str, destination: str = "") -> bytes:
    """C-FIND-RQ, C-GET-RQ or, with the AE title to send to, C-MOVE-RQ (tables 9.3-3, 9.3-6 and 9.3-9); an identifier
    follows."""
    return _with_length(
        _uid(0x0002, sop_class_uid)
        + _unsigned_short(0x0100, field)
        + _unsigned_short(0x0110, message_id)
        + (_text(0x0600, destination) if destination else b"")
        + _unsigned_short(0x0700, MEDIUM_PRIORITY)
        + _unsigned_short(0x0800, WITH_DATA_SET)
    )


def store_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """C-STORE-RQ (table 9.3-1); the data set follows."""
    return _with_length(
        _uid(0x0002, sop_class_uid)
        + _unsigned_short(0x0100, CommandField.C_STORE_RQ)
        + _unsigned_short(0x0110, message_id)
        + _unsigned_short(0x0700, MEDIUM_PRIORITY)
        + _unsigned_short(0x0800, WITH_DATA_SET)
        + _uid(0x1000, sop_instance_uid)
    )


def action_request(message_id: int, sop_class_uid: str, sop_instance_uid: str, action_type: int) -> bytes:
    """N-ACTION-RQ (table 10.3-7); the action's information follows."""
    return _with_length(
        _uid(0x0003, sop_class_uid)
        + _unsigned_short(0x0100, CommandField.N_ACTION_RQ)
        + _unsigned_short(0x0110, message_id)
        + _unsigned_short(0x0800, WITH_DATA_SET)
        + _uid(0x1001, sop_instance_uid)
        + _unsigned_short(0x1008, action_type)
    )


def create_request(message_id: int, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """N-CREATE-RQ (table 10.3-9); the attributes follow."""
    return _with_length(
        _uid(0x0002, sop_class_uid)
        + _unsigned_short(0x0100, CommandField.N_CREATE_RQ)
        + _unsigned_short(0x0110, message_id)
        + _unsigned_short(0x0800, WITH_DATA_SET)
        + _uid(0x1000, sop_instance_uid)
    )


def response(request: Command, status: int, comment: str = "") -> bytes:
    """The response to any request, without a data set; `comment` is ASCII and cut to 64 characters (PS3.7 Annex C)."""
    return _with_length(
        (_uid(0x0002, request.sop_class_uid) if request.sop_class_uid.isascii() else b"")
        + _unsigned_short(0x0100, request.field | 0x8000)
        + _unsigned_short(0x0120, request.message_id)
        + _unsigned_short(0x0800, NO_DATA_SET)
        + _unsigned_short(0x0900, status)
        + (_text(0x0902, comment[:64]) if comment else b"")
        + (_uid(0x1000, request.sop_instance_uid) if request.sop_instance_uid.isascii() else b"")
    )


def cancel_request(message_id: int) -> bytes:
    """C-CANCEL-RQ (tables 9.3-5 and 9.3-8): it has no response of its own."""
    return _with_length(
        _unsigned_short(0x0100, CommandField.C_CANCEL_RQ)
        + _unsigned_short(0x0120, message_id)
        + _unsigned_short(0x0800, NO_DATA_SET)
    )


def decode(raw: bytes) -> Command:
    """Reads a command set; raises UnreadableObject when it is none."""
    numbers: dict[int, int] = {}
    texts: dict[int, str] = {}
    position = 0
    while position < len(raw):
        if position + 8 > len(raw):
            raise UnreadableObject("A command set ends in the middle of an element.")
        group, element, length = struct.unpack_from("<HHI", raw, position)
        position += 8
        value = raw[position : position + length]
        if len(value) != length:
            raise UnreadableObject("A command set does not add up.")
        position += length
        # Orthanc puts the list of what failed (0008,0058) into the command set of its C-GET responses.
        if group:
            continue
        if element in _NUMBERS:
            numbers[element] = int.from_bytes(value[:2], "little")
        elif element in _TEXTS:
            texts[element] = value[:128].decode("latin-1").strip("\0 ")
    if 0x0100 not in numbers:
        raise UnreadableObject("A command set does not say what it is.")
    return Command(
        field=numbers[0x0100],
        message_id=numbers.get(0x0110, 0),
        responded_to=numbers.get(0x0120, 0),
        has_data=numbers.get(0x0800, NO_DATA_SET) != NO_DATA_SET,
        status=numbers.get(0x0900, 0),
        comment=texts.get(0x0902, ""),
        sop_class_uid=texts.get(0x0002, ""),
        sop_instance_uid=texts.get(0x1000, ""),
        completed_suboperations=numbers.get(0x1021, 0),
        failed_suboperations=numbers.get(0x1022, 0),
        warning_suboperations=numbers.get(0x1023, 0),
        originator=texts.get(0x1030, ""),
        originator_message_id=numbers.get(0x1031, 0),
        event_type=numbers.get(0x1002, 0),
    )
