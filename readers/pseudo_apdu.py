"""What a PC/SC reader answers itself, so that the other backends answer alike (PC/SC part 3, 3.2.2.1.3)."""

from readers.apdu import OK, Command, Response
from readers.uid import Uid

READER_CLASS = 0xFF
GET_DATA = 0xCA
FUNCTION_NOT_SUPPORTED = 0x6A81
CLASS_NOT_SUPPORTED = 0x6E00


def answer(command: Command, uid: Uid | None, historical: bytes) -> Response | None:
    """The reader's own answer to a command of class FF; None for a command that is the card's to answer."""
    if command.cla != READER_CLASS:
        return None
    if command.ins != GET_DATA or command.p2:
        return Response(b"", CLASS_NOT_SUPPORTED)
    if command.p1 == 0x00 and uid is not None:
        return Response(uid.value, OK)
    if command.p1 == 0x01 and historical:
        return Response(historical, OK)
    return Response(b"", FUNCTION_NOT_SUPPORTED)
